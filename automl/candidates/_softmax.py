"""Multinomial logistic regression over sparse rows by stochastic gradients, where L-BFGS would be too dear."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray

EPOCHS = 8
BATCH_ROWS = 128
RATE = 0.05
INTERCEPT_RATE = 0.005


def fit_softmax(
    matrix: Any, codes: Array, classes: int, weight: Array | None, *, penalty: float, seed: int, deadline: float
) -> tuple[FloatArray, FloatArray]:
    """Coefficients (c, m) and intercepts (c,) float32 of a softmax, as good as the time allows.

    Steps are scaled a column at a time by the gradients that it saw (Duchi, Hazan and Singer 2011, "Adaptive
    subgradient methods", JMLR 12:2121-2159), as rare n-grams need long steps, and shrink to nothing over the epochs.

    Args:
        matrix: (n, m) sparse rows, float32.
        codes: (n,) class from 0 to `classes` - 1.
        penalty: share of a coefficient that a step of its column takes away.
        deadline: `time.monotonic()` at which the fit ends with what it has.
    """
    rows = matrix.tocsr()
    rng = np.random.default_rng(seed)
    coefficients = np.zeros((rows.shape[1], classes), dtype=np.float32)
    intercepts = np.zeros(classes, dtype=np.float32)
    seen = np.full(rows.shape[1], 1e-6, dtype=np.float32)
    batches = math.ceil(rows.shape[0] / BATCH_ROWS)
    shares = None if weight is None else np.asarray(weight / weight.mean(), dtype=np.float32)
    for step in range(EPOCHS * batches):
        if step % batches == 0:
            order = rng.permutation(rows.shape[0])
        if time.monotonic() > deadline:
            break
        at = step % batches * BATCH_ROWS
        chosen = order[at : at + BATCH_ROWS]
        batch = rows[chosen]
        errors = _softmax(batch @ coefficients + intercepts)
        errors[np.arange(len(chosen)), codes[chosen]] -= 1.0
        if shares is not None:
            errors *= shares[chosen, None]
        turned = batch.T.tocsr()
        columns = np.flatnonzero(np.diff(turned.indptr))
        gradient = turned[columns] @ errors
        seen[columns] += (gradient * gradient).mean(axis=1)
        left = 1.0 - step / (EPOCHS * batches)
        pace = RATE * left / np.sqrt(seen[columns])
        coefficients[columns] *= 1.0 - penalty * left
        coefficients[columns] -= pace[:, None] * gradient
        intercepts -= INTERCEPT_RATE * left * errors.sum(axis=0)
    return np.ascontiguousarray(coefficients.T), intercepts


def _softmax(margins: FloatArray) -> FloatArray:
    margins -= margins.max(axis=1, keepdims=True)
    np.exp(margins, out=margins)
    margins /= margins.sum(axis=1, keepdims=True)
    return margins
