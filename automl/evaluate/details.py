"""What a full report shows beyond the score, measured part after part for as long as there is time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.selection import blend_outputs
from automl.evaluate.curves import describe_curves
from automl.evaluate.evidence import Evidence, read_evidence
from automl.evaluate.likeness import compare_members, relate_columns
from automl.evaluate.residuals import describe_bands, describe_coverage, describe_levels, describe_plane
from automl.evaluate.slices import find_slices, row_errors
from automl.files import read_json
from automl.preprocess.table import Table
from automl.run import Run
from automl.schema import Schema
from automl.search.oof import Oofs
from automl.search.threshold import move_threshold

MAIN_COLUMNS = 6


class _Room:
    """What the parts look at."""

    def __init__(self, run: Run, evidence: Evidence, seed: int) -> None:
        self.run, self.evidence, self.seed = run, evidence, seed
        self.task = evidence.data.task
        self.schema = Schema.from_json(read_json(run.data / "schema.json"))
        self.rows = Oofs(run, evidence.data).scored
        self.order = order_columns(run, evidence.data.table)

    def scored_table(self) -> Table:
        table = self.evidence.data.table
        return table if len(self.rows) == len(table) else table.take(self.rows)


def order_columns(run: Run, table: Table) -> list[str]:
    """The user's columns, those that go with the target most first."""
    layout = table.layout
    names = dict.fromkeys((*layout.numbers, *layout.categories, *layout.dates))
    known: dict[str, float] = {}
    if run.profile_path.exists():
        for column in read_json(run.profile_path).get("profile", {}).get("columns", []):
            known[column["name"]] = column.get("association") or 0.0
    return sorted(names, key=lambda name: -known.get(name, -1.0))


def describe_details(payload: dict[str, Any]) -> dict[str, Any]:
    """A worker's job: payload run (path), seed, seconds (None: all parts). No part is begun after the time.

    Returns:
        A record for each part that was reached, by its name, and "skipped": the names of the others.
    """
    deadline = float("inf") if payload["seconds"] is None else time.monotonic() + payload["seconds"]
    run = Run(Path(payload["run"]))
    room = _Room(run, read_evidence(payload["run"]), int(payload["seed"]))
    result: dict[str, Any] = {"schema_version": 1, "skipped": [], "seconds": {}}
    for name, describe in _parts(room.evidence).items():
        began = time.monotonic()
        if began > deadline:
            result["skipped"].append(name)
            continue
        result[name] = describe(room)
        result["seconds"][name] = round(time.monotonic() - began, 3)
    return result


def _parts(evidence: Evidence) -> dict[str, Callable[[_Room], Any]]:
    """In the order of their worth to a reader."""
    metric = evidence.metric
    first = {"curves": _curves} if evidence.data.task.is_classification else {"residuals": _residuals}
    # for other metrics the scores that the workers noted of each fold are the same
    folds = {"folds": _folds} if metric.is_proper or metric.hangs_on_threshold else {}
    return {**first, "slices": _slices, **folds, "members": _members, "columns": _columns}


def _curves(room: _Room) -> dict[str, Any]:
    evidence = room.evidence
    # what a second layer gains is not calibration's
    raw = evidence.blend if evidence.layer else blend_outputs(evidence.outputs, evidence.weights)
    return describe_curves(room.task, evidence.y, evidence.blend, raw)


def _residuals(room: _Room) -> dict[str, Any]:
    evidence = room.evidence
    y, predicted = evidence.y.astype(np.float64), evidence.blend[:, 0].astype(np.float64)
    residuals = y - predicted
    return {
        "plane": describe_plane(y, predicted),
        "bands": describe_bands(predicted, residuals),
        "coverage": describe_coverage(y, predicted, room.seed, evidence.units, evidence.weight),
        "columns": [_along(room, name, residuals) for name in room.order[:MAIN_COLUMNS]],
    }


def _along(room: _Room, name: str, residuals: np.ndarray) -> dict[str, Any]:
    """Residuals along one column."""
    table, layout = room.scored_table(), room.evidence.data.table.layout
    if name in layout.categories:
        levels = [str(level) for level in next(c for c in room.schema.columns if c.name == name).levels]
        codes = table.categories[:, layout.categories.index(name)].astype(np.int64)
        return {"column": name, "kind": "category", "levels": describe_levels(levels, codes, residuals)}
    if name in layout.dates:
        values = table.dates[:, layout.dates.index(name)]
        return {"column": name, "kind": "date", "bands": describe_bands(values, residuals, 8)}
    offset = next((column.offset or 0.0 for column in room.schema.columns if column.name == name), 0.0)
    values = table.numbers[:, layout.numbers.index(name)].astype(np.float64) + offset
    return {"column": name, "kind": "number", "bands": describe_bands(values, residuals, 8)}


def _slices(room: _Room) -> dict[str, Any]:
    evidence = room.evidence
    errors = row_errors(room.task, evidence.y, move_threshold(evidence.blend, evidence.threshold))
    return find_slices(
        room.scored_table(),
        room.schema,
        errors,
        rates=room.task.is_classification,
        seed=room.seed,
        units=evidence.units,
    )


def _folds(room: _Room) -> dict[str, Any]:
    """Scores of each member on each fold, calibrated and at the threshold that it was held against others with.

    A row that several repeats score has the mean of what they said.
    """
    evidence = room.evidence
    weight = evidence.weight
    places = [np.searchsorted(evidence.rows, rows) for rows in evidence.data.folds]
    members = []
    for trial in evidence.weights:
        judged = evidence.as_judged(trial)
        scores = [
            float(evidence.metric.score(evidence.y[own], judged[own], None if weight is None else weight[own]))
            for own in places
        ]
        members.append({"trial": trial, "scores": [score if np.isfinite(score) else None for score in scores]})
    return {"members": members}


def _members(room: _Room) -> dict[str, Any]:
    evidence = room.evidence
    names = {trial: result.label for trial, result in evidence.results.items()}
    return compare_members(room.task, evidence.y, evidence.outputs, evidence.weights, names)


def _columns(room: _Room) -> dict[str, Any]:
    return relate_columns(room.evidence.data.table, room.order, room.seed)
