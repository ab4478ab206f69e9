"""Descriptors of pictures in plain numpy: filters learned from patches, oriented gradients, colours."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from automl.matrix import Array, FloatArray

PATCH = 6
PATCHES = 40_000
WORKING_SIDE = 48  # filters look at pictures brought down to this
ORIENTATIONS = 9
CHUNK_VALUES = 40_000_000
THRESHOLD = np.float32(0.25)
Filters = dict[str, Array]


def shrink(pictures: Array, side: int) -> FloatArray:
    """Pictures (n, h, w, c) float32, averaged over blocks until the longer side is at most `side`."""
    factor = -(-max(pictures.shape[1:3]) // side)
    if factor <= 1:
        return pictures.astype(np.float32)
    n, h, w, c = pictures.shape
    h, w = h // factor, w // factor
    blocks = pictures[:, : h * factor, : w * factor].reshape(n, h, factor, w, factor, c)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32))


def learn_filters(pictures: Array, count: int, seed: int) -> Filters:
    """Whitening and a dictionary of patches, without labels.

    Single-layer features of Coates, Ng & Lee 2011 (proceedings.mlr.press/v15/coates11a): patches with their mean and
    contrast taken out, ZCA-whitened, k-means centres as filters.

    Args:
        pictures: training rows (n, h, w, c) uint8.

    Returns:
        "weights" (p, k) and "bias" (k,) float32: what patches (p values each) are multiplied with.
    """
    from sklearn.cluster import MiniBatchKMeans

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(pictures), min(len(pictures), 4_000), replace=False))
    small = shrink(np.asarray(pictures[rows]), WORKING_SIDE)
    size = min(PATCH, *small.shape[1:3])
    drawn = min(PATCHES, 100 * len(small))
    picks = rng.integers(0, len(small), drawn)
    tops = rng.integers(0, small.shape[1] - size + 1, drawn)
    lefts = rng.integers(0, small.shape[2] - size + 1, drawn)
    windows = sliding_window_view(small, (size, size), axis=(1, 2))
    patches = _normalize(windows[picks, tops, lefts].transpose(0, 2, 3, 1).reshape(drawn, -1))
    mean = patches.mean(axis=0)
    covariance = np.cov((patches - mean).T.astype(np.float64))
    values, vectors = np.linalg.eigh(covariance)
    whiten = ((vectors / np.sqrt(np.maximum(values, 0) + 0.1)) @ vectors.T).astype(np.float32)
    white = (patches - mean) @ whiten
    kmeans = MiniBatchKMeans(
        min(count, drawn), batch_size=2048, n_init=1, max_iter=20, init="random", random_state=seed
    )
    centres = kmeans.fit(white).cluster_centers_.astype(np.float32)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-6)
    weights = np.ascontiguousarray(whiten @ centres.T)
    return {"weights": weights, "bias": (mean @ weights).astype(np.float32)}


def _normalize(patches: FloatArray) -> FloatArray:
    centred = patches - patches.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(centred.var(axis=1, keepdims=True) + np.float32(10.0)), dtype=np.float32)


def apply_filters(pictures: Array, filters: Filters, grid: int) -> FloatArray:
    """(n, grid²·k) float32: the root of each filter's mean response above a threshold, in each field of a grid."""
    weights, bias = filters["weights"], filters["bias"]
    h, w, c = shrink(pictures[:1], WORKING_SIDE).shape[1:]
    size = round((len(weights) / c) ** 0.5)
    count = weights.shape[1]
    high, wide = h - size + 1, w - size + 1
    result = np.empty((len(pictures), grid * grid * count), dtype=np.float32)
    step = max(1, CHUNK_VALUES // (high * wide * max(count, len(weights))))
    rows, columns = cut_fields(high, grid), cut_fields(wide, grid)
    for start in range(0, len(pictures), step):
        small = shrink(pictures[start : start + step], WORKING_SIDE)
        windows = sliding_window_view(small, (size, size), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        patches = _normalize(windows.reshape(-1, len(weights)))
        response = patches @ weights
        response -= bias + THRESHOLD
        np.maximum(response, 0, out=response)
        maps = response.reshape(len(small), high, wide, count)
        pooled = [maps[:, top:bottom, left:right].mean(axis=(1, 2)) for top, bottom in rows for left, right in columns]
        result[start : start + len(small)] = np.sqrt(np.concatenate(pooled, axis=1))
    return result


def cut_fields(length: int, grid: int) -> list[tuple[int, int]]:
    """Where a side is cut into so many fields: first place and the one behind the last; none is empty."""
    cuts = np.linspace(0, length, grid + 1).round().astype(int)
    first = [min(int(cut), length - 1) for cut in cuts[:-1]]
    return [(low, max(int(high), low + 1)) for low, high in zip(first, cuts[1:], strict=True)]


def describe_gradients(pictures: Array) -> FloatArray:
    """Histograms of oriented gradients, (n, m) float32.

    Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177: cells of about an eighth of the longer side, nine orientations
    without sign, blocks of 2×2 cells scaled to length one, cut off at 0.2 and scaled again.
    """
    n, h, w, _ = pictures.shape
    side = max(2, round(max(h, w) / 8))
    high, wide = max(1, h // side), max(1, w // side)
    cells = np.empty((n, high, wide, ORIENTATIONS), dtype=np.float32)
    bottom, end = min(h, high * side), min(w, wide * side)  # a picture may be narrower than one cell
    places = (np.arange(bottom) // side)[:, None] * wide + np.arange(end) // side
    step = max(1, CHUNK_VALUES // (h * w * 20))
    for start in range(0, n, step):
        grey = np.sqrt(pictures[start : start + step].mean(axis=3, dtype=np.float32))
        down, right = np.gradient(grey, axis=(1, 2))
        down, right = (part[:, :bottom, :end] for part in (down, right))
        size = np.hypot(down, right)
        turn = np.arctan2(down, right) * np.float32(ORIENTATIONS / np.pi) + ORIENTATIONS
        low = np.floor(turn)
        upper = turn - low
        first = low.astype(np.int64) % ORIENTATIONS
        base = (np.arange(len(grey))[:, None, None] * (high * wide) + places) * ORIENTATIONS
        length = len(grey) * high * wide * ORIENTATIONS
        # each gradient counts for the two directions that it lies between
        votes = np.bincount((base + first).ravel(), (size * (1 - upper)).ravel(), length)
        votes += np.bincount((base + (first + 1) % ORIENTATIONS).ravel(), (size * upper).ravel(), length)
        cells[start : start + len(grey)] = votes.reshape(-1, high, wide, ORIENTATIONS)
    return _normalize_blocks(cells)


def _normalize_blocks(cells: FloatArray) -> FloatArray:
    n, high, wide, _ = cells.shape
    if high < 2 or wide < 2:
        blocks = cells.reshape(n, -1, ORIENTATIONS)
    else:
        parts = [cells[:, a : high - 1 + a, b : wide - 1 + b] for a in (0, 1) for b in (0, 1)]
        blocks = np.concatenate(parts, axis=3).reshape(n, (high - 1) * (wide - 1), 4 * ORIENTATIONS)
    blocks = blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-3)
    blocks = np.minimum(blocks, 0.2)
    blocks = blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-3)
    return np.asarray(blocks.reshape(n, -1), dtype=np.float32)


def describe_colors(pictures: Array) -> FloatArray:
    """(n, m) float32: a joint histogram of colours (or of grey), and mean and spread of each channel in a 3×3 grid."""
    n, h, w, c = pictures.shape
    bins = 4 if c == 3 else 16
    parts = [np.empty((n, bins**c), dtype=np.float32)]
    codes = np.zeros((n, h * w), dtype=np.int64)
    for channel in range(c):
        codes = codes * bins + (pictures[..., channel].reshape(n, -1) // (256 // bins))
    for row in range(n):
        parts[0][row] = np.bincount(codes[row], minlength=bins**c)
    parts[0] = np.sqrt(parts[0] / np.float32(h * w))
    for top, bottom in cut_fields(h, 3):
        for left, right in cut_fields(w, 3):
            field = pictures[:, top:bottom, left:right].astype(np.float32) / np.float32(255)
            parts += [field.mean(axis=(1, 2)), field.std(axis=(1, 2))]
    return np.concatenate(parts, axis=1)
