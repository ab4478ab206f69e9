"""Whole numbers that look like codes of categories: their order means nothing, yet a model would use it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import Array
from automl.profile import Finding
from automl.profile.association import sample_rows, to_float
from automl.schema import Role
from automl.task import TaskKind

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

NAMES = re.compile(r"(?:^|[_\W])(?:code|type|kind|zip|zipcode|postcode|category|cat|class|id)$", re.IGNORECASE)
FEWEST_LEVELS, MOST_LEVELS = 3, 200
FEWEST_FOR_SHAPE, MOST_FOR_SHAPE = 8, 60  # levels: with fewer, the order of their means says nothing
FEWEST_IN_LEVEL = 30  # rows
DENSE = 0.6  # levels per whole number in their range: codes are given out one after the other
ROUGHNESS = 1.5  # von Neumann's ratio: 2 if the order of levels is arbitrary, near 0 if it is meant
GAIN = 0.02  # of the target's variance, that levels explain beyond a parabola


class CategoryCodes:
    """Number columns of 3 to 200 whole values, named like a code or with means that ignore the values' order."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        columns = dataset.schema.of(Role.NUMBER)
        rows = sample_rows(dataset.n_rows, len(columns), most=20_000)
        target = _numeric_target(dataset)[rows]
        is_judged = dataset.task.kind is not TaskKind.MULTICLASS  # one of many classes comes and goes along any number
        findings = []
        for column in columns:
            values = to_float(dataset.frame[column.name].iloc[rows])
            present = ~np.isnan(values)
            levels = _whole_levels(values[present])
            if levels is None or np.count_nonzero(present) < 10 * len(levels):
                continue
            if NAMES.search(column.name):
                why = "its name is that of a code"
            elif is_judged and _ignores_order(values[present], target[present], levels):
                why = f"{dataset.task.target!r} goes up and down with it without order"
            else:
                continue
            findings.append(
                Finding(
                    kind="category_codes",
                    severity="note",
                    columns=(column.name,),
                    text=f"{column.name!r} holds {len(levels)} whole numbers that may be codes of categories: {why}",
                    action=f"Kept as a number; if they are codes, add --role {shlex.quote(column.name)}=category",
                )
            )
        return findings


def _numeric_target(dataset: Dataset) -> Array:
    """The value, or the number of the class: (n,) float64."""
    return dataset.target.astype(np.float64)


def _whole_levels(values: Array) -> Array | None:
    levels = np.unique(values[:1_000])  # a cheap look tells most columns apart
    if len(levels) > MOST_LEVELS or (levels != np.round(levels)).any():
        return None
    levels = np.unique(values)
    whole = (levels == np.round(levels)).all()
    return levels if FEWEST_LEVELS <= len(levels) <= MOST_LEVELS and whole else None


def _ignores_order(values: Array, target: Array, levels: Array) -> bool:
    """Whether the target's means differ between levels, much, and with no regard to the order of the levels."""
    from scipy.special import fdtrc  # the survival function of F; scipy.stats takes a second to import

    if len(levels) / (float(levels[-1]) - float(levels[0]) + 1) < DENSE:
        return False
    codes = np.searchsorted(levels, values)
    common = np.bincount(codes) >= FEWEST_IN_LEVEL
    values, target = values[common[codes]], target[common[codes]]
    if not FEWEST_FOR_SHAPE <= np.count_nonzero(common) <= MOST_FOR_SHAPE or np.var(target) == 0:
        return False
    codes = np.searchsorted(levels[common], values)
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=target) / counts
    n, k = len(codes), len(counts)
    total, within = float(np.var(target)), float(np.square(target - means[codes]).mean())
    parabola = np.polynomial.Polynomial.fit(values, target, 2)
    left = float(np.square(target - parabola(values)).mean())
    ratio = (left - within) / (k - 3) / max(within / (n - k), 1e-300)
    centred = means - np.average(means, weights=counts)
    roughness = float(np.square(np.diff(means)).mean() / np.square(centred).mean()) if centred.any() else 0.0
    is_real = fdtrc(k - 3, n - k, ratio) < 1e-6
    return bool(is_real and (left - within) / total >= GAIN and roughness >= ROUGHNESS)


plugin = CategoryCodes()
