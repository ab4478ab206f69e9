"""Neighbours that are equally far: the first rows are taken, however a product of matrices rounds."""

from __future__ import annotations

import numpy as np

from automl.candidates.nearest_neighbors import NearestNeighborsEstimator


def fit(rows: np.ndarray, target: np.ndarray, k: int, weights: str) -> NearestNeighborsEstimator:
    estimator = NearestNeighborsEstimator({"n_neighbors": k, "weights": weights}, 2, True)
    estimator.fit(rows, target, None)
    return estimator


def test_of_equally_far_rows_the_first_are_taken() -> None:
    """Thirty rows at distance 1 of the origin, on both sides in turn; the first three say 0, 1 and 1."""
    rows = np.zeros((30, 2), dtype=np.float32)
    rows[::2, 0], rows[1::2, 1] = 1.0, -1.0
    target = np.zeros(30, dtype=np.int64)
    target[1:3] = 1
    found = fit(rows, target, 3, "uniform").predict(np.zeros((1, 2), dtype=np.float32))
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3]], rtol=1e-6)


def test_ties_are_broken_as_by_looking_at_every_row() -> None:
    """Three indicator columns make few distances and many ties."""
    rng = np.random.default_rng(4)
    rows = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (200, 2))].reshape(200, 6) * np.float32(1.7)
    target = rng.integers(0, 2, 200)
    asked = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (20, 2))].reshape(20, 6) * np.float32(1.1)
    found = fit(rows, target, 5, "uniform").predict(asked)
    away = ((asked[:, None, :].astype(float) - rows[None].astype(float)) ** 2).sum(axis=2).round(6)
    first = np.argsort(away, axis=1, kind="stable")[:, :5]
    np.testing.assert_allclose(found[:, 1], target[first].mean(axis=1), rtol=1e-6)


def test_a_row_that_is_known_takes_the_answers_of_its_twins_alone() -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(100, 8)).astype(np.float32)
    rows[40] = rows[3]
    target = np.arange(100) % 2
    found = fit(rows, target, 15, "distance").predict(rows[[3, 5]])
    np.testing.assert_allclose(found[:, 1], [0.5, 1.0], atol=1e-6)
