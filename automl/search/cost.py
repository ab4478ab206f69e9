"""What a fold of a configuration will take: a model learned on many tables, set right by what this machine shows."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from automl.matrix import Shape

MEMORY = 12  # the last fits that the machine's pace is taken from


@cache
def read_portfolio_file() -> dict[str, Any]:
    """`portfolio.json`: for each size of table, lists by kind of task and how each family's time grows."""
    record: dict[str, Any] = json.loads(files("automl.search").joinpath("portfolio.json").read_text(encoding="utf-8"))
    return record


def read_portfolio(rows: int) -> dict[str, Any]:
    """What was learned on tables of about so many rows."""
    fitting = [size for size in read_portfolio_file()["sizes"] if size["from_rows"] <= rows]
    found: dict[str, Any] = max(fitting, key=lambda size: int(size["from_rows"]))
    return found


class CostModel:
    """Expected seconds of a fold: a configuration's on a reference table, times the growth of its family with rows,
    columns and outputs, times this machine's pace, which the first fits tell.

    Args:
        shape: of the table; a fold trains on `share` of its rows.
    """

    def __init__(self, shape: Shape, share: float = 0.8) -> None:
        record = read_portfolio(shape.rows)
        reference, growth = record["reference"], record["growth"]
        facts = {"rows": shape.rows * share, "columns": shape.columns, "outputs": max(1, shape.outputs)}
        facts["outputs"] = 1 if shape.outputs <= 2 else shape.outputs
        ratios = {name: max(1.0, facts[name]) / reference[name] for name in reference}
        self._growth = {
            family: float(np.prod([ratios[name] ** exponent for name, exponent in exponents.items()]))
            for family, exponents in growth.items()
        }
        self._paces: list[float] = []

    @property
    def pace(self) -> float:
        """This machine's seconds for a second of the model."""
        return float(np.exp(np.median(np.log(self._paces[-MEMORY:])))) if self._paces else 1.0

    def expect(self, family: str, reference_seconds: float | None) -> float | None:
        """Seconds of one fold; None for a family or a configuration that the model does not know."""
        if reference_seconds is None or family not in self._growth:
            return None
        return reference_seconds * self._growth[family] * self.pace

    def note(self, family: str, reference_seconds: float | None, seconds: float) -> None:
        """A fold took so long."""
        if reference_seconds is not None and family in self._growth:
            self._paces.append(max(seconds, 1e-3) / (reference_seconds * self._growth[family]))
