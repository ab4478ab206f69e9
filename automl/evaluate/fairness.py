"""How a model treats groups of people or things: rates and errors of each, the gaps, and what closing them costs.

Terms: demographic parity (equal selection rates), equal opportunity (equal true positive rates) and equalized odds
(equal false positive rates as well): Hardt, Price & Srebro 2016, arXiv:1610.02413. Intervals of shares: Wilson 1927.

Rows that are alike, such as those of one person, are of one unit here, as groups are what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl.data.sensitive import Groups
from automl.evaluate.evidence import count_effective
from automl.evaluate.residuals import halve
from automl.matrix import Array, FloatArray, IntArray
from automl.task import Task, TaskKind

# A group of fewer rows is shown, but takes no part in the gaps: its rates are mostly chance.
MIN_ROWS = 30
DRAWS = 2_000
Z = 1.959964


def describe_fairness(
    task: Task,
    y: Array,
    outputs: FloatArray,
    groups: Groups,
    *,
    threshold: float = 0.5,
    seed: int = 0,
    units: IntArray | None = None,
) -> dict[str, Any]:
    """Figures by group, gaps between groups, and for two classes what equal rates would cost.

    Args:
        y: class index (n,) int64, or value (n,).
        outputs: (n, k) predictions of rows that the model had not seen.
        threshold: two classes only: from this probability on the second class is named.
        units: number (n,) of the unit of each row, such as its person: intervals and chance count the rows of one
            together.

    Returns:
        "column", "groups" (one record a group), "gaps" (name, value, low, high, chance: what 95 of 100 random
        divisions into groups of the same sizes stay below), "mitigation".
    """
    rng = np.random.default_rng([seed, 53])
    if task.kind is TaskKind.REGRESSION:
        rows, measures = _value_groups(y, outputs, groups, units), _value_measures(y, outputs)
    elif task.kind is TaskKind.BINARY:
        rows, measures = _binary_groups(y, outputs, groups, threshold, units), _binary_measures(y, outputs, threshold)
    else:
        rows, measures = _class_groups(y, outputs, groups, units), _class_measures(y, outputs)
    large = np.flatnonzero(np.bincount(groups.codes, minlength=len(groups.labels)) >= MIN_ROWS)
    record: dict[str, Any] = {"column": groups.column, "rows": len(y), "groups": rows, "gaps": [], "mitigation": []}
    if len(large) >= 2:
        record["gaps"] = [_gap(name, measure, groups.codes, large, units, rng) for name, measure in measures.items()]
        if task.kind is TaskKind.BINARY:
            record["threshold"] = threshold
            record["mitigation"] = mitigate(y, outputs[:, 1], groups, threshold, units, seed)
    return record


def wilson(hits: float, rows: float) -> tuple[float | None, float | None, float | None]:
    """A share with its 95% interval; None for all where there are no rows."""
    if rows <= 0:
        return None, None, None
    share, shrink = hits / rows, 1 + Z * Z / rows
    centre = (share + Z * Z / (2 * rows)) / shrink
    half = Z * np.sqrt(share * (1 - share) / rows + Z * Z / (4 * rows * rows)) / shrink
    return float(share), float(max(0.0, centre - half)), float(min(1.0, centre + half))


def _take(units: IntArray | None, rows: Array) -> IntArray | None:
    """The units of some of the rows, by their numbers or by a mask."""
    return None if units is None else units[rows]


def _share(name: str, hits: Array, units: IntArray | None) -> dict[str, float | None]:
    if not len(hits):
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    share, rows = float(hits.mean()), count_effective(hits, units)
    _, low, high = wilson(share * rows, rows)
    return {name: share, f"{name}_low": low, f"{name}_high": high}


def _mean(name: str, values: Array, units: IntArray | None) -> dict[str, float | None]:
    if not len(values):
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    mean = float(values.mean())
    half = Z * float(values.std(ddof=1)) / float(np.sqrt(count_effective(values, units))) if len(values) > 1 else 0.0
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def _each(groups: Groups, describe: Callable[[Array], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for code, label in enumerate(groups.labels):
        own = np.flatnonzero(groups.codes == code)
        if len(own):
            rows.append({"group": label, "rows": len(own), "small": len(own) < MIN_ROWS, **describe(own)})
    return rows


def _binary_groups(
    y: Array, outputs: FloatArray, groups: Groups, threshold: float, units: IntArray | None
) -> list[dict[str, Any]]:
    probability = outputs[:, 1].astype(np.float64)
    chosen = outputs[:, 1] >= threshold

    def describe(own: Array) -> dict[str, Any]:
        truth, alike = y[own] == 1, _take(units, own)
        return {
            **_share("base_rate", truth, alike),
            **_share("selection_rate", chosen[own], alike),
            **_share("tpr", chosen[own][truth], _take(alike, truth)),
            **_share("fpr", chosen[own][~truth], _take(alike, ~truth)),
            **_share("accuracy", chosen[own] == truth, alike),
            "mean_probability": float(probability[own].mean()),
            **_mean("calibration_gap", probability[own] - truth, alike),
        }

    return _each(groups, describe)


def _class_groups(y: Array, outputs: FloatArray, groups: Groups, units: IntArray | None) -> list[dict[str, Any]]:
    decided = outputs.argmax(axis=1)
    sure = outputs.max(axis=1).astype(np.float64)

    def describe(own: Array) -> dict[str, Any]:
        right, alike = decided[own] == y[own], _take(units, own)
        return {**_share("accuracy", right, alike), **_mean("calibration_gap", sure[own] - right, alike)}

    return _each(groups, describe)


def _value_groups(y: Array, outputs: FloatArray, groups: Groups, units: IntArray | None) -> list[dict[str, Any]]:
    error = outputs[:, 0].astype(np.float64) - y

    def describe(own: Array) -> dict[str, Any]:
        alike = _take(units, own)
        return {
            "mean_truth": float(y[own].mean()),
            "mean_prediction": float(outputs[own, 0].mean()),
            **_mean("mean_error", error[own], alike),
            **_mean("mean_absolute_error", np.abs(error[own]), alike),
        }

    return _each(groups, describe)


# ---- gaps ------------------------------------------------------------------------------------------------------------

# Mean, standard deviation and number of a figure's rows in each group (g,); a mean is NaN where there are none.
Figures = tuple[Array, Array, Array]


def _figures(values: Array, codes: Array, groups: int) -> Figures:
    """The figures of `values` (m,), such as hits of 0 and 1, in each of the groups."""
    count = np.bincount(codes, minlength=groups).astype(np.float64)
    some = np.maximum(1.0, count)
    mean = np.bincount(codes, weights=values, minlength=groups) / some
    square = np.bincount(codes, weights=values**2, minlength=groups) / some
    return np.where(count > 0, mean, np.nan), np.sqrt(np.maximum(0.0, square - mean**2)), count


def _binary_measures(y: Array, outputs: FloatArray, threshold: float) -> dict[str, tuple[Array, Array]]:
    """Name → (what is averaged, over which rows)."""
    chosen, truth, everyone = outputs[:, 1] >= threshold, y == 1, np.ones(len(y), dtype=bool)
    return {
        "selection rate": (chosen, everyone),
        "true positive rate": (chosen, truth),
        "false positive rate": (chosen, ~truth),
        "calibration": (outputs[:, 1] - truth, everyone),
    }


def _class_measures(y: Array, outputs: FloatArray) -> dict[str, tuple[Array, Array]]:
    return {"accuracy": (outputs.argmax(axis=1) == y, np.ones(len(y), dtype=bool))}


def _value_measures(y: Array, outputs: FloatArray) -> dict[str, tuple[Array, Array]]:
    error, everyone = outputs[:, 0] - y, np.ones(len(y), dtype=bool)
    return {"mean error": (error, everyone), "mean absolute error": (np.abs(error), everyone)}


def _gap(
    name: str,
    measure: tuple[Array, Array],
    codes: Array,
    large: Array,
    units: IntArray | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Largest minus smallest figure of the groups that have rows enough for it.

    A mean of many rows is normal, so that samples of the groups' means stand for samples of the rows: round their own
    figures for the interval, round the common one for what chance would do.

    A unit that has rows in several groups moves their figures alike, which makes a gap surer; that is left out, so that
    the interval and what chance would do are rather too wide.
    """
    values, among = measure
    own = among & np.isin(codes, large)
    values, codes, units = values[own].astype(np.float64), codes[own], _take(units, own)
    mean, deviation, count = (part[large] for part in _figures(values, codes, int(large.max()) + 1))
    there = np.flatnonzero(count >= MIN_ROWS)
    if len(there) < 2:
        return {"name": name, "gap": 0.0, "low": 0.0, "high": 0.0, "chance": 0.0}
    mean, deviation = mean[there], deviation[there]
    worth = np.array([count_effective(values[codes == code], _take(units, codes == code)) for code in large[there]])
    value = float(np.ptp(mean))
    noise = rng.normal(size=(DRAWS, len(there))) / np.sqrt(worth)
    common = float(values.std())
    half = Z * float(np.ptp(mean + noise * deviation, axis=1).std(ddof=1))
    record = {
        "name": name,
        "gap": value,
        "low": max(0.0, value - half),
        "high": value + half,
        "chance": float(np.quantile(np.ptp(noise * common, axis=1), 0.95)),
    }
    if name == "selection rate" and mean.max() > 0:
        record["ratio"] = float(mean.min() / mean.max())
    return record


