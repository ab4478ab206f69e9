"""The score of a model that was chosen among many, without the flattery of having been chosen.

Bootstrap bias corrected cross-validation: resample the rows of the stored out-of-fold predictions, repeat the whole
choice (ensemble selection included) on the rows drawn, and score what was chosen on the rows not drawn. Tsamardinos,
Greasidou & Borboudakis 2018, doi:10.1007/s10994-018-5714-4. The deployed ensemble's own score on the same rows serves
as control variate, so that few resamples suffice.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from automl.ensemble.allowance import make_allowance
from automl.ensemble.second_layer import fit_layer, join_members
from automl.ensemble.selection import Allowance, blend_outputs, select_ensemble
from automl.evaluate.evidence import Bootstrap, Evidence, read_evidence, resample
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric, metrics_of
from automl.recipe import Recipe
from automl.search.calibration import fit_calibrator
from automl.search.threshold import choose_threshold, move_threshold

MAX_BOOTSTRAPS = 200
INTERVAL_BOOTSTRAPS = 400
# Of fewer draws the standard deviation tells the width: the ends of 40 lie at 1.76 deviations, not at 1.96.
QUANTILE_BOOTSTRAPS = 200
# Drawing rows anew does not show that other rows would have made other models, which the score is of: such intervals of
# cross-validation are too narrow (Bates, Hastie & Tibshirani 2024, doi:10.1080/01621459.2023.2197686). By how much is
# from tests/benchmark/coverage.py: over 200 simulated worlds errors spread 1.31 times as wide as intervals of 30 draws
# said, of which the few draws are 1.13.
WIDER = 1.1
# Rows scored for the interval in a run by trials, where no time bounds it.
INTERVAL_ROWS = 20_000_000
MIN_OUT_ROWS = 5
# The choice is repeated on fewer rows and by fewer climbs than it was made, so that it can be repeated often; the fewer
# they are, the more a choice flatters, so this errs on the careful side.
REPEAT_CELLS, REPEAT_CLIMBS = 100_000, 2
# Of the time, what repeating the choice may take; the rest is for the interval.
REPEAT_SHARE = 0.6
# Rows that metrics beside the user's own are compared on: enough for a difference of two models on the same rows.
BESIDE_ROWS = 4_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HonestScore:
    """A score with its interval, in the metric's own units.

    Attributes:
        score: corrected; `low` and `high` its 95% interval.
        raw_score: out-of-fold score of the deployed ensemble, as it was chosen by.
        optimism: how much `raw_score` flatters, in units of the metric; positive means flattering. None if it is not
            known, as no repeat of the choice left rows that could be scored: `score` is then `raw_score`.
        bootstraps: how often the choice was repeated and scored.
        optimism_by_metric: the same flattery of every metric of the task, each in its own units; None where it is not
            known.
    """

    score: float
    low: float
    high: float
    raw_score: float
    optimism: float | None
    bootstraps: int
    optimism_by_metric: dict[str, float | None]


def score_honestly(payload: dict[str, Any]) -> dict[str, Any]:
    """A worker's job: payload run (path), seed, seconds, recipe, bootstraps (None: as time allows)."""
    began = time.monotonic()
    evidence = read_evidence(payload["run"])
    seconds = payload["seconds"]
    recipe = Recipe.model_validate(payload["recipe"])
    return dataclasses.asdict(
        correct_score(
            evidence,
            seed=int(payload["seed"]),
            seconds=None if seconds is None else max(0.0, seconds - (time.monotonic() - began)),
            rounds=recipe.ensemble.rounds,
            max_members=recipe.ensemble.max_members,
            bootstraps=payload["bootstraps"],
            allowance=make_allowance(recipe, evidence.results, data=evidence.data),
        )
    )


