"""Many decision trees as a few flat arrays: small and quick on disk, and strictly checked when read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._graph_trees import AT_MOST, Splits, add_trees
from automl.candidates._record import check_array, read_arrays, refuse, write_arrays
from automl.candidates._tree_walk import FEW_ROWS, MAX_WALK_NODES, Walk, lead_on
from automl.graph import Graph
from automl.matrix import Array, FloatArray

FILE = "trees.npz"
ARRAYS = ("sizes", "leaf", "right", "feature", "threshold", "missing_left", "leaf_row", "leaf_values")
LEAF = -1  # scikit-learn's TREE_LEAF
NO_FEATURE = -2  # scikit-learn's TREE_UNDEFINED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """One tree in depth-first order, so that a left child always stands right behind its parent.

    Attributes:
        right: (n,) int32 index of the right child; -1 for a leaf.
        feature: (n,) int32 column that is compared; 0 for a leaf.
        threshold: (n,) float32; a value at most this goes left.
        missing_left: (n,) bool; where NaN goes.
        values: (leaves, v) float32, a row for each leaf in order.
    """

    right: Array
    feature: Array
    threshold: FloatArray
    missing_left: Array
    values: FloatArray


def floor_float32(values: Array) -> FloatArray:
    """The largest float32 at or below each value: the same comparison `x <= value` for every float32 x."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values, dtype=np.float64).astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)


def read_sklearn_tree(tree: Any) -> Nodes:
    """Nodes of a scikit-learn `Tree` grown depth-first; values are its leaves' (k,) class shares or means."""
    leaf = tree.children_left == LEAF
    return Nodes(
        right=np.where(leaf, -1, tree.children_right).astype(np.int32),
        feature=np.where(leaf, 0, tree.feature).astype(np.int32),
        threshold=floor_float32(np.where(leaf, 0.0, tree.threshold)),
        missing_left=np.where(leaf, False, tree.missing_go_to_left).astype(bool),
        values=tree.value[leaf, 0, :].astype(np.float32),
    )


