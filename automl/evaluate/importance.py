"""Permutation importance on rows that the judging models have not seen.

A fold's models score their own fold's rows, once as they are and once with one column of the user's table shuffled;
the loss of score is what the column is worth to the model. Breiman 2001, doi:10.1023/A:1010933404324.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.bag import load_fold
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.preprocess.table import Layout, Table
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData
from automl.search.threshold import move_threshold

MAX_ROWS = 1_000
MAX_REPEATS = 5


def measure_importance(payload: dict[str, Any]) -> dict[str, Any]:
    """A worker's job: payload run (path), fold, seed, seconds, columns (order to measure in).

    Returns:
        "drops": column → losses of score, one a repeat; columns that time did not allow are absent.
    """
    run = Run(Path(payload["run"]))
    deadline = time.monotonic() + payload["seconds"]
    data = SearchData(run.data)
    schema = Schema.from_json(read_json(run.model / "schema.json"))
    fold = int(payload["fold"])
    model = load_fold(run.path, read_json(run.model / "ensemble.json"), schema, data.task, fold)
    threshold = float(read_json(run.model / "manifest.json")["threshold"])
    rng = np.random.default_rng([int(payload["seed"]), 23, fold])
    rows = data.folds[fold]
    if len(rows) > MAX_ROWS:
        rows = np.sort(rng.choice(rows, MAX_ROWS, replace=False))
    table, y = data.table.take(rows), data.target[rows]
    weight = None if data.weight is None else data.weight[rows]
    metric = get_metric(data.task.metric)
    sign = 1 if metric.maximize else -1

    def score(outputs: FloatArray) -> float:
        seen = move_threshold(outputs, threshold) if metric.needs_labels else outputs
        return float(sign * metric.score(y, seen, weight))

    base = score(model.predict_table(table))
    if not np.isfinite(base):  # a fold with rows of one class has no such score, and tells nothing of columns
        return {"drops": {}}
    drops: dict[str, list[float]] = {name: [] for name in payload["columns"]}
    for _ in range(MAX_REPEATS):
        order = rng.permutation(len(rows))
        for name in payload["columns"]:
            if time.monotonic() > deadline:
                return {"drops": {name: values for name, values in drops.items() if values}}
            drops[name].append(base - score(model.predict_table(shuffle_column(table, name, order))))
    return {"drops": drops}


def shuffle_column(table: Table, source: str, order: Array) -> Table:
    """The table with one of the user's columns in another order; everything made from it moves with it."""
    layout: Layout = table.layout
    arrays = {"numbers": table.numbers, "categories": table.categories, "dates": table.dates}
    for kind, names in (("numbers", layout.numbers), ("categories", layout.categories), ("dates", layout.dates)):
        places = [place for place, name in enumerate(names) if layout.source(name) == source]
        if places:
            changed = arrays[kind].copy()
            changed[:, places] = arrays[kind][order][:, places]
            arrays[kind] = changed
    texts = tuple(
        part.take(order) if name == source else part for name, part in zip(layout.texts, table.texts, strict=True)
    )
    pictures = tuple(
        array[order] if name == source else array for name, array in zip(layout.pictures, table.pictures, strict=True)
    )
    return Table(layout=layout, texts=texts, pictures=pictures, **arrays)


def summarize_importance(drops: list[dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Mean loss of score of each column over folds and repeats with a 95% interval, most important first; `low` and
    `high` are None where no fold has two repeats."""
    by_column: dict[str, list[list[float]]] = {}
    for part in drops:
        for name, values in part.items():
            by_column.setdefault(name, []).append(values)
    rows = []
    for name, folds in by_column.items():
        mean, error = float(np.mean(np.concatenate(folds))), _error(folds)
        low, high = (None, None) if error is None else (mean - 1.96 * error, mean + 1.96 * error)
        rows.append({"column": name, "importance": mean, "low": low, "high": high})
    return sorted(rows, key=lambda row: (-row["importance"], row["column"]))


def _error(folds: list[list[float]]) -> float | None:
    """Standard error of the mean loss. The repeats of a fold are held against one score of its rows as they are, which
    varies by as much as those shuffled where the column tells nothing: their mean has s² + s²/R of R repeats. Where it
    tells something, folds may differ by more."""
    count = sum(len(values) for values in folds)
    if count == len(folds):
        return None
    variance = sum(len(values) * float(np.var(values)) for values in folds) / (count - len(folds))
    repeats = count / len(folds)
    means = [float(np.mean(values)) for values in folds]
    between = float(np.var(means, ddof=1)) / len(means) if len(means) > 1 else 0.0
    return float(np.sqrt(max(variance * (repeats + 1) / count, between)))
