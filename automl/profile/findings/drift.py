"""Columns that differ between two files: by a test that is corrected for many columns, and by size."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from automl.matrix import Array, IntArray
from automl.profile import Finding
from automl.profile.association import to_float
from automl.schema import Column, Role

if TYPE_CHECKING:
    from automl.data import Dataset

FEWEST_ROWS = 200  # of either file, below which a large difference is no news
MOST_ROWS = 20_000  # of each file, and fewer if there are many columns
MOST_CELLS = 10_000_000
RATE = 0.05  # false discoveries among the columns named
STABILITY = 0.1  # population stability index
DISTANCE = 0.1  # Wasserstein distance in standard deviations
MISSING = 0.05  # difference of the shares of missing cells
COMPARED = (Role.NUMBER, Role.DATE, Role.CATEGORY)
MOST_NAMES = 5
UNSEEN = 0.05  # share of cells with a value that the first file does not have


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    column: str
    p_value: float
    is_large: bool
    text: str


class Drift:
    """Per column Kolmogorov-Smirnov or chi-square, with Benjamini-Hochberg (1995) over the columns.

    A column is named if its test survives at a false discovery rate of 5% and the difference is large: a population
    stability index or a distance in standard deviations above 0.1, 5 points more or fewer missing, or 5% unseen values.
    """

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        if new is None:
            return []
        if min(dataset.n_rows, len(new)) < FEWEST_ROWS:
            which, rows = ("new", len(new)) if len(new) < FEWEST_ROWS else ("first", dataset.n_rows)
            text = f"The files were not compared: the {which} one has {rows:,} rows, {FEWEST_ROWS} are needed"
            return [_tell_skipped(text)]
        rng = np.random.default_rng(0)
        most = max(1_000, min(MOST_ROWS, MOST_CELLS // max(1, len(dataset.schema.features))))
        before = dataset.frame.iloc[rng.permutation(dataset.n_rows)[:most]]
        after = new.iloc[rng.permutation(len(new))[:most]]
        differences: list[_Difference] = []
        left_out: list[str] = []
        for column in dataset.schema.features:
            if column.role not in COMPARED or column.name not in new.columns:
                left_out.append(column.name)
                continue
            differences += _compare(column, before[column.name], after[column.name])
            if min(before[column.name].count(), after[column.name].count()) < FEWEST_ROWS:
                left_out.append(column.name)
        found = [
            difference
            for difference, passes in zip(differences, _discoveries(differences), strict=True)
            if passes and difference.is_large
        ]
        findings = [
            Finding(
                kind="drift",
                severity="warning",
                columns=(difference.column,),
                text=f"{difference.column!r} differs in the new file: {difference.text}",
                action="Scores on the new file may be lower; see whether it was made the same way",
            )
            for difference in sorted(found, key=lambda difference: difference.p_value)
        ]
        return [*findings, *_tell_left_out(left_out, len(dataset.schema.features))]


def _tell_skipped(text: str, columns: tuple[str, ...] = ()) -> Finding:
    return Finding(kind="drift", severity="note", text=text, columns=columns, skipped=("drift",))


def _tell_left_out(names: list[str], all_columns: int) -> list[Finding]:
    """That columns were not compared; none are named where it was all of them."""
    if not names:
        return []
    why = f"texts, pictures and columns of fewer than {FEWEST_ROWS} known values are not"
    if len(names) == all_columns:
        return [_tell_skipped(f"No column was compared with the new file: {why}")]
    shown = ", ".join(repr(name) for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return [_tell_skipped(f"Not compared with the new file: {shown}{more}; {why}", tuple(names))]


def _discoveries(differences: list[_Difference]) -> Array:
    """Which survive Benjamini and Hochberg's step-up rule (doi:10.1111/j.2517-6161.1995.tb02031.x): (d,) bool."""
    p_values = np.array([difference.p_value for difference in differences])
    order = np.argsort(p_values, kind="stable")
    passing = np.flatnonzero(p_values[order] <= RATE * np.arange(1, len(order) + 1) / max(1, len(order)))
    kept = np.zeros(len(order), dtype=bool)
    kept[order[: passing[-1] + 1 if len(passing) else 0]] = True
    return kept


def _compare(column: Column, old: pd.Series, new: pd.Series) -> list[_Difference]:
    """At most one test of missing cells and one of the values."""
    found = []
    missing = _compare_missing(column.name, old.isna().to_numpy(), new.isna().to_numpy())
    if missing is not None:
        found.append(missing)
    old, new = old.dropna(), new.dropna()
    if len(old) >= FEWEST_ROWS and len(new) >= FEWEST_ROWS:
        compare = _compare_levels if column.role is Role.CATEGORY else _compare_numbers
        found.append(compare(column.name, old, new))
    return found


