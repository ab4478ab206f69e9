"""Support vector machines: margins turned into probabilities on rows that the machine was not trained on."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._graph_sklearn import kernel_to_graph, linear_to_graph
from automl.candidates._record import check_numbers, refuse
from automl.candidates._rounds import split_stop_rows
from automl.candidates._sklearn import SklearnEstimator, fit_quietly, score_linearly
from automl.candidates._targets import softmax
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray

HELD_SHARE = 5  # one row in so many is held back where no stop rows are given
FEWEST_HELD = 10


class MarginEstimator(SklearnEstimator):
    """A scikit-learn classifier with a decision function, or a regressor.

    Probabilities are softmax(slope · margins + offsets); for two classes that is Platt's sigmoid (Platt 1999,
    "Probabilistic outputs for support vector machines"). Slope and offsets are learned on held-out rows; a refit on
    all rows keeps them.
    """

    slope = 1.0
    offsets: Array = np.zeros(0, dtype=np.float64)

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        assert self.context is not None, "a loaded model is not fitted again"
        if not self.classification:
            super().fit(matrix, target, weight)
            return
        keep, held = split_stop_rows(self.context, matrix.shape[0])  # a sparse matrix has no length
        refit = self.context.refit or keep is None
        if keep is None:
            keep, held = self._hold_back(target)
        started = time.monotonic()
        super().fit(matrix[keep], target[keep], None if weight is None else weight[keep])
        seconds = time.monotonic() - started
        if len(self.classes) < 2:
            return
        self.offsets = np.zeros(len(self.classes), dtype=np.float64)
        held = held[np.isin(target[held], self.classes)]
        if len(held) >= FEWEST_HELD:
            codes = np.searchsorted(self.classes, target[held])
            shares = None if weight is None else weight[held]
            self.slope, self.offsets = fit_probabilities(self.decide(matrix[held]), codes, shares)
        same_classes = len(np.unique(target)) == len(self.classes)
        if refit and same_classes and (math.isinf(self.context.deadline) or self.context.seconds_left() > 3 * seconds):
            super().fit(matrix, target, weight)

    def fit_model(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        fit_quietly(self.model.fit, matrix, target, sample_weight=weight)

    def _hold_back(self, target: Array) -> tuple[IntArray, IntArray]:
        """One row in five of each class; a class of fewer than five rows is kept whole."""
        assert self.context is not None
        order = np.random.default_rng(self.context.seed).permutation(len(target))
        by_class = order[np.argsort(target[order], kind="stable")]
        _, starts = np.unique(target[by_class], return_index=True)
        place = np.arange(len(target)) - np.repeat(starts, np.diff(np.append(starts, len(target))))
        held = place % HELD_SHARE == HELD_SHARE - 1
        return np.sort(by_class[~held]).astype(np.int64), np.sort(by_class[held]).astype(np.int64)

    def decide(self, matrix: FloatArray) -> Array:
        """Margins (n, c), one column a class; of two classes the first has 0."""
        scores = self.model.decision_function(matrix) if self._has_kernel else score_linearly(self.model, matrix)
        margins = np.asarray(scores, dtype=np.float64)
        is_one = margins.ndim == 1 or margins.shape[1] == 1
        return np.column_stack([np.zeros(len(margins)), margins]) if is_one else margins

    def predict_values(self, matrix: FloatArray) -> Array:
        return super().predict_values(matrix) if self._has_kernel else score_linearly(self.model, matrix)[:, 0]

    @property
    def _has_kernel(self) -> bool:
        return hasattr(self.model, "support_vectors_")

    def predict_classes(self, matrix: FloatArray) -> Array:
        return softmax(self.slope * self.decide(matrix) + self.offsets)

    def values_to_graph(self, graph: Graph, matrix: str) -> str:
        add = kernel_to_graph if self._has_kernel else linear_to_graph
        return add(graph, matrix, self.model)

    def decide_to_graph(self, graph: Graph, matrix: str) -> str:
        """`decide`, (n, c) float64."""
        margins = self.values_to_graph(graph, matrix)
        if len(self.classes) > 2:
            return margins
        return graph.concat([graph.add("Mul", margins, np.float64(0)), margins])

    def classes_to_graph(self, graph: Graph, matrix: str) -> str:
        scaled = graph.add("Mul", self.decide_to_graph(graph, matrix), np.float64(self.slope))
        return graph.add("Softmax", graph.add("Add", scaled, np.asarray(self.offsets, dtype=np.float64)), axis=1)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "slope": self.slope, "offsets": self.offsets.tolist()}

    def restore(self, folder: Path, facts: dict[str, Any]) -> None:
        super().restore(folder, facts)
        self.offsets = check_numbers(folder, facts, "offsets")
        self.slope = float(check_numbers(folder, {"slope": [facts.get("slope")]}, "slope", 1)[0])
        if self.classification and len(self.classes) > 1 and len(self.offsets) != len(self.classes):
            raise refuse(folder, "it has not an offset for each class")


def fit_probabilities(margins: Array, codes: Array, weight: Array | None) -> tuple[float, Array]:
    """Slope and offsets (c,) of the softmax that makes `codes` (n,) most likely, drawn a little towards 1 and 0.

    The pull (a normal prior worth one row) keeps probabilities away from 0 and 1 where the classes separate.
    """
    from scipy.optimize import minimize

    n, c = margins.shape
    rows = np.arange(n)
    shares = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    spread = max(float(np.std(margins)), 1e-9)
    scaled = margins / spread

    def loss(point: Array) -> tuple[float, Array]:
        slope, offsets = math.exp(point[0]), point[1:]
        probabilities = softmax(slope * scaled + offsets)
        value = -float(shares @ np.log(np.maximum(probabilities[rows, codes], 1e-300)))
        wrong = probabilities
        wrong[rows, codes] -= 1.0
        wrong *= shares[:, None]
        gradient = np.concatenate([[slope * float((wrong * scaled).sum())], wrong.sum(axis=0)]) + 0.5 * point
        return value + 0.25 * float(point @ point), gradient

    bounds = [(-6.0, 6.0), *[(-20.0, 20.0)] * c]
    found = minimize(loss, np.zeros(c + 1), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    return math.exp(found.x[0]) / spread, np.asarray(found.x[1:], dtype=np.float64)
