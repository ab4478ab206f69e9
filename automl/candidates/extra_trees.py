"""Extremely randomised trees: cut points drawn at random, so that many trees differ and their mean is smooth."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._forest import ForestEstimator, forest_space
from automl.matrix import Needs, Shape
from automl.space import Choice, Params, SearchSpace
from automl.task import Task

NAME = "extra_trees"


class ExtraTrees:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006, doi:10.1007/s10994-006-6226-1)."""

    title = "Extra trees"
    needs = Needs(missing=True)
    cost = 5.0
    pool = "core"
    gains_by_all_rows = True

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        few = 0.5 if shape.numbers + shape.levels < 30 else 0.25
        common = forest_space(
            task, shape, max_features=few if task.is_classification else 0.5, leaf=2 if task.is_classification else 1
        )
        return common | SearchSpace({"bootstrap": Choice((False, True), False)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        kind = ExtraTreesClassifier if context.task.is_classification else ExtraTreesRegressor
        return ForestEstimator(NAME, kind, params, context)

    def load(self, folder: Path) -> Estimator:
        return ForestEstimator.load(NAME, folder)


plugin: Candidate = ExtraTrees()
