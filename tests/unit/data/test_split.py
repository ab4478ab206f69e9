"""What every split promises, for any target, and what it does with rare classes, groups and times."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.data import Split
from automl.data.split import choose_folds, make_split
from automl.errors import DataError
from automl.matrix import Shape
from automl.task import Task, TaskKind

REGRESSION = Task(kind=TaskKind.REGRESSION, target="price")


def classes(target: np.ndarray | list[int]) -> Task:
    k = int(np.max(target)) + 1
    kind = TaskKind.BINARY if k == 2 else TaskKind.MULTICLASS
    return Task(kind=kind, target="species", classes=tuple("abcdefghijklmnopqrstuvwxyz"[:k]))


def check_promises(split: Split, n: int) -> None:
    assert len(split) == len(split.trains) >= 1 and len(split) % split.repeats == 0
    for scored, trained in zip(split.folds, split.trains, strict=True):
        assert scored.dtype == trained.dtype == np.int64
        assert (np.diff(scored) > 0).all() and (np.diff(trained) > 0).all()
        assert len(scored) and len(trained) and not np.intersect1d(scored, trained).size
        assert min(scored[0], trained[0]) >= 0 and max(scored[-1], trained[-1]) < n
    width = len(split) // split.repeats
    for repeat in range(split.repeats):
        rows = np.concatenate(split.folds[repeat * width : (repeat + 1) * width])
        assert len(np.unique(rows)) == len(rows)
    assert split.reason


@st.composite
def labels(draw: st.DrawFn) -> np.ndarray:
    """Class indices from 0 without gaps, of which at least two classes have two rows."""
    counts = draw(st.lists(st.integers(1, 30), min_size=0, max_size=6)) + draw(
        st.lists(st.integers(2, 30), min_size=2, max_size=2)
    )
    target = np.repeat(np.arange(len(counts)), counts)
    return target[np.random.default_rng(draw(st.integers(0, 99))).permutation(len(target))]


@settings(deadline=None, max_examples=80)
@given(target=labels(), folds=st.sampled_from(["auto", 1, 2, 3, 5, 10]), repeats=st.sampled_from(["auto", 1, 3]))
def test_each_row_is_scored_at_most_once_and_each_class_trains_every_fold(target, folds, repeats) -> None:
    split = make_split(target, classes(target), folds=folds, repeats=repeats, seed=3)
    check_promises(split, len(target))
    counts = np.bincount(target)
    for trained in split.trains:
        assert set(target[trained]) == set(target)
    if split.kind != "holdout":
        rows = np.concatenate(split.folds[: len(split) // split.repeats])
        assert sorted(rows) == np.flatnonzero(counts[target] > 1).tolist()
        for label in np.flatnonzero(counts > 1):  # as even as cards dealt in turn
            dealt = [int((target[scored] == label).sum()) for scored in split.folds[: len(split) // split.repeats]]
            assert max(dealt) - min(dealt) <= 1


@settings(deadline=None, max_examples=40)
@given(
    target=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=120).map(np.array),
    folds=st.sampled_from(["auto", 1, 2, 4]),
)
def test_every_row_of_a_regression_is_scored_once(target, folds) -> None:
    split = make_split(target, REGRESSION, folds=folds, seed=1)
    check_promises(split, len(target))
    if folds != 1:
        rows = np.concatenate(split.folds[: len(split) // split.repeats])
        assert sorted(rows) == list(range(len(target)))


@settings(deadline=None, max_examples=60)
@given(
    target=labels(),
    group_seed=st.integers(0, 999),
    n_groups=st.integers(3, 40),
    folds=st.sampled_from(["auto", 1, 2, 5]),
)
def test_rows_of_one_group_are_never_on_both_sides(target, group_seed, n_groups, folds) -> None:
    groups = np.random.default_rng(group_seed).integers(0, n_groups, len(target)) * 7 - 3
    try:
        split = make_split(target, classes(target), groups=groups, folds=folds, seed=5)
    except DataError as error:
        assert "group(s) cannot be shared out" in error.message
        return
    check_promises(split, len(target))
    for scored, trained in zip(split.folds, split.trains, strict=True):
        assert not np.intersect1d(groups[scored], groups[trained]).size


@settings(deadline=None, max_examples=60)
@given(
    times=st.lists(st.integers(0, 30), min_size=8, max_size=120).map(lambda given: np.array(given, dtype=float)),
    folds=st.sampled_from(["auto", 1, 2, 5]),
)
def test_a_time_split_trains_on_the_past_only(times, folds) -> None:
    if len(np.unique(times)) < 2:
        with pytest.raises(DataError, match="past that trains"):
            make_split(times * 2, REGRESSION, times=times, folds=folds)
        return
    split = make_split(times * 2, REGRESSION, times=times, folds=folds)
    check_promises(split, len(times))
    assert split.kind == "time" and split.repeats == 1
    for scored, trained in zip(split.folds, split.trains, strict=True):
        assert times[trained].max() < times[scored].min()
    if folds == 1:
        assert len(split) == 1


@settings(deadline=None, max_examples=20)
@given(target=labels(), seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_split(target, seed) -> None:
    groups = np.arange(len(target)) // 2
    for given_groups in (None, groups):
        try:
            first, second = (make_split(target, classes(target), groups=given_groups, seed=seed) for _ in range(2))
        except DataError:
            continue
        assert all((a == b).all() for a, b in zip(first.folds, second.folds, strict=True))


def test_another_seed_and_another_repeat_shuffle_otherwise() -> None:
    target = np.tile([0, 1], 100)
    one, two = make_split(target, classes(target), seed=1), make_split(target, classes(target), seed=2)
    assert one.repeats == 2 and len(one) == 16
    assert one.folds[0].tolist() != two.folds[0].tolist()
    assert one.folds[0].tolist() != one.folds[8].tolist()


def test_the_number_of_folds_follows_the_size() -> None:
    assert [choose_folds(n, REGRESSION) for n in (999, 1_000, 50_000, 50_001, 500_000, 500_001)] == [8, 5, 5, 3, 3, 1]


def test_little_time_makes_fewer_folds() -> None:
    letter = Task(kind=TaskKind.MULTICLASS, target="letter", classes=tuple("abcdefghijklmnopqrstuvwxyz"))
    shape = Shape(rows=20_000, numbers=16, categories=0, levels=0, outputs=26)  # 8.3 million cells × classes
    assert [choose_folds(20_000, letter, shape=shape, seconds=s) for s in (300, 60, 20, 5)] == [5, 5, 3, 1]
    assert choose_folds(20_000, letter, shape=shape, seconds=None) == 5
    wide = Shape(rows=2_000, numbers=100, categories=0, levels=0, outputs=2)  # of 3 s most goes to starting
    assert [choose_folds(2_000, REGRESSION, shape=wide, seconds=s) for s in (12, 3)] == [5, 3]
    long = Shape(rows=40_000, numbers=14, categories=0, levels=0, outputs=1)  # 560,000 cells
    assert [choose_folds(40_000, REGRESSION, shape=long, seconds=s) for s in (60, 15)] == [5, 3]


def test_a_holdout_of_a_huge_table_is_twenty_thousand_rows_or_a_hundredth() -> None:
    split = make_split(np.arange(600_000) % 2, classes([0, 1]))
    assert split.kind == "holdout" and len(split) == 1 and len(split.folds[0]) == 20_000
    split = make_split(np.arange(3_000_000, dtype=float), REGRESSION)
    assert len(split.folds[0]) == 30_000 and len(split.trains[0]) == 2_970_000


def test_a_small_holdout_is_a_fifth() -> None:
    split = make_split(np.arange(100) % 2, classes([0, 1]), folds=1)
    assert len(split) == 1 and len(split.folds[0]) == 20


def test_a_file_sorted_by_class_is_shuffled_and_stratified() -> None:
    target = np.repeat([0, 1, 2], [300, 600, 600])
    split = make_split(target, classes(target))
    assert split.kind == "stratified" and [len(scored) for scored in split.folds] == [300] * 5
    for scored in split.folds:
        assert np.bincount(target[scored]).tolist() == [60, 120, 120]
        assert np.diff(scored).std() > 1  # not every fifth row


def test_a_numeric_target_is_stratified_by_tenths() -> None:
    target = np.random.default_rng(0).lognormal(0, 2, 1_000)
    split = make_split(target, REGRESSION)
    for scored in split.folds:
        assert np.histogram(target[scored], np.quantile(target, np.linspace(0, 1, 11)))[0].tolist() == [20] * 10


def test_the_only_row_of_a_class_trains_everywhere_and_is_said_so() -> None:
    target = np.array([0] * 20 + [1] * 20 + [2])
    split = make_split(target, classes(target), folds=4)
    assert all(40 in trained for trained in split.trains) and all(40 not in scored for scored in split.folds)
    assert "class 'c' has one row, which trains every model and scores none" in split.reason


def test_two_classes_never_make_more_folds_than_the_rarer_has_rows() -> None:
    target = np.array([0] * 97 + [1] * 3)
    split = make_split(target, classes(target), folds=5, repeats=1)
    assert len(split) == 3 and all(target[scored].sum() == 1 for scored in split.folds)
    assert split.reason.endswith("fewer than 5 folds, because class 'b' has 3 rows")


@pytest.mark.parametrize("target", [[0, 1], [0, 0, 0, 1], [0]])
def test_a_table_in_which_nothing_can_be_scored_is_refused(target: list[int]) -> None:
    with pytest.raises(DataError, match="nothing can be scored"):
        make_split(np.array(target), classes([0, 1]))


def test_no_folds_are_refused() -> None:
    with pytest.raises(DataError, match="Cannot make 0 folds"):
        make_split(np.arange(10.0), REGRESSION, folds=0)


def test_groups_are_balanced_and_stratified() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 400, 4_000)
    target = (rng.random(400) < 0.3).astype(int)[groups]  # the whole group has one label
    split = make_split(target, classes(target), groups=groups)
    assert split.kind == "grouped" and len(split) == 5
    share = [float(target[scored].mean()) for scored in split.folds]
    assert max(share) - min(share) < 0.02
    assert max(map(len, split.folds)) - min(map(len, split.folds)) < 40


def test_few_groups_make_few_folds_and_one_is_refused() -> None:
    target = np.tile([0, 1], 30)
    split = make_split(target, classes(target), groups=np.arange(60) % 6 // 2, folds=5)
    assert len(split) // split.repeats == 3 and "because there are 3 groups" in split.reason
    with pytest.raises(DataError, match="1 group"):
        make_split(target, classes(target), groups=np.zeros(60, dtype=int))


def test_a_class_in_two_groups_is_in_every_training_part() -> None:
    target = np.concatenate((np.arange(200) % 2, [2, 2]))
    groups = np.concatenate((np.arange(200) // 4, [500, 501]))
    for seed in range(20):
        split = make_split(target, classes(target), groups=groups, folds=5, seed=seed)
        assert all(2 in target[trained] for trained in split.trains)


def test_a_class_in_one_group_trains_everywhere() -> None:
    target = np.concatenate((np.arange(200) % 2, [2, 2]))
    groups = np.concatenate((np.arange(200) // 4, [500, 500]))
    split = make_split(target, classes(target), groups=groups, folds=5)
    assert all(2 in target[trained] for trained in split.trains) and max(map(max, split.folds)) == 199
    assert "groups that alone hold class 'c' train every model" in split.reason


def test_duplicate_rows_as_groups_are_split_quickly() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 26, 60_000)
    groups = np.arange(60_000)
    groups[:9_000] //= 3
    started = time.perf_counter()
    split = make_split(target, classes(target), groups=groups, folds=5)
    assert time.perf_counter() - started < 3.0
    sizes = [len(scored) for scored in split.folds]
    assert sum(sizes) == 60_000 and max(sizes) - min(sizes) <= 60


def test_a_group_spread_over_time_does_not_train_its_own_future() -> None:
    groups = np.arange(60) // 7  # rows 14 to 20 and 35 to 41 lie on both sides of a cut
    split = make_split(np.arange(60.0), REGRESSION, groups=groups, times=np.arange(60.0), folds=2)
    assert [scored.tolist() for scored in split.folds] == [list(range(20, 40)), list(range(40, 60))]
    assert [trained.tolist() for trained in split.trains] == [list(range(14)), list(range(35))]


def test_time_folds_are_equal_blocks_and_rows_without_time_are_the_oldest() -> None:
    times = np.arange(60.0)[::-1].copy()
    times[:5] = np.nan
    split = make_split(np.arange(60.0), REGRESSION, times=times, folds=5)
    assert [len(scored) for scored in split.folds] == [10] * 5 and [len(t) for t in split.trains] == [
        10,
        20,
        30,
        40,
        50,
    ]
    assert set(range(5)) <= set(split.trains[0]) and 5 in split.folds[-1]
    assert "5 row(s) without a time" in split.reason


def test_a_past_with_one_class_trains_nobody() -> None:
    target = np.array([0] * 30 + [0, 1] * 15)
    split = make_split(target, classes(target), times=np.arange(60.0), folds=5)
    assert len(split) == 2 and all(len(np.unique(target[trained])) == 2 for trained in split.trains)


def test_rows_of_one_class_in_the_scored_part_of_time_are_refused() -> None:
    target = np.array([0] * 13 + [1, 0, 1, 1] + [0] * 6)
    with pytest.raises(DataError, match=r"All rows that can be scored, the later rows in time, are of the class 'a'"):
        make_split(target, classes(target), times=np.arange(23.0), folds=1)
    mixed = np.array([0, 1] * 12)
    assert make_split(mixed, classes(mixed), times=np.arange(24.0), folds=1).kind == "time"
