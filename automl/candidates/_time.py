"""Keeping to the time and the threads that a fit was given, with models that cannot be interrupted."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from automl.candidates import FitContext
from automl.matrix import Array, IntArray

SAFETY = 0.7  # share of the time left that an extrapolated fit may be planned to take


@contextlib.contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """So many threads for OpenMP and linear algebra, whatever the environment says.

    Histogram boosting on two busy cores was measured 4 to 20 times slower with two threads than with one.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads):
        yield


def fit_in_time(
    fit: Callable[[IntArray | None], None],
    context: FitContext,
    target: Array,
    *,
    first: int = 1000,
    power: float = 1.0,
    most: int | None = None,
) -> None:
    """Fit on all rows if a fit on `first` of them says that the deadline allows it, otherwise on fewer.

    Without a deadline there is no trial fit, so that the result follows from rows and seed alone.

    Args:
        fit: fits on rows (r,) int64 ascending, or on all rows when given None; each call replaces the last model.
        target: the rows' classes or values; every class that occurs is among the first rows taken.
        power: how the time grows with the rows: 1 linear, 2 quadratic.
        most: never use more rows than this.
    """
    n = len(target)
    limit = min(n, most or n)
    rows: IntArray | None = None
    if math.isinf(context.deadline) or limit <= first:
        if limit < n:
            rows = np.sort(_shuffle_rows(context, target)[:limit])
        fit(rows)
        return
    order = _shuffle_rows(context, target)
    start = time.monotonic()
    fit(np.sort(order[:first]))
    seconds = max(time.monotonic() - start, 1e-4)
    affordable = first * max(SAFETY * context.seconds_left() / seconds, 0.0) ** (1.0 / power)
    count = int(min(limit, affordable))
    if count >= 1.3 * first or count == limit:
        fit(None if count == n else np.sort(order[:count]))


def _shuffle_rows(context: FitContext, target: Array) -> IntArray:
    """All rows in a random order that begins with one row of each class."""
    order = np.random.default_rng(context.seed).permutation(len(target)).astype(np.int64)
    if not context.task.is_classification:
        return order
    _, heads = np.unique(np.asarray(target)[order], return_index=True)
    rest = np.ones(len(order), dtype=bool)
    rest[heads] = False
    return np.concatenate([order[heads], order[rest]])
