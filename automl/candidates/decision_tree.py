"""One decision tree: a few questions asked one after the other, learned in a moment."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._forest import ForestEstimator
from automl.candidates._trees import LEAF, Nodes, read_sklearn_tree
from automl.matrix import Needs, Shape
from automl.space import Float, Int, Params, SearchSpace
from automl.task import Task

NAME = "decision_tree"
MAX_ROWS = 200_000


class DecisionTree:
    """A classification or regression tree (Breiman, Friedman, Olshen and Stone 1984). Where the time is short it is
    the first model that is there: it asks for no scale, leaves the words of texts aside and takes milliseconds."""

    title = "Decision tree"
    needs = Needs(missing=True, text="none")
    cost = 0.2
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if shape.pictures:
            return "no single number that describes a picture says much"
        if shape.rows > MAX_ROWS:
            return f"on {shape.rows:,} rows boosted trees learn more in the same time"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace(
            {
                "max_depth": Int(2, 12, 6),
                "min_samples_leaf": Int(1, 64, 8, log=True),
                "pull": Float(0.5, 50.0, 5.0, log=True),
            }
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if context.task.is_classification else RandomForestRegressor
        alone = {"n_estimators": 1, "bootstrap": False, "max_features": 1.0}
        shape = {name: value for name, value in params.items() if name != "pull"}
        return TreeEstimator(NAME, kind, {**alone, **shape}, context, pull=params["pull"])

    def load(self, folder: Path) -> Estimator:
        return ForestEstimator.load(NAME, folder)


class TreeEstimator(ForestEstimator):
    """A forest of one tree, whose leaves answer as if they held `pull` more rows like the table's average: few rows
    are no proof that a class is impossible (the m-estimate of Cestnik 1990)."""

    def __init__(self, candidate: str, kind: Any, params: Params, context: FitContext, *, pull: float) -> None:
        super().__init__(candidate, kind, params, context)
        self.pull = pull

    def _read(self, tree: Any) -> Nodes:
        nodes = read_sklearn_tree(tree)
        rows = tree.weighted_n_node_samples[tree.children_left == LEAF][:, None]
        # weights may be on any scale: what counts is how many rows they stand for
        rows = rows * (tree.n_node_samples[0] / tree.weighted_n_node_samples[0])
        drawn = (rows * nodes.values + self.pull * tree.value[0, 0]) / (rows + self.pull)
        return dataclasses.replace(nodes, values=drawn.astype(np.float32))


plugin: Candidate = DecisionTree()
