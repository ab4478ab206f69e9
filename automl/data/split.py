"""Which rows score which models: stratified, grouped, forward in time, repeated or held out, as the table asks.

Everything follows from the target, the groups or times, the shape of the table and the seed.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import numpy as np

from automl.data import Split
from automl.errors import DataError
from automl.matrix import Array, IntArray, Shape
from automl.task import Task, TaskKind

UNSCORED = -1  # the fold number of rows that train every model and score none
QUANTILE_BINS = 10  # strata of a number to be predicted
GREEDY_GROUPS = 20_000  # the largest groups are placed one by one (25 µs each); the rest are dealt out
TIME_FOLDS = 5  # a first block much smaller than a sixth trains models too poor to say anything
PINNED_SHARE = 0.1  # groups that alone hold a class train everywhere if they are no more of the rows than this
SECONDS_FOR_REPEATS = 120.0  # below this a second repeat costs more configurations than it is worth
START_SECONDS = 2.5  # of a command: imports, workers, reading


def make_split(
    dataset_target: Array,
    task: Task,
    *,
    groups: IntArray | None = None,
    times: Array | None = None,
    folds: int | Literal["auto"] = "auto",
    repeats: int | Literal["auto"] = "auto",
    seed: int = 0,
    shape: Shape | None = None,
    seconds: float | None = None,
) -> Split:
    """Set rows apart for scoring.

    Rows are shuffled and stratified by class, or by tenths of a numeric target. A class with fewer rows than there are
    folds is spread over as many folds as it has rows; the only row of a class trains every model and scores none. Rows
    of one group stay together. With times, a fold's models are trained on what came before it, and rows of one time are
    not split.

    Args:
        dataset_target: class index (n,) int64, or value (n,) float64.
        groups: group number (n,) int64, or None.
        times: (n,) float64, or None; rows without a time count as the oldest.
        folds: how many, 1 for a holdout; "auto" as `choose_folds`. Fewer are made if the rows, groups, times or the
            smaller of two classes do not suffice.
        repeats: how often with another shuffle; "auto" is 2 below 300 rows if there are 2 minutes, else 1. A time
            split is never repeated.
        shape: size of the problem; None if it should not matter.
        seconds: time of the whole search; None in runs by number of trials.

    Raises:
        DataError: if nothing can be scored: fewer than two rows, groups, times, or classes with two rows.
    """
    target = np.asarray(dataset_target)
    n = len(target)
    _refuse_hopeless(target, task, folds, repeats)
    n_folds = choose_folds(n, task, shape=shape, seconds=seconds) if folds == "auto" else folds
    if times is not None:
        return _split_by_time(target, task, np.asarray(times, dtype=np.float64), groups, n_folds)
    strata = _stratify(target, task, max(n_folds, 2))
    plan = _plan_groups(target, task, groups) if groups is not None else _plan_rows(target, task)
    parts = _count_parts(n, n_folds)
    parts, is_holdout = max(2, min(parts, plan.most_folds)), n_folds == 1
    # going through the rows twice doubles the price of every configuration, which a short run feels
    has_pictures = shape is not None and shape.pictures > 0
    is_worth_two = (
        n < 300 and not is_holdout and not has_pictures and (seconds is None or seconds >= SECONDS_FOR_REPEATS)
    )
    n_repeats = (2 if is_worth_two else 1) if repeats == "auto" else repeats
    fold_rows: list[IntArray] = []
    for repeat in range(n_repeats):
        rng = np.random.default_rng([seed, repeat])
        fold_of = (
            _deal_groups(plan, strata, parts, rng) if plan.units is not None else _deal_rows(plan, strata, parts, rng)
        )
        fold_rows += [np.flatnonzero(fold_of == fold) for fold in range(1 if is_holdout else parts)]
    if is_holdout:
        _refuse_one_class(target, task, fold_rows, "the rows held out", "Ask for more folds, or leave --group out")
    kind = "holdout" if is_holdout else ("grouped" if groups is not None else _name_kind(strata))
    return Split(
        folds=tuple(fold_rows),
        trains=tuple(_others(rows, n) for rows in fold_rows),
        repeats=n_repeats,
        kind=kind,
        reason=_explain(plan, task, kind, fold_rows, n_repeats, n_folds, n),
    )


def choose_folds(n_rows: int, task: Task, *, shape: Shape | None = None, seconds: float | None = None) -> int:
    """How many folds a table deserves; 1 means a holdout.

    8 folds below 1,000 rows, 5 up to 50,000, 3 up to 500,000, a holdout above. With a time limit, cells × classes per
    second of it, less what starting takes, bound the number: above 100,000 at most 5, above 300,000 at most 3, above
    1,000,000 a holdout, so that some configurations finish all their folds; and above 25,000 cells at most 3, so that
    there is time for more than one booster. Pictures, whose nets are dear, get 5 folds below 1,000 rows and 4 up to 10
    billion values of pixels, a holdout above; per second of a time limit at most 100,000 values for 4 folds, 300,000
    for 2.
    """
    if shape is not None and shape.pictures:
        return _choose_picture_folds(n_rows, n_rows * shape.pixels, seconds)
    by_size = 8 if n_rows < 1_000 else 5 if n_rows <= 50_000 else 3 if n_rows <= 500_000 else 1
    if shape is None or seconds is None:
        return by_size
    outputs = shape.outputs if task.kind is TaskKind.MULTICLASS else 1
    cells = shape.cells / max(seconds - START_SECONDS, 0.5)
    load = cells * outputs
    by_time = 1 if load > 1_000_000 else 3 if load > 300_000 or cells > 25_000 else 5 if load > 100_000 else 8
    return min(by_size, by_time)


def _choose_picture_folds(n_rows: int, values: int, seconds: float | None) -> int:
    by_size = 5 if n_rows < 1_000 else 4 if values <= 10_000_000_000 else 1
    if seconds is None:
        return by_size
    load = values / max(seconds, 1.0)
    return min(by_size, 5 if load <= 50_000 else 4 if load <= 100_000 else 2 if load <= 300_000 else 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What may be dealt out.

    Attributes:
        units: number of the row's group (n,) int64, counted from 0; None if each row is its own.
        pinned: rows (n,) bool that train every model.
        most_folds: folds beyond which one would be empty, or lack one of two classes.
        limit: what sets `most_folds`, in words.
        notes: what had to be done, for the reason.
    """

    units: IntArray | None
    pinned: Array
    most_folds: int
    limit: str
    notes: tuple[str, ...]


