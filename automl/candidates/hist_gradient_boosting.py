"""Gradient-boosted trees by scikit-learn's histogram boosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext, Lead
from automl.candidates._record import check_int, check_numbers, read_record, refuse, write_record
from automl.candidates._rounds import (
    Stopping,
    affordable_rate,
    led_rounds,
    make_lead,
    read_rate,
    refit_rounds,
    split_stop_rows,
    take,
    write_rate,
)
from automl.candidates._sklearn import check_classes, fit_quietly
from automl.candidates._targets import (
    TargetScale,
    constant_in_graph,
    encode_classes,
    learns_logarithm,
    regression_loss,
    sigmoid_columns,
    sigmoid_in_graph,
    softmax,
    spread_in_graph,
    spread_probabilities,
    target_space,
    without_transform,
)
from automl.candidates._time import limit_threads
from automl.candidates._trees import FILE, Trees, read_boosted_tree
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray, Needs, Shape
from automl.space import Float, Int, Params, SearchSpace
from automl.task import Task

NAME = "hist_gradient_boosting"
MAX_ROUNDS = 1500
CHUNK_ROWS = 20_000
TREES = 6000  # trees of all classes together


class HistGradientBoosting:
    """Histogram boosting that grows the best leaf first (Ke et al. 2017, LightGBM, NeurIPS 30)."""

    title = "Histogram gradient boosting"
    needs = Needs(missing=True)
    cost = 6.0
    pool = "core"
    gains_by_all_rows = True

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace(
            {
                "learning_rate": Float(0.01, 0.3, 0.06, log=True),
                "max_leaf_nodes": Int(4, 255, 31, log=True),
                "min_samples_leaf": Int(1, 200, 20 if task.is_classification else 10, log=True),
                "l2_regularization": Float(1e-8, 30.0, 1e-3, log=True),
                "max_features": Float(0.2, 1.0, 0.6),
                "max_bins": Int(31, 255, 255, log=True),
                **target_space(task),
            }
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        return HistGradientBoostingEstimator(params, context)

    def load(self, folder: Path) -> Estimator:
        return HistGradientBoostingEstimator.load(folder)


class HistGradientBoostingEstimator:
    """Boosted trees; `baseline` (c,) is the raw prediction before the first of them."""

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = params
        self.context: FitContext | None = context
        self.n_outputs = context.task.n_outputs
        self.classification = context.task.is_classification
        self.classes: IntArray = np.zeros(0, dtype=np.int64)
        self.scale: TargetScale | None = None
        self.baseline: Array = np.zeros(1, dtype=np.float64)
        self.trees = Trees.join([], 0, 1)
        self.rate = float(params.get("learning_rate", 0.1))
        self.lead: Lead | None = None

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        n = len(matrix)
        rows, stop_rows = split_stop_rows(context, n)
        if not self.classification:
            log, metric = learns_logarithm(self.params), context.task.metric
            self.scale = TargetScale.learn(take(target, rows), take(weight, rows), metric=metric, log=log, margin=0.1)
            target = self.scale.apply(target)
        if self.classification and len(stop_rows):  # a class that is only among the stop rows cannot be scored
            known = np.unique(take(target, rows))
            stop_rows = stop_rows[np.isin(target[stop_rows], known)]
        if context.lead is not None:
            self.rate, rounds = context.lead.rate, led_rounds(context.lead, n)
            self._fit_rows(matrix, target, weight, None, stop_rows[:0], Stopping(context, offset=rounds), rounds)
            return
        stopping = Stopping(context, offset=int(np.clip(300_000 / max(1, n), 15, 60)))
        rounds = self._max_rounds(early=len(stop_rows) > 0)
        self.rate = affordable_rate(self.rate, rounds)
        self._fit_rows(matrix, target, weight, rows, stop_rows, stopping, rounds)
        whole = not self.classification or len(self.classes) == self.n_outputs
        self.lead = make_lead(stopping, n - len(stop_rows), len(stop_rows), self.rate, whole=whole)
        if len(stop_rows) == 0 or not context.refit or stopping.out_of_time:
            return
        rounds = refit_rounds(stopping.best_round, n, len(stop_rows))
        if 1.3 * rounds * stopping.seconds_per_round() > context.seconds_left():
            return
        kept = (self.classes, self.baseline, self.trees)
        again = Stopping(context, offset=rounds)
        self._fit_rows(matrix, target, weight, None, stop_rows[:0], again, rounds)
        if again.rounds < rounds:  # cut short: the first model is the better one
            self.classes, self.baseline, self.trees = kept

    def _fit_rows(
        self,
        matrix: FloatArray,
        target: Array,
        weight: Array | None,
        rows: IntArray | None,
        stop_rows: IntArray,
        stopping: Stopping,
        rounds: int,
    ) -> None:
        learned = np.asarray(take(target, rows))
        if self.classification:
            self.classes, learned = encode_classes(learned)
            if len(self.classes) == 1:
                return
        assert self.context is not None
        params = {**self.params, "learning_rate": self.rate}
        model = _build_model(params, self.context, stopping, rounds)
        extra: dict[str, Any] = {"sample_weight": take(weight, rows)}
        if len(stop_rows):
            scored = target[stop_rows]
            extra["y_val"] = np.searchsorted(self.classes, scored) if self.classification else scored
            extra |= {"X_val": matrix[stop_rows], "sample_weight_val": take(weight, stop_rows)}
        with limit_threads(self.context.threads):
            fit_quietly(model.fit, take(matrix, rows), learned, **extra)
        self.baseline = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
        kept = model._predictors[: max(1, stopping.best_round)]
        trees = [read_boosted_tree(predictor.nodes) for several in kept for predictor in several]
        self.trees = Trees.join(trees, matrix.shape[1], 1)

    def _max_rounds(self, *, early: bool) -> int:
        """Many rounds where early stopping watches; otherwise what the learning rate usually needs."""
        cap = max(200, min(MAX_ROUNDS, TREES // self.n_outputs))
        return cap if early else int(min(cap, max(50, round(15.0 / self.params["learning_rate"]))))

    def predict(self, matrix: FloatArray) -> FloatArray:
        parts = [self._predict_part(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        if self.classification and len(self.classes) == 1:
            return spread_probabilities(np.ones((len(matrix), 1)), self.classes, self.n_outputs)
        scores = self.trees.add_up(matrix, len(self.baseline)) + self.baseline
        if self.scale is not None:
            return self.scale.invert(scores)
        probabilities = sigmoid_columns(scores[:, 0]) if len(self.baseline) == 1 else softmax(scores)
        return spread_probabilities(probabilities, self.classes, self.n_outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        if self.classification and len(self.classes) == 1:
            return constant_in_graph(graph, matrix, self.classes, self.n_outputs)
        scores = graph.add("Add", self.trees.to_graph(graph, matrix, len(self.baseline)), self.baseline)
        if self.scale is not None:
            return self.scale.to_graph(graph, scores)
        several = len(self.baseline) > 1
        probabilities = graph.add("Softmax", scores, axis=1) if several else sigmoid_in_graph(graph, scores)
        return spread_in_graph(graph, probabilities, self.classes, self.n_outputs)

    def save(self, folder: Path) -> None:
        self.trees.save(folder)
        facts = {
            "n_outputs": self.n_outputs,
            "n_features": self.trees.n_features,
            **write_rate(self.rate),
            "classes": self.classes.tolist(),
            "baseline": self.baseline.tolist(),
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, NAME, facts)

    @classmethod
    def load(cls, folder: Path) -> HistGradientBoostingEstimator:
        """A fitted estimator.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, NAME, (FILE,))
        estimator = cls.__new__(cls)
        estimator.params, estimator.context, estimator.lead = {}, None, None
        estimator.rate = read_rate(folder, facts)
        estimator.n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        estimator.classes = check_classes(folder, facts, estimator.n_outputs)
        estimator.classification = len(estimator.classes) > 0
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        several = len(estimator.classes) if len(estimator.classes) > 2 else 1
        estimator.baseline = check_numbers(folder, facts, "baseline", several)
        estimator.trees = Trees.load(folder, check_int(folder, facts, "n_features", 0, 100_000_000), 1)
        if estimator.trees.count % several:
            raise refuse(folder, "it has not the same number of trees for each class")
        return estimator


def _build_model(params: Params, context: FitContext, stopping: Stopping, rounds: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    task = context.task
    kind = HistGradientBoostingClassifier if task.is_classification else HistGradientBoostingRegressor

    class Watched(kind):  # type: ignore[misc, valid-type]
        """Scikit-learn's own incremental loss on the stop rows, but our patience and deadline, asked every round."""

        def _check_early_stopping_loss(self, *args: Any, **kwargs: Any) -> bool:
            super()._check_early_stopping_loss(*args, **kwargs)
            if len(self.train_score_) == 1:  # before the first tree
                return False
            scores = self.validation_score_
            return stopping.tell(-float(scores[-1]) if scores else None)

    if task.is_classification:
        loss = "log_loss"
    else:
        loss = "absolute_error" if regression_loss(task.metric) == "absolute" else "squared_error"
    return Watched(
        loss=loss,
        **without_transform(params),
        max_iter=rounds,
        early_stopping=True,
        validation_fraction=None,
        n_iter_no_change=rounds + 1,
        random_state=context.seed,
    )


plugin: Candidate = HistGradientBoosting()