def _compare_missing(name: str, old: Array, new: Array) -> _Difference | None:
    from scipy.stats import chi2_contingency

    if not old.any() and not new.any():
        return None
    if old.all() and new.all():
        return None
    table = [[int(old.sum()), int((~old).sum())], [int(new.sum()), int((~new).sum())]]
    return _Difference(
        column=name,
        p_value=float(chi2_contingency(table).pvalue),
        is_large=bool(abs(old.mean() - new.mean()) > MISSING),
        text=f"{new.mean():.1%} missing, {old.mean():.1%} in training",
    )


def _compare_numbers(name: str, old: pd.Series, new: pd.Series) -> _Difference:
    before, after = np.sort(to_float(old)), np.sort(to_float(new))
    p_value, distance = _test_distributions(before, after)
    distance /= float(before.std()) or 1.0
    edges = np.unique(before[(len(before) * np.arange(1, 10)) // 10])  # tenths
    shares = [_shares(np.searchsorted(edges, values, "right"), len(edges) + 1) for values in (before, after)]
    stability = _stability(*shares)
    return _Difference(
        column=name,
        p_value=p_value,
        is_large=stability > STABILITY or distance > DISTANCE,
        text=_tell_numbers(before, after, stability, distance),
    )


def _test_distributions(before: Array, after: Array) -> tuple[float, float]:
    """Kolmogorov-Smirnov's p-value and Wasserstein's distance of two sorted samples.

    Both come from the two distribution functions; scipy's two tests take ten times as long, too long for a table of
    10,000 columns.
    """
    from scipy.special import kolmogorov

    points = np.sort(np.concatenate((before, after)))
    below = [np.searchsorted(values, points, "right") / len(values) for values in (before, after)]
    gaps = np.abs(below[0] - below[1])
    effective = len(before) * len(after) / (len(before) + len(after))
    return float(kolmogorov(np.sqrt(effective) * gaps.max())), float(gaps[:-1] @ np.diff(points))


def _tell_numbers(before: Array, after: Array, stability: float, distance: float) -> str:
    figures = f"PSI {stability:.2f}, shifted by {distance:.2f} standard deviations"
    if np.ptp(after) == 0 and np.ptp(before) > 0:
        return f"it is always {after[0]:g} there ({figures})"
    low, high = float(np.median(before)), float(np.median(after))
    if low and high and low * high > 0:
        power = round(float(np.log10(high / low)))
        if abs(power) >= 2 and 0.8 < high / low / 10.0**power < 1.25:
            return f"values are 10^{power} times as large, as if the unit had changed ({figures})"
    return f"median {high:g}, {low:g} in training ({figures})" if abs(high) < 1e9 else figures


def _compare_levels(name: str, old: pd.Series, new: pd.Series) -> _Difference:
    from scipy.stats import chi2_contingency

    codes = np.asarray(pd.factorize(pd.concat([old, new]))[0], dtype=np.int64)
    size = int(codes.max()) + 1
    before = np.bincount(codes[: len(old)], minlength=size)
    after = np.bincount(codes[len(old) :], minlength=size)
    unseen = float(after[before == 0].sum() / after.sum())
    table = _pool_rare(before, after)
    stability = _stability(*(counts / counts.sum() for counts in table))
    p_value = float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0
    text = f"PSI {stability:.2f}" + (f", {unseen:.1%} of the cells hold values unseen in training" if unseen else "")
    return _Difference(column=name, p_value=p_value, is_large=stability > STABILITY or unseen > UNSEEN, text=text)


def _pool_rare(before: IntArray, after: IntArray) -> IntArray:
    """Counts (2, m) with the levels pooled of which either file should hold fewer than 5 rows."""
    both = before + after
    rare = both * min(before.sum(), after.sum()) / both.sum() < 5
    pooled = [np.append(counts[~rare], counts[rare].sum()) for counts in (before, after)]
    table = np.stack(pooled)
    return table[:, table.sum(axis=0) > 0]


def _shares(codes: IntArray, size: int) -> Array:
    return np.bincount(codes, minlength=size) / len(codes)


def _stability(before: Array, after: Array) -> float:
    """Population stability index; empty bins count as one in a thousand."""
    low, high = np.maximum(before, 1e-3), np.maximum(after, 1e-3)
    return float(((high - low) * np.log(high / low)).sum())


plugin = Drift()
