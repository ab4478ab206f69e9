"""Would more rows help? One configuration trained on growing parts of a fold's training rows, and with other seeds."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.evaluate.jobs import Case, Study, paired_interval
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.preprocess.plan import Transformer
from automl.search.records import read_results
from automl.search.threshold import find_threshold, move_threshold
from automl.search.trial import REFIT_ROWS, TrialResult, candidates, check_outputs, choose_stop_rows, fold_seed
from automl.space import split_params

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
SEEDS = 3
MIN_ROWS = 30
# A configuration dearer than this many seconds a fold stands back behind a cheaper one.
DEAR_SECONDS = 4.0


class LearningCurve:
    """Trains the cheapest of the deployed families again; each size is scored on the fold's same held-out rows."""

    title = "Learning curve"
    order = 70
    seconds = 20.0
    least_seconds = 1.0

    def measure(self, case: Case) -> dict[str, Any] | None:
        chosen = _choose(case)
        train = case.data.trains[case.data.chief_fold]
        if chosen is None or len(train) * SHARES[1] < MIN_ROWS:
            return None
        y, unseen = case.data.target[case.data.folds[case.data.chief_fold]], case.data.folds[case.data.chief_fold]
        sign = 1 if case.metric.maximize else -1
        weight = None if case.data.weight is None else case.data.weight[unseen]
        units = case.units(unseen)

        def judge(out: FloatArray) -> FloatArray:
            return move_threshold(out, find_threshold(case.metric, y, out, weight))

        def score(out: FloatArray, part: Array) -> float:
            return float(case.metric.score(y[part], out[part], None if weight is None else weight[part]))

        everyone = np.arange(len(y))
        order = _order(case, train)
        points: list[dict[str, Any]] = []
        outputs: list[FloatArray] = []
        seconds = 0.0
        for share in SHARES:
            rows = np.sort(order[: int(share * len(order))])
            grown = len(rows) / points[-1]["rows"] if points else 1.0
            if len(rows) < MIN_ROWS or (points and time.monotonic() + seconds * grown * 1.3 > case.deadline):
                continue
            began = time.monotonic()
            outputs.append(judge(_train(case, chosen, rows, unseen, case.seed)))
            seconds = time.monotonic() - began
            value = score(outputs[-1], everyone)
            judged = partial(score, outputs[-1])
            half = 1.96 * paired_interval(judged, len(y), case.rng(13), repeats=40, units=units)
            points.append({"rows": len(rows), "score": value, "low": value - half, "high": value + half})
        if len(points) < 2:  # the rows suffice for more, as was seen above
            raise TimeoutError(f"one training of {chosen.label} takes {seconds:.1f} s, too long for a second one")

        def gain(part: Array) -> float:
            return sign * (score(outputs[-1], part) - score(outputs[-2], part))

        last = gain(everyone)
        half = 1.96 * paired_interval(gain, len(y), case.rng(14), repeats=60, units=units)
        seeds = [points[-1]["score"]] if points[-1]["rows"] == len(order) else []
        while seeds and len(seeds) < SEEDS and time.monotonic() + 1.3 * seconds < case.deadline:
            again = judge(_train(case, chosen, np.sort(order), unseen, case.seed + len(seeds)))
            seeds.append(score(again, everyone))
        return {
            "model": chosen.label,
            "candidate": chosen.candidate,
            "fold": case.data.chief_fold + 1,
            "scored_rows": len(y),
            "is_one_group": case.data.groups is not None and units is None,
            "points": points,
            "last_gain": {
                "from_rows": points[-2]["rows"], "to_rows": points[-1]["rows"],
                "gain": last, "low": last - half, "high": last + half,
            },
            "seeds": seeds,
        }  # fmt: skip


def _choose(case: Case) -> TrialResult | None:
    """The deployed member with the quickest fit, or the best cheap complete configuration if all members are dear."""
    results = {result.trial: result for result in read_results(case.run.search) if result.status == "ok"}
    members = [int(member["trial"]) for member in read_json(case.run.ensemble_path)["members"]]
    here = [
        results[trial] for trial in members if trial in results and candidates.is_available(results[trial].candidate)
    ]
    here.sort(key=lambda result: float(np.mean(result.fold_seconds or (0.0,))))
    if here and float(np.mean(here[0].fold_seconds or (0.0,))) <= DEAR_SECONDS and _is_light(here[0]):
        return here[0]
    sign = -1 if case.metric.maximize else 1
    cheap = [
        result for result in results.values()
        if result.score is not None and result.candidate != "dummy" and _is_light(result)
        and float(np.mean(result.fold_seconds or (0.0,))) <= DEAR_SECONDS
    ]  # fmt: skip
    return min(cheap, key=lambda result: sign * float(result.score or 0.0)) if cheap else None


def _is_light(result: TrialResult) -> bool:
    """Whether a warm worker has all that the family needs: the pool of neural networks takes seconds to start."""
    return candidates.get(result.candidate).pool == "core"


def _order(case: Case, train: Array) -> Array:
    """Training rows so that each beginning is a smaller sample: whole groups together, the latest rows first."""
    if case.data.times is not None:
        return train[np.argsort(-case.data.times[train], kind="stable")]
    if case.data.groups is not None:
        groups = case.data.groups[train]
        names = case.rng(12).permutation(np.unique(groups))
        place = {int(name): at for at, name in enumerate(names)}
        return train[np.argsort([place[int(group)] for group in groups], kind="stable")]
    return case.rng(12).permutation(train)


def _train(case: Case, chosen: TrialResult, rows: Array, unseen: Array, seed: int) -> FloatArray:
    """What one configuration, trained on `rows`, says of the unseen rows (n, k)."""
    data, candidate = case.data, candidates.get(chosen.candidate)
    target = data.target[rows]
    seed = fold_seed(seed, case.data.chief_fold)
    transformer = Transformer(candidate.needs, split_params(chosen.params, "preprocess"), data.table.layout)
    matrix = transformer.fit(data.table.take(rows), data.fit_rows(rows, seed=seed))
    context = FitContext(
        task=data.task,
        features=transformer.features(),
        seed=seed,
        deadline=case.deadline,
        stop_rows=choose_stop_rows(data, rows, seed),
        refit=len(rows) <= REFIT_ROWS,
        backbone_file=data.table.layout.backbone_file,
    )
    estimator = candidate.build(split_params(chosen.params, "model"), context)
    estimator.fit(np.ascontiguousarray(matrix), target, None if data.weight is None else data.weight[rows])
    return check_outputs(estimator.predict(transformer.transform(data.table.take(unseen))), data.task)


plugin: Study = LearningCurve()
