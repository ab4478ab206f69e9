"""The softmax that is fitted by stochastic gradients where there are many classes."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from automl.candidates._softmax import fit_softmax


def make_words(rows: int = 1200, classes: int = 30, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Each class has three words of its own, of which a row has one, beside four that tell nothing."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, rows)
    own = codes * 3 + rng.integers(0, 3, rows)
    common = classes * 3 + rng.integers(0, 40, (rows, 4))
    columns = np.column_stack([own, common]).ravel()
    dense = csr_matrix(
        (np.full(rows * 5, 0.5, dtype=np.float32), columns, np.arange(0, rows * 5 + 1, 5)),
        shape=(rows, classes * 3 + 40),
    )
    dense.sum_duplicates()
    return dense, codes


def predict(matrix: Any, found: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    coefficients, intercepts = found
    return np.asarray((matrix @ coefficients.T + intercepts).argmax(axis=1))


def test_words_that_tell_a_class_are_found_among_those_that_do_not() -> None:
    matrix, codes = make_words()
    found = fit_softmax(matrix, codes, 30, None, penalty=1e-5, seed=1, deadline=math.inf)
    fresh, truth = make_words(seed=9)
    assert found[0].shape == (30, 130)
    assert (predict(fresh, found) == truth).mean() > 0.98


def test_the_same_seed_gives_the_same_coefficients() -> None:
    matrix, codes = make_words(300)
    one, other = (fit_softmax(matrix, codes, 30, None, penalty=0.0, seed=4, deadline=math.inf) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


def test_rows_without_weight_teach_nothing() -> None:
    matrix, codes = make_words(3000)
    wrong = codes.copy()
    wrong[1500:] = 0
    weight = np.repeat([1.0, 0.0], 1500)
    found = fit_softmax(matrix, wrong, 30, weight, penalty=0.0, seed=1, deadline=math.inf)
    assert (predict(matrix[1500:], found) == codes[1500:]).mean() > 0.9


def test_a_time_that_is_over_leaves_all_classes_alike() -> None:
    matrix, codes = make_words(300)
    found = fit_softmax(matrix, codes, 30, None, penalty=0.0, seed=1, deadline=time.monotonic() - 1)
    assert not found[0].any()
