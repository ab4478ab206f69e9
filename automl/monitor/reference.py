"""What training looked like, small enough to travel with the model: counts and quantiles of each column, the
distribution of the predictions for rows that no model had seen, the importance of the columns, and the score.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.ensemble.artifact import REFERENCE, amend_model
from automl.errors import UsageError
from automl.files import read_json, write_json
from automl.matrix import Array, FloatArray, IntArray
from automl.monitor import kinds
from automl.monitor.statistics import make_sketch
from automl.profile.association import sample_rows
from automl.recipe import load_recipe
from automl.run import Run
from automl.search.data import SearchData
from automl.task import Task, TaskKind

if TYPE_CHECKING:
    from automl.data import Dataset

NAME = REFERENCE
FORMAT_VERSION = 1
MOST_ROWS = 100_000  # that the figures of a column come from, and fewer if there are many columns
MOST_CELLS = 10_000_000
MOST_PICTURES = 5_000


def store_columns(folder: Path, dataset: Dataset, *, deadline: float = float("inf")) -> None:
    """Write the reference of the columns beside the arrays of a run; every model that is saved carries it."""
    write_json(folder / NAME, describe_columns(dataset, deadline=deadline))


def describe_columns(dataset: Dataset, *, deadline: float = float("inf")) -> dict[str, Any]:
    """The reference of the columns; a second for 100,000 rows of 50 columns. No row can be put together from it.

    Args:
        deadline: `time.monotonic()` by which it must be whole; half of the columns would be no reference.

    Raises:
        TimeoutError: if it is not.
    """
    rows = sample_rows(dataset.n_rows, most=max(1_000, min(MOST_ROWS, MOST_CELLS // max(1, dataset.frame.shape[1]))))
    columns = {}
    for column in dataset.schema.features:
        if time.monotonic() > deadline:
            raise TimeoutError("the time was too short")
        pixels = dataset.pixels.get(column.name)
        chosen = rows if pixels is None else rows[:: max(1, len(rows) // MOST_PICTURES)]
        cells = dataset.frame[column.name].iloc[chosen]
        there = cells.notna().to_numpy()
        columns[column.name] = {
            "rows": len(chosen),
            "missing": int((~there).sum()),
            "kept": kinds.get(str(column.role)).summarize(
                column, cells[there], None if pixels is None else pixels[chosen[there]]
            ),
        }
    return {"format_version": FORMAT_VERSION, "rows": dataset.n_rows, "columns": columns}


def complete_reference(run: Run, data: SearchData, outputs: FloatArray, threshold: float) -> None:
    """Put the whole reference into the model folder of a run whose search and evaluation are done.

    Args:
        outputs: (m, k) of the deployed ensemble for the rows that are scored, none by a model that saw it.
    """
    path = run.data / NAME
    if not path.exists() or not len(outputs):
        return
    record: dict[str, Any] = read_json(path)
    record["predictions"] = {
        **describe_outputs(data.task, outputs, threshold),
        "repeats": data.repeats,
    }
    if run.evaluation_path.exists():
        evaluation = read_json(run.evaluation_path)
        record["score"] = {key: evaluation.get(key) for key in ("metric", "maximize", "score", "low", "high")}
        record["score"] |= {"rows": len(outputs), "constant": _constant(evaluation)} | _columns_aside(run)
        entries = evaluation.get("importance") or []
        record["importance"] = {str(entry["column"]): float(entry["importance"]) for entry in entries}
    amend_model(run, NAME, record)


def _constant(evaluation: dict[str, Any]) -> float | None:
    baseline = (evaluation.get("baselines") or {}).get("constant")
    return None if baseline is None else baseline.get("score")


def _columns_aside(run: Run) -> dict[str, str | None]:
    """Names of the columns that weighed and grouped the rows of the score, so that new rows are scored alike."""
    if not run.recipe_path.exists():
        return {}
    options = load_recipe(str(run.recipe_path)).data
    return {"weight": options.weight, "group": options.group}


def describe_outputs(task: Task, outputs: FloatArray, threshold: float) -> dict[str, Any]:
    """The distribution of predictions (n, k): of values, of the second of two classes, or of the surest class."""
    sketch = make_sketch(certainty(task, outputs))
    if not task.is_classification:
        return {"rows": len(outputs), "values": sketch}
    counts = np.bincount(decide(task, outputs, threshold), minlength=task.n_classes)
    return {"rows": len(outputs), "values": sketch, "classes": counts.tolist()}


def certainty(task: Task, outputs: FloatArray) -> Array:
    """The one number (n,) float64 that stands for a row's prediction."""
    if not task.is_classification:
        return outputs[:, 0].astype(np.float64)
    return np.asarray(outputs[:, 1] if task.kind is TaskKind.BINARY else outputs.max(axis=1), dtype=np.float64)


def decide(task: Task, outputs: FloatArray, threshold: float) -> IntArray:
    """Index of the predicted class (n,) int64."""
    if task.kind is TaskKind.BINARY:
        return np.asarray(outputs[:, 1] >= threshold, dtype=np.int64)
    return np.asarray(outputs.argmax(axis=1), dtype=np.int64)


def read_reference(folder: Path) -> dict[str, Any]:
    """The reference in a model folder.

    Raises:
        UsageError: if it has none, because an older version or another tool wrote it.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no training reference, so there is nothing to compare with",
            hint="Train the model again: automl fit DATA --target Y",
        )
    record: dict[str, Any] = read_json(path)
    return record