def read_boosted_tree(nodes: Array) -> Nodes:
    """Nodes of one tree of scikit-learn's histogram boosting, put into depth-first order."""
    order, stack = [], [0]
    leaf, left, right = nodes["is_leaf"].astype(bool), nodes["left"], nodes["right"]
    while stack:
        at = stack.pop()
        order.append(at)
        if not leaf[at]:
            stack += [int(right[at]), int(left[at])]
    place = np.empty(len(nodes), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    ordered = nodes[order]
    ends = ordered["is_leaf"].astype(bool)
    return Nodes(
        right=np.where(ends, -1, place[ordered["right"]]).astype(np.int32),
        feature=np.where(ends, 0, ordered["feature_idx"]).astype(np.int32),
        threshold=floor_float32(np.where(ends, 0.0, ordered["num_threshold"])),
        missing_left=np.where(ends, False, ordered["missing_go_to_left"].astype(bool)),
        values=ordered["value"][ends].astype(np.float32).reshape(-1, 1),
    )


class Trees:
    """Trees over the same columns.

    Leaves share a table of distinct value rows: the pure leaves of a classifier, most of a forest, take one row a
    class between them.

    Args:
        arrays: "sizes" (t,) int32, nodes of each tree; then, trees one after the other, the arrays of `Nodes` (n,);
            "leaf_row" (n,) int32, a leaf's row of "leaf_values" (r, v) float32, and -1 elsewhere.
        n_features: columns of the matrix.
    """

    def __init__(self, arrays: dict[str, Array], n_features: int) -> None:
        self.arrays = arrays
        self.n_features = n_features
        self._walkers: list[Any] | None = None
        self._plan: Walk | None = None

    @property
    def count(self) -> int:
        return len(self.arrays["sizes"])

    @property
    def width(self) -> int:
        """Values a leaf holds."""
        return int(self.arrays["leaf_values"].shape[1])

    @staticmethod
    def join(trees: Sequence[Nodes], n_features: int, width: int) -> Trees:
        """Flat arrays of several trees whose leaves hold `width` values."""
        values = _join([tree.values for tree in trees], np.float32, (0, width))
        table, leaf_row = _share_rows(values)
        right = _join([tree.right for tree in trees], np.int32)
        rows = np.full(len(right), -1, dtype=np.int32)
        rows[right < 0] = leaf_row
        arrays = {
            "sizes": np.array([len(tree.right) for tree in trees], dtype=np.int32),
            "right": right,
            "feature": _join([tree.feature for tree in trees], np.int32),
            "threshold": _join([tree.threshold for tree in trees], np.float32),
            "missing_left": _join([tree.missing_left for tree in trees], np.bool_),
            "leaf_row": rows,
            "leaf_values": table,
        }
        return Trees(arrays, n_features)

    def add_up(self, matrix: FloatArray, groups: int = 1) -> Array:
        """Sums (n, groups · v) float64 of the leaf values that the rows end in.

        Args:
            groups: tree number t belongs to group t mod `groups`, whose sum stands in its own columns.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
        total = np.zeros((len(matrix), groups, self.width), dtype=np.float64)
        if len(matrix) <= FEW_ROWS:
            values = self.arrays["leaf_values"][self._walk(matrix)]
            for group in range(groups):
                total[:, group] = values[:, group::groups].sum(axis=1, dtype=np.float64)
        else:
            for at, rows in enumerate(self._apply(matrix)):
                total[:, at % groups] += self.arrays["leaf_values"][rows]
        return total.reshape(len(matrix), -1)

    def _walk(self, matrix: FloatArray) -> Array:
        """Leaf rows (n, trees) of a few rows."""
        if len(self.arrays["right"]) > MAX_WALK_NODES:
            return self._walk_while_going(matrix)
        if self._plan is None:
            asked = (self.arrays[name] for name in ("feature", "threshold", "missing_left"))
            self._plan = Walk.plan(self.arrays["sizes"], *_find_children(self.arrays), *asked)
        leaves: Array = self.arrays["leaf_row"].take(self._plan.go(matrix))
        return leaves

    def _walk_while_going(self, matrix: FloatArray) -> Array:
        """`_walk` of trees with so many nodes that what makes it quick would take much memory."""
        sizes = self.arrays["sizes"].astype(np.int64)
        starts = np.cumsum(sizes) - sizes
        right, feature, threshold = self.arrays["right"], self.arrays["feature"], self.arrays["threshold"]
        at = np.tile(starts, (len(matrix), 1))
        start = at.copy()
        row = np.broadcast_to(np.arange(len(matrix))[:, None], at.shape)
        going = right[at] >= 0
        while going.any():
            here = at[going]
            values = matrix[row[going], feature[here]]
            left = np.where(np.isnan(values), self.arrays["missing_left"][here], values <= threshold[here])
            at[going] = np.where(left, here + 1, start[going] + right[here])
            going[going] = right[at[going]] >= 0
        leaves: Array = self.arrays["leaf_row"][at]
        return leaves

    def _apply(self, matrix: FloatArray) -> Iterable[Array]:
        """For each tree the leaf rows (n,) of many rows, by scikit-learn's compiled walk."""
        starts = np.concatenate([[0], np.cumsum(self.arrays["sizes"])])
        if self._walkers is None:
            self._walkers = list(self._build_walkers())
        for start, walker in zip(starts, self._walkers, strict=False):
            yield self.arrays["leaf_row"][start + walker.apply(matrix)]

    def _build_walkers(self) -> Iterable[Any]:
        from sklearn.tree._tree import NODE_DTYPE, Tree

        start = 0
        for size in self.arrays["sizes"].tolist():
            part = slice(start, start + size)
            right = self.arrays["right"][part]
            leaf = right < 0
            nodes = np.zeros(size, dtype=NODE_DTYPE)
            nodes["left_child"] = np.where(leaf, LEAF, np.arange(1, size + 1))
            nodes["right_child"] = right
            nodes["feature"] = np.where(leaf, NO_FEATURE, self.arrays["feature"][part])
            nodes["threshold"] = self.arrays["threshold"][part]
            nodes["missing_go_to_left"] = self.arrays["missing_left"][part]
            tree = Tree(self.n_features, np.ones(1, dtype=np.intp), 1)
            state = {"max_depth": 0, "node_count": size, "nodes": nodes, "values": np.zeros((size, 1, 1))}
            tree.__setstate__(state)
            yield tree
            start += size

    def to_graph(self, graph: Graph, matrix: str, groups: int = 1) -> str:
        """`add_up` as (n, groups · v) float64.

        Where leaves hold several values, each tree tells its leaf's row of the table of values, whose mean is taken
        beside the trees: the operator's leaves hold one value.
        """
        leaf = self.arrays["right"] < 0
        sizes = self.arrays["sizes"].astype(np.int64)
        tree = np.repeat(np.arange(self.count), sizes)
        within = np.arange(len(leaf)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = np.maximum(self.arrays["leaf_row"], 0)
        value = self.arrays["leaf_values"][rows, 0] if self.width == 1 else rows.astype(np.float32)
        splits = Splits(
            sizes=sizes,
            leaf=leaf,
            feature=self.arrays["feature"],
            split=self.arrays["threshold"],
            mode=np.full(len(leaf), AT_MOST, dtype=np.uint8),
            yes=within + 1,
            no=self.arrays["right"].astype(np.int64),
            missing_yes=self.arrays["missing_left"],
            value=np.where(leaf, value, np.float32(0)),
            target=tree % groups if self.width == 1 else tree,
        )
        if self.width == 1:
            return graph.cast(add_trees(graph, matrix, splits, groups), "float64")
        assert groups == 1, "only trees with one value a leaf come in groups"
        ends = graph.cast(add_trees(graph, matrix, splits, self.count), "int64")
        values = graph.add("Gather", self.arrays["leaf_values"].astype(np.float64), ends, axis=0)
        return graph.total(values, 1, keep=False)

    def save(self, folder: Path) -> None:
        """Write one .npz: what only inner nodes have is stored for them alone, and likewise for leaves."""
        leaf = self.arrays["right"] < 0
        stored = {name: self.arrays[name][~leaf] for name in ("right", "feature", "threshold")}
        if self.n_features <= 2**16:
            stored["feature"] = stored["feature"].astype(np.uint16)
        stored["missing_left"] = np.packbits(self.arrays["missing_left"][~leaf])
        stored["leaf"] = np.packbits(leaf)
        stored["leaf_row"] = self.arrays["leaf_row"][leaf if self.width > 1 else slice(0)]
        stored |= {name: self.arrays[name] for name in ("sizes", "leaf_values")}
        write_arrays(folder / FILE, stored)

    @staticmethod
    def load(folder: Path, n_features: int, width: int) -> Trees:
        """Trees that cannot lead a walk astray.

        Raises:
            ArtifactError: if an array has another type or shape, or a node points backwards, out of its tree, or at a
                column or a leaf that is not there.
        """
        stored = read_arrays(folder / FILE, ARRAYS)
        check_array(folder, stored["sizes"], "sizes", "int32", (-1,))
        check_array(folder, stored["leaf_values"], "leaf_values", "float32", (-1, width))
        total = int(stored["sizes"].astype(np.int64).sum())
        if (stored["sizes"] < 1).any() or total >= 2**31:
            raise refuse(folder, "its trees have strange sizes")
        check_array(folder, stored["leaf"], "leaf", "uint8", (-(-total // 8),))
        leaf = np.unpackbits(stored["leaf"], count=total).astype(bool)
        leaves = int(leaf.sum())
        inner = total - leaves
        small = "uint16" if n_features <= 2**16 else "int32"
        for name, dtype in (("right", "int32"), ("feature", small), ("threshold", "float32")):
            check_array(folder, stored[name], name, dtype, (inner,))
        check_array(folder, stored["missing_left"], "missing_left", "uint8", (-(-inner // 8),))
        check_array(folder, stored["leaf_row"], "leaf_row", "int32", (leaves if width > 1 else 0,))
        arrays = {name: stored[name] for name in ("sizes", "leaf_values")}
        for name, empty, dtype in (("right", -1, "int32"), ("feature", 0, "int32"), ("threshold", 0, "float32")):
            arrays[name] = np.full(total, empty, dtype=dtype)
            arrays[name][~leaf] = stored[name]
        arrays["missing_left"] = np.zeros(total, dtype=bool)
        arrays["missing_left"][~leaf] = np.unpackbits(stored["missing_left"], count=inner).astype(bool)
        arrays["leaf_row"] = np.full(total, -1, dtype=np.int32)
        arrays["leaf_row"][leaf] = stored["leaf_row"] if width > 1 else np.arange(leaves, dtype=np.int32)
        if not _is_sound(arrays, leaf, n_features):
            raise refuse(folder, "a tree in it points outside itself")
        return Trees(arrays, n_features)


def _find_children(arrays: dict[str, Array]) -> tuple[Array, Array]:
    """Left and right child (n,) int64 of each node, by number among all; of a leaf, itself."""
    sizes, leaf = arrays["sizes"].astype(np.int64), arrays["right"] < 0
    nodes = np.arange(len(leaf))
    right = np.repeat(np.cumsum(sizes) - sizes, sizes) + arrays["right"]
    return np.where(leaf, nodes, nodes + 1), np.where(leaf, nodes, right)


def _is_sound(arrays: dict[str, Array], leaf: Array, n_features: int) -> bool:
    inner = ~leaf
    columns = (arrays["feature"][inner] >= 0) & (arrays["feature"][inner] < n_features)
    rows = (arrays["leaf_row"][leaf] >= 0) & (arrays["leaf_row"][leaf] < len(arrays["leaf_values"]))
    numbers = np.isfinite(arrays["leaf_values"]).all() and not np.isnan(arrays["threshold"]).any()
    is_marked = (arrays["right"][inner] >= 0).all()  # else it would pass for a leaf
    leads = is_marked and lead_on(arrays["sizes"], *_find_children(arrays))
    return bool(leads and columns.all() and rows.all() and numbers)


def _join(parts: Sequence[Array], dtype: Any, shape: tuple[int, ...] = (0,)) -> Array:
    return np.concatenate(parts, dtype=dtype) if parts else np.zeros(shape, dtype=dtype)


def _share_rows(values: FloatArray) -> tuple[FloatArray, Array]:
    """A table of rows and each leaf's place in it; one-hot rows are stored once."""
    width = values.shape[1]
    if width == 1:
        return values, np.arange(len(values), dtype=np.int32)
    pure = values.max(axis=1, initial=0.0) == 1.0
    place = np.empty(len(values), dtype=np.int32)
    place[pure] = values[pure].argmax(axis=1)
    place[~pure] = width + np.arange(int((~pure).sum()), dtype=np.int32)
    return np.concatenate([np.eye(width, dtype=np.float32), values[~pure]]), place
