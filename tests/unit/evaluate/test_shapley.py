"""Shapley values against games whose answer is known by hand, and what holds for every game."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.evaluate.shapley import Contributions, Game, estimate_contributions
from automl.matrix import Array


def make_game(function: object, rows: Array, background: Array) -> Game:
    """The game of a function of plain arrays (n, d) → (n,)."""

    def play(front: Array, back: Array, taken: Array) -> Array:
        return np.asarray(function(np.where(taken, rows[front], background[back])))[:, None]  # type: ignore[operator]

    return play


def estimate(function: object, rows: Array, background: Array, walks: int, seed: int = 0) -> Contributions:
    return estimate_contributions(
        make_game(function, rows, background),
        rows=len(rows),
        background=len(background),
        players=rows.shape[1],
        walks=walks,
        rng=np.random.default_rng(seed),
    )


def exact(function: object, row: Array, background: Array) -> Array:
    """Shapley values by their definition: a weighted sum over all sets of the other columns."""
    d = len(row)

    def value(taken: tuple[int, ...]) -> float:
        mixed = background.copy()
        mixed[:, list(taken)] = row[list(taken)]
        return float(np.mean(function(mixed)))  # type: ignore[operator]

    found = np.zeros(d)
    for column in range(d):
        others = [other for other in range(d) if other != column]
        for size in range(d):
            for taken in itertools.combinations(others, size):
                share = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
                found[column] += share * (value((*taken, column)) - value(taken))
    return found


def test_a_linear_model_is_explained_exactly() -> None:
    """2·x1 − 3·x2 + 0·x3 at (5, 1, 9); the background's means are (2, 3, 4): 2·(5−2) = 6, −3·(1−3) = 6, and 0."""
    background = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    found = estimate(lambda x: 2 * x[:, 0] - 3 * x[:, 1], np.array([[5.0, 1.0, 9.0]]), background, walks=2)
    assert found.values[0, :, 0] == pytest.approx([6.0, 6.0, 0.0])
    assert found.base[0] == pytest.approx(-5.0)  # 2·2 − 3·3
    assert found.outputs[0, 0] == pytest.approx(7.0)
    assert found.gap[0, 0] == pytest.approx(0.0)


def test_a_product_is_shared_equally() -> None:
    """x1·x2 at (3, 4) against (0, 0): 12, half of it each; one pair of walks is exact for two columns."""
    found = estimate(lambda x: x[:, 0] * x[:, 1], np.array([[3.0, 4.0]]), np.zeros((1, 2)), walks=2)
    assert found.values[0, :, 0] == pytest.approx([6.0, 6.0])
    assert found.errors[0, :, 0] == pytest.approx([0.0, 0.0])


def test_an_or_of_three_comes_out_as_by_the_definition() -> None:
    """any(x) at (1, 1, 1) against (0, 0, 0): a third each, by symmetry."""
    found = estimate(lambda x: x.max(axis=1), np.ones((1, 3)), np.zeros((1, 3)), walks=3_000)
    assert found.values[0, :, 0] == pytest.approx([1 / 3] * 3, abs=0.02)
    assert (found.errors[0, :, 0] > 0).all()


def test_the_standard_error_says_how_far_off_an_estimate_is() -> None:
    """Over many seeds about 95 of 100 estimates lie within 1.96 standard errors of the truth."""
    rng = np.random.default_rng(1)
    background, row = rng.normal(size=(8, 4)), rng.normal(size=4)

    def bumpy(x: Array) -> Array:
        return np.sin(2 * x[:, 0]) * x[:, 1] + np.maximum(x[:, 2], x[:, 3]) * x[:, 0]

    truth = exact(bumpy, row, background)
    inside = [
        np.abs(found.values[0, :, 0] - truth) <= 1.96 * found.errors[0, :, 0]
        for seed in range(60)
        for found in [estimate(bumpy, row[None], background, walks=80, seed=seed)]
    ]
    assert np.mean(inside) > 0.9


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(1, 9), st.integers(0, 10_000))
def test_contributions_always_sum_to_the_prediction_minus_the_base(
    players: int, background: int, rows: int, walks: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(players, players))

    def quadratic(x: Array) -> Array:
        return np.einsum("ni,ij,nj->n", x, weights, x) + np.abs(x).max(axis=1)

    found = estimate(quadratic, rng.normal(size=(rows, players)), rng.normal(size=(background, players)), walks, seed)
    assert found.values.sum(axis=1) == pytest.approx(found.outputs - found.base, abs=1e-8)
    if found.walks % background == 0:  # each background row was met equally often: nothing had to be made to fit
        assert found.gap == pytest.approx(np.zeros((rows, 1)), abs=1e-8)


def test_a_column_that_the_model_does_not_read_gets_nothing() -> None:
    rng = np.random.default_rng(2)
    found = estimate(lambda x: np.exp(x[:, 0]), rng.normal(size=(3, 3)), rng.normal(size=(4, 3)), walks=5)
    assert np.abs(found.values[:, 1:]).max() == 0.0


def test_the_deadline_ends_the_sampling_after_two_walks_at_the_soonest() -> None:
    found = estimate_contributions(
        make_game(lambda x: x.sum(axis=1), np.ones((9_000, 2)), np.zeros((3, 2))),
        rows=9_000, background=3, players=2, walks=10_000, rng=np.random.default_rng(0), deadline=time.monotonic() - 1,
    )  # fmt: skip
    assert found.walks == 2
