"""The way of a few rows through many trees, all trees at once: a call per tree would cost more than the walk."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl.matrix import Array, FloatArray

# More rows than these are answered sooner tree by tree; with more nodes, what makes a walk quick takes much memory.
FEW_ROWS, MAX_WALK_NODES = 16, 1_000_000


def lead_on(sizes: Array, left: Array, right: Array) -> bool:
    """Whether every node that is no leaf leads to two later ones of its own tree, and no node is led to twice: then no
    way is endless, and there are no more ways than nodes.

    Args:
        sizes, left, right: see `Walk.plan`.
    """
    nodes, ends = np.arange(len(left)), np.repeat(np.cumsum(sizes.astype(np.int64)), sizes)
    inner = (left != nodes) | (right != nodes)
    children = np.concatenate([left[inner], right[inner]])
    forward = (children > np.tile(nodes[inner], 2)) & (children < np.tile(ends[inner], 2))
    return bool((sizes > 0).all() and forward.all() and np.bincount(children).max(initial=0) <= 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Walk:
    """How a row goes from node to node.

    Attributes:
        starts: (t,) int64 first node of each tree, the deepest tree first.
        order: (t,) int64 where in that order each tree stands.
        feature: (n,) int32 column that a node looks at.
        threshold: (n,) float32; a value at most this goes left.
        missing_left: (n,) bool; where NaN goes.
        children: (2n,) int32: at 2i the right one of node i, at 2i + 1 the left one; of a leaf, itself.
        deep: for each step, how many trees have nodes so far from their first.
    """

    starts: Array
    order: Array
    feature: Array
    threshold: FloatArray
    missing_left: Array
    children: Array
    deep: tuple[int, ...]

    @staticmethod
    def plan(
        sizes: Array,
        left: Array,
        right: Array,
        feature: Array,
        threshold: FloatArray,
        missing_left: Array,
    ) -> Walk:
        """A walk through trees of so many nodes, one after the other.

        Args:
            left, right: (n,) int64 where a node leads to; to itself, if it is a leaf. See `lead_on`.
        """
        sizes = sizes.astype(np.int64)
        starts = np.cumsum(sizes) - sizes
        leaf = left == np.arange(len(left))
        children = np.stack([right, left], axis=1).reshape(-1)
        trees, depths = np.repeat(np.arange(len(sizes)), sizes), np.zeros(len(sizes), dtype=np.int64)
        level = starts[~leaf[starts]]
        while len(level):
            depths[trees[level]] += 1
            level = np.concatenate([left[level], right[level]])
            level = level[~leaf[level]]
        ranked = np.argsort(-depths, kind="stable")
        deep = tuple(int((depths > step).sum()) for step in range(depths.max(initial=0)))
        feature, children = feature.astype(np.int32), children.astype(np.int32)
        return Walk(starts[ranked], np.argsort(ranked), feature, threshold, missing_left, children, deep)

    def go(self, matrix: FloatArray) -> Array:
        """The leaves (n, t) int64 that rows end in, by number of node; trees in their own order."""
        at = np.tile(self.starts, (len(matrix), 1))
        cells, before = matrix.reshape(-1), np.arange(len(matrix))[:, None] * matrix.shape[1]
        has_holes = bool(np.isnan(matrix).any())
        for deep in self.deep:
            here = at[:, :deep]  # where a leaf was reached, it leads to itself
            values = cells.take(self.feature.take(here) + before)
            left = values <= self.threshold.take(here)
            if has_holes:
                left = np.where(np.isnan(values), self.missing_left.take(here), left)
            at[:, :deep] = self.children.take(2 * here + left)
        ends: Array = at[:, self.order]
        return ends
