"""Gradient-boosted trees by XGBoost, with missing values and categories as they are."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext, Lead, Pieces, Shares
from automl.candidates._graph_trees import add_trees
from automl.candidates._record import check_fact, check_int, read_record, refuse, write_record
from automl.candidates._rounds import (
    USUAL_STEPS,
    Stopping,
    led_rounds,
    make_lead,
    read_rate,
    refit_rounds,
    split_stop_rows,
    take,
    write_rate,
)
from automl.candidates._targets import (
    TargetScale,
    learns_logarithm,
    regression_loss,
    sigmoid_columns,
    sigmoid_in_graph,
    softmax,
    spread_probabilities,
    target_space,
    without_transform,
)
from automl.candidates._xgboost_booster import train_booster
from automl.candidates._xgboost_pieces import ThinnedPieces, keep_best, quantise_pieces
from automl.candidates._xgboost_trees import BoosterTrees, FewRowsAnswerer
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray, Needs, Shape
from automl.space import Choice, Float, Int, Params, SearchSpace
from automl.task import Task

REQUIRES = ("xgboost",)
NAME = "xgboost"
FILE = "model.ubj"
MAX_ROUNDS = 2000
TREES = 8000  # trees of all classes together
MAX_DEEPER = 10
LOWERED = 1e-4  # deviations of a computed column: far more than its last bit, far less than what tells rows apart
# Of a fit that goes on, what may pass before its first new tree; and rows that tell how long that takes.
BEGIN_SHARE, PROBE_ROWS = 0.5, 50_000
# Where trees go on from others that are too sure of themselves, Newton's step in a leaf of their faults has no bounds.
MAX_STEP = 1.0


class XGBoost:
    """Boosted trees (Chen and Guestrin 2016, doi:10.1145/2939672.2939785).

    The defaults are the tuned defaults of pytabkit (Holzmüller et al. 2024, arXiv:2407.04491).
    """

    title = "XGBoost"
    needs = Needs(missing=True, categories="native")
    cost = 6.0
    pool = "core"
    fits_pieces = True
    fits_shares = True
    gains_by_all_rows = True

    def unsupported(self, task: Task, shape: Shape) -> str:
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        classes = task.is_classification
        return SearchSpace(
            {
                "learning_rate": Float(5e-3, 0.3, 0.08 if classes else 0.05, log=True),
                "max_depth": Int(2, 12, 6 if classes else 9),
                "min_child_weight": Float(5e-6, 64.0, 5e-6 if classes else 2.0, log=True),
                "subsample": Float(0.4, 1.0, 0.65 if classes else 0.7),
                "colsample_bylevel": Float(0.3, 1.0, 0.9),
                "reg_lambda": Float(1e-6, 50.0, 1e-6, log=True),
                "reg_alpha": Float(1e-6, 10.0, 1e-6, log=True),
                "gamma": Float(1e-6, 5.0, 1e-6, log=True),
                "grow_policy": Choice(("depthwise", "lossguide"), "depthwise"),
                "max_cat_to_onehot": Choice((4, 16, 64), 4),
                "max_cat_threshold": Choice((16, 64), 64),
                **target_space(task),
            }
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        return XGBoostEstimator(params, context)

    def load(self, folder: Path) -> Estimator:
        return XGBoostEstimator.load(folder)


class XGBoostEstimator:
    """One booster; a value target is standardised, so that float32 gradients keep their digits."""

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = params
        self.context: FitContext | None = context
        self.n_outputs = context.task.n_outputs
        self.classification = context.task.is_classification
        self.booster: Any = None
        self.scale: TargetScale | None = None
        self.rate = float(params.get("learning_rate", 0.3))  # that the rounds were made at
        self.lead: Lead | None = None
        self._answerer = FewRowsAnswerer()

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        target = np.asarray(target, dtype=np.float64)
        rows, stop_rows = split_stop_rows(context, len(matrix))
        if not self.classification:
            self.scale = self._make_scale(context, take(target, rows), take(weight, rows))
            target = self.scale.apply(target)
        if context.lead is not None:
            self._fit_led(matrix, target, weight, context.lead)
            return
        offset = int(np.clip(400_000 / max(1, len(matrix)), 20, 100))
        stopping = Stopping(context, offset=offset)
        train = self._quantise(matrix, target, weight, rows)
        evals = []
        if len(stop_rows):
            evals = [(self._quantise(matrix, target, weight, stop_rows, train), "stop")]
        cap = self._max_rounds(early=bool(evals))
        settings = self._settings(target, weight, rows)
        booster = train_booster(settings, train, cap, evals, stopping, steps=USUAL_STEPS)
        self.booster = booster[: stopping.best_round] if stopping.best_round < stopping.rounds else booster
        self.rate, learned = settings["learning_rate"], len(matrix) - len(stop_rows)
        whole = self._has_all_classes(target, rows)
        self.lead = make_lead(stopping, learned, len(stop_rows), self.rate, whole=whole)
        if len(stop_rows) and context.refit and not stopping.out_of_time:
            self._refit(matrix, target, weight, stopping, len(stop_rows))
        self.booster.set_param({"nthread": context.threads})

    def _fit_led(self, matrix: FloatArray, target: Array, weight: Array | None, lead: Lead) -> None:
        """As many rounds as another fold found best, on all rows."""
        assert self.context is not None
        rounds = led_rounds(lead, len(matrix))
        settings = {**self._settings(target, weight, None), "learning_rate": lead.rate}
        train = self._quantise(matrix, target, weight, None)
        watch, steps = Stopping(self.context, offset=rounds), rounds * lead.rate
        self.booster = train_booster(settings, train, rounds, [], watch, steps=steps)
        self.rate = settings["learning_rate"]
        self.booster.set_param({"nthread": self.context.threads})

    def _has_all_classes(self, target: Array, rows: IntArray | None) -> bool:
        return not self.classification or len(np.unique(take(target, rows))) == self.n_outputs

    def fit_pieces(
        self, pieces: Pieces, stop_matrix: FloatArray, stop_target: Array, start: XGBoostEstimator | None
    ) -> None:
        """More trees on rows that come in pieces, after those of `start`; more rows bear deeper ones.

        Before the first new tree the old ones are asked for their answer to each row. Where that would take most of
        the time, a part of the rows is learned from.
        """
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        before = self._take_over(start)
        pieces = self._keep_affordable(pieces, before)
        target = self._learn_scale(pieces.target, start)
        self._deepen(len(target) / max(1, pieces.sampled))
        train = quantise_pieces(pieces, target, _types(context), context.threads)
        stopping = Stopping(context, offset=20)
        stop = self._convert(stop_target)
        evals = [(self._quantise(stop_matrix, stop, None, None, train), "stop")] if len(stop) else []
        settings, rounds = self._settings_after(before, target), self._max_rounds(early=bool(evals))
        # what goes on from others is past the steps that a rate is chosen by
        steps = USUAL_STEPS if before is None else None
        booster = train_booster(settings, train, rounds, evals, stopping, before, steps=steps)
        self.booster = keep_best(booster, before, stopping.best_round, stopping.rounds)
        self.booster.set_param({"nthread": context.threads})

    def fit_shares(
        self, shares: Shares, stop_matrix: FloatArray, stop_target: Array, start: XGBoostEstimator | None
    ) -> int:
        """As `fit_pieces`, by the workers of a cluster together; returns how many rows were learned from.

        Raises:
            ValueError: if too few workers see the file.
            Exception: whatever XGBoost and Dask raise if a worker is lost.
        """
        from automl.candidates._xgboost_dask import Plan, train_on_cluster

        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        before = self._take_over(start)
        affordable = self._count_affordable(stop_matrix, before) * shares.threads / context.threads
        part = min(1.0, max(affordable, len(shares.sample_target)) / shares.total)
        target = self._learn_scale(shares.sample_target, start)
        self._deepen(part * shares.total / max(1, len(target)))
        settings, rounds = self._settings_after(before, target), self._max_rounds(early=bool(len(stop_target)))
        del settings["nthread"]  # each worker has its own
        plan = Plan(
            settings=settings,
            rounds=rounds,
            convert=_keep_classes if self.scale is None else self.scale.apply,
            stop_matrix=stop_matrix,
            stop_target=self._convert(stop_target),
            types=_types(context),
            before=before,
            part=part,
            seconds=context.seconds_left(),
        )
        self.booster, rows = train_on_cluster(shares, plan)
        self.booster.set_param({"nthread": context.threads})
        return rows

    def _take_over(self, start: XGBoostEstimator | None) -> Any:
        """The booster to go on from, or None."""
        assert self.context is not None
        if start is None:
            return None
        start.booster.set_param({"nthread": self.context.threads})
        return start.booster

    def _settings_after(self, before: Any, target: Array) -> dict[str, Any]:
        """XGBoost's settings for trees that follow those of `before` (None: no trees)."""
        settings = self._settings(target, None, None)
        if before is not None and self.classification:
            settings["max_delta_step"] = MAX_STEP
        return settings

    def _learn_scale(self, target: Array, start: XGBoostEstimator | None) -> Array:
        """The target as the booster learns it, on the scale of the model that is gone on from."""
        if not self.classification:
            assert self.context is not None
            self.scale = self._make_scale(self.context, target, None) if start is None else start.scale
        return self._convert(target)

    def _make_scale(self, context: FitContext, target: Array, weight: Array | None) -> TargetScale:
        log = learns_logarithm(self.params)
        return TargetScale.learn(target, weight, metric=context.task.metric, log=log, margin=0.1)

    def _convert(self, target: Array) -> Array:
        return target if self.scale is None else self.scale.apply(target)

    def _deepen(self, growth: float) -> None:
        """More rows bear deeper trees: a level for each time that they are four times as many."""
        depth = self.params["max_depth"]
        deeper = depth + round(math.log2(max(1.0, growth)) / 2)
        self.params = {**self.params, "max_depth": max(depth, min(MAX_DEEPER, deeper))}

    def _keep_affordable(self, pieces: Pieces, before: Any) -> Pieces:
        """As many of the rows as leave the larger part of the time to new trees, by what a few rows take; no fewer
        than `before` has learned from."""
        rows = len(pieces.target)
        affordable = self._count_affordable(next(iter(pieces)), before)
        return pieces if affordable >= rows else ThinnedPieces(pieces, max(affordable, pieces.sampled) / rows)

    def _count_affordable(self, matrix: FloatArray, before: Any) -> float:
        """How many rows there is time for to quantise and to ask `before` of, as the first of `matrix` tell."""
        assert self.context is not None
        seconds, probe = BEGIN_SHARE * self.context.seconds_left(), matrix[:PROBE_ROWS]
        began = time.monotonic()
        self._quantise(probe, np.zeros(len(probe)), None, None)
        if before is not None:
            before.inplace_predict(probe)
        return seconds / max(time.monotonic() - began, 1e-9) * len(probe)

    def _refit(self, matrix: FloatArray, target: Array, weight: Array | None, watch: Stopping, stop: int) -> None:
        """All rows, as many rounds as were best, at their learning rate, if the time allows; a refit cut short is
        thrown away."""
        assert self.context is not None
        rounds = refit_rounds(watch.best_round, len(matrix), stop)
        if 1.3 * rounds * watch.seconds_per_round() > self.context.seconds_left():
            return
        again = Stopping(self.context, offset=rounds)
        train = self._quantise(matrix, target, weight, None)
        settings = {**self._settings(target, weight, None), "learning_rate": self.rate}
        booster = train_booster(settings, train, rounds, [], again)
        if again.rounds == rounds:
            self.booster = booster

    def _quantise(
        self, matrix: FloatArray, target: Array, weight: Array | None, rows: IntArray | None, ref: Any = None
    ) -> Any:
        import xgboost

        assert self.context is not None
        types = _types(self.context)
        return xgboost.QuantileDMatrix(
            self._lower(np.asarray(take(matrix, rows), dtype=np.float32)),
            take(target, rows),
            weight=take(weight, rows),
            feature_types=types,
            enable_categorical=True,
            nthread=self.context.threads,
            ref=ref,
        )

    def _max_rounds(self, *, early: bool) -> int:
        """Many rounds where early stopping watches; otherwise what the learning rate usually needs."""
        cap = max(300, min(MAX_ROUNDS, TREES // self.n_outputs))
        return cap if early else int(min(cap, max(50, round(20.0 / self.params["learning_rate"]))))

    def _settings(self, target: Array, weight: Array | None, rows: IntArray | None) -> dict[str, Any]:
        assert self.context is not None
        settings = {
            **without_transform(self.params),
            **_objective(self.context.task),
            "tree_method": "hist",
            "nthread": self.context.threads,
            "seed": self.context.seed,
            "verbosity": 0,
        }
        if self.params["grow_policy"] == "lossguide":
            settings["max_leaves"] = 2 ** min(self.params["max_depth"], 9)
            settings["max_depth"] = 0
        if self.n_outputs == 2:
            share = float(np.average(take(target, rows), weights=take(weight, rows)))
            settings["base_score"] = float(np.clip(share, 1e-3, 1 - 1e-3))
        return settings

    def _lower(self, matrix: FloatArray) -> FloatArray:
        """Splits stand at values that were learned. Those of computed columns differ in their last bit from one machine
        to the next: learned a little lower, they leave no row on a split."""
        assert self.context is not None
        places = [at for at, feature in enumerate(self.context.features) if feature.computed]
        if not places:
            return matrix
        lowered = np.array(matrix)
        lowered[:, places] -= LOWERED * matrix[:, places].std(axis=0)
        return lowered

    def predict(self, matrix: FloatArray) -> FloatArray:
        if len(matrix) == 0:
            return np.zeros((0, self.n_outputs), dtype=np.float32)
        scores = self._answerer.predict(self.booster, matrix)
        if self.scale is not None:
            return self.scale.invert(scores[:, 0])
        probabilities = sigmoid_columns(scores[:, 0]) if self.n_outputs == 2 else softmax(scores.astype(np.float64))
        return spread_probabilities(probabilities, np.arange(self.n_outputs), self.n_outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        trees = BoosterTrees.of(self.booster)
        base = trees.base
        scores = graph.add("Add", graph.cast(add_trees(graph, matrix, trees.to_splits(), len(base)), "float64"), base)
        if self.scale is not None:
            return self.scale.to_graph(graph, scores)
        if len(base) == 1:
            return sigmoid_in_graph(graph, scores)
        return graph.add("Softmax", scores, axis=1)

    def save(self, folder: Path) -> None:
        self.booster.save_model(folder / FILE)
        write_record(
            folder,
            NAME,
            {
                "n_outputs": self.n_outputs,
                "classification": self.classification,
                "n_features": self.booster.num_features(),
                **write_rate(self.rate),
                "scale": None if self.scale is None else self.scale.to_json(),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> XGBoostEstimator:
        """A fitted estimator.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        import xgboost

        facts = read_record(folder, NAME, (FILE,))
        estimator = cls.__new__(cls)
        estimator.params, estimator.context, estimator.lead = {}, None, None
        estimator._answerer = FewRowsAnswerer()
        estimator.rate = read_rate(folder, facts)
        estimator.n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        with (folder / FILE).open("rb") as file:
            if file.read(2) != b"{L":  # what XGBoost's binary JSON begins with
                raise refuse(folder, f"{FILE} is not XGBoost's own format")
        try:
            estimator.booster = xgboost.Booster({"nthread": 1}, model_file=folder / FILE)
        except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:  # its messages quote the file's bytes
            raise refuse(folder, f"XGBoost cannot read {FILE}") from error
        estimator.check_booster(folder)
        if estimator.booster.num_features() != check_int(folder, facts, "n_features", 0, 100_000_000):
            raise refuse(folder, f"{FILE} has another number of columns than its record")
        return estimator

    def check_booster(self, folder: Path) -> None:
        """Demand that the booster answers the question that the record says.

        Raises:
            ArtifactError: if its objective or its number of classes is another.
        """
        learner = json.loads(self.booster.save_config())["learner"]
        objective = learner["objective"]["name"]
        classes = int(learner["learner_model_param"]["num_class"])
        known = (
            ("binary:logistic", "multi:softprob") if self.classification else ("reg:squarederror", "reg:absoluteerror")
        )
        if objective not in known or max(classes, 2 if self.classification else 1) != self.n_outputs:
            raise refuse(folder, f"{FILE} holds {objective} for {classes} classes")


def _keep_classes(target: Array) -> Array:
    """Classes are learned as they are; a function, as it is sent to workers."""
    return target


def _types(context: FitContext) -> list[str]:
    return ["c" if feature.cardinality else "q" for feature in context.features]


def _objective(task: Task) -> dict[str, Any]:
    if not task.is_classification:
        if regression_loss(task.metric) == "absolute":
            return {"objective": "reg:absoluteerror", "eval_metric": "mae"}
        return {"objective": "reg:squarederror", "eval_metric": "rmse"}
    if task.n_classes == 2:
        return {"objective": "binary:logistic", "eval_metric": "logloss"}
    return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": task.n_classes}


plugin: Candidate = XGBoost()
