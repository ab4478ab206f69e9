"""Target means: smoothed, cross-fitted over rows or over groups, and by weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.matrix import Array, FloatArray, Needs
from automl.preprocess.combine import CombinePart
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import MISSING, UNSEEN, Layout, Table
from automl.preprocess.target_means import deal_groups, fit_target_means
from automl.task import Task, TaskKind

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"))
MULTICLASS = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c", "d"))
REGRESSION = Task(kind=TaskKind.REGRESSION, target="y")
TASKS = (BINARY, MULTICLASS, REGRESSION)


def rows_of(target: np.ndarray, task: Task = BINARY, **facts: Any) -> FitRows:
    return FitRows(task=task, target=target, seed=1, **facts)


def draw_target(task: Task, rows: int, rng: np.random.Generator) -> Array:
    return rng.integers(0, task.n_classes, rows) if task.is_classification else rng.integers(0, 100, rows).astype(float)


# ---- over rows ----


def test_target_means_of_noise_tell_nothing_about_the_training_rows() -> None:
    """Encoding rows by their own target would give an AUC near 0.84 here."""
    rng = np.random.default_rng(0)
    column, target = rng.integers(0, 800, 2000), rng.integers(0, 2, 2000)

    _, block = next(fit_target_means([column], [800], rows_of(target)))

    correlation = np.corrcoef(block[:, 0], target)[0, 1]
    assert abs(correlation) < 0.1


def test_target_means_worked_by_hand_without_smoothing_noise() -> None:
    column = np.repeat([0, 1], 500)
    target = np.concatenate([np.zeros(500, dtype=np.int64), np.ones(500, dtype=np.int64)])

    lookup, _ = next(fit_target_means([column], [2], rows_of(target)))

    assert lookup[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert lookup[1, 0] == pytest.approx(1.0, abs=1e-6)
    assert lookup[UNSEEN, 0] == pytest.approx(0.5)


def test_levels_that_are_close_stay_apart_for_the_training_rows_as_for_new_ones() -> None:
    """Eight levels whose means lie closer together than the means of parts of one level do: cross-fitted, the values of
    neighbours mixed, and no training row had the number that a new row of its level gets."""
    rng = np.random.default_rng(0)
    column = rng.integers(0, 8, 8_000)
    target = 0.05 * column + rng.normal(0, 2, 8_000)
    task = Task(kind=TaskKind.REGRESSION, target="y")

    lookup, block = next(fit_target_means([column], [8], rows_of(target, task)))

    np.testing.assert_array_equal(block, lookup[column])
    assert len(np.unique(block)) == 8


def test_levels_of_few_rows_are_cross_fitted() -> None:
    rng = np.random.default_rng(0)
    column, target = np.arange(4_000) % 8, rng.integers(0, 2, 4_000)
    column[:5] = 8  # one rare level is enough
    lookup, block = next(fit_target_means([column], [9], rows_of(target)))
    assert (block != lookup[column]).any()


def test_classes_of_fewer_rows_than_there_are_folds_have_target_means_too() -> None:
    rng = np.random.default_rng(0)
    column, target = rng.integers(0, 30, 90), np.arange(90) % 30
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=tuple(map(str, range(30))))
    lookup, block = next(fit_target_means([column], [30], rows_of(target, task)))
    assert lookup.shape == (32, 30)
    assert np.isfinite(block).all()
    assert block.std() > 0


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("cells", [1, 5_000, 10_000_000])
def test_columns_encoded_at_once_are_what_each_would_be_alone(
    kind: TaskKind, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    levels = [3, 40, 7, 90, 5]
    columns = [rng.integers(-2, size, 300) for size in levels]
    columns[2] = np.arange(300) % 2  # its means are not cross-fitted
    classes = {TaskKind.BINARY: ("a", "b"), TaskKind.MULTICLASS: ("a", "b", "c", "d"), TaskKind.REGRESSION: ()}[kind]
    task = Task(kind=kind, target="y", classes=classes)
    target = rng.integers(0, len(classes), 300) if classes else rng.normal(size=300)
    if kind is TaskKind.MULTICLASS:
        target[target == 2] = 1  # a class that training lacks
    alone = [
        next(fit_target_means([column], [size], rows_of(target, task)))
        for column, size in zip(columns, levels, strict=True)
    ]
    monkeypatch.setattr("automl.preprocess.target_means.MAX_CELLS_AT_ONCE", cells)
    together = list(fit_target_means(columns, levels, rows_of(target, task)))
    assert len(together) == len(alone)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_no_columns_have_no_target_means() -> None:
    assert list(fit_target_means([], [], rows_of(np.arange(20) % 2))) == []


def test_multiclass_target_means_leave_room_for_a_class_that_is_absent() -> None:
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"))
    column, target = np.arange(60) % 4, np.arange(60) % 2  # class c never occurs

    lookup, block = next(fit_target_means([column], [4], rows_of(target, task)))

    assert lookup.shape == (6, 3)
    assert block.shape == (60, 3)
    assert (lookup[:, 2] == 0).all()


# ---- over groups ----


class Customers:
    """Twenty rows a customer, of whom two thirds say yes to all; two live in a street, on average, which tells nothing
    of either, and `x` tells something of the answer."""

    LAYOUT = Layout(numbers=("x",), categories=("street",), levels=(50,), dates=())

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.groups = np.repeat(np.arange(100), 20)
        self.target = (rng.random(100) < 2 / 3).astype(np.int64)[self.groups]
        street = rng.integers(0, 50, 100)[self.groups]
        self.table = Table(
            layout=self.LAYOUT,
            numbers=(self.target + rng.normal(0, 1, 2_000))[:, None].astype(np.float32),
            categories=street[:, None].astype(np.int32),
            dates=np.empty((2_000, 0)),
        )


def loss_on_new_customers(model: Any, needs: Needs, *, told: bool) -> float:
    """Log loss of a model whose preprocessing is told, or not, whose rows are whose."""
    from sklearn.metrics import log_loss

    known, new = Customers(seed=0), Customers(seed=1)
    transformer = Transformer(needs, plan_space(needs, known.LAYOUT).complete({"encode": "target"}), known.LAYOUT)
    fit = rows_of(known.target, groups=known.groups if told else None)
    model.fit(transformer.fit(known.table, fit), known.target)
    return float(log_loss(new.target, model.predict_proba(transformer.transform(new.table))))


def test_a_linear_model_does_not_learn_a_customers_answer_from_the_customers_other_rows() -> None:
    from sklearn.linear_model import LogisticRegression

    before, after = (
        loss_on_new_customers(LogisticRegression(), Needs(scaled=True), told=told) for told in (False, True)
    )

    assert after < before - 0.1
    assert after < 0.6  # a constant has 0.65


def test_a_forest_does_not_learn_a_customers_answer_from_the_customers_other_rows() -> None:
    from sklearn.ensemble import RandomForestClassifier

    before, after = (
        loss_on_new_customers(RandomForestClassifier(50, min_samples_leaf=20, random_state=0), Needs(), told=told)
        for told in (False, True)
    )

    assert after < before - 0.1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_no_row_is_encoded_by_targets_of_its_own_group(task: Task, weighted: bool) -> None:
    """Two rows of a group exchange their targets: the group's rows keep their encodings, those of others do not."""
    rng = np.random.default_rng(0)
    groups, column = rng.integers(0, 30, 400), rng.integers(0, 12, 400)
    weight = rng.choice([1.0, 2.0], 30)[groups] if weighted else None
    target = draw_target(task, 400, rng)

    def encode(y: Array) -> FloatArray:
        return next(fit_target_means([column], [12], rows_of(y, task, groups=groups, weight=weight)))[1]

    block = encode(target)
    for group in range(30):
        own = np.nonzero(groups == group)[0]
        one, other = next(
            (a, b) for a in own for b in own if target[a] != target[b] and column[a] != column[b]
        )  # fmt: skip
        swapped = target.copy()
        swapped[[one, other]] = target[[other, one]]
        again = encode(swapped)
        np.testing.assert_array_equal(again[own], block[own])
        assert (again[groups != group] != block[groups != group]).any()


