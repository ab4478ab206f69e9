"""After each complete bag: choose the ensemble anew and, if it is better, make it the deployable model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from automl.ensemble.allowance import count_bytes, expect_bytes, make_allowance
from automl.ensemble.artifact import save_model
from automl.ensemble.second_layer import SecondLayer, find_layer, is_wanted, join_members, read_layer
from automl.ensemble.selection import Allowance, blend_outputs, select_ensemble
from automl.errors import AutoMLError
from automl.events import BestImproved, Decision, Event
from automl.files import read_json, write_json
from automl.intervals import Intervals, find_floor, learn_intervals
from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.recipe import Recipe
from automl.run import Run
from automl.schema import Schema
from automl.search.answers import choose_folds, count_models, find_whole
from automl.search.calibration import IDENTITY, Calibrator, fit_calibrator
from automl.search.contenders import choose_contenders
from automl.search.data import SearchData
from automl.search.leaderboard import build_leaderboard, write_leaderboard
from automl.search.oof import Oofs
from automl.search.records import Records
from automl.search.threshold import USUAL, choose_threshold, move_threshold


class EnsembleBuilder:
    """Keeps `run.model`, ensemble.json and the leaderboard at the best so far.

    Attributes:
        weights: trial → share of the deployed ensemble; empty until there is one.
        blend: its out-of-fold outputs (n, k) over all rows.
        score: its out-of-fold score.
    """

    def __init__(
        self,
        run: Run,
        data: SearchData,
        schema: Schema,
        recipe: Recipe,
        *,
        oofs: Oofs,
        records: Records,
        emit: Callable[[Event], None],
        elapsed: Callable[[], float],
    ) -> None:
        self.run, self.data, self.schema, self.recipe = run, data, schema, recipe
        self.oofs, self.records, self.emit, self.elapsed = oofs, records, emit, elapsed
        self.metric = get_metric(data.task.metric)
        self.weights: dict[int, float] = {}
        self.calibrator = IDENTITY
        self.threshold = USUAL
        self.layer: SecondLayer | None = None
        self.blend: FloatArray | None = None
        self.score: float | None = None
        self.history: list[dict[str, Any]] = []
        self.allowance: Allowance | None = None

    def update(self) -> FloatArray | None:
        """Choose again over all complete configurations; returns the ensemble's outputs (n, k), as judged."""
        scored = self.oofs.on_scored_rows()
        if not scored:
            return None
        if self.score is None:
            self._restore()
        options = self.recipe.ensemble
        self.allowance = make_allowance(
            self.recipe,
            self.records.results,
            data=self.data,
        )
        contenders = set(choose_contenders(self.records.results, self.weights, maximize=self.metric.maximize))
        candidates = self.oofs.candidates()
        selection = select_ensemble(
            {trial: outputs for trial, outputs in candidates.items() if trial in contenders} or candidates,
            self.oofs.target(),
            self.metric,
            weight=self.oofs.weight(),
            rounds=options.rounds,
            max_members=options.max_members,
            seed=self.recipe.seed,
            allowance=self.allowance,
            families={trial: result.candidate for trial, result in self.records.results.items()},
        )
        blend = blend_outputs(scored, selection.weights)
        calibrator = fit_calibrator(self.data.task, blend, self.oofs.target(), self.oofs.weight())
        calibrated = calibrator.apply(blend)
        threshold = choose_threshold(self.metric, self.oofs.target(), calibrated, self.oofs.weight())
        score = self.oofs.score(move_threshold(calibrated, threshold))
        if self._is_better(score):
            self._deploy(selection.weights, calibrator, threshold, score)
        self._write_leaderboard()
        return self.judged

    def finish(self, refitted: Decision | None, *, deadline: float = float("inf")) -> Iterator[Decision]:
        """At the end of the search: join the members by a second layer, if that is better, and see to it that the model
        folder holds what models of all rows were made since it was written.

        Args:
            refitted: what there is to say of these, if there are any.
            deadline: `time.monotonic()` until which a second layer may be looked for.
        """
        if layered := self.add_second_layer(deadline=deadline):
            yield layered
        if refitted:
            if not layered:  # else they are in what was just written
                self.save_again()
            yield refitted

    def add_second_layer(self, *, deadline: float = float("inf")) -> Decision | None:
        """Join the deployed members by a second layer, if that is better; says what it gains, unless it was said."""
        if self.layer is not None:  # of an earlier session, and nothing better has come since
            self._take_up(self.layer)
            return None
        wanted = self.recipe.ensemble.second_layer and is_wanted(
            self.data.task, self.metric, len(self.weights), len(self.oofs.scored)
        )
        if self.score is None or not wanted:
            return None
        scored = self.oofs.on_scored_rows()
        found = find_layer(
            self.data.task,
            self.metric,
            scored,
            self.oofs.target(),
            self.weights,
            weight=self.oofs.weight(),
            units=self.oofs.units(),
            seed=self.recipe.seed,
            deadline=deadline,
        )
        if found is None:
            return None
        score = self.oofs.score(join_members(scored, self.weights, self.calibrator, found.layer))
        if not self._is_better(score):
            return None
        self._deploy(self.weights, self.calibrator, self.threshold, score, layer=found.layer)
        self._write_leaderboard()
        return Decision(
            topic="ensemble",
            text="A second layer joins the members in place of their weighted mean",
            reason=f"on rows that it was not fitted to, {self.metric.title} {found.score:.4g} "
            f"in place of {found.without:.4g}",
        )

    def _take_up(self, layer: SecondLayer) -> None:
        self.blend = join_members(self.oofs.outputs, self.weights, self.calibrator, layer)
        self.score = self.oofs.score(self.blend[self.oofs.scored])
        self._write_leaderboard()

    @property
    def judged(self) -> FloatArray | None:
        """`blend` as the metric is to see it."""
        if self.blend is None or not self.metric.needs_labels:
            return self.blend
        return move_threshold(self.blend, self.threshold)

    def _restore(self) -> None:
        """After a kill: take up what is deployed, if the model on disk is what was noted and its members are known."""
        try:
            noted, deployed = read_json(self.run.ensemble_path), read_json(self.run.model / "ensemble.json")
            weights, own = (
                {int(member["trial"]): float(member["weight"]) for member in record["members"]}
                for record in (noted, deployed)
            )
            layer = read_layer(noted, self.data.task)
            same = (
                weights == own
                and noted["calibrator"] == deployed["calibrator"]
                and layer == read_layer(deployed, self.data.task)
                and "threshold" in noted
            )
        except (AutoMLError, OSError, ValueError, KeyError, TypeError):  # not there, damaged, or of an earlier version
            return
        if not same or not weights.keys() <= self.oofs.outputs.keys():
            return
        self.weights, self.calibrator = weights, Calibrator.from_json(noted["calibrator"])
        # a second layer has its word at the end; until then mean is held against mean
        self.layer = layer
        self.threshold, self.score = float(noted["threshold"]), float(noted.get("mean_score", noted["score"]))
        self.history = list(noted["history"])
        self.blend = self.calibrator.apply(blend_outputs(self.oofs.outputs, weights))

    def _is_better(self, score: float) -> bool:
        if self.score is None:
            return True
        return score > self.score if self.metric.maximize else score < self.score

    def _deploy(
        self,
        weights: dict[int, float],
        calibrator: Calibrator,
        threshold: float,
        score: float,
        *,
        layer: SecondLayer | None = None,
    ) -> None:
        mean = {} if layer is None else {"mean_score": self.score, "layer": layer.to_json()}
        self._save(weights, calibrator, threshold, score, layer)
        self.weights, self.calibrator, self.threshold, self.score = weights, calibrator, threshold, score
        self.layer, self.blend = layer, join_members(self.oofs.outputs, weights, calibrator, layer)
        results = self.records.results
        elapsed = round(self.elapsed(), 3)
        self.history.append({"elapsed": elapsed, "score": score, "members": len(weights)})
        members = [
            {"trial": t, "candidate": results[t].candidate, "name": results[t].label, "weight": share}
            for t, share in weights.items()
        ]
        record = {
            "score": score,
            "members": members,
            "calibrator": calibrator.to_json(),
            "threshold": threshold,
            "history": self.history,
            **mean,
        }
        if self.run.studies_path.exists() and identify(record) != self._identify_deployed():
            self.run.studies_path.unlink()  # they are of another model
        write_json(self.run.ensemble_path, record)
        name = members[0]["name"] if len(members) == 1 else f"ensemble of {len(members)}"
        self.emit(BestImproved(score=score, model=str(name), members=len(members), elapsed=elapsed))

    def save_again(self) -> None:
        """Write the deployed ensemble's model folder with the models of all rows that its members have by now."""
        if self.score is not None:
            self._save(self.weights, self.calibrator, self.threshold, self.score, self.layer)

    def _identify_deployed(self) -> str:
        try:
            return identify(read_json(self.run.ensemble_path))
        except (ValueError, KeyError, OSError):  # a power cut may have taken it
            return ""

    def _save(
        self,
        weights: dict[int, float],
        calibrator: Calibrator,
        threshold: float,
        score: float,
        layer: SecondLayer | None,
    ) -> None:
        facts = {
            "run": self.run.path.name,
            "metric": self.data.task.metric,
            "out_of_fold_score": score,
            "threshold": threshold,
        }
        parts = {trial: self.oofs.calibrators[trial] for trial in weights}
        few = self._must_be_few(weights)
        save_model(
            self.run, self.data, self.schema, self.records.results, weights, calibrator, facts,
            parts=parts, layer=layer, few=few, intervals=self._learn_intervals(weights, calibrator, layer),
        )  # fmt: skip

    def _learn_intervals(
        self, weights: dict[int, float], calibrator: Calibrator, layer: SecondLayer | None
    ) -> Intervals | None:
        if self.data.task.is_classification:
            return None
        blend = join_members(self.oofs.on_scored_rows(), weights, calibrator, layer)
        floor = find_floor(self.data.target)
        return learn_intervals(self.oofs.target(), blend[:, 0], self.oofs.weight(), floor=floor)

    def _must_be_few(self, weights: dict[int, float]) -> bool:
        """Whether a row would take longer, or the model be larger, than they may if all folds of members without a
        model of all rows answered."""
        if self.allowance is None:
            return False
        seconds = size_bytes = 0.0
        for trial in weights:
            result = self.records.results[trial]
            whole = find_whole(self.run.path, self.data, result) is not None
            folds = choose_folds(self.data, result.candidate, whole=whole, few=False)
            seconds += result.row_seconds * (len(folds) + whole)
            size_bytes += count_bytes(self.data, result, folds, whole=whole)
        return seconds > self.allowance.limits[0] or size_bytes > self.allowance.limits[1]

    def _write_leaderboard(self) -> None:
        blend = self.judged[self.oofs.scored] if self.judged is not None and len(self.weights) > 1 else None
        entries = build_leaderboard(
            list(self.records.results.values()),
            self.oofs.on_scored_rows_as_judged(),
            y=self.oofs.target(),
            metric=self.metric,
            weights=self.weights,
            blend=blend,
            blend_score=self.score,
            weight=self.oofs.weight(),
            units=self.oofs.units(),
            count_models=partial(count_models, self.data),
            count_bytes=partial(expect_bytes, self.data),
        )
        write_leaderboard(self.run, entries, self.data.task.metric, maximize=self.metric.maximize)


def identify(record: dict[str, Any]) -> str:
    """What tells the ensemble of an ensemble.json from another, whenever they were made."""
    members = [(member["trial"], member["weight"]) for member in record["members"]]
    told = [members, *(record.get(name) for name in ("calibrator", "threshold", "layer"))]
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()
