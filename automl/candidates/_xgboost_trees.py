"""The trees of an XGBoost model, read from its own binary JSON: for a graph, and for a walk of a few rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.candidates._graph_trees import BELOW, MEMBER, Splits
from automl.candidates._tree_walk import FEW_ROWS, MAX_WALK_NODES, Walk, lead_on
from automl.candidates._ubjson import read_ubjson
from automl.matrix import Array, FloatArray

CATEGORICAL = 1  # XGBoost's mark of a split by a set of codes
PLAN_AFTER = 2  # times that few rows were asked for, after which a walk is planned
MAX_SET_CELLS = 30_000_000  # with more codes in all sets, what makes a walk quick takes much memory
ARRAYS = {
    "left": ("left_children", np.int64),
    "right": ("right_children", np.int64),
    "feature": ("split_indices", np.int64),
    "condition": ("split_conditions", np.float32),
    "missing_left": ("default_left", np.bool_),
    "split_type": ("split_type", np.uint8),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BoosterTrees:
    """Trees one after the other, children as numbers of nodes among all.

    A row whose code is in the set of a categorical split goes right, one below the threshold goes left.

    Attributes:
        base: (k,) float64 raw score before the first tree.
        sizes: (t,) int64 nodes of each tree.
        groups: (t,) int64 class that a tree adds to; 0 where there is one score.
        left, right: (n,) int64; of a leaf, itself.
        leaf: (n,) bool.
        feature: (n,) int64 column; 0 for a leaf.
        condition: (n,) float32 threshold, or what a leaf adds.
        missing_left: (n,) bool; where NaN goes.
        set_nodes: (s,) int64 nodes that ask for a set of codes, in order.
        owners, codes: (m,) int64 the codes of all sets, and the place of a code's node among `set_nodes`, in order.
    """

    base: Array
    sizes: Array
    groups: Array
    left: Array
    right: Array
    leaf: Array
    feature: Array
    condition: FloatArray
    missing_left: Array
    set_nodes: Array
    owners: Array
    codes: Array

    @staticmethod
    def of(booster: Any) -> BoosterTrees:
        """Those of an `xgboost.Booster`."""
        learner = read_ubjson(bytes(booster.save_raw("ubj")))["learner"]
        model = learner["gradient_booster"]["model"]
        trees = model["trees"]
        sizes = np.array([len(tree["left_children"]) for tree in trees], dtype=np.int64)
        starts = np.cumsum(sizes) - sizes
        offset, nodes = np.repeat(starts, sizes), np.arange(int(sizes.sum()))
        found = {name: _join([tree[key] for tree in trees], dtype) for name, (key, dtype) in ARRAYS.items()}
        leaf = found["left"] < 0
        is_set = (found.pop("split_type") == CATEGORICAL) & ~leaf
        set_nodes, owners, codes = _read_sets(trees, starts, is_set)
        found["left"] = np.where(leaf, nodes, offset + found["left"])
        found["right"] = np.where(leaf, nodes, offset + found["right"])
        found["feature"] = np.where(leaf, 0, found["feature"])
        groups = np.asarray(model["tree_info"], dtype=np.int64)
        found |= {"leaf": leaf, "set_nodes": set_nodes, "owners": owners, "codes": codes}
        return BoosterTrees(base=_base_scores(learner), sizes=sizes, groups=groups, **found)

    def to_splits(self) -> Splits:
        """As the operator of a graph has them."""
        offset = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        is_set = np.zeros(len(self.leaf), dtype=bool)
        is_set[self.set_nodes] = True
        left, right = self.left - offset, self.right - offset
        return Splits(
            sizes=self.sizes,
            leaf=self.leaf,
            feature=self.feature,
            split=np.where(is_set | self.leaf, np.float32(0), self.condition),
            mode=np.where(is_set, MEMBER, BELOW).astype(np.uint8),
            yes=np.where(is_set, right, left),
            no=np.where(is_set, left, right),
            missing_yes=np.where(is_set, ~self.missing_left, self.missing_left) & ~self.leaf,
            value=np.where(self.leaf, self.condition, np.float32(0)),
            target=np.repeat(self.groups, self.sizes),
            members=tuple(np.split(self.codes, np.searchsorted(self.owners, np.arange(1, len(self.set_nodes))))),
        )


class CodeSets:
    """Whether codes are in sets, as columns of zeros and ones beside those of the matrix: a node that asks for a set
    then compares as all others do."""

    def __init__(self, trees: BoosterTrees) -> None:
        columns = trees.feature[trees.set_nodes]
        by_column = np.argsort(columns, kind="stable")
        self.order = np.argsort(by_column)  # of each set, its place among the new columns
        self.tables: list[tuple[int, Array]] = []  # by column: (codes + 1, its sets) bool; the last row is of no code
        begin = 0
        for column, count in zip(*np.unique(columns, return_counts=True), strict=True):
            own = columns[trees.owners] == column
            codes, place = trees.codes[own], self.order[trees.owners[own]] - begin
            table = np.zeros((codes.max(initial=0) + 2, count), dtype=bool)
            table[codes, place] = True
            self.tables.append((int(column), table))
            begin += count

    def add_columns(self, matrix: FloatArray) -> FloatArray:
        """The matrix (n, f) and, beside it, a column a set; NaN where the code is missing."""
        parts = [matrix]
        for column, table in self.tables:
            values, strange = matrix[:, column], len(table) - 1
            known = (values >= 0) & (values < strange)
            part = table[np.where(known, values, strange).astype(np.int64)].astype(np.float32)
            part[np.isnan(values)] = np.nan
            parts.append(part)
        return np.concatenate(parts, axis=1)


class BoosterWalk:
    """Raw scores of a few rows, by the same additions in float32 that XGBoost makes.

    XGBoost itself takes milliseconds for one row of large trees, ten times as long as they take to be walked.
    """

    def __init__(self, trees: BoosterTrees, columns: int) -> None:
        feature, at_most = trees.feature.copy(), np.nextafter(trees.condition, np.float32(-np.inf))  # it asks for less
        self._sets = CodeSets(trees) if len(trees.set_nodes) else None
        if self._sets is not None:
            feature[trees.set_nodes] = columns + self._sets.order
            at_most[trees.set_nodes] = 0.5
        self._walk = Walk.plan(trees.sizes, trees.left, trees.right, feature, at_most, trees.missing_left)
        self._values = trees.condition
        self._base = trees.base.astype(np.float32)
        self._places = [np.flatnonzero(trees.groups == group) for group in range(len(trees.base))]

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Raw scores (n, k) float32."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
        if self._sets is not None:
            matrix = self._sets.add_columns(matrix)
        values = self._values.take(self._walk.go(matrix))
        scores = np.empty((len(matrix), len(self._base)), dtype=np.float32)
        for group, places in enumerate(self._places):
            begun = np.insert(values[:, places], 0, self._base[group], axis=1)
            scores[:, group] = np.add.accumulate(begun, axis=1)[:, -1]
        return scores


class FewRowsAnswerer:
    """Raw scores of a booster: many rows by itself, few by a walk, once it is seen that few are asked for."""

    def __init__(self) -> None:
        self._asked = 0
        self._walk: BoosterWalk | None = None

    def predict(self, booster: Any, matrix: FloatArray) -> FloatArray:
        """Raw scores (n, k) float32; equal to the last bit, whoever answers."""
        few = len(matrix) <= FEW_ROWS
        if few and self._walk is not None:
            return self._walk.predict(matrix)
        scores = np.asarray(booster.inplace_predict(matrix, predict_type="margin"), dtype=np.float32)
        scores = scores.reshape(len(matrix), -1)
        self._asked += few
        if few and self._asked == PLAN_AFTER + 1:
            walk = plan_walk(booster)
            # another XGBoost may add up otherwise; then it goes on by itself
            self._walk = walk if walk is not None and np.array_equal(walk.predict(matrix), scores) else None
        return scores


def plan_walk(booster: Any) -> BoosterWalk | None:
    """A walk through the trees of an `xgboost.Booster`; None where they are too large, lead astray or are written in
    a way that is not known."""
    try:
        trees, columns = BoosterTrees.of(booster), booster.num_features()
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    if not 0 < len(trees.leaf) <= MAX_WALK_NODES or not _is_sound(trees, columns):
        return None
    cells = (int(trees.codes.max(initial=0)) + 2) * len(trees.set_nodes)
    return BoosterWalk(trees, columns) if cells <= MAX_SET_CELLS else None


def _is_sound(trees: BoosterTrees, columns: int) -> bool:
    """Whether every node leads on, looks at a column that is there, and no code is less than 0."""
    known = (trees.feature >= 0) & (trees.feature < columns)
    return bool(lead_on(trees.sizes, trees.left, trees.right) and known.all() and (trees.codes >= 0).all())


def _read_sets(trees: list[dict[str, Any]], starts: Array, is_set: Array) -> tuple[Array, Array, Array]:
    """Nodes that ask for sets, in order, and their codes in order: `set_nodes`, `owners` and `codes` of the trees."""
    parts = {name: [tree[f"categories_{name}"] for tree in trees] for name in ("nodes", "segments", "sizes")}
    codes = [tree["categories"] for tree in trees]
    lengths = [len(nodes) for nodes in parts["nodes"]]
    before = np.cumsum([0] + [len(part) for part in codes])[:-1]
    nodes = _join(parts["nodes"], np.int64) + np.repeat(starts, lengths)
    begins = _join(parts["segments"], np.int64) + np.repeat(before, lengths)
    kept = np.flatnonzero(is_set[nodes])
    kept = kept[np.argsort(nodes[kept], kind="stable")]
    nodes, begins, sizes = nodes[kept], begins[kept], _join(parts["sizes"], np.int64)[kept]
    owners = np.repeat(np.arange(len(nodes)), sizes)
    at = np.arange(int(sizes.sum())) + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
    found = _join(codes, np.int64)[at]
    order = np.lexsort((found, owners))
    return nodes, owners[order], found[order]


def _base_scores(learner: dict[str, Any]) -> Array:
    parameters = learner["learner_model_param"]
    groups = max(1, int(parameters["num_class"]))
    base = np.array([float(part) for part in str(parameters["base_score"]).strip("[]").split(",")], dtype=np.float64)
    if learner["objective"]["name"] == "binary:logistic":  # stored as a probability
        base = np.log(base / (1 - base))
    return np.broadcast_to(base, (groups,)).astype(np.float64)


def _join(parts: list[Any], dtype: Any) -> Array:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)