def test_pairs_of_categories_are_cross_fitted_over_groups_too() -> None:
    groups = np.repeat(np.arange(40), 10)
    target = groups % 2
    layout = Layout(numbers=(), categories=("c", "d"), levels=(5, 8), dates=())
    codes = np.column_stack([groups // 8, groups % 8]).astype(np.int32)  # a pair a group
    table = Table(layout=layout, numbers=np.empty((400, 0), np.float32), categories=codes, dates=np.empty((400, 0)))

    def encode(known: Array | None) -> FloatArray:
        return CombinePart({"combine": "categories"}).fit(table, rows_of(target, groups=known))[:, -1]

    assert np.corrcoef(encode(None), target)[0, 1] > 0.99
    np.testing.assert_allclose(encode(groups), 0.5)  # the mean of the others, in each fold half of them


@pytest.mark.parametrize("task", TASKS)
def test_groups_of_one_row_each_are_no_groups(task: Task) -> None:
    rng = np.random.default_rng(0)
    column, target = rng.integers(-2, 40, 300), draw_target(task, 300, rng)
    alone = next(fit_target_means([column], [40], rows_of(target, task)))
    lone = next(fit_target_means([column], [40], rows_of(target, task, groups=rng.permutation(300) + 7)))
    for one, other in zip(alone, lone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_levels_of_many_groups_stay_apart_where_a_few_rows_repeat() -> None:
    rng = np.random.default_rng(0)
    column, groups = rng.integers(0, 8, 8_000), np.arange(8_000)
    column[1::400], groups[1::400] = column[::400], groups[::400]
    target = 0.05 * column + rng.normal(0, 2, 8_000)
    lookup, block = next(fit_target_means([column], [8], rows_of(target, REGRESSION, groups=groups)))
    np.testing.assert_array_equal(block, lookup[column])


def test_levels_of_many_rows_and_few_groups_are_cross_fitted() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(16), 500)
    target = rng.normal(size=16)[groups]
    lookup, block = next(fit_target_means([groups % 8], [8], rows_of(target, REGRESSION, groups=groups)))
    assert (block[:, 0] != lookup[groups % 8, 0]).all()


def test_a_level_that_one_group_rules_is_cross_fitted() -> None:
    """Of 6,000 rows of level 0, one group has 4,000."""
    rng = np.random.default_rng(0)
    groups = np.concatenate([np.zeros(4_000, dtype=np.int64), np.arange(1, 4_001)])
    column = np.concatenate([np.zeros(6_000, dtype=np.int64), np.ones(2_000, dtype=np.int64)])
    target = np.where(groups == 0, 5.0, rng.normal(size=8_000))
    lookup, block = next(fit_target_means([column], [2], rows_of(target, REGRESSION, groups=groups)))
    assert lookup[0, 0] > 3
    assert np.abs(block[:4_000, 0]).max() < 1


def test_one_group_tells_nothing_of_others() -> None:
    lookup, block = next(fit_target_means([np.arange(60) % 3], [3], rows_of(np.arange(60) % 2, groups=np.zeros(60))))
    assert not lookup.any()
    assert not block.any()


@pytest.mark.parametrize("count", [2, 3, 6])
def test_few_groups_are_as_many_folds_at_most(count: int) -> None:
    groups = np.arange(60) % count
    folds = deal_groups(groups, np.arange(60) % 2, seed=3)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(count))
    assert len(np.unique(folds)) >= min(count, 5)
    _, block = next(fit_target_means([np.arange(60) % 7], [7], rows_of(np.arange(60) % 2, groups=groups)))
    assert np.isfinite(block).all()


def test_each_fold_of_groups_has_its_share_of_each_class() -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(200), 5))
    target = (groups < 20).astype(np.int64)
    folds = deal_groups(groups, target, seed=3)
    assert np.bincount(folds[target == 1]).tolist() == [20] * 5
    assert np.bincount(folds[target == 0]).tolist() == [180] * 5
    np.testing.assert_array_equal(folds, deal_groups(groups, target, seed=3))
    assert (folds != deal_groups(groups, target, seed=4)).any()


