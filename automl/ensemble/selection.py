"""Greedy ensemble selection over out-of-fold predictions.

Start empty; at each step add, with replacement, the model that most improves the score of the mean; keep the best
prefix. Weights are counts, so they are never negative and sum to 1. Caruana et al. 2004, doi:10.1145/1015330.1015432.

A climb on few rows follows their luck. There it is repeated on rows drawn anew and the weights are averaged (the bagged
selection of Caruana, Munson & Niculescu-Mizil 2006, doi:10.1109/ICDM.2006.76), and where the metric looks only at
ranks or at labels, half of the climbs go by the log loss, which sees how far a row is from being right; all of them
where the metric hangs on a threshold that is chosen only at the end.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from automl.errors import SearchError
from automl.matrix import Array, FloatArray
from automl.metrics import Metric, get_metric
from automl.search.threshold import find_threshold, move_threshold

MAX_MODELS = 24
# Of one family at most so many are mixed while there are others: a search that goes on from its best makes hundreds of
# models that all say the same.
MOST_OF_A_FAMILY = 6
# Numbers mixed and scored in one step; more rows than this allows are sampled.
MAX_CELLS = 500_000
# With so many rows, from and to, the climb is repeated, so often, on at most so many rows drawn with replacement.
LEAST_BAGGED_ROWS, BAGGED_ROWS, CLIMBS, DRAWN_ROWS = 150, 4_000, 12, 2_000
# Steps without a gain after which the climb is over.
PATIENCE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Trial → weight, summing to 1, heaviest first."""

    weights: dict[int, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """What an ensemble may cost.

    Attributes:
        costs: trial → what it costs, one number a kind of cost.
        limits: the most that members may cost together, in the same order.
    """

    costs: Mapping[int, tuple[float, ...]]
    limits: tuple[float, ...]

    def affordable(self, trials: Iterable[int]) -> list[int]:
        """Those that keep all limits alone; if none does, the one that comes nearest."""
        known = sorted(trials)
        worst = self.shares(known).max(axis=1)
        kept = [trial for trial, share in zip(known, worst, strict=True) if share <= 1.0]
        return kept or [known[int(np.argmin(worst))]]

    def shares(self, trials: list[int]) -> Array:
        """(m, c) cost of each as a share of its limit."""
        shares: Array = np.array([self.costs[trial] for trial in trials], dtype=np.float64) / np.array(self.limits)
        return shares


def select_ensemble(
    outputs: Mapping[int, FloatArray],
    y: Array,
    metric: Metric,
    *,
    weight: Array | None = None,
    rounds: int = 25,
    max_members: int = 12,
    seed: int = 0,
    max_cells: int = MAX_CELLS,
    allowance: Allowance | None = None,
    climbs: int = CLIMBS,
    families: Mapping[int, str] | None = None,
) -> Selection:
    """Choose members and weights.

    Args:
        outputs: trial → (m, k) out-of-fold outputs, all on the same rows.
        y: targets of those rows.
        rounds: steps of the climb; a member added twice weighs twice.
        seed: for the sample of rows, where there are too many to score at each step.
        max_cells: how many numbers may be mixed in one step.
        allowance: what members may cost together; models that are too dear by themselves are left out, unless all are.
        climbs: how often the climb is repeated on few rows; 1 is quick.
        families: trial → the family of its model, so that a part of many is one of many kinds.

    Raises:
        SearchError: if there is nothing to choose from.
    """
    if not outputs:
        raise SearchError("No configuration is complete", hint="Give it more time with --time")
    if allowance is not None:
        outputs = {trial: outputs[trial] for trial in allowance.affordable(outputs)}
    y, outputs = _condense(metric, y, outputs)
    rows = sample_rows(y, outputs, seed, max_cells)
    y_used = y[rows]
    weight_used = None if weight is None else weight[rows]
    trials = sorted(outputs)
    stack = np.stack([outputs[trial][rows] for trial in trials])
    single = _losses_as_judged(metric, y_used, stack, weight_used)
    if len(trials) > MAX_MODELS:
        kept = shortlist(single, [(families or {}).get(trial, "") for trial in trials])
        trials, stack, single = [trials[place] for place in kept], stack[kept], single[kept]
    costs = None if allowance is None else allowance.shares(trials)
    best = np.eye(len(trials))[int(np.argmin(single))]
    # what drew well apart may not mix well; then once more as all rows together tell
    for repeats in dict.fromkeys((climbs if max_members > 1 else 1, 1)):
        plan = _plan_climbs(metric, y_used, stack, seed, repeats)
        shares = _climb_all(plan, stack, y_used, weight_used, rounds=rounds, max_members=max_members, costs=costs)
        kept_shares = _keep_heaviest(shares if shares.any() else best, max_members, costs)
        used = np.flatnonzero(kept_shares)  # not all: nothing times infinity is not nothing
        blend = np.tensordot(kept_shares[used], stack[used], axes=1).astype(np.float32)
        if _losses_as_judged(metric, y_used, blend[None], weight_used)[0] <= single.min():
            break
    else:
        kept_shares = best
    ranked = sorted(np.nonzero(kept_shares)[0], key=lambda place: (-kept_shares[place], trials[place]))
    return Selection({trials[place]: float(kept_shares[place]) for place in ranked})


def shortlist(losses: Array, families: Sequence[str]) -> Array:
    """Places of the `MAX_MODELS` best of losses (m,), in rising order: first those that are among the best of their
    family, then, where these are fewer, the next best."""
    order = np.argsort(losses, kind="stable").tolist()
    seen: Counter[str] = Counter()
    first: list[int] = []
    then: list[int] = []
    for place in order:
        seen[families[place]] += 1
        (first if seen[families[place]] <= MOST_OF_A_FAMILY else then).append(place)
    return np.sort(np.array([*first, *then][:MAX_MODELS]))


def _condense(metric: Metric, y: Array, outputs: Mapping[int, FloatArray]) -> tuple[Array, dict[int, FloatArray]]:
    """Targets and outputs in as few numbers as the metric looks at: with many classes more rows can then be mixed."""
    condensed = {trial: metric.condense(y, part) for trial, part in outputs.items()}
    told = next(iter(condensed.values()))[0]
    return told, {trial: part for trial, (_, part) in condensed.items()}


def _plan_climbs(metric: Metric, y: Array, stack: FloatArray, seed: int, climbs: int) -> Iterator[tuple[Metric, Array]]:
    """By which metric and on which rows to climb: once on all of them, or several times on rows drawn anew."""
    n = len(y)
    if metric.hangs_on_threshold and stack.shape[2] == 2:  # at 0.5 it would see who is bold, not who is right
        metric = get_metric("log_loss")
    if climbs < 2 or not LEAST_BAGGED_ROWS <= n <= BAGGED_ROWS or len(stack) < 2:
        yield metric, np.arange(n)
        return
    rng = np.random.default_rng([seed, 19])
    judges = [metric]
    if stack.shape[2] > 1 and not metric.is_proper:
        judges.append(get_metric("log_loss"))
    for number in range(climbs):
        drawn = rng.integers(0, n, min(n, DRAWN_ROWS))
        yield judges[number % len(judges)], drawn


def _climb_all(
    plan: Iterable[tuple[Metric, Array]],
    stack: FloatArray,
    y: Array,
    weight: Array | None,
    *,
    rounds: int,
    max_members: int,
    costs: Array | None,
) -> Array:
    """Sum (m,) of the shares that each climb of the plan gives the models; nothing where all rows drawn are of one
    class."""
    shares = np.zeros(len(stack))
    for judge, drawn in plan:
        part, part_weight = stack[:, drawn], None if weight is None else weight[drawn]
        alone = _losses(judge, y[drawn], part, part_weight)
        if np.isfinite(alone).any():
            order = climb(
                part, y[drawn], judge, part_weight, alone, rounds=rounds, max_members=max_members, costs=costs
            )
            shares += np.bincount(order, minlength=len(stack)) / len(order)
    return shares


def _keep_heaviest(shares: Array, max_members: int, costs: Array | None) -> Array:
    """Shares that sum to 1, of as many members as are allowed, as far as they can be afforded together."""
    kept = np.zeros_like(shares)
    spent = np.zeros(0 if costs is None else costs.shape[1])
    for place in sorted(np.nonzero(shares)[0], key=lambda place: (-shares[place], place))[:max_members]:
        if costs is None or not kept.any() or (spent + costs[place] <= 1.0).all():
            kept[place] = shares[place]
            spent = spent if costs is None else spent + costs[place]
    total: Array = kept / kept.sum()
    return total


def climb(
    stack: FloatArray,
    y: Array,
    metric: Metric,
    weight: Array | None,
    single: Array,
    *,
    rounds: int,
    max_members: int,
    costs: Array | None = None,
) -> list[int]:
    """The climb itself: places in `stack` (m, n, k) in the order they were added, cut to the best prefix.

    Args:
        single: losses (m,) of the models alone.
        costs: (m, c) share of each allowance that a model takes; the members' may not sum to more than 1.
    """
    first = int(np.argmin(single))
    order, losses = [first], [float(single[first])]
    total = stack[first].astype(np.float64)
    for step in range(2, rounds + 1):
        losses_now = _losses(metric, y, ((total + stack) / step).astype(np.float32), weight)
        used = set(order)
        new = np.array([place not in used for place in range(len(stack))])
        if len(used) >= max_members:
            losses_now[new] = np.inf
        if costs is not None:
            spent = costs[sorted(used)].sum(axis=0)
            losses_now[new & (spent + costs > 1.0).any(axis=1)] = np.inf
        best = float(np.nanmin(losses_now)) if np.isfinite(losses_now).any() else np.inf
        if not np.isfinite(best):
            break
        near = np.nonzero(losses_now <= best + 1e-9 * abs(best))[0]
        choice = next((int(place) for place in near if int(place) in used), int(near[0]))
        order.append(choice)
        losses.append(float(losses_now[choice]))
        total += stack[choice]
        if step - int(np.argmin(losses)) > PATIENCE:
            break
    return order[: int(np.argmin(losses)) + 1]


def sample_rows(y: Array, outputs: Mapping[int, FloatArray], seed: int, max_cells: int) -> Array:
    """All rows, or a random part of them that keeps one step of the climb cheap."""
    width = next(iter(outputs.values())).shape[1]
    limit = max(2_000, max_cells // (min(len(outputs), MAX_MODELS) * (width if width > 2 else 1)))
    if len(y) <= limit:
        return np.arange(len(y))
    return np.sort(np.random.default_rng([seed, 13]).choice(len(y), limit, replace=False))


def blend_outputs(outputs: Mapping[int, FloatArray], weights: Mapping[int, float]) -> FloatArray:
    """Weighted mean (n, k) float32 of the members' outputs."""
    total: Array | None = None
    for trial, share in weights.items():
        part = outputs[trial].astype(np.float64) * share
        total = part if total is None else total + part
    assert total is not None, "an ensemble has at least one member"
    return total.astype(np.float32)


def _losses_as_judged(metric: Metric, y: Array, stack: FloatArray, weight: Array | None) -> Array:
    """Losses of models alone, each at its own threshold where the metric hangs on that."""
    if metric.hangs_on_threshold:
        moved = (move_threshold(outputs, find_threshold(metric, y, outputs, weight)) for outputs in stack)
        return np.concatenate([_losses(metric, y, outputs[None], weight) for outputs in moved])
    return _losses(metric, y, stack, weight)


def _losses(metric: Metric, y: Array, stack: FloatArray, weight: Array | None) -> Array:
    scores = metric.score_many(y, stack, weight)
    losses: Array = np.where(np.isfinite(scores), -scores if metric.maximize else scores, np.inf)
    return losses
