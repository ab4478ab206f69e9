"""Linear support vector machine on TF-IDF n-grams, with calibrated probabilities."""

from __future__ import annotations

from pathlib import Path

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._tfidf import NEEDS, TfidfEstimator, needs_text
from automl.matrix import Shape
from automl.space import Choice, Float, Params, SearchSpace
from automl.task import Task

NAME = "tfidf_svm"
TOLERANCE = 0.01  # LIBLINEAR itself stops at 0.1; smaller ones change no answer and take several times as long


class TfidfSVM:
    """The machine that texts suit best (Joachims 1998, doi:10.1007/BFb0026683), fitted by LIBLINEAR."""

    title = "TF-IDF and linear SVM"
    needs = NEEDS
    cost = 3.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return needs_text(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        if task.is_classification:
            return SearchSpace({"C": Float(0.02, 20.0, 0.5, log=True), "balanced": Choice((False, True), False)})
        return SearchSpace({"C": Float(0.01, 20.0, 0.5, log=True), "epsilon": Float(1e-3, 0.5, 0.05, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.svm import LinearSVC, LinearSVR

        common = {"C": params["C"], "tol": TOLERANCE, "max_iter": 300, "random_state": context.seed}
        if context.task.is_classification:
            balanced = "balanced" if params["balanced"] else None
            return TfidfEstimator(NAME, LinearSVC(**common, dual=True, class_weight=balanced), context)
        model = LinearSVR(loss="squared_epsilon_insensitive", epsilon=params["epsilon"], dual=True, **common)
        return TfidfEstimator(NAME, model, context, margin=0.25)

    def load(self, folder: Path) -> Estimator:
        return TfidfEstimator.load_linear(NAME, folder)


plugin: Candidate = TfidfSVM()