def correct_score(
    evidence: Evidence,
    *,
    seed: int,
    seconds: float | None,
    rounds: int,
    max_members: int,
    bootstraps: int | None = None,
    allowance: Allowance | None = None,
) -> HonestScore:
    """Estimate the optimism of the choice and the sampling error of the score.

    Args:
        seconds: time for all of it; None for a run by trials, where `bootstraps` decides.
        allowance: what the deployed ensemble's members were allowed to cost.
    """
    metric, y, weight = evidence.metric, evidence.y, evidence.weight
    raw = float(metric.score(y, evidence.judged, weight))
    rng = np.random.default_rng([seed, 17])
    began = time.monotonic()
    end = float("inf") if seconds is None else began + seconds
    limit, longest = bootstraps or MAX_BOOTSTRAPS, 0.0
    shifts: list[dict[str, float]] = []
    while len(shifts) < limit and (time.monotonic() + longest < began + REPEAT_SHARE * (end - began) or not shifts):
        before = time.monotonic()
        shifts.append(_repeat_choice(evidence, rng, len(shifts), rounds, max_members, allowance))
        longest = max(longest, time.monotonic() - before)
    task = evidence.data.task
    scored = {name: _scored_shifts(name, shifts) for name in metrics_of(task.kind)}
    flattery = {name: _mean_flattery(name, found) for name, found in scored.items()}
    taken = flattery[task.metric] or 0.0
    corrected = raw - taken if metric.maximize else raw + taken
    draws = INTERVAL_BOOTSTRAPS
    if bootstraps is not None:  # few draws tell little of the spread
        draws = max(bootstraps, min(INTERVAL_BOOTSTRAPS, INTERVAL_ROWS // len(y)))
    spread = _bootstrap_scores(evidence, rng, end, draws)
    low, high = widen(interval_from(spread, corrected), corrected, taken, maximize=metric.maximize)
    return HonestScore(
        score=corrected, low=low, high=high, raw_score=raw, optimism=flattery[task.metric],
        bootstraps=len(scored[task.metric]), optimism_by_metric=flattery,
    )  # fmt: skip


def _scored_shifts(name: str, shifts: list[dict[str, float]]) -> list[float]:
    """Of the repeats whose rows not drawn could be scored: too few or those of one class say nothing of flattery."""
    return [shift[name] for shift in shifts if np.isfinite(shift.get(name, np.nan))]


def _mean_flattery(name: str, shifts: list[float]) -> float | None:
    """How much the deployed ensemble's score flatters, in units of the metric; never negative."""
    if not shifts:
        return None
    mean = float(np.mean(shifts))
    return max(0.0, -mean if get_metric(name).maximize else mean)


def _repeat_choice(
    evidence: Evidence,
    rng: np.random.Generator,
    number: int,
    rounds: int,
    max_members: int,
    allowance: Allowance | None,
) -> dict[str, float]:
    """Scores of the repeated choice on the rows not drawn, less those of the deployed ensemble on the same rows."""
    metric, y, weight = evidence.metric, evidence.y, evidence.weight
    drawn = resample(rng, len(y), evidence.units)
    out = np.setdiff1d(np.arange(len(y)), drawn)
    if len(out) < MIN_OUT_ROWS or not evidence.choices:
        return {}
    selection = select_ensemble(
        {trial: outputs[drawn] for trial, outputs in evidence.choices.items()},
        y[drawn],
        metric,
        weight=None if weight is None else weight[drawn],
        rounds=rounds,
        max_members=max_members,
        seed=number,
        max_cells=REPEAT_CELLS,
        climbs=REPEAT_CLIMBS,
        allowance=allowance,
        families={trial: result.candidate for trial, result in evidence.results.items()},
    )
    weight_in = None if weight is None else weight[drawn]
    task, weights = evidence.data.task, selection.weights
    near = {trial: evidence.choices[trial][drawn] for trial in weights}
    far = {trial: evidence.choices[trial][out] for trial in weights}
    calibrator, layer = fit_calibrator(task, blend_outputs(near, weights), y[drawn], weight_in), None
    if evidence.layer is not None:
        layer = fit_layer(near, y[drawn], weights, weight=weight_in, max_cells=REPEAT_CELLS)
    inside = join_members(near, weights, calibrator, layer)
    threshold = choose_threshold(metric, y[drawn], inside, weight_in)
    return _compare_on(evidence, out, join_members(far, weights, calibrator, layer), threshold)


def _compare_on(evidence: Evidence, rows: Array, chosen: FloatArray, threshold: float) -> dict[str, float]:
    """Score of `chosen` outputs of these rows less that of the deployed ensemble, by every metric of the task."""
    task, step = evidence.data.task, -(-len(rows) // BESIDE_ROWS)
    shifts = {}
    for name, metric in metrics_of(task.kind).items():
        part = slice(None, None, 1 if name == task.metric else step)
        here, one = rows[part], chosen[part]
        other, weight = evidence.blend[here], None if evidence.weight is None else evidence.weight[here]
        if metric.needs_labels:
            one, other = move_threshold(one, threshold), move_threshold(other, evidence.threshold)
        y = evidence.y[here]
        shifts[name] = float(metric.score(y, one, weight) - metric.score(y, other, weight))
    return shifts


def _bootstrap_scores(evidence: Evidence, rng: np.random.Generator, deadline: float, limit: int) -> list[float]:
    metric, y, weight, judged = evidence.metric, evidence.y, evidence.weight, evidence.judged
    samples = Bootstrap(len(y), evidence.units)
    scores: list[float] = []
    while len(scores) < limit and (time.monotonic() < deadline or len(scores) < 20):
        drawn = samples.draw(rng)
        value = metric.score(y[drawn], judged[drawn], None if weight is None else weight[drawn])
        if np.isfinite(value):
            scores.append(float(value))
        elif len(scores) == 0 and time.monotonic() > deadline:
            break
    return scores


def widen(interval: tuple[float, float], center: float, optimism: float, *, maximize: bool) -> tuple[float, float]:
    """The interval of the rows alone, made as wide as models of other rows make it, and as it is not known better than
    by its own size what the choice flatters; none is better than perfect, which is 1 for what is to be high and 0 for
    what is to be low."""
    low, high = (
        center + side * np.hypot(WIDER * (end - center), optimism) for side, end in zip((-1, 1), interval, strict=True)
    )
    low, high = float(low), float(high)
    return (low, min(high, max(1.0, center))) if maximize else (max(low, min(0.0, center)), high)


def interval_from(scores: list[float], center: float) -> tuple[float, float]:
    """95% interval round `center` from bootstrap scores: their quantiles, moved so that their mean lies on it. Those of
    few scores lie too near, so that such make a symmetrical one of their standard deviation."""
    if len(scores) < 2:
        return center, center
    if len(scores) < QUANTILE_BOOTSTRAPS:
        half = 1.96 * float(np.std(scores, ddof=1))
        return center - half, center + half
    low, high = np.quantile(scores, (0.025, 0.975)) - np.mean(scores)
    return float(center + low), float(center + high)