def _refuse_hopeless(target: Array, task: Task, folds: int | str, repeats: int | str) -> None:
    for name, number in (("folds", folds), ("repeats", repeats)):
        if not isinstance(number, str) and number < 1:
            raise DataError(f"Cannot make {number} {name}", hint=f"Set split.{name} to 1 or more, or to auto")
    if len(target) < 2:
        raise DataError(f"The table has {len(target)} row(s) with a target: nothing can be scored", hint="Add rows")
    if task.is_classification and np.count_nonzero(np.bincount(target.astype(np.int64)) >= 2) < 2:
        raise DataError(
            f"Fewer than two classes of {task.target!r} have two rows or more: nothing can be scored",
            hint="Add rows of the rare classes, or choose another --target",
        )


def _refuse_one_class(target: Array, task: Task, folds: list[IntArray], which: str, hint: str) -> None:
    """Where all scored rows are of one class, no metric tells one model from another."""
    scored = np.unique(target[np.concatenate(folds)])
    if task.is_classification and len(scored) < 2:
        label = _label(task, int(scored[0]))
        raise DataError(f"All rows that can be scored, {which}, are of the class {label}", hint=hint)


def _count_parts(n: int, n_folds: int) -> int:
    """Parts to deal into; a holdout is the first of many: 1% of the rows or 20,000, at most 20%."""
    if n_folds > 1:
        return n_folds
    return max(5, n // max(n // 100, 20_000, 1))


def _stratify(target: Array, task: Task, n_folds: int) -> IntArray:
    if task.is_classification:
        return target.astype(np.int64)
    n = len(target)
    bins = max(1, min(QUANTILE_BINS, n // (2 * n_folds)))
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(target, kind="stable")] = np.arange(n)
    return rank * bins // n


def _plan_rows(target: Array, task: Task) -> _Plan:
    n = len(target)
    if not task.is_classification:
        return _Plan(units=None, pinned=np.zeros(n, dtype=bool), most_folds=n, limit=f"there are {n} rows", notes=())
    counts = np.bincount(target)
    pinned = counts[target] == 1
    notes = tuple(
        f"class {_label(task, label)} has one row, which trains every model and scores none"
        for label in np.flatnonzero(counts == 1)[:5]
    )
    most, limit = int(n - pinned.sum()), "there are few rows"
    if task.kind is TaskKind.BINARY:
        most, limit = int(counts.min()), f"class {_label(task, int(counts.argmin()))} has {counts.min()} rows"
    return _Plan(units=None, pinned=pinned, most_folds=most, limit=limit, notes=notes)


def _plan_groups(target: Array, task: Task, groups: IntArray) -> _Plan:
    units = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    n_units = int(units.max()) + 1
    pinned: Array = np.zeros(len(target), dtype=bool)
    notes: tuple[str, ...] = ()
    most, limit = n_units, f"there are {n_units} groups"
    if task.is_classification:
        classes, holders = _pair_up(target.astype(np.int64), units)
        spread = np.bincount(classes)
        pinned, notes = _pin_lonely(task, spread, classes, holders, units)
        most -= len(np.unique(units[pinned]))
        if task.kind is TaskKind.BINARY and spread.min() < most:
            rarer = int(spread.argmin())
            most, limit = max(2, int(spread[rarer])), f"class {_label(task, rarer)} occurs in {spread[rarer]} group(s)"
    if n_units < 2 or most < 2:
        raise DataError(
            f"{n_units} group(s) cannot be shared out between training and scoring",
            hint="Leave out --group, or group by another column",
        )
    return _Plan(units=units, pinned=pinned, most_folds=most, limit=limit, notes=notes)


def _pair_up(strata: IntArray, units: IntArray) -> tuple[IntArray, IntArray]:
    """Which stratum occurs in which group: two arrays of equal length, each pair once."""
    width = int(units.max()) + 1
    pairs = np.unique(strata * width + units)
    return pairs // width, pairs % width


def _pin_lonely(
    task: Task, spread: IntArray, classes: IntArray, holders: IntArray, units: IntArray
) -> tuple[Array, tuple[str, ...]]:
    """Rows of groups that alone hold a class; none if they are too many to go unscored."""
    lonely = np.flatnonzero(spread == 1)
    nobody = np.zeros(len(units), dtype=bool)
    if not len(lonely):
        return nobody, ()
    names = ", ".join(_label(task, int(label)) for label in lonely[:5])
    pinned = np.isin(units, holders[np.isin(classes, lonely)])
    if task.kind is TaskKind.MULTICLASS and pinned.mean() <= PINNED_SHARE:
        return pinned, (f"groups that alone hold class {names} train every model and score none",)
    return nobody, (f"class {names} occurs in one group only: models that score it never saw it",)


def _deal_rows(plan: _Plan, strata: IntArray, parts: int, rng: np.random.Generator) -> IntArray:
    """Fold numbers (n,): like cards, stratum after stratum, so that parts and strata in parts differ by one row."""
    rows = rng.permutation(np.flatnonzero(~plan.pinned))
    rows = rows[np.argsort(strata[rows], kind="stable")]
    fold_of = np.full(len(strata), UNSCORED, dtype=np.int64)
    fold_of[rows] = np.arange(len(rows)) % parts
    return fold_of


def _deal_groups(plan: _Plan, strata: IntArray, parts: int, rng: np.random.Generator) -> IntArray:
    """Fold numbers (n,) of whole groups, the largest first, each to the fold that most lacks what it holds.

    The rule is that of scikit-learn's StratifiedGroupKFold; groups of one row, of which duplicates leave thousands,
    are dealt like cards.
    """
    assert plan.units is not None
    n_strata, n_units = int(strata.max()) + 1, int(plan.units.max()) + 1
    free = ~plan.pinned
    size = np.bincount(plan.units[free], minlength=n_units)
    order = rng.permutation(n_units)
    order = order[np.argsort(-size[order], kind="stable")]
    order = order[size[order] > 0]
    n_greedy = min(GREEDY_GROUPS, len(order), max(1_000, int(np.count_nonzero(size > 1))))
    fold_of_unit = np.full(n_units, UNSCORED, dtype=np.int64)
    held = np.zeros((parts, n_strata + 1))
    _place_greedily(order[:n_greedy], plan.units, strata, free, fold_of_unit, held)
    first_stratum = np.zeros(n_units, dtype=np.int64)
    first_stratum[plan.units] = strata
    rest = order[n_greedy:]
    rest = rest[np.argsort(first_stratum[rest], kind="stable")]
    fold_of_unit[rest] = _even_out(held[:, -1], len(rest), int(size[rest].sum()), parts)
    _spread_classes(fold_of_unit, plan.units[free], strata[free], size, parts)
    return np.where(plan.pinned, UNSCORED, fold_of_unit[plan.units])


def _place_greedily(
    order: IntArray, units: IntArray, strata: IntArray, free: Array, fold_of_unit: IntArray, held: Array
) -> None:
    """Fill `fold_of_unit` for the groups in `order`; `held` counts rows of each stratum, and all, in each fold."""
    rows = np.flatnonzero(free & np.isin(units, order))
    rows = rows[np.argsort(units[rows], kind="stable")]
    starts = dict(zip(*np.unique(units[rows], return_index=True), strict=True))
    size = np.bincount(units[rows], minlength=len(fold_of_unit))
    n_strata = held.shape[1] - 1
    total = np.append(np.bincount(strata[free], minlength=n_strata), np.count_nonzero(free))
    importance = 1.0 / np.maximum(total, 1) ** 2
    for unit in order:
        start = starts[unit]
        found, counts = np.unique(strata[rows[start : start + size[unit]]], return_counts=True)
        found, counts = np.append(found, n_strata), np.append(counts, size[unit])
        fold = int(np.argmin(held[:, found] @ (counts * importance[found])))
        held[fold, found] += counts
        fold_of_unit[unit] = fold


def _even_out(held: Array, n_units: int, n_rows: int, parts: int) -> IntArray:
    """Fold numbers (n_units,) in turn, those folds oftener that hold less so far."""
    wanted = np.maximum((held.sum() + n_rows) / parts - held, 0)
    share = wanted / wanted.sum() if wanted.sum() > 0 else np.full(parts, 1 / parts)
    turns = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in _round_to(share * n_units, n_units)])
    numbers = np.repeat(np.arange(parts), _round_to(share * n_units, n_units))
    return numbers[np.argsort(turns, kind="stable")]


