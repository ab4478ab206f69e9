"""Dates that ask for a split by time: a shuffled split lets a model score the past that it learned from the future."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import Array
from automl.profile import Finding
from automl.profile.association import ORDERED, sample_rows, to_float
from automl.schema import Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

WORDS = ("time", "timestamp", "date", "datetime", "day", "year", "t", "step", "tick")
FEWEST_ROWS = 50
SORTED = 0.99  # Spearman of the column and the row number in the file
ALIKE = 0.2  # correlation of targets that follow one another in time
TREND = 0.1  # Spearman of the column and the target
MOST_ROWS = 50_000


class TimeOrder:
    """Dates, and rising numbers named like a time, that order the file or go with the target."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        if dataset.times is not None or dataset.n_rows < FEWEST_ROWS:
            return []
        rows = sample_rows(dataset.n_rows, most=MOST_ROWS)
        findings = []
        for column in dataset.schema.of(*ORDERED):
            is_date = column.role is Role.DATE
            if not is_date and column.name.lower() not in WORDS:
                continue
            times = to_float(dataset.frame[column.name].iloc[rows])
            present = ~np.isnan(times)
            order = _correlate(times[present], dataset.row_ids[rows][present])
            is_sorted = abs(order) >= SORTED
            if np.count_nonzero(present) < FEWEST_ROWS or not (is_date or is_sorted):
                continue
            why, severity = _judge(times[present], dataset.target[rows][present], dataset.task.is_classification)
            if is_sorted and not why:
                why = "the file is sorted by it"
            if why:
                findings.append(_tell(column.name, why, dataset.task.target, is_risk=severity))
        return findings


def _tell(name: str, why: str, target: str, *, is_risk: bool) -> Finding:
    return Finding(
        kind="time_order",
        severity="risk" if is_risk else "note",
        columns=(name,),
        text=f"{name!r} may order the rows in time: {why.format(target=target)}",
        action=f"Rows were shuffled; if the model is to predict the future, add --time-column {shlex.quote(name)}",
    )


def _judge(times: Array, target: Array, by_class: bool) -> tuple[str, bool]:
    """Why time matters to the target, in words with a place for its name, and whether that is a risk."""
    n = len(times)
    in_time = target[np.argsort(times, kind="stable")]
    noise = 5 / np.sqrt(n)  # five standard errors of a correlation of nothing
    alike = _agreement(in_time) if by_class else _correlate(in_time[1:], in_time[:-1])
    if alike > max(ALIKE, noise):
        return f"rows that follow one another have alike {{target!r}} (correlation {alike:.2f})", True
    trend = max((abs(_correlate(times, values)) for values in _columns(target, by_class)), default=0.0)
    if trend > max(TREND, noise):
        return f"{{target!r}} changes with it (correlation {trend:.2f})", True
    return "", False


def _columns(target: Array, by_class: bool) -> list[Array]:
    if not by_class:
        return [target]
    counts = np.bincount(target)
    return [(target == label).astype(np.float64) for label in np.argsort(-counts, kind="stable")[:5] if counts[label]]


def _agreement(labels: Array) -> float:
    """How much oftener than strangers neighbours share a class, 0 to 1."""
    shares = np.bincount(labels) / len(labels)
    by_chance = float(shares @ shares)
    return (float((labels[1:] == labels[:-1]).mean()) - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def _correlate(first: Array, second: Array) -> float:
    """Spearman's correlation; 0 if one of them does not vary."""
    import pandas as pd

    if len(first) < 3:
        return 0.0
    left, right = (np.array(pd.Series(each).rank()) for each in (first, second))
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / scale if scale > 0 else 0.0


plugin = TimeOrder()
