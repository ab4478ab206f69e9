"""Linear support vector machine on TF-IDF n-grams, with calibrated probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._sklearn import fit_quietly
from automl.candidates._tfidf import NEEDS, TfidfEstimator, needs_text
from automl.matrix import Array, Shape
from automl.space import Choice, Float, Params, SearchSpace
from automl.task import Task

NAME = "tfidf_svm"
TOLERANCE = 0.01  # LIBLINEAR itself stops at 0.1; smaller ones change no answer and take several times as long
MAX_RATIO_CLASSES = 20
# The one problem of many classes is as good at 0.1, in a third of the time.
MANY_TOLERANCE = 0.1


class TfidfSVM:
    """The machine that texts suit best (Joachims 1998, doi:10.1007/BFb0026683), fitted by LIBLINEAR.

    Many classes are one problem (Crammer and Singer 2001, JMLR 2:265-292) instead of one a class: on 150 classes of
    18,000 short texts that takes half the time.

    With `ratio` each n-gram is weighed by the log ratio of its counts in and outside of the class first: a machine
    that starts from naive Bayes (Wang and Manning 2012, "Baselines and bigrams", ACL).
    """

    title = "TF-IDF and linear SVM"
    needs = NEEDS
    cost = 3.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return needs_text(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        if not task.is_classification:
            return SearchSpace({"C": Float(0.01, 20.0, 0.5, log=True), "epsilon": Float(1e-3, 0.5, 0.05, log=True)})
        space = SearchSpace({"C": Float(0.02, 20.0, 0.5, log=True), "balanced": Choice((False, True), False)})
        few = shape.outputs <= MAX_RATIO_CLASSES
        return space | SearchSpace({"ratio": Choice((False, True), False)}) if few else space

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.svm import LinearSVC, LinearSVR

        common = {"C": params["C"], "tol": TOLERANCE, "max_iter": 300, "dual": True, "random_state": context.seed}
        if context.task.is_classification:
            balanced = "balanced" if params["balanced"] else None
            if context.task.n_outputs > MAX_RATIO_CLASSES:
                common |= {"multi_class": "crammer_singer", "tol": MANY_TOLERANCE}
            estimator = RatioEstimator(NAME, LinearSVC(**common, class_weight=balanced), context)
            estimator.ratio = bool(params.get("ratio"))
            return estimator
        model = LinearSVR(loss="squared_epsilon_insensitive", epsilon=params["epsilon"], **common)
        return RatioEstimator(NAME, model, context, margin=0.25)

    def load(self, folder: Path) -> Estimator:
        return RatioEstimator.load_linear(NAME, folder)


class RatioEstimator(TfidfEstimator):
    """One machine for all classes, or, with `ratio`, one a class on columns weighed for it."""

    ratio = False

    def fit_linear(self, matrix: Any, target: Array, weight: Array | None) -> None:
        if not self.ratio:
            super().fit_linear(matrix, target, weight)
            return
        classes = len(self.classes)
        assert self.context is not None
        others = sum(feature.width for feature in self.context.features[:-1])
        self._found = []
        for label in range(1, 2) if classes == 2 else range(classes):
            ratios = count_ratios(matrix, target == label)
            ratios[:others] = 1.0  # columns beside the n-grams are no counts
            scaled = matrix.multiply(ratios).tocsr()
            fit_quietly(self.model.fit, scaled, target == label, sample_weight=weight)
            self._found.append((self.model.coef_[0] * ratios, float(self.model.intercept_[0])))

    def read_linear(self) -> tuple[Array, Array]:
        if not self.ratio:
            return super().read_linear()
        return np.stack([row for row, _ in self._found]), np.array([intercept for _, intercept in self._found])


def count_ratios(matrix: Any, inside: Array) -> Array:
    """(m,) log ratio of the shares that each column has among the texts inside and outside of a class."""
    there = matrix > 0
    counts = [np.asarray(there[rows].sum(axis=0), dtype=np.float64).reshape(-1) + 1.0 for rows in (inside, ~inside)]
    return np.asarray(np.log(counts[0] / counts[0].sum()) - np.log(counts[1] / counts[1].sum()))


plugin: Candidate = TfidfSVM()
