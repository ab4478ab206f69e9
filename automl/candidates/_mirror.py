"""Whether left and right may be exchanged in pictures, or tell classes apart as in signs to turn left or right."""

from __future__ import annotations

import numpy as np

from automl.matrix import Array, FloatArray, IntArray

SIDE = 24  # pixels that suffice to tell an arrow's direction, before blocks of BLOCK × BLOCK are averaged
BLOCK = 2  # so that a place counts nearly as its neighbours do
MAX_ROWS = 3_000
LEAST_ROWS = 20  # of each half of a class: of fewer nothing is said
SHARE = 0.7  # of a class' pictures that have to look like it, and of their mirror images that look like another


def has_mirror_classes(pixels: Array, target: Array, rows: IntArray) -> bool:
    """Whether two classes are each other's mirror images.

    The mean pictures of both, learned from half of the rows, say of most others which they are, and of their mirror
    images the opposite. Classes that differ in anything else, as flowers do, keep their side in a mirror.

    Args:
        pixels: (n, h, w, c) uint8.
        target: class (n,).
        rows: those to learn from; no others are looked at.
    """
    classes, counts = np.unique(target[rows], return_counts=True)
    classes = classes[counts >= 2 * LEAST_ROWS]
    if len(classes) < 2:
        return False
    most = max(2 * LEAST_ROWS, MAX_ROWS // len(classes))
    parts = [_look(pixels, _thin(rows[target[rows] == label], most)) for label in classes]
    means = np.stack([part[::2].mean(axis=0) for part in parts])
    straight, mirrored = (
        np.stack([_share_nearer(part[1::2, :, ::turn], means, at) for at, part in enumerate(parts)]) for turn in (1, -1)
    )
    swapped = np.minimum(straight, 1.0 - mirrored) >= SHARE
    return bool((swapped & swapped.T).any())


def _thin(rows: IntArray, most: int) -> IntArray:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def _look(pixels: Array, rows: IntArray) -> FloatArray:
    """Small grey pictures (m, h, w) of some rows, each of mean 0 and deviation 1: light says nothing of left and
    right."""
    step = max(1, max(pixels.shape[1:3]) // SIDE)
    grey = pixels[rows, ::step, ::step].mean(axis=3, dtype=np.float32)
    if min(grey.shape[1:]) >= 2 * BLOCK:
        high, wide = grey.shape[1] // BLOCK, grey.shape[2] // BLOCK
        blocks = grey[:, : high * BLOCK, : wide * BLOCK].reshape(-1, high, BLOCK, wide, BLOCK)
        grey = blocks.mean(axis=(2, 4))
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    grey /= grey.std(axis=(1, 2), keepdims=True) + np.float32(1e-3)
    return np.asarray(grey, dtype=np.float32)


def _share_nearer(looks: FloatArray, means: FloatArray, at: int) -> Array:
    """(k,) share of pictures that are nearer to the mean picture number `at` than to each of the k."""
    flat = means.reshape(len(means), -1)
    scores = looks.reshape(len(looks), -1) @ flat.T - 0.5 * (flat**2).sum(axis=1)
    nearer: Array = (scores[:, at : at + 1] > scores).mean(axis=0)
    return nearer