# ---- by weights ----


@pytest.mark.parametrize("equal", [1.0, 0.3])
@pytest.mark.parametrize("task", TASKS)
def test_equal_weights_give_the_means_of_scikit_learns_encoder(task: Task, equal: float) -> None:
    rng = np.random.default_rng(0)
    columns, levels = [rng.integers(-2, 40, 300), np.arange(300) % 2, rng.integers(0, 5, 300)], [40, 2, 9]
    target = draw_target(task, 300, rng)
    plain = fit_target_means(columns, levels, rows_of(target, task))
    weighted = fit_target_means(columns, levels, rows_of(target, task, weight=np.full(300, equal)))
    for one, other in zip(plain, weighted, strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(one[1], other[1], rtol=1e-6, atol=1e-6)


def test_weighted_target_means_worked_by_hand() -> None:
    """Level 0: weights 3 of yes and 1 of no. Smoothed by λ = v·n / (v·n + s), where n = 400² / (100·9 + 100) = 160,
    s = 0.75·0.25, and v = 0.5·0.5 of all rows; level 1 mirrors it."""
    column, target = np.repeat([0, 1], 200), np.arange(400) % 2
    weight = np.where(target == (column == 0), 3.0, 1.0)
    trust = 0.25 * 160 / (0.25 * 160 + 0.1875)

    lookup, block = next(fit_target_means([column], [2], rows_of(target, weight=weight)))

    assert lookup[:, 0] == pytest.approx([0.5 + 0.25 * trust, 0.5 - 0.25 * trust, 0.5, 0.5])
    np.testing.assert_array_equal(block, lookup[column])


def test_rows_without_weight_teach_no_means() -> None:
    rng = np.random.default_rng(0)
    column, target = rng.integers(0, 6, 400), rng.normal(size=400)
    weight = (np.arange(400) % 2).astype(float)
    weight[column == 5] = 0
    poisoned = np.where(weight > 0, target, 1e6)
    lookup, block = next(fit_target_means([column], [6], rows_of(poisoned, REGRESSION, weight=weight)))
    assert np.abs(lookup).max() < 1
    assert np.abs(block).max() < 1
    assert lookup[5, 0] == lookup[UNSEEN, 0] == lookup[MISSING, 0] == pytest.approx(np.average(target, weights=weight))


def test_a_row_that_rules_its_level_by_weight_is_not_told_its_own_target() -> None:
    rng = np.random.default_rng(0)
    column, target, weight = np.arange(4_000) % 8, rng.normal(size=4_000), np.ones(4_000)
    target[0], weight[0] = 100.0, 10_000.0
    lookup, block = next(fit_target_means([column], [8], rows_of(target, REGRESSION, weight=weight)))
    assert lookup[0, 0] > 50
    assert abs(block[0, 0]) < 1
