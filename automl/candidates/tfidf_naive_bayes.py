"""Complement naive Bayes on TF-IDF n-grams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._tfidf import NEEDS, TfidfEstimator, needs_text
from automl.matrix import Array, Shape
from automl.space import Choice, Float, Params, SearchSpace
from automl.task import Task

NAME = "tfidf_naive_bayes"


class TfidfNaiveBayes:
    """Each class against the words of all others (Rennie et al. 2003, "Tackling the poor assumptions of naive Bayes").

    Columns beside the n-grams are left out: counts of words are what it is made for.
    """

    title = "TF-IDF and naive Bayes"
    needs = NEEDS
    cost = 0.5
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not task.is_classification:
            return "naive Bayes tells classes apart; this target is a number"
        return needs_text(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"alpha": Float(1e-3, 3.0, 0.3, log=True), "norm": Choice((False, True), False)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        from sklearn.naive_bayes import ComplementNB

        return BayesEstimator(NAME, ComplementNB(alpha=params["alpha"], norm=params["norm"]), context)

    def load(self, folder: Path) -> Estimator:
        return BayesEstimator.load_linear(NAME, folder)


class BayesEstimator(TfidfEstimator):
    """Log-likelihood ratios are linear in the counts."""

    others = False

    def read_linear(self) -> tuple[Array, Array]:
        weights: Any = self.model.feature_log_prob_
        if len(self.classes) == 2:
            weights = weights[1:] - weights[:1]
        return weights, np.zeros(len(weights))


plugin: Candidate = TfidfNaiveBayes()
