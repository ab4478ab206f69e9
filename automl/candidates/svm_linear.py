"""Linear support vector machine, with calibrated probabilities."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._margin import MarginEstimator
from automl.matrix import Needs, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "svm_linear"
MAX_CELLS = 50_000_000


class LinearSVM:
    """A straight border with the widest margin (Fan et al. 2008, LIBLINEAR, JMLR 9)."""

    title = "Linear SVM"
    needs = Needs(scaled=True)
    cost = 2.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if shape.cells * max(1, shape.outputs) > MAX_CELLS:
            return f"{shape.cells:,} cells for {shape.outputs} outputs are more than it can learn quickly"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        cost = {"C": Float(1e-4, 10.0, 0.03, log=True)}
        if task.is_classification:
            return SearchSpace(cost)
        return SearchSpace({**cost, "epsilon": Float(1e-3, 0.5, 0.02, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.svm import LinearSVC, LinearSVR

        common = {"C": params["C"], "dual": False, "tol": 1e-3, "max_iter": 200, "random_state": context.seed}
        if context.task.is_classification:
            return MarginEstimator(NAME, LinearSVC(**common), context)
        model = LinearSVR(loss="squared_epsilon_insensitive", epsilon=params["epsilon"], **common)
        return MarginEstimator(NAME, model, context, margin=0.25)

    def load(self, folder: Path) -> Estimator:
        return MarginEstimator.load(NAME, folder, ("LinearSVC", "LinearSVR"))


plugin: Candidate = LinearSVM()
