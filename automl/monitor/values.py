"""Numbers of any kind held against their quantiles in training: cells, lengths, brightness, predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.matrix import Array
from automl.monitor import Shift
from automl.monitor.statistics import DISTANCE, STABILITY, bin_shares, compare_sketch


def compare_values(sketch: dict[str, Any], values: Array, what: str = "values", name: str = "median") -> Shift:
    """The difference of new values (m,) from a sketch, named where it has a name: a sensor that is stuck, a unit that
    was changed."""
    p_value, index, distance = compare_sketch(sketch, values)
    return Shift(
        what=what,
        p_value=p_value,
        effect=index,
        measure="PSI",
        is_large=index > STABILITY or distance > DISTANCE,
        text=_tell(sketch, values, index, distance, name),
        bars=_bars(sketch, values),
    )


def _tell(sketch: dict[str, Any], values: Array, index: float, distance: float, name: str) -> str:
    figures = f"PSI {index:.2f}, moved by {distance:.2f} standard deviations"
    if len(values) == 0 or not sketch["edges"]:
        return figures
    if np.ptp(values) == 0 and len(sketch["edges"]) > 1:
        return f"all cells are the same now ({figures})"
    place = int(np.searchsorted(sketch["below"], sketch["rows"] / 2))
    old, new = float(sketch["edges"][min(place, len(sketch["edges"]) - 1)]), float(np.median(values))
    if old and new and old * new > 0:
        power = round(float(np.log10(new / old)))
        if abs(power) >= 2 and 0.8 < new / old / 10.0**power < 1.25:
            return f"values are 10^{power} times as large, as if the unit had changed ({figures})"
    return f"{name} {new:.4g}, {old:.4g} in training ({figures})"


def _bars(sketch: dict[str, Any], values: Array) -> tuple[tuple[str, float, float], ...]:
    if not sketch["edges"]:
        return ()
    cuts, before, after = bin_shares(sketch, values)
    if not len(cuts):
        return ()
    nexts = [*cuts[1:], np.inf]  # a cut that stands twice is a value with a bin of its own
    names = [f"{'below' if cut == later else 'up to'} {cut:.4g}" for cut, later in zip(cuts, nexts, strict=True)]
    names.append(f"over {cuts[-1]:.4g}")
    return tuple((label, float(a), float(b)) for label, a, b in zip(names, before, after, strict=True))
