"""Logistic regression on TF-IDF n-grams for classes; ridge for values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._sklearn import fit_quietly
from automl.candidates._softmax import fit_softmax
from automl.candidates._tfidf import MANY_CLASSES, NEEDS, TfidfEstimator, needs_text
from automl.candidates._time import limit_threads
from automl.matrix import Array, FloatArray, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "tfidf_linear"
# One pass over the rows costs L-BFGS so many products for each class; beyond these it would need minutes.
DEAR_PRODUCTS = 100_000_000
PENALTY = 1e-4
FIT_SHARE = 0.85  # of the time left; the rest is for predicting and saving


class TfidfLinear:
    """The linear model of texts: with words alone and C = 1 it is the baseline that any other must beat."""

    title = "TF-IDF and linear model"
    needs = NEEDS
    cost = 2.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return needs_text(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        if task.is_classification:
            return SearchSpace({"C": Float(1e-2, 1e3, 10.0, log=True)})
        return SearchSpace({"alpha": Float(1e-3, 1e2, 1.0, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        return LogisticEstimator(NAME, _model(params, context), context, margin=0.25)

    def load(self, folder: Path) -> Estimator:
        return LogisticEstimator.load_linear(NAME, folder)


class LogisticEstimator(TfidfEstimator):
    """One softmax over all classes; of two classes, the sigmoid."""

    exact = True
    _found: tuple[Array, Array] | None = None

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        products = getattr(matrix, "nnz", 0) * self.n_outputs
        if not self.classification or self.n_outputs <= 2 or products < DEAR_PRODUCTS:
            super().fit(matrix, target, weight)
            return
        assert self.context is not None
        self.n_features = matrix.shape[1]
        self.offsets = np.zeros(len(np.unique(target)), dtype=np.float64)
        with limit_threads(self.context.threads):
            self._fit_rows(matrix, target, weight, None)

    def fit_linear(self, matrix: Any, target: Array, weight: Array | None) -> None:
        self._found = None
        if self.classification and len(self.classes) > 2 and matrix.nnz * len(self.classes) >= DEAR_PRODUCTS:
            self._fit_softmax(matrix, target, weight)
            return
        if self.classification:
            binary = len(self.classes) == 2
            # LIBLINEAR's trust region needs few passes for two classes; several are one problem for L-BFGS
            self.model.set_params(solver="liblinear" if binary else "lbfgs")
        fit_quietly(self.model.fit, matrix, target, sample_weight=weight)

    def _fit_softmax(self, matrix: Any, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None
        now = time.monotonic()
        self._found = fit_softmax(
            matrix,
            target,
            len(self.classes),
            weight,
            penalty=PENALTY / self.model.C,
            seed=context.seed,
            deadline=now + FIT_SHARE * (context.deadline - now),
        )

    def read_linear(self) -> tuple[Array, Array]:
        return super().read_linear() if self._found is None else self._found


def _model(params: Params, context: FitContext) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if context.task.is_classification:
        passes = 100 if context.task.n_outputs <= MANY_CLASSES else 40  # each is dear, and the first ones tell most
        return LogisticRegression(C=params["C"], tol=1e-3, max_iter=passes, random_state=context.seed)
    return Ridge(alpha=params["alpha"], tol=1e-4, solver="sparse_cg", random_state=context.seed)


plugin: Candidate = TfidfLinear()