def _round_to(values: Array, total: int) -> IntArray:
    """Whole numbers near `values` (largest remainders up) that sum to `total`."""
    whole = np.floor(values).astype(np.int64)
    whole[np.argsort(whole - values, kind="stable")[: total - int(whole.sum())]] += 1
    return whole


def _spread_classes(fold_of_unit: IntArray, units: IntArray, strata: IntArray, size: IntArray, parts: int) -> None:
    """Move the smallest group of a stratum that has come to lie in one fold only, for its models would lack it."""
    found, holding = _pair_up(strata, units)
    for stratum in np.unique(strata):
        holders = holding[found == stratum]
        if len(holders) > 1 and len(np.unique(fold_of_unit[holders])) == 1:
            smallest = holders[np.argmin(size[holders])]
            load = np.bincount(fold_of_unit[units], minlength=parts).astype(np.float64)
            load[fold_of_unit[smallest]] = np.inf
            fold_of_unit[smallest] = int(np.argmin(load))


def _split_by_time(target: Array, task: Task, times: Array, groups: IntArray | None, n_folds: int) -> Split:
    n = len(target)
    filled = np.where(np.isfinite(times), times, -np.inf)
    order = np.argsort(filled, kind="stable")
    parts = min(n_folds, TIME_FOLDS) + 1 if n_folds > 1 else _count_parts(n, 1)
    cuts = _cut_times(filled[order], parts)
    cuts = cuts[-1:] if n_folds == 1 else cuts
    folds: list[IntArray] = []
    trains: list[IntArray] = []
    for start, stop in itertools.pairwise([*cuts, n]):
        scored, earlier = np.sort(order[start:stop]), np.sort(order[:start])
        if groups is not None:
            earlier = earlier[~np.isin(groups[earlier], groups[scored])]
        if len(earlier) and (not task.is_classification or len(np.unique(target[earlier])) > 1):
            folds.append(scored)
            trains.append(earlier)
    if not folds:
        raise DataError(
            "The time column does not order the rows into a past that trains and a future that scores",
            hint="Choose another --time-column, or leave it out",
        )
    _refuse_one_class(
        target, task, folds, "the later rows in time", "Give rows of more time, or leave --time-column out"
    )
    reason = f"{len(folds)} block(s) of rows in order of time, each scored by models of all rows before it"
    reason += "; those of the last answer new rows"
    if len(missing := np.flatnonzero(~np.isfinite(times))):
        reason += f"; {len(missing)} row(s) without a time count as the oldest"
    return Split(folds=tuple(folds), trains=tuple(trains), repeats=1, kind="time", reason=reason)