# ---- mitigation ------------------------------------------------------------------------------------------------------


def mitigate(
    y: Array, probability: Array, groups: Groups, threshold: float, units: IntArray | None, seed: int
) -> list[dict[str, Any]]:
    """What a threshold of its own for each group would do to the gaps and to accuracy.

    The thresholds are chosen on one half of the units and judged on the other, both ways, so that the figures hold for
    rows they were not chosen on.
    """
    truth = y == 1
    everyone = np.ones(len(y), dtype=bool)
    plain = probability >= threshold
    half = halve(len(y), seed, units)
    aims = {"equal selection rates": everyone, "equal true positive rates": truth}
    records = [{"aim": "one threshold for all", **_outcome(truth, plain, groups)}]
    for name, among in aims.items():
        chosen = np.zeros(len(y), dtype=bool)
        for learn, apply in ((half, ~half), (~half, half)):
            limits = group_thresholds(probability, groups, learn & among, threshold)
            chosen[apply] = probability[apply] >= limits[groups.codes[apply]]
        difference = (chosen == truth).astype(float) - (plain == truth)
        error = Z * float(difference.std(ddof=1)) / float(np.sqrt(count_effective(difference, units)))
        cost = -float(difference.mean())
        limits = group_thresholds(probability, groups, among, threshold)
        records.append(
            {
                "aim": name,
                **_outcome(truth, chosen, groups),
                "cost": cost,
                "cost_low": cost - error,
                "cost_high": cost + error,
                "thresholds": {label: float(limits[code]) for code, label in enumerate(groups.labels)},
            }
        )
    return records


