"""The trees of an XGBoost model, read from its own JSON, as splits of a graph."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from automl.candidates._graph_trees import BELOW, MEMBER, Splits
from automl.matrix import Array

CATEGORICAL = 1  # XGBoost's mark of a split by a set of codes


def read_booster(booster: Any) -> tuple[Splits, Array]:
    """Trees of a booster, and the raw score (k,) float64 before the first of them."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    model = learner["gradient_booster"]["model"]
    groups = max(1, int(learner["learner_model_param"]["num_class"]))
    trees = [_read_tree(tree) for tree in model["trees"]]
    target = np.repeat(np.asarray(model["tree_info"], dtype=np.int64), [len(tree["yes"]) for tree in trees])
    names = ("leaf", "feature", "split", "mode", "yes", "no", "missing_yes", "value")
    arrays = {name: np.concatenate([tree[name] for tree in trees]) for name in names}
    members = tuple(values for tree in trees for values in tree["members"])
    sizes = np.array([len(tree["yes"]) for tree in trees], dtype=np.int64)
    splits = Splits(sizes=sizes, target=target, members=members, **arrays)
    return splits, _base_scores(learner, groups)


def _base_scores(learner: dict[str, Any], groups: int) -> Array:
    text = str(learner["learner_model_param"]["base_score"]).strip("[]")
    base = np.array([float(part) for part in text.split(",")], dtype=np.float64)
    if learner["objective"]["name"] == "binary:logistic":  # stored as a probability
        base = np.log(base / (1 - base))
    return np.broadcast_to(base, (groups,)).astype(np.float64)


def _read_tree(tree: dict[str, Any]) -> dict[str, Any]:
    """A row whose code is in the set of a categorical split goes right, one below the threshold goes left."""
    left = np.asarray(tree["left_children"], dtype=np.int64)
    right = np.asarray(tree["right_children"], dtype=np.int64)
    leaf = left < 0
    is_set = np.zeros(len(left), dtype=bool)
    if tree["categories_nodes"]:
        is_set = (np.asarray(tree["split_type"]) == CATEGORICAL) & ~leaf
    missing_left = np.asarray(tree["default_left"]).astype(bool)
    condition = np.asarray(tree["split_conditions"], dtype=np.float64).astype(np.float32)
    codes = np.asarray(tree["categories"])
    sets = {
        node: np.sort(codes[start : start + size])
        for node, start, size in zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
        )
    }
    return {
        "leaf": leaf,
        "feature": np.where(leaf, 0, np.asarray(tree["split_indices"], dtype=np.int64)),
        "split": np.where(is_set | leaf, np.float32(0), condition),
        "mode": np.where(is_set, MEMBER, BELOW).astype(np.uint8),
        "yes": np.where(is_set, right, left),
        "no": np.where(is_set, left, right),
        "missing_yes": np.where(is_set, ~missing_left, missing_left) & ~leaf,
        "value": np.where(leaf, condition, np.float32(0)),
        "members": [sets[node] for node in np.nonzero(is_set)[0].tolist()],
    }
