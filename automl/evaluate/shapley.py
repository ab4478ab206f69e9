"""Shapley values of a model's prediction by sampling: what each column adds between a background row and a row.

A walk starts at a background row and takes over the row's columns one after the other in a random order; what the
prediction moves by at each step is credited to the column that was taken over. Each order is walked forwards and
backwards (antithetic), which removes the error of all interactions of two columns. The mean over walks is an unbiased
estimate of the Shapley value of the interventional game. Strumbelj & Kononenko 2014, doi:10.1007/s10115-013-0679-x;
Mitchell, Cooper, Frank & Holmes 2022, jmlr.org/papers/v23/21-0439.html.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from automl.evaluate.columns import column_places, mix_rows
from automl.matrix import Array
from automl.preprocess.table import Table

# (row numbers (n,), background row numbers (n,), taken (n, d) bool) → outputs (n, k)
Game = Callable[[Array, Array, Array], Array]
CHUNK_ROWS = 8_192


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contributions:
    """What r rows' predictions are made of.

    Attributes:
        values: (r, d, k) contributions; over d they sum to `outputs` minus `base`.
        errors: (r, d, k) standard errors of the sampling.
        base: (k,) mean prediction of the background.
        outputs: (r, k) predictions.
        gap: (r, k) by how much the sampled contributions missed the difference before they were made to fit.
        walks: pairs of walks a row.
    """

    values: Array
    errors: Array
    base: Array
    outputs: Array
    gap: Array
    walks: int


def table_game(predict: Callable[[Table], Array], rows: Table, background: Table, columns: tuple[str, ...]) -> Game:
    """The game of a model on encoded tables, whose players are the user's columns."""
    places = column_places(rows.layout, columns)

    def play(front: Array, back: Array, taken: Array) -> Array:
        return predict(mix_rows(rows.take(front), background.take(back), taken, places))

    return play


def estimate_contributions(
    game: Game,
    *,
    rows: int,
    background: int,
    players: int,
    walks: int,
    rng: np.random.Generator,
    deadline: float = float("inf"),
    call_rows: int = CHUNK_ROWS,
) -> Contributions:
    """Sample the Shapley values of `rows` predictions.

    Args:
        game: see `Game`.
        background: number of background rows; each is met equally often where `walks` is a multiple of it.
        players: number of columns d.
        walks: pairs of walks a row; fewer, but at least two, where the deadline (`time.monotonic()`) comes first.
        call_rows: so many rows are asked about between two looks at the deadline, or those of one pair of walks.
    """
    everyone = np.arange(rows)
    base = _play(game, np.zeros(background, int), np.arange(background), np.zeros((background, players), bool)).mean(0)
    outputs = _play(game, everyone, np.zeros(rows, int), np.ones((rows, players), bool))
    total = np.zeros((rows, players, len(base)))
    squares = np.zeros_like(total)
    wanted, done = max(2, walks), 0
    most = max(1, min(call_rows, CHUNK_ROWS) // (rows * 2 * (players + 1)))  # pairs a row in one call of the model
    orders = np.empty((0,), dtype=np.int64)
    while done < wanted and (done < 2 or time.monotonic() < deadline):
        count = min(most, wanted - done)
        while len(orders) < done + count:  # cycles, each of them meeting every background row once
            orders = np.concatenate([orders, rng.permutation(background)])
        # rows of one call start at different places of the cycle, so that few walks do not all share one background row
        turns = np.arange(done, done + count)
        back = orders[turns // background * background + (turns + everyone[:, None]) % background]  # (rows, count)
        gains = _walk_pairs(game, np.repeat(everyone, count), back.ravel(), players, rng)
        gains = gains.reshape(rows, count, players, -1)
        total += gains.sum(axis=1)
        squares += (gains**2).sum(axis=1)
        done += count
    values = total / done
    spread = np.maximum(0.0, squares / done - values**2) * done / (done - 1)
    errors = np.sqrt(spread / done)
    gap = outputs - base - values.sum(axis=1)
    return Contributions(
        values=values + _share_gap(gap, spread), errors=errors, base=base, outputs=outputs, gap=gap, walks=done
    )


def _walk_pairs(game: Game, rows: Array, back: Array, players: int, rng: np.random.Generator) -> Array:
    """Mean gains (w, d, k) of w random orders, each walked forwards and backwards from `back` to `rows`, both (w,)."""
    orders = rng.permuted(np.tile(np.arange(players), (len(rows), 1)), axis=1)
    both = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, players)  # (2w, d)
    rank = np.argsort(both, axis=1)  # step at which a walk takes over each column
    taken = rank[:, None, :] < np.arange(players + 1)[None, :, None]  # (2w, d + 1, d)
    each = 2 * (players + 1)
    outputs = _play(game, np.repeat(rows, each), np.repeat(back, each), taken.reshape(-1, players))
    moves = np.diff(outputs.reshape(len(both), players + 1, -1), axis=1)  # (2w, step, k)
    gains = np.take_along_axis(moves, rank[:, :, None], axis=1)  # (2w, column, k)
    mean: Array = gains.reshape(len(rows), 2, players, -1).mean(axis=1)
    return mean


def _play(game: Game, front: Array, back: Array, taken: Array) -> Array:
    parts = [
        np.asarray(game(front[start:end], back[start:end], taken[start:end]), dtype=np.float64)
        for start in range(0, len(front), CHUNK_ROWS)
        for end in [start + CHUNK_ROWS]
    ]
    return np.concatenate(parts)


def _share_gap(gap: Array, spread: Array) -> Array:
    """The gap (r, k) laid on the columns by how uncertain each is, so that contributions add up exactly."""
    whole = spread.sum(axis=1, keepdims=True)
    shares = np.divide(spread, whole, out=np.full_like(spread, 1.0 / spread.shape[1]), where=whole > 0)
    return np.asarray(shares * gap[:, None, :])
