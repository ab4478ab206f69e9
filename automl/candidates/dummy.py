"""The constant model: class shares, or the mean (where absolute errors are measured the median)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._record import check_numbers, read_record, refuse, write_record
from automl.candidates._targets import LOGARITHMIC_METRICS, TargetScale, class_priors, regression_loss
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Params, SearchSpace
from automl.task import Task

NAME = "dummy"


class Dummy:
    """Predicts the same for every row: what any other model must beat."""

    title = "Constant"
    needs = Needs(missing=True, categories="embed", text="none")  # the cheapest matrix: nothing in it is learned
    cost = 0.05
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace()

    def build(self, params: Params, context: FitContext) -> Estimator:
        return DummyEstimator(context.task)

    def load(self, folder: Path) -> Estimator:
        values = check_numbers(folder, read_record(folder, NAME, ()), "values")
        if len(values) == 0:
            raise refuse(folder, "it predicts nothing")
        return DummyEstimator(None, values.astype(np.float32))


class DummyEstimator:
    """`values` (k,) are the probabilities, or the one value, that every row gets."""

    def __init__(self, task: Task | None, values: FloatArray | None = None) -> None:
        self.task = task
        self.values = np.zeros(0, dtype=np.float32) if values is None else values

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        assert self.task is not None, "a loaded model is not fitted again"
        if self.task.is_classification:
            values = class_priors(target, weight, self.task.n_classes)
        elif regression_loss(self.task.metric) == "absolute":
            values = np.array([_weighted_median(target, weight)])
        elif self.task.metric in LOGARITHMIC_METRICS:
            values = TargetScale.learn(target, weight, metric=self.task.metric).invert(np.zeros(1))[0]
        else:
            values = np.array([np.average(target, weights=weight)])
        self.values = values.astype(np.float32)

    def predict(self, matrix: FloatArray) -> FloatArray:
        return np.tile(self.values, (len(matrix), 1))

    def to_graph(self, graph: Graph, matrix: str) -> str:
        return graph.rows_like(matrix, self.values.astype(np.float64))

    def save(self, folder: Path) -> None:
        write_record(folder, NAME, {"values": [float(value) for value in self.values]})


def _weighted_median(target: Array, weight: Array | None) -> float:
    """The smallest value with at least half of the weight at or below it; between two, their middle."""
    if weight is None:
        return float(np.median(target))
    order = np.argsort(target, kind="stable")
    below = np.cumsum(np.asarray(weight, dtype=np.float64)[order])
    values = np.asarray(target, dtype=np.float64)[order]
    half = below[-1] / 2.0
    at = int(np.searchsorted(below, half))
    at = min(at, len(values) - 1)
    if np.isclose(below[at], half) and at + 1 < len(values):
        return float((values[at] + values[at + 1]) / 2.0)
    return float(values[at])


plugin: Candidate = Dummy()
