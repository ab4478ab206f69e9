"""Drift gauges: the last rows against the training reference, a population stability index a column."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from typing import Any

import numpy as np

from automl.cells import is_truth
from automl.export._prepare import read_date, read_number, read_text, read_truth
from automl.files import read_json
from automl.matrix import Array
from automl.monitor.statistics import cut_bins
from automl.schema import Column, Role
from automl.serve.model import ServedModel
from automl.serve.rows import Rows

WINDOW_ROWS = 2_000
FEWEST_ROWS = 200  # below it chance alone looks like drift
EMPTY = 1e-3  # share that an empty bin counts as
ROWS_A_REQUEST = 200  # of a large request so many, evenly spread, enter the window
ROWS_A_SECOND = 100  # under load a sample: the window then holds at least 20 seconds, and costs next to nothing
MOST_COLUMNS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnReference:
    """How a column's cells were spread in training.

    Attributes:
        cuts: of a number, (b - 1,) rising; () for a category.
        levels: of a category, text → bin.
        shares: (b + 1,) of all rows; the last bin is of missing cells.
    """

    column: Column
    cuts: Array
    levels: dict[str, int]
    shares: Array


def read_references(model: ServedModel) -> dict[str, ColumnReference]:
    """What is known of the training data of a model: its reference.json, or the profile of the run it stands in.

    Empty if nothing is known; then there are no drift gauges.
    """
    try:
        if (model.folder / "reference.json").is_file():
            columns = read_json(model.folder / "reference.json")["columns"]
            found = {name: _from_sketch(column, columns[name]) for name, column in _columns(model) if name in columns}
        elif (model.folder.parent / "profile.json").is_file():
            record = read_json(model.folder.parent / "profile.json")["profile"]
            columns = {entry["name"]: entry for entry in record["columns"]}
            rows = int(record["sampled_rows"])
            found = {
                name: _from_profile(column, columns[name], rows) for name, column in _columns(model) if name in columns
            }
        else:
            return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}
    return {name: reference for name, reference in found.items() if reference is not None}


def _columns(model: ServedModel) -> list[tuple[str, Column]]:
    columns = [column for column in model.schema.features if column.role in (Role.NUMBER, Role.CATEGORY, Role.DATE)]
    return [(column.name, column) for column in columns[:MOST_COLUMNS]]


def _from_sketch(column: Column, record: dict[str, Any]) -> ColumnReference | None:
    """Quantiles or counts of levels, as a model folder keeps them."""
    kept, rows, missing = record["kept"], int(record["rows"]), int(record["missing"])
    if rows == 0:
        return None
    if column.role is Role.CATEGORY:
        return _levels(column, np.asarray(kept["counts"], dtype=np.float64), missing)
    if column.role is not Role.NUMBER:
        return None
    cuts, _, counts = cut_bins(kept)
    return ColumnReference(column, cuts, {}, _shares(np.append(counts, missing)))


def _from_profile(column: Column, record: dict[str, Any], rows: int) -> ColumnReference | None:
    """Equal-width bins, or the most frequent levels, as a run's profile keeps them."""
    missing = float(record["missing"]) * rows
    if column.role is Role.CATEGORY:
        top = {str(level): int(count) for level, count in record["top"]}
        counts = np.array([*top.values(), max(0.0, rows - missing - sum(top.values()))], dtype=np.float64)
        return ColumnReference(
            column, np.zeros(0), {level: at for at, level in enumerate(top)}, _shares(np.append(counts, missing))
        )
    edges = np.asarray(record["edges"], dtype=np.float64)
    if column.role is not Role.NUMBER or len(edges) < 2:
        return None
    return ColumnReference(column, edges[1:-1], {}, _shares(np.append(np.asarray(record["counts"], float), missing)))


def _levels(column: Column, counts: Array, missing: int) -> ColumnReference | None:
    if len(counts) != len(column.levels) + 1:
        return None
    most = 30  # the rest is one bin
    kept = {level: at for at, level in enumerate(column.levels[:most])}
    joined = np.append(counts[: len(kept)], counts[len(kept) :].sum())
    return ColumnReference(column, np.zeros(0), kept, _shares(np.append(joined, missing)))


def _shares(counts: Array) -> Array:
    shares: Array = counts / max(1.0, float(counts.sum()))
    return shares


class DriftWindow:
    """The bins of the last rows of a worker, and how far their shares are from those of training."""

    def __init__(self, references: dict[str, ColumnReference]) -> None:
        self._references = references
        self._binners = {name: _binner(reference) for name, reference in references.items()}
        self._bins = {name: deque[int](maxlen=WINDOW_ROWS) for name in references}
        self._counts = {name: np.zeros(len(reference.shares)) for name, reference in references.items()}
        self.rows = 0
        self._allowance, self._moment = float(WINDOW_ROWS), time.monotonic()

    def add(self, rows: Rows) -> None:
        """Take the rows into the window; of a large request a part, and of many requests some."""
        now = time.monotonic()
        self._allowance = min(WINDOW_ROWS, self._allowance + (now - self._moment) * ROWS_A_SECOND)
        self._moment = now
        if self._allowance < 1 or not self._binners:
            return
        self._allowance -= min(rows.count, ROWS_A_REQUEST)
        step = max(1, rows.count // ROWS_A_REQUEST)
        for name, put in self._binners.items():
            window, counts = self._bins[name], self._counts[name]
            for cell in rows.columns[name][::step][:ROWS_A_REQUEST]:
                place = put(cell)
                if len(window) == WINDOW_ROWS:
                    counts[window[0]] -= 1
                window.append(place)
                counts[place] += 1
        self.rows = min(WINDOW_ROWS, self.rows + len(range(0, rows.count, step)[:ROWS_A_REQUEST]))

    def measure(self) -> dict[str, float]:
        """Population stability index a column; empty while there are too few rows."""
        if self.rows < FEWEST_ROWS:
            return {}
        found = {}
        for name, reference in self._references.items():
            before = np.maximum(reference.shares, EMPTY)
            after = np.maximum(self._counts[name] / self.rows, EMPTY)
            found[name] = float(((after - before) * np.log(after / before)).sum())
        return found


def _binner(reference: ColumnReference) -> Any:
    column = reference.column
    marks = frozenset(column.format.missing)
    form = dataclasses.asdict(column.format)
    missing = len(reference.shares) - 1
    if column.role is Role.CATEGORY:
        other, levels = missing - 1, reference.levels
        read_level = read_truth if is_truth(column) else read_text

        def put_level(cell: Any) -> int:
            text = read_level(cell, marks)
            return levels.get(text, other) if text else missing

        return put_level
    cuts = reference.cuts
    read = read_date if column.role is Role.DATE else read_number

    def put_number(cell: Any) -> int:
        number = read(cell, form, marks)
        return missing if number != number else int(np.searchsorted(cuts, number, "left"))

    return put_number
