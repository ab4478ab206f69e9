"""Random forest: deep trees on bootstrap samples."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._forest import ForestEstimator, forest_space
from automl.matrix import Needs, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "random_forest"


class RandomForest:
    """Random forests (Breiman 2001, doi:10.1023/A:1010933404324)."""

    title = "Random forest"
    needs = Needs(missing=True)
    cost = 8.0
    pool = "core"
    gains_by_all_rows = True

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        few = 0.3 if shape.numbers + shape.levels < 30 else 0.15
        common = forest_space(task, shape, max_features=few if task.is_classification else 0.4, leaf=2)
        return common | SearchSpace({"max_samples": Float(0.3, 1.0, 1.0)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if context.task.is_classification else RandomForestRegressor
        samples = params["max_samples"]
        return ForestEstimator(NAME, kind, {**params, "max_samples": None if samples >= 1.0 else samples}, context)

    def load(self, folder: Path) -> Estimator:
        return ForestEstimator.load(NAME, folder)


plugin: Candidate = RandomForest()
