"""Logistic regression for classes; ridge or elastic net for values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._graph_sklearn import linear_to_graph
from automl.candidates._sklearn import SklearnEstimator, fit_quietly, score_linearly
from automl.candidates._targets import (
    LOGARITHM,
    learns_logarithm,
    sigmoid_columns,
    sigmoid_in_graph,
    softmax,
    target_choice,
)
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Condition, Float, Params, SearchSpace
from automl.task import Task

NAME = "linear"
KINDS = ("LogisticRegression", "Ridge", "ElasticNet")


class Linear:
    """Linear models: quick, hard to overfit, the baseline that anything else must beat."""

    title = "Linear model"
    needs = Needs(scaled=True)
    cost = 1.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        penalty: dict[str, Any] = {"penalty": Choice(("l2", "elasticnet"), "l2"), "l1_ratio": Float(0.05, 1.0, 0.5)}
        when = {"l1_ratio": Condition("penalty", ("elasticnet",))}
        if task.is_classification:
            return SearchSpace({"C": Float(1e-4, 1e3, 1.0, log=True), **penalty}, when)
        values: dict[str, Any] = {
            "alpha": Float(1e-6, 1.0, 1e-3, log=True),
            LOGARITHM: target_choice(task),
        }
        return SearchSpace({**values, **penalty}, when)

    def build(self, params: Params, context: FitContext) -> Estimator:
        log_target = learns_logarithm(params)
        estimator = LinearEstimator(NAME, _model(params, context), context, log_target=log_target, margin=0.25)
        estimator.alpha_per_row = params.get("alpha", 0.0)
        return estimator

    def load(self, folder: Path) -> Estimator:
        return LinearEstimator.load(NAME, folder, KINDS)


class LinearEstimator(SklearnEstimator):
    """`alpha` is a penalty per row, in ridge as in elastic net, so that one range suits every size."""

    alpha_per_row = 0.0

    def fit_model(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        if type(self.model).__name__ == "Ridge":
            self.model.set_params(alpha=self.alpha_per_row * len(matrix))
        fit_quietly(self.model.fit, matrix, target, sample_weight=weight)

    def predict_values(self, matrix: FloatArray) -> Array:
        return score_linearly(self.model, matrix)[:, 0]

    def predict_classes(self, matrix: FloatArray) -> Array:
        scores = score_linearly(self.model, matrix)
        return sigmoid_columns(scores[:, 0]) if len(self.classes) == 2 else softmax(scores)

    def classes_to_graph(self, graph: Graph, matrix: str) -> str:
        scores = linear_to_graph(graph, matrix, self.model)
        return sigmoid_in_graph(graph, scores) if len(self.classes) == 2 else graph.add("Softmax", scores, axis=1)


def _model(params: Params, context: FitContext) -> Any:
    from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

    elastic = params["penalty"] == "elasticnet"
    if context.task.is_classification:
        return LogisticRegression(
            C=params["C"],
            l1_ratio=params["l1_ratio"] if elastic else 0.0,
            solver="saga" if elastic else "lbfgs",
            tol=1e-3 if elastic else 1e-4,
            max_iter=60 if elastic else 200,
            random_state=context.seed,
        )
    if elastic:
        return ElasticNet(
            alpha=params["alpha"], l1_ratio=params["l1_ratio"], tol=1e-3, max_iter=500, random_state=context.seed
        )
    return Ridge(alpha=1.0, tol=1e-4)


plugin: Candidate = Linear()
