"""Ridge regression on TF-IDF n-grams, of the classes' indicators or of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._sklearn import fit_quietly
from automl.candidates._tfidf import NEEDS, TfidfEstimator, needs_text
from automl.matrix import Array, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "tfidf_ridge"
MAX_CLASSES = 300


class TfidfRidge:
    """Least squares with a penalty (Hoerl and Kennard 1970); its margins are calibrated like an SVM's."""

    title = "TF-IDF and ridge"
    needs = NEEDS
    cost = 3.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not task.is_classification:
            return "for values tfidf_linear is the same model"
        if shape.outputs > MAX_CLASSES:
            return f"{shape.outputs} classes are more than {MAX_CLASSES}"
        return needs_text(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"alpha": Float(1e-2, 1e2, 1.0, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.linear_model import Ridge

        return RidgeEstimator(NAME, Ridge(alpha=params["alpha"], tol=1e-3, solver="sparse_cg"), context)

    def load(self, folder: Path) -> Estimator:
        return RidgeEstimator.load_linear(NAME, folder)


class RidgeEstimator(TfidfEstimator):
    """One least-squares problem a class, its rows against all others."""

    def fit_linear(self, matrix: Any, target: Array, weight: Array | None) -> None:
        classes = len(self.classes)
        wanted = target[:, None] == (np.arange(1, 2) if classes == 2 else np.arange(classes))
        fit_quietly(self.model.fit, matrix, 2.0 * wanted - 1.0, sample_weight=weight)


plugin: Candidate = TfidfRidge()
