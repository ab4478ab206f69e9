"""Support vector machine with a Gaussian kernel, for small data, with calibrated probabilities."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._margin import MarginEstimator
from automl.candidates._targets import learns_logarithm, target_space
from automl.matrix import Needs, Shape
from automl.space import Float, Parameter, Params, SearchSpace
from automl.task import Task

NAME = "svm_rbf"
MAX_ROWS = 6000
MORE_FOR_MEANING = 4  # what pictures and texts become suits it so well that a sample of them is worth learning from
MAX_COLUMNS = 1000
MAX_CLASSES = 50


class KernelSVM:
    """A curved border with the widest margin (Chang and Lin 2011, LIBSVM, doi:10.1145/1961189.1961199)."""

    title = "Kernel SVM"
    needs = Needs(scaled=True)
    cost = 8.0
    pool = "core"
    gains_by_all_rows = True

    def unsupported(self, task: Task, shape: Shape) -> str:
        most = MAX_ROWS * (MORE_FOR_MEANING if shape.pictures or shape.texts else 1)
        if shape.rows > most:
            return f"{shape.rows:,} rows are more than {most:,}: its time grows with their square"
        if shape.columns > MAX_COLUMNS:
            return f"{shape.columns:,} columns are more than {MAX_COLUMNS:,}"
        if shape.outputs > MAX_CLASSES:
            return f"{shape.outputs} classes are more than {MAX_CLASSES}: it compares them in pairs"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        space: dict[str, Parameter] = {
            "C": Float(1e-2, 1e3, 1.0 if task.is_classification else 3.0, log=True),
            "gamma": Float(1e-2, 10.0, 1.0 if shape.columns < 20 else 0.5, log=True),
        }
        if not task.is_classification:
            space["epsilon"] = Float(1e-3, 0.5, 0.05, log=True)
        return SearchSpace({**space, **target_space(task)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.svm import SVC, SVR

        # As a multiple of 1 / columns, which is scikit-learn's "scale" for standardised columns.
        gamma = params["gamma"] / max(1, len(context.features))
        common = {"kernel": "rbf", "C": params["C"], "gamma": gamma, "cache_size": 200, "max_iter": 200_000}
        if context.task.is_classification:
            model = SVC(**common, random_state=context.seed)
            return MarginEstimator(NAME, model, context, power=2.0, most_rows=MAX_ROWS)
        model = SVR(**common, epsilon=params["epsilon"])
        log = learns_logarithm(params)
        return MarginEstimator(NAME, model, context, log_target=log, margin=0.1, power=2.0, most_rows=MAX_ROWS)

    def load(self, folder: Path) -> Estimator:
        return MarginEstimator.load(NAME, folder, ("SVC", "SVR"))


plugin: Candidate = KernelSVM()
