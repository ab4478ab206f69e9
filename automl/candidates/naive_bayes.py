"""Gaussian naive Bayes: each column by itself, a normal curve a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._graph_sklearn import gaussian_to_graph
from automl.candidates._margin import MarginEstimator
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "naive_bayes"


class NaiveBayes:
    """Gaussian naive Bayes; quick, and unlike any other family, which an ensemble likes."""

    title = "Naive Bayes"
    needs = Needs(scaled=True)
    cost = 0.3
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return "" if task.is_classification else "naive Bayes tells classes apart; this target is a number"

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"var_smoothing": Float(1e-9, 1.0, 1e-3, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.naive_bayes import GaussianNB

        return BayesEstimator(NAME, GaussianNB(var_smoothing=params["var_smoothing"]), context)

    def load(self, folder: Path) -> Estimator:
        return BayesEstimator.load(NAME, folder, ("GaussianNB",))


class BayesEstimator(MarginEstimator):
    """Columns that say the same thing twice make naive Bayes too sure: its likelihoods are calibrated like margins."""

    def decide(self, matrix: FloatArray) -> Array:
        likelihoods: Array = self.model.predict_joint_log_proba(matrix)
        return np.asarray(likelihoods - likelihoods.max(axis=1, keepdims=True))

    def decide_to_graph(self, graph: Graph, matrix: str) -> str:
        return gaussian_to_graph(graph, matrix, self.model)


plugin: Candidate = NaiveBayes()
