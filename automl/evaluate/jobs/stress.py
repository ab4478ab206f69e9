"""How the score holds up when a column is not there, when values are noisy, and when categories were never seen."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from automl.evaluate.columns import empty_columns
from automl.evaluate.jobs import Case, Study, paired_interval
from automl.matrix import Array, FloatArray
from automl.preprocess.table import UNSEEN, Table

MAX_ROWS = 1_000
COLUMNS = 15
NOISE = (0.05, 0.1, 0.2, 0.4)
REPEATS = 3


class Stress:
    """Held-out rows are spoiled in one way after the other; losses of score are paired with the unspoiled rows."""

    title = "Missing columns and noise"
    order = 60
    seconds = 8.0
    least_seconds = 0.5

    def measure(self, case: Case) -> dict[str, Any] | None:
        rows = case.unseen_rows(MAX_ROWS)
        table, y = case.data.table.take(rows), case.data.target[rows]
        base = case.model.predict_table(table)
        judge = _Judge(case, rows, y, base)
        missing: list[dict[str, Any]] = []
        began = time.monotonic()
        for name in case.columns[:COLUMNS]:
            if missing and not case.has_time(2 / len(missing), began):
                break
            missing.append({"column": name, **judge.loss(case.model.predict_table(empty_columns(table, (name,))))})
        noise = []
        for share in NOISE:
            if not case.has_time(0.3, began):
                break
            spoiled = [
                case.model.predict_table(add_noise(table, case.data.table, share, case.rng(5 + at)))
                for at in range(REPEATS)
            ]
            noise.append({"share": share, **judge.loss(*spoiled)})
        unseen = None
        if table.categories.shape[1] and case.has_time(0.3, began):
            unseen = judge.loss(case.model.predict_table(_unseen(table)))
        missing.sort(key=lambda entry: -float(entry["loss"]))
        fold = case.data.chief_fold + 1
        return {"rows": len(rows), "fold": fold, "score": judge.score, "missing": missing, "noise": noise,
                "unseen_categories": unseen, "is_one_group": judge.is_one_group}  # fmt: skip


class _Judge:
    """Losses of score against the unspoiled rows, with an interval over the rows."""

    def __init__(self, case: Case, rows: Array, y: Array, base: FloatArray) -> None:
        self.case, self.y, self.base = case, y, case.as_judged(base)
        self.weight = None if case.data.weight is None else case.data.weight[rows]
        self.units = case.units(rows)
        self.is_one_group = case.data.groups is not None and self.units is None
        self.sign = 1 if case.metric.maximize else -1
        self.score = self._score(self.base, np.arange(len(y)))

    def _score(self, outputs: FloatArray, rows: Array) -> float:
        weight = None if self.weight is None else self.weight[rows]
        return float(self.case.metric.score(self.y[rows], outputs[rows], weight))

    def loss(self, *spoiled: FloatArray) -> dict[str, float]:
        judged = [self.case.as_judged(outputs) for outputs in spoiled]

        def difference(rows: Array) -> float:
            after = np.mean([self._score(outputs, rows) for outputs in judged])
            return float(self.sign * (self._score(self.base, rows) - after))

        loss = difference(np.arange(len(self.y)))
        half = 1.96 * paired_interval(difference, len(self.y), self.case.rng(11), repeats=30, units=self.units)
        return {"score": self.score - self.sign * loss, "loss": loss, "low": loss - half, "high": loss + half}


def add_noise(table: Table, whole: Table, share: float, rng: np.random.Generator) -> Table:
    """Numbers and dates get normal noise of `share` of their deviation; that share of categories another row's value.

    Args:
        table: rows to spoil.
        whole: rows that deviations are taken from.
    """
    numbers = _noisy(table.numbers, whole.numbers, share, rng).astype(np.float32)
    dates = _noisy(table.dates, whole.dates, share, rng)
    categories = np.array(table.categories)
    if categories.shape[1]:
        shuffled = rng.permuted(categories, axis=0)
        hit = rng.random(categories.shape) < share
        categories = np.where(hit, shuffled, categories)
    return dataclasses.replace(table, numbers=numbers, categories=categories, dates=dates)


def _noisy(values: Array, whole: Array, share: float, rng: np.random.Generator) -> Array:
    if not values.shape[1]:
        return np.array(values)
    sample = np.asarray(whole[:: max(1, len(whole) // 20_000)], dtype=np.float64)
    known = ~np.isnan(sample)
    count = np.maximum(1, known.sum(axis=0))
    mean = np.where(known, sample, 0.0).sum(axis=0) / count
    deviation = np.sqrt(np.where(known, (sample - mean) ** 2, 0.0).sum(axis=0) / count)
    return np.asarray(values + rng.normal(size=values.shape) * share * deviation)


def _unseen(table: Table) -> Table:
    categories = np.full_like(np.asarray(table.categories), UNSEEN)
    return dataclasses.replace(table, categories=categories)


plugin: Study = Stress()
