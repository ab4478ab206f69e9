"""After the model is out: has the data moved away from what it learned from, and does it still predict as well?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from automl.matrix import Array
from automl.registry import Registry
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One comparison of new cells with the training reference.

    Attributes:
        what: "values", "missing", "unseen", "predictions" or "score".
        p_value: chance of a difference at least as large if nothing had changed.
        effect: how large the difference is, in the unit that `measure` names.
        is_large: whether it is worth telling, however sure it is.
        text: one sentence with the figures; no cell of the new rows is shown in it.
        bars: (name, share in training, share in the new rows) of a few bins, for a chart.
    """

    what: str
    p_value: float
    effect: float
    measure: str
    is_large: bool
    text: str
    bars: tuple[tuple[str, float, float], ...] = ()


class ColumnKind(Protocol):
    """One file of `automl.monitor.kinds`, named after a role: what is kept of a column, and how new cells are held
    against it."""

    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        """The reference of a column as JSON: counts and quantiles, never a row.

        Args:
            cells: typed training cells (n,) as `Schema.parse` gives them, without the missing ones.
            pixels: of a picture column, its decoded pictures (n, h, w, c) uint8; None for all others.
        """
        ...

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        """Differences of new cells (m,), without the missing ones, from what `summarize` kept; empty if there is
        nothing to compare."""
        ...


kinds: Registry[ColumnKind] = Registry("automl.monitor.kinds", noun="kind of column")
