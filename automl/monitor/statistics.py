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
ATOM = 0.1  # share of the rows from which a single value has a bin of its own
OUTER = 0.01  # share of the rows at either end that scale and distance leave out
# Values this near to an edge count as the edge, on both sides: float32 and float64 do not hold the same number.
NEAR, NEAR_SPREAD, NEAREST = 1e-6, 1e-5, 1e-300  # parts of the edge, at most parts of the scale; and of an edge of 0


def make_sketch(values: Array) -> dict[str, Any]:
    """Least and largest value of a sample (n,) float64, and quantiles that hold at least ten rows between them.

    Returns:
        "rows"; "edges", rising and distinct; "under": rows strictly below each edge; "below": rows at or below it;
        "scale": the standard deviation without the outermost hundredths, 0 for a constant.
    """
    ordered = np.sort(values)
    rows = len(ordered)
    if rows == 0:
        return {"rows": 0, "edges": [], "under": [], "below": [], "scale": 0.0}
    bins = int(np.clip(rows // FEWEST_A_BIN, 1, BINS))
    places = (rows * np.arange(1, bins)) // bins - 1 if bins > 1 else np.array([rows // 2])
    edges = np.unique(ordered[np.concatenate(([0], places, [rows - 1]))])
    outer = int(rows * OUTER)
    low, high = ordered[outer], ordered[rows - 1 - outer]
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308 have no finite square
        scale = float(np.clip(ordered, low, high).std())
    if low == high or not np.isfinite(scale):  # the mean of equal numbers is not always that number
        scale = 0.0
    under, below = (np.searchsorted(ordered, bound, "right") for bound in _bounds(edges, scale))
    return {
        "rows": rows, "edges": edges.tolist(), "under": under.tolist(), "below": below.tolist(), "scale": scale,
    }  # fmt: skip


def _bounds(edges: Array, scale: float) -> tuple[Array, Array]:
    """The largest number that is strictly below each edge (e,), and the largest that counts as the edge itself."""
    near = NEAR * np.abs(edges)
    if scale > 0:
        near = np.minimum(near, NEAR_SPREAD * scale)
    near = np.maximum(near, NEAREST)
    return np.nextafter(edges - near, -np.inf), edges + near


def compare_sketch(sketch: dict[str, Any], values: Array) -> tuple[float, float, float]:
    """p value, population stability index and distance of new values (m,) from a sketch.

    The test is that of Kolmogorov and Smirnov with the distance taken on both sides of the sketch's edges alone, which
    can only make it smaller, so that the p value errs on the careful side. The distance is Wasserstein's between the
    outermost hundredths, in units of `scale`.
    """
    from scipy.special import kolmogorov

    rows, new = int(sketch["rows"]), len(values)
    if rows == 0 or new == 0:
        return 1.0, 0.0, 0.0
    gaps = _gaps(sketch, values)
    p_value = float(kolmogorov(np.sqrt(rows * new / (rows + new)) * gaps.max()))
    _, before, after = bin_shares(sketch, values)
    return p_value, stability(before, after), _distance(sketch, gaps)


def _gaps(sketch: dict[str, Any], values: Array) -> Array:
    """Differences (2, e) of the shares of rows strictly below, and at or below, each edge."""
    edges, rows = np.asarray(sketch["edges"], dtype=np.float64), int(sketch["rows"])
    ordered = np.sort(values)
    if "under" in sketch:
        before = np.array([sketch["under"], sketch["below"]]) / rows
        bounds = _bounds(edges, float(sketch["scale"]))
        return np.abs(before - np.array([np.searchsorted(ordered, bound, "right") for bound in bounds]) / len(values))
    # An earlier version kept one side alone; all that lies between two edges is taken to be at the upper one.
    gaps = np.abs(np.asarray(sketch["below"]) / rows - np.searchsorted(ordered, edges, "right") / len(values))
    return np.stack([np.concatenate(([0.0], gaps[:-1])), gaps])


def _distance(sketch: dict[str, Any], gaps: Array) -> float:
    edges, scale = np.asarray(sketch["edges"], dtype=np.float64), float(sketch["scale"])
    if scale <= 0:
        return 0.0
    if "under" in sketch:
        outer = OUTER * int(sketch["rows"])
        is_inner = (np.array(sketch["below"]) >= outer) & (np.array(sketch["under"]) <= int(sketch["rows"]) - outer)
        edges, gaps = edges[is_inner], gaps[:, is_inner]
    return float((gaps[1, :-1] + gaps[0, 1:]) / 2 @ np.diff(edges)) / scale


def cut_bins(sketch: dict[str, Any]) -> tuple[Array, Array, Array]:
    """About ten bins of about equal size; a value that a tenth of the rows have is a bin of its own.

    Returns:
        The largest number (b - 1,) that each bin but the last holds, rising; the edges (b - 1,) that these stand for,
        one twice where a bin ends before it and another with it; the rows (b,) of the reference in each bin.
    """
    edges, below = np.asarray(sketch["edges"], dtype=np.float64), np.asarray(sketch["below"], dtype=np.float64)
    rows = max(1, int(sketch["rows"]))
    tenths = np.unique(np.searchsorted(below / rows, np.arange(1, 10) / 10 - 1e-9))
    tenths = tenths[tenths < len(edges)]
    tenths = tenths[below[tenths] < rows]
    if "under" not in sketch:
        return edges[tenths], edges[tenths], np.diff(np.concatenate(([0.0], below[tenths], [rows])))
    under = np.asarray(sketch["under"], dtype=np.float64)
    atoms = np.flatnonzero(below - under >= ATOM * rows)
    just_below, just_above = _bounds(edges, float(sketch["scale"]))
    closed = np.union1d(tenths, atoms)
    cuts = np.concatenate((just_below[atoms], just_above[closed]))
    order = np.argsort(cuts)
    counts = np.concatenate((under[atoms], below[closed]))[order]
    return cuts[order], edges[np.append(atoms, closed)][order], np.diff(np.concatenate(([0.0], counts, [rows])))


def bin_shares(sketch: dict[str, Any], values: Array) -> tuple[Array, Array, Array]:
    """The bins of `cut_bins` that are not empty on both sides: their upper edges (b - 1,), both sides' shares (b,)."""
    cuts, edges, counts = cut_bins(sketch)
    before = counts / max(1, int(sketch["rows"]))
    after = np.bincount(np.searchsorted(cuts, values, "left"), minlength=len(cuts) + 1) / max(1, len(values))
    kept = (before > 0) | (after > 0)
    kept[-1] = True  # the one bin that no edge closes
    return edges[kept[:-1]], before[kept], after[kept]


def stability(before: Array, after: Array) -> float:
    """Population stability index of two lists of shares; empty bins count as one in a thousand."""
    low, high = np.maximum(before, EMPTY), np.maximum(after, EMPTY)
    return float(((high - low) * np.log(high / low)).sum())


def compare_counts(before: Array, after: Array) -> tuple[float, float]:
    """p value and population stability index of two lists of counts (c,).

    Cells that are rare in both together are pooled before the chi-square test of homogeneity. If they are rare even so,
    a single row among few would be a marvel to it: Fisher's exact test holds them against all others, beside a
    chi-square test of these. What is pooled depends on the sums alone: pooling by the reference's counts would make its
    own chance of draw look like a shift.
    """
    rows = np.array([before.sum(), after.sum()], dtype=np.float64)
    if not rows.all():
        return 1.0, 0.0
    fewest = EXPECTED * rows.sum() / rows.min()
    rare = before + after < fewest
    kept, pooled = (np.stack([before[of], after[of]]) for of in (~rare, rare))
    scarce = pooled.sum(axis=1, keepdims=True)
    table = np.append(kept, scarce, axis=1)
    index = stability(table[0] / rows[0], table[1] / rows[1])
    if not 0 < scarce.sum() < fewest or kept.shape[1] == 0:
        return _chi_square(table), index
    p_value = compare_shares(int(scarce[0, 0]), int(rows[0]), int(scarce[1, 0]), int(rows[1]))
    if kept.shape[1] > 1:
        p_value = min(1.0, 2 * min(p_value, _chi_square(kept)))  # two tests
    return p_value, index


def _chi_square(table: Array) -> float:
    """p value of the test of homogeneity of two rows of counts (2, c)."""
    from scipy.stats import chi2

    table = table[:, table.sum(axis=0) > 0].astype(np.float64)
    rows = table.sum(axis=1)
    freedom = table.shape[1] - 1
    if freedom < 1 or not rows.all():
        return 1.0
    expected = rows[:, None] * table.sum(axis=0) / rows.sum()
    return float(chi2.sf(float(((table - expected) ** 2 / expected).sum()), freedom))


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
    1953, doi:10.1093/biomet/40.3-4.237); how sure that is, from Esty 1983 (doi:10.1214/aos/1176346256). The number is
    taken to be normal or, where that is less sure, as where next to none are expected, beta-binomial: a binomial number
    whose share is as unsure as that.
    """
    from scipy.stats import betabinom, norm

    if rows == 0 or new == 0 or unseen == 0:
        return 1.0
    share = min((once + 1) / (rows + 1), 0.999)
    spread = (once * (1 - once / rows) + 2 * twice + 1) / rows**2
    error = np.sqrt(new * share * (1 - share) + new**2 * spread)
    normal = float(norm.sf((unseen - 0.5 - new * share) / error))
    # as many rows as would make a share so sure; with fewer than one it would be all or nothing
    strength = max(1.0, share * (1 - share) / spread - 1)
    tail = betabinom.pmf(np.arange(unseen, new + 1), new, share * strength, (1 - share) * strength)
    return max(normal, min(1.0, float(tail.sum())))


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
