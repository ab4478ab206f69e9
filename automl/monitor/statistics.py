"""Tests and sizes of a difference that need counts and quantiles of the reference, not its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.matrix import Array

BINS = 100
FEWEST_A_BIN = 10
STABILITY = 0.1  # population stability index from which a difference counts as large
DISTANCE = 0.1  # the same of a Wasserstein distance in standard deviations
EMPTY = 1e-3  # share that an empty bin counts as
EXPECTED = 5.0  # rows that both sides should have in a cell of a chi-square test


def make_sketch(values: Array) -> dict[str, Any]:
    """Quantiles of a sample (n,) float64 that hold at least ten rows between them.

    Returns:
        "rows"; "edges", rising and distinct; "below": rows at or under each edge; "scale": the standard deviation
        without the outermost hundredths, 0 for a constant.
    """
    ordered = np.sort(values)
    rows = len(ordered)
    if rows == 0:
        return {"rows": 0, "edges": [], "below": [], "scale": 0.0}
    bins = int(np.clip(rows // FEWEST_A_BIN, 1, BINS))
    edges = np.unique(ordered[(rows * np.arange(1, bins)) // bins - 1]) if bins > 1 else np.unique(ordered[rows // 2])
    below = np.searchsorted(ordered, edges, "right")
    low, high = ordered[rows // 100], ordered[rows - 1 - rows // 100]
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308 have no finite square
        scale = float(np.clip(ordered, low, high).std())
    if not np.isfinite(scale):
        scale = 0.0
    return {"rows": rows, "edges": edges.tolist(), "below": below.tolist(), "scale": scale}


def compare_sketch(sketch: dict[str, Any], values: Array) -> tuple[float, float, float]:
    """p value, population stability index and distance of new values (m,) from a sketch.

    The test is that of Kolmogorov and Smirnov with the distance taken at the sketch's edges alone, which can only make
    it smaller, so that the p value errs on the careful side. The distance is Wasserstein's between the outermost edges,
    in units of `scale`.
    """
    from scipy.special import kolmogorov

    rows, new = int(sketch["rows"]), len(values)
    edges = np.asarray(sketch["edges"], dtype=np.float64)
    if rows == 0 or new == 0:
        return 1.0, 0.0, 0.0
    before = np.asarray(sketch["below"], dtype=np.float64) / rows
    after = np.searchsorted(np.sort(values), edges, "right") / new
    gaps = np.abs(before - after)
    p_value = float(kolmogorov(np.sqrt(rows * new / (rows + new)) * gaps.max()))
    scale = float(sketch["scale"])
    distance = float(gaps[:-1] @ np.diff(edges)) / scale if scale > 0 else 0.0
    shares = bin_shares(sketch, values)
    return p_value, stability(shares[1], shares[2]), distance


def bin_shares(sketch: dict[str, Any], values: Array) -> tuple[Array, Array, Array]:
    """Up to ten bins of about equal size: their upper edges (b - 1,), and both sides' shares (b,)."""
    edges = np.asarray(sketch["edges"], dtype=np.float64)
    below = np.asarray(sketch["below"], dtype=np.float64) / max(1, int(sketch["rows"]))
    places = np.unique(np.searchsorted(below, np.arange(1, 10) / 10 - 1e-9))
    places = places[(places < len(edges)) & (below[np.minimum(places, len(edges) - 1)] < 1)]
    cuts = edges[places]
    before = np.diff(np.concatenate(([0.0], below[places], [1.0])))
    new = np.bincount(np.searchsorted(cuts, values, "left"), minlength=len(cuts) + 1) / max(1, len(values))
    return cuts, before, new


def stability(before: Array, after: Array) -> float:
    """Population stability index of two lists of shares; empty bins count as one in a thousand."""
    low, high = np.maximum(before, EMPTY), np.maximum(after, EMPTY)
    return float(((high - low) * np.log(high / low)).sum())


def compare_counts(before: Array, after: Array) -> tuple[float, float]:
    """p value and population stability index of two lists of counts (c,).

    Cells that are rare in both together are pooled before the chi-square test of homogeneity. What is pooled depends on
    the sums alone: pooling by the reference's counts would make its own chance of draw look like a shift.
    """
    from scipy.stats import chi2

    total = before + after
    rows = np.array([before.sum(), after.sum()], dtype=np.float64)
    if not rows.all():
        return 1.0, 0.0
    rare = total * (rows.min() / rows.sum()) < EXPECTED
    table = np.stack([np.append(side[~rare], side[rare].sum()) for side in (before, after)]).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    expected = rows[:, None] * table.sum(axis=0) / rows.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom = table.shape[1] - 1
    p_value = float(chi2.sf(statistic, freedom)) if freedom > 0 else 1.0
    return p_value, stability(table[0] / rows[0], table[1] / rows[1])


def compare_shares(before: int, rows: int, after: int, new: int) -> float:
    """p value of the difference of two shares, `before` of `rows` and `after` of `new`; Fisher's exact test where a
    count is small."""
    from scipy.stats import fisher_exact, norm

    if min(rows, new) == 0 or before + after in (0, rows + new):
        return 1.0
    pooled = (before + after) / (rows + new)
    if min(rows, new) * min(pooled, 1 - pooled) < EXPECTED:
        return float(fisher_exact([[before, rows - before], [after, new - after]]).pvalue)
    z = (after / new - before / rows) / np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / new))
    return float(2 * norm.sf(abs(z)))


def excess_unseen(once: int, twice: int, rows: int, unseen: int, new: int) -> float:
    """One-sided p value of `unseen` new rows, of `new`, with a level that training did not have.

    How many are expected although nothing has changed follows from the levels that training had once and twice (Good
    1953, doi:10.1093/biomet/40.3-4.237); how sure that is, from Esty 1983 (doi:10.1214/aos/1176346256).
    """
    from scipy.stats import norm

    if rows == 0 or new == 0 or unseen == 0:
        return 1.0
    share = (once + 1) / (rows + 1)
    spread = (once * (1 - once / rows) + 2 * twice + 1) / rows**2
    error = np.sqrt(new * share * (1 - min(share, 0.999)) + new**2 * spread)
    return float(norm.sf((unseen - 0.5 - new * share) / error))


def discoveries(p_values: Sequence[float], weights: Sequence[float], rate: float) -> Array:
    """Adjusted p values (t,) whose being at most `rate` keeps the false discovery rate there.

    Benjamini and Hochberg's step-up rule (1995, doi:10.1111/j.2517-6161.1995.tb02031.x) on p / weight, with weights of
    mean 1 (Genovese, Roeder and Wasserman 2006, doi:10.1093/biomet/93.3.509). If nothing has changed at all, the chance
    of any discovery is at most `rate`.
    """
    count = len(p_values)
    if count == 0:
        return np.zeros(0)
    scaled = np.asarray(weights, dtype=np.float64)
    ratio = np.asarray(p_values, dtype=np.float64) / (scaled / scaled.mean())
    order = np.argsort(ratio, kind="stable")
    stepped = np.minimum.accumulate((ratio[order] * count / np.arange(1, count + 1))[::-1])[::-1]
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