def _cut_times(ordered: Array, parts: int) -> list[int]:
    """Positions where blocks begin, the first block's left out; moved forward to where the time changes."""
    n = len(ordered)
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    wanted = [round(n * part / parts) for part in range(1, parts)]
    after = np.searchsorted(changes, wanted)
    before_end = changes[np.minimum(after, len(changes) - 1)] if len(changes) else changes
    return sorted({int(cut) for cut in before_end})


def _others(rows: IntArray, n: int) -> IntArray:
    keep = np.ones(n, dtype=bool)
    keep[rows] = False
    return np.flatnonzero(keep)


def _name_kind(strata: IntArray) -> str:
    return "stratified" if strata.max() > 0 else "shuffled"


def _label(task: Task, index: int) -> str:
    return repr(task.classes[index]) if index < len(task.classes) else str(index)


def _explain(plan: _Plan, task: Task, kind: str, folds: list[IntArray], repeats: int, asked: int, n: int) -> str:
    if kind == "holdout":
        what = f"{len(folds[0]):,} of {n:,} rows held out"
    else:
        what = f"{len(folds) // repeats} folds of {n:,} rows"
    how = (
        "shuffled" if kind == "shuffled" else "stratified by " + ("class" if task.is_classification else "target value")
    )
    parts = [f"{what}, {how}"]
    if plan.units is not None:
        parts.append("rows of one group stay together")
    if repeats > 1:
        parts.append(f"gone through {repeats} times, because the table is small")
    if kind != "holdout" and len(folds) // repeats < asked:
        parts.append(f"fewer than {asked} folds, because {plan.limit}")
    return "; ".join([*parts, *plan.notes])
