"""Numbers: their quantiles; Kolmogorov and Smirnov's test, stability index and distance in standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl.matrix import Array
from automl.monitor import ColumnKind, Shift
from automl.monitor.statistics import make_sketch
from automl.monitor.values import compare_values
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd


class Number:
    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        return make_sketch(cells.to_numpy(dtype=np.float64))

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        return [compare_values(reference, cells.to_numpy(dtype=np.float64))]


plugin: ColumnKind = Number()