def group_thresholds(probability: Array, groups: Groups, among: Array, threshold: float) -> Array:
    """A threshold for each group, such that the same share of its rows `among` is chosen as over all groups.

    A group without such rows keeps the common threshold.
    """
    share = float(np.mean(probability[among] >= threshold)) if among.any() else 0.0
    limits = np.full(len(groups.labels), threshold, dtype=np.float64)
    for code in range(len(groups.labels)):
        own = np.sort(probability[among & (groups.codes == code)])[::-1]
        if not len(own):
            continue
        count = round(share * len(own))
        if count == 0:
            limits[code] = np.nextafter(own[0], np.inf)
        elif count == len(own):
            limits[code] = min(threshold, float(own[-1]))
        else:
            limits[code] = (float(own[count - 1]) + float(own[count])) / 2
    return limits


def _outcome(truth: Array, chosen: Array, groups: Groups) -> dict[str, float]:
    """Accuracy, balanced accuracy, and the gaps of a set of decisions, among groups that are large enough."""
    large = np.flatnonzero(np.bincount(groups.codes, minlength=len(groups.labels)) >= MIN_ROWS)
    everyone = np.isin(groups.codes, large)

    def gap(among: Array) -> float:
        own = among & everyone
        mean, _, count = _figures(chosen[own].astype(np.float64), groups.codes[own], len(groups.labels))
        mean = mean[large[count[large] >= MIN_ROWS]]
        return float(np.nanmax(mean) - np.nanmin(mean)) if np.isfinite(mean).any() else 0.0

    recalls = [float(np.mean(chosen[truth == side] == side)) for side in (False, True) if (truth == side).any()]
    return {
        "accuracy": float(np.mean(chosen == truth)),
        "balanced_accuracy": float(np.mean(recalls)),
        "selection_gap": gap(everyone),
        "tpr_gap": gap(truth),
        "fpr_gap": gap(~truth),
    }
