"""Random forests and extra trees: grown a few trees at a time until time or size says enough."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._record import check_int, read_record, write_record
from automl.candidates._sklearn import check_classes, fit_quietly
from automl.candidates._targets import (
    TargetScale,
    constant_in_graph,
    encode_classes,
    regression_loss,
    spread_in_graph,
    spread_probabilities,
)
from automl.candidates._time import fit_in_time, limit_threads
from automl.candidates._trees import FILE, Nodes, Trees, read_sklearn_tree
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray, Shape
from automl.space import Choice, Float, Int, Params, SearchSpace
from automl.task import Task

MAX_NODES = 2_500_000  # of all trees: about 20 MB on disk
MAX_CELLS = 75_000_000  # nodes × classes of all trees; reached before the nodes from 31 classes on
MAX_LEAVES_PER_TREE = 20_000
LEAST_TREES = 50  # that there is to be room for: of many classes few large trees say less than many small ones
CHUNK_ROWS = 20_000
SECONDS_PER_MILLION_CELLS = 0.8  # a generous guess for one tree on one core


def forest_space(task: Task, shape: Shape, *, max_features: float, leaf: int) -> SearchSpace:
    """What random forests and extra trees have in common; `max_features` and `leaf` are defaults."""
    criterion = (
        Choice(("gini", "entropy"), "gini") if task.is_classification else Choice(("squared_error",), "squared_error")
    )
    return SearchSpace(
        {
            "n_estimators": Int(50, 500, 200, log=True),
            "max_features": Float(0.05, 1.0, max_features),
            "min_samples_leaf": Int(1, 64, leaf, log=True),
            "max_depth": Choice((None, 8, 15), None),
            "criterion": criterion,
        }
    )


class ForestEstimator:
    """The mean of many trees.

    Args:
        candidate: name of the family.
        kind: scikit-learn's forest class for the task.
        params: complete parameters, passed on to `kind`.
        context: as handed to `Candidate.build`.
    """

    def __init__(self, candidate: str, kind: Any, params: Params, context: FitContext) -> None:
        self.candidate = candidate
        self.kind = kind
        self.params = params
        self.context: FitContext | None = context
        self.n_outputs = context.task.n_outputs
        self.classification = context.task.is_classification
        self.classes: IntArray = np.zeros(0, dtype=np.int64)
        self.scale: TargetScale | None = None
        self.trees = Trees.join([], 0, 1)

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        assert self.context is not None, "a loaded model is not fitted again"
        context = self.context
        if self.classification:
            self.classes, learned = encode_classes(target)
        else:
            self.scale = TargetScale.learn(target, weight, metric=context.task.metric)
            learned = self.scale.apply(target)
        if len(self.classes) == 1:
            return
        grown: list[Nodes] = []

        def grow(rows: IntArray | None) -> None:
            if rows is None:
                grown[:] = self._grow(context, matrix, learned, weight)
            else:
                part = None if weight is None else weight[rows]
                grown[:] = self._grow(context, matrix[rows], learned[rows], part)

        with limit_threads(context.threads):
            self._grow_in_time(context, grow, learned)
        self.trees = Trees.join(grown, matrix.shape[1], self._width)

    @property
    def _width(self) -> int:
        """Values a leaf holds."""
        return len(self.classes) if self.classification else 1

    def _grow_in_time(self, context: FitContext, grow: Any, target: Array) -> None:
        """The first tree alone may be too slow for a short deadline: then all trees see a sample of the rows."""
        if context.seconds_left() < SECONDS_PER_MILLION_CELLS * len(target) * len(context.features) / 1e6:
            first = min(len(target), 2000)
            fit_in_time(grow, context, target, first=first, most=first)
        else:
            grow(None)

    def _grow(self, context: FitContext, matrix: FloatArray, target: Array, weight: Array | None) -> list[Nodes]:
        n = len(matrix)
        if not matrix.flags.writeable and np.isnan(matrix.min()):
            matrix = np.array(matrix)  # scikit-learn's check for missing values wants to write: "buffer is read-only"
        wanted = self.params["n_estimators"]
        most = min(MAX_NODES, MAX_CELLS // self._width)
        leaves = max(1, min(MAX_LEAVES_PER_TREE, most // (2 * min(wanted, LEAST_TREES))))
        least = max(self.params["min_samples_leaf"], -(-n // leaves))
        settings = {**self.params, "n_estimators": 0, "min_samples_leaf": least}
        if not self.classification and regression_loss(context.task.metric) == "absolute":
            settings["min_samples_leaf"] = max(least, 3)  # a mean of few rows is far from their median
        forest = self.kind(warm_start=True, n_jobs=1, random_state=context.seed, **settings)
        trees: list[Nodes] = []
        nodes, batch = 0, 1
        start = time.monotonic()
        while True:
            forest.n_estimators = len(trees) + min(batch, wanted - len(trees))
            fit_quietly(forest.fit, matrix, target, sample_weight=weight)
            fresh = [self._read(member.tree_) for member in forest.estimators_[len(trees) :]]
            forest.estimators_[len(trees) :] = [None] * len(fresh)  # to grow on, it counts them; they hold much memory
            trees += fresh
            nodes += sum(len(tree.right) for tree in fresh)
            seconds = (time.monotonic() - start) / len(trees)
            room = min(0.9 * context.seconds_left() / max(seconds, 1e-6), (most - nodes) * len(trees) / nodes)
            if len(trees) >= wanted or room < 1:
                return trees
            batch = int(min(16, room))

    def _read(self, tree: Any) -> Nodes:
        """What is kept of a grown scikit-learn tree."""
        return read_sklearn_tree(tree)

    def predict(self, matrix: FloatArray) -> FloatArray:
        parts = [self._predict_part(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        if self.trees.count == 0:  # one class only: nothing to tell apart
            return spread_probabilities(np.ones((len(matrix), 1)), self.classes, self.n_outputs)
        total = self.trees.add_up(matrix) / self.trees.count
        if self.scale is not None:
            return self.scale.invert(total)
        return spread_probabilities(total, self.classes, self.n_outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        if self.trees.count == 0:
            return constant_in_graph(graph, matrix, self.classes, self.n_outputs)
        mean = graph.add("Div", self.trees.to_graph(graph, matrix), np.float64(self.trees.count))
        if self.scale is not None:
            return self.scale.to_graph(graph, mean)
        return spread_in_graph(graph, mean, self.classes, self.n_outputs)

    def save(self, folder: Path) -> None:
        self.trees.save(folder)
        facts = {
            "n_outputs": self.n_outputs,
            "n_features": self.trees.n_features,
            "classes": self.classes.tolist(),
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, self.candidate, facts)

    @classmethod
    def load(cls, candidate: str, folder: Path) -> ForestEstimator:
        """A fitted estimator.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, candidate, (FILE,))
        estimator = cls.__new__(cls)
        estimator.candidate, estimator.context, estimator.params = candidate, None, {}
        estimator.n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        estimator.classes = check_classes(folder, facts, estimator.n_outputs)
        estimator.classification = len(estimator.classes) > 0
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        n_features = check_int(folder, facts, "n_features", 0, 100_000_000)
        width = len(estimator.classes) if len(estimator.classes) > 1 else 1
        estimator.trees = Trees.load(folder, n_features, width)
        return estimator
