"""Decision trees as one node of a graph: the operator TreeEnsemble, with float32 splits and sums."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl.graph import TREES, Graph
from automl.matrix import Array

AT_MOST, BELOW, MEMBER = 0, 1, 6  # how the operator spells x <= split, x < split and "x is one of"
SUM = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Trees one after the other; children are numbers of nodes within their tree.

    Attributes:
        sizes: (t,) nodes of each tree; the first of them is its root.
        leaf: (n,) bool.
        feature, split: (n,) column and float32 threshold; whatever for leaves and member splits.
        mode: (n,) uint8: `AT_MOST`, `BELOW` or `MEMBER`.
        yes, no: (n,) where a row goes that passes the test, or does not.
        missing_yes: (n,) bool: whether NaN passes.
        value: (n,) float32, what a leaf adds.
        target: (n,) the column that a leaf adds to.
        members: for each `MEMBER` node, in order, the values that pass.
    """

    sizes: Array
    leaf: Array
    feature: Array
    split: Array
    mode: Array
    yes: Array
    no: Array
    missing_yes: Array
    value: Array
    target: Array
    members: tuple[Array, ...] = ()


def add_trees(graph: Graph, matrix: str, splits: Splits, targets: int) -> str:
    """Sums (n, targets) float32 of the leaves that the rows of `matrix` end in."""
    if len(splits.sizes) == 0:
        return graph.rows_like(matrix, np.zeros(targets, dtype=np.float32))
    splits = _with_inner_roots(splits)
    sizes = splits.sizes.astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    leaf = splits.leaf
    inner = ~leaf
    number = np.where(leaf, np.cumsum(leaf) - 1, np.cumsum(inner) - 1)  # place among leaves, or among inner nodes
    offset = np.repeat(starts, sizes)
    yes, no = (offset + splits.yes)[inner], (offset + splits.no)[inner]
    attributes = {
        "aggregate_function": SUM,
        "post_transform": 0,
        "n_targets": targets,
        "tree_roots": number[starts].tolist(),
        "nodes_featureids": splits.feature[inner].astype(np.int64).tolist(),
        "nodes_splits": np.ascontiguousarray(splits.split[inner], dtype=np.float32),
        "nodes_modes": np.ascontiguousarray(splits.mode[inner], dtype=np.uint8),
        "nodes_truenodeids": number[yes].tolist(),
        "nodes_trueleafs": leaf[yes].astype(np.int64).tolist(),
        "nodes_falsenodeids": number[no].tolist(),
        "nodes_falseleafs": leaf[no].astype(np.int64).tolist(),
        "nodes_missing_value_tracks_true": splits.missing_yes[inner].astype(np.int64).tolist(),
        "leaf_targetids": splits.target[leaf].astype(np.int64).tolist(),
        "leaf_weights": np.ascontiguousarray(splits.value[leaf], dtype=np.float32),
    }
    if splits.members:
        gap = np.array([np.nan], dtype=np.float32)
        parts = [part for members in splits.members for part in (members.astype(np.float32), gap)]
        attributes["membership_values"] = np.concatenate(parts)
    return graph.add("TreeEnsemble", matrix, domain=TREES, **attributes)


def _with_inner_roots(splits: Splits) -> Splits:
    """The operator wants a test at each root: a tree that is one leaf becomes a test whose two answers are equal."""
    single = splits.sizes == 1
    if not single.any():
        return splits
    starts = np.cumsum(splits.sizes) - splits.sizes
    repeat = np.ones(len(splits.leaf), dtype=np.int64)
    repeat[starts[single]] = 3
    order = np.repeat(np.arange(len(splits.leaf)), repeat)
    first = np.ones(len(order), dtype=bool)
    first[1:] = order[1:] != order[:-1]
    root = first & (repeat[order] == 3)
    arrays = {
        name: np.array(getattr(splits, name)[order])
        for name in ("leaf", "feature", "split", "mode", "yes", "no", "missing_yes", "value", "target")
    }
    arrays["leaf"][root] = False
    arrays["yes"][root], arrays["no"][root] = 1, 2
    arrays["feature"][root], arrays["split"][root], arrays["mode"][root] = 0, 0.0, AT_MOST
    return Splits(sizes=np.where(single, 3, splits.sizes), members=splits.members, **arrays)
