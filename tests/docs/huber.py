"""Huber regression: a linear model that outliers do not bend."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._sklearn import SklearnEstimator
from automl.matrix import Needs, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task


class Huber:
    """Squared loss near the line, absolute loss far from it (Huber 1964, doi:10.1214/aoms/1177703732)."""

    title = "Huber regression"
    needs = Needs(scaled=True)
    cost = 2.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return "it predicts values, not classes" if task.is_classification else ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"epsilon": Float(1.01, 3.0, 1.35), "alpha": Float(1e-6, 10.0, 1e-4, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.linear_model import HuberRegressor

        return SklearnEstimator("huber", HuberRegressor(**params, max_iter=200), context)

    def load(self, folder: Path) -> Estimator:
        return SklearnEstimator.load("huber", folder, ("HuberRegressor",))


plugin: Candidate = Huber()
