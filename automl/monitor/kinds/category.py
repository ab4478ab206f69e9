"""Categories: the count of each level; a chi-square test with rare levels pooled, and levels that training lacked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.matrix import Array
from automl.monitor import ColumnKind, Shift
from automl.monitor.statistics import STABILITY, compare_counts, excess_unseen
from automl.schema import Column

UNSEEN = 0.02  # share of cells with a level that training lacked from which it counts as large
SHOWN = 8


class Category:
    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        return {"counts": _count(column, cells).tolist()}  # in the order of the schema's levels, then all others

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        before, after = np.asarray(reference["counts"]), _count(column, cells)
        if len(before) != len(after):
            return []
        p_value, index = compare_counts(before, after)
        shares = before / max(1, before.sum()), after / max(1, after.sum())
        values = Shift(
            what="values",
            p_value=p_value,
            effect=index,
            measure="PSI",
            is_large=index > STABILITY,
            text=_tell(column, *shares, index),
            bars=_bars(column, *shares),
        )
        return [values, _compare_unseen(before, int(after[-1]), int(after.sum()))]


def _count(column: Column, cells: pd.Series) -> Array:
    """Rows of each level and, last, of all others: (levels + 1,) int64."""
    index = {level: place for place, level in enumerate(column.levels)}
    codes, levels = pd.factorize(cells.to_numpy(dtype=object))
    places = np.array([index.get(str(level), len(index)) for level in levels], dtype=np.int64)
    return np.asarray(np.bincount(places[codes], minlength=len(index) + 1))


def _compare_unseen(before: Array, unseen: int, new: int) -> Shift:
    once, twice = int((before[:-1] == 1).sum()), int((before[:-1] == 2).sum())
    rows = int(before.sum())
    share = unseen / max(1, new)
    return Shift(
        what="unseen",
        # what training had beyond its own levels is as good as unseen there
        p_value=excess_unseen(once + int(before[-1]), twice, rows, unseen, new),
        effect=share,
        measure="share",
        is_large=share > UNSEEN,
        text=f"{share:.1%} of the cells hold levels that training did not have",
    )


def _tell(column: Column, before: Array, after: Array, index: float) -> str:
    moved = int(np.abs(after - before).argmax())
    name = repr(column.levels[moved][:40]) if moved < len(column.levels) else "levels unknown in training"
    return f"{name} {after[moved]:.1%}, {before[moved]:.1%} in training (PSI {index:.2f})"


def _bars(column: Column, before: Array, after: Array) -> tuple[tuple[str, float, float], ...]:
    names = [*(level[:40] for level in column.levels), "(unknown in training)"]
    order = np.argsort(-np.maximum(before, after), kind="stable")[:SHOWN]
    return tuple(
        (names[place], float(before[place]), float(after[place])) for place in order if before[place] + after[place]
    )


plugin: ColumnKind = Category()
