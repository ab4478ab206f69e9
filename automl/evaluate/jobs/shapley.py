"""Shapley values of held-out rows: what each column adds to predictions, over many rows."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from automl.evaluate.columns import read_column
from automl.evaluate.jobs import Case, Study
from automl.evaluate.shapley import Contributions, estimate_contributions, table_game
from automl.matrix import Array
from automl.preprocess.table import Table
from automl.schema import Role

MAX_ROWS = 120
BACKGROUND_ROWS = 50
WALKS = 16
FAIR_WALKS = 8
LEAST_ROWS = 10
# Between two looks at the deadline.
CALL_SECONDS = 0.2
PACE_ROWS, QUICK_SECONDS = 1_000, 0.1
# Prediction calls hold this many cells at most, so that wide tables explain fewer rows rather than fill the memory.
MAX_CELLS = 20_000_000
SHOWN_COLUMNS = 10
SWARM_ROWS = 120
SHOWN_LEVELS = 8
MIN_LEVEL_ROWS = 5
# What the bars are of where there are several classes: half of what all their probabilities change.
ALL_CLASSES = "probability that goes from one class to another"


class ShapleyValues:
    """See `automl.evaluate.shapley`; asks the fold's own models about rows that they have not seen."""

    title = "Shapley values"
    order = 20
    seconds = 10.0
    least_seconds = 0.7

    def measure(self, case: Case) -> dict[str, Any] | None:
        columns = case.columns
        if len(columns) < 2:  # all there is would be credited to the one
            return None
        background = case.data.table.take(case.seen_rows(BACKGROUND_ROWS))
        most = max(10, min(MAX_ROWS, MAX_CELLS // max(1, 2 * (len(columns) + 1) * len(columns))))
        pace = _measure_pace(case, background)
        rows = case.data.table.take(case.unseen_rows(_affordable(case, pace, len(columns), most)))
        found = estimate_contributions(
            table_game(case.predict, rows, background, columns),
            rows=len(rows),
            background=len(background),
            players=len(columns),
            walks=WALKS,
            rng=case.rng(3),
            deadline=case.deadline,
            call_rows=int(min(1e9, CALL_SECONDS / max(pace, 1e-9))),
        )
        place, explained = case.places[0]
        ranking = _rank(found, columns)
        shown = [columns.index(entry["column"]) for entry in ranking[:SHOWN_COLUMNS]]
        return {
            "rows": len(rows),
            "background_rows": len(background),
            "walks": found.walks,
            "fold": case.data.chief_fold + 1,
            "explained": explained,
            "sized": explained if found.values.shape[2] == 1 or case.task.n_classes == 2 else ALL_CLASSES,
            "base": float(found.base[place]),
            "largest_gap": float(np.abs(found.gap).max()),
            "columns": ranking,
            "swarm": [_swarm(case, rows, found.values[:, at, place], columns[at]) for at in shown],
            "levels": [
                entry
                for at in shown
                for entry in [_levels(case, rows, found.values[:, at, place], columns[at])]
                if entry
            ],
        }


def _measure_pace(case: Case, background: Table) -> float:
    """Seconds that the model needs for a row among many; 0 where there is no deadline to be kept."""
    if case.deadline == float("inf"):
        return 0.0
    case.predict(background.take(slice(0, 1)))  # loads the model
    rows, seconds = 0, 0.0
    for count in (len(background), PACE_ROWS):
        if seconds < QUICK_SECONDS:  # what each call costs, however few its rows, must not weigh
            table = background.take(np.arange(count) % len(background))
            began = time.monotonic()
            case.predict(table)
            rows, seconds = count, time.monotonic() - began
    return seconds / rows


def _affordable(case: Case, pace: float, players: int, most: int) -> int:
    """So many rows that each gets a fair number of walks in the time there is: few sure ones tell more than many.

    Raises:
        TimeoutError: if the model is too slow for even a few rows.
    """
    if not pace:
        return most
    left = case.deadline - time.monotonic()
    pairs = 0.8 * left / pace / (2 * (players + 1))  # pairs of walks that can be walked
    if left > 0 and pairs < 2 * LEAST_ROWS:
        raise TimeoutError(f"the model needs {1000 * pace:.1f} ms a row, too long for {left:.1f} s")
    return int(min(most, max(LEAST_ROWS, pairs / FAIR_WALKS)))


def _rank(found: Contributions, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Mean absolute contribution of each column, over rows and (as half of the sum) classes, the largest first."""
    half = 0.5 if found.values.shape[2] > 1 else 1.0
    sizes = np.abs(found.values).sum(axis=2) * half  # (r, d)
    noise = np.sqrt((found.errors**2).sum(axis=2)) * half
    mean = sizes.mean(axis=0)
    spread = 1.96 * sizes.std(axis=0, ddof=1) / np.sqrt(len(sizes)) if len(sizes) > 1 else np.zeros_like(mean)
    order = np.argsort(-mean, kind="stable")
    return [
        {
            "column": columns[at],
            "mean_abs": float(mean[at]),
            "low": float(max(0.0, mean[at] - spread[at])),
            "high": float(mean[at] + spread[at]),
            "sampling_error": float(noise[:, at].mean()),
        }
        for at in order
    ]


def _swarm(case: Case, rows: Table, values: Array, name: str) -> dict[str, Any]:
    """A column's contributions with, for a number or date, where in its range each row lies (0 low, 1 high)."""
    shades: list[float | None] = [None] * len(values)
    if case.schema[name].role in (Role.NUMBER, Role.DATE):
        cells = _as_numbers(rows, name)
        known = np.flatnonzero(~np.isnan(cells))
        if len(known) > 1:
            ranks = np.searchsorted(np.sort(cells[known]), cells[known], side="left") / (len(known) - 1)
            for at, rank in zip(known, ranks, strict=True):
                shades[int(at)] = round(float(min(1.0, rank)), 3)
    shown = [float(f"{value:.4g}") for value in values[:SWARM_ROWS]]  # rows are in no order
    return {"column": name, "values": shown, "shades": shades[:SWARM_ROWS]}


def _as_numbers(rows: Table, name: str) -> Array:
    layout = rows.layout
    if name in layout.numbers:
        return np.asarray(rows.numbers[:, layout.numbers.index(name)], dtype=np.float64)
    if name in layout.dates:
        return np.asarray(rows.dates[:, layout.dates.index(name)], dtype=np.float64)
    return np.full(len(rows), np.nan)


def _levels(case: Case, rows: Table, values: Array, name: str) -> dict[str, Any] | None:
    """Mean contribution of each frequent value of a category."""
    column = case.schema[name]
    if column.role is not Role.CATEGORY:
        return None
    cells = read_column(rows, column)
    entries = []
    for level in column.levels[:SHOWN_LEVELS]:
        own = values[[at for at, cell in enumerate(cells) if cell == level]]
        if len(own) >= MIN_LEVEL_ROWS:
            half = 1.96 * float(own.std(ddof=1)) / float(np.sqrt(len(own)))
            mean = float(own.mean())
            entries.append({"value": level, "rows": len(own), "mean": mean, "low": mean - half, "high": mean + half})
    return {"column": name, "values": entries} if entries else None


plugin: Study = ShapleyValues()
