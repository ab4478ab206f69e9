"""Flat trees give what scikit-learn's own models give, and cannot be forged into walking astray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.candidates import _trees
from automl.candidates._record import read_arrays, write_arrays
from automl.candidates._tree_walk import lead_on
from automl.candidates._trees import ARRAYS, FILE, Trees, floor_float32, read_boosted_tree, read_sklearn_tree
from automl.errors import ArtifactError


def make_rows(rows: int = 300, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with gaps, and a class that follows from them."""
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(rows, 4)).astype(np.float32)
    target = np.searchsorted(np.linspace(-1, 1, classes - 1), matrix[:, 0] + 0.5 * matrix[:, 1])
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix, target


@given(st.floats(allow_nan=False, allow_infinity=False, width=64), st.floats(allow_nan=False, width=32))
def test_a_rounded_threshold_sends_every_float32_the_same_way(threshold: float, value: float) -> None:
    rounded = floor_float32(np.array([threshold]))[0]
    assert bool(np.float32(value) <= rounded) == (value <= threshold)


@pytest.mark.parametrize("rows", [1, 5, 300], ids=["one row", "few rows", "many rows"])
def test_a_forest_with_missing_values_is_scikit_learns(rows: int) -> None:
    from sklearn.ensemble import RandomForestClassifier

    matrix, target = make_rows()
    forest = RandomForestClassifier(n_estimators=12, random_state=0, max_features=2).fit(matrix, target)
    trees = Trees.join([read_sklearn_tree(member.tree_) for member in forest.estimators_], 4, 3)
    shares = trees.add_up(matrix[:rows]) / trees.count
    np.testing.assert_allclose(shares, forest.predict_proba(matrix[:rows]), atol=1e-7)


@pytest.mark.parametrize("rows", [3, 300], ids=["few rows", "many rows"])
def test_boosted_trees_with_missing_values_are_scikit_learns(rows: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    matrix, target = make_rows()
    model = HistGradientBoostingClassifier(max_iter=15, random_state=0, early_stopping=False).fit(matrix, target)
    several = [read_boosted_tree(predictor.nodes) for each in model._predictors for predictor in each]
    trees = Trees.join(several, 4, 1)
    scores = trees.add_up(matrix[:rows], groups=3) + model._baseline_prediction.reshape(-1)
    np.testing.assert_allclose(scores, model.decision_function(matrix[:rows]), atol=1e-5)


def test_pure_leaves_are_stored_once() -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    matrix, target = make_rows()
    forest = ExtraTreesClassifier(n_estimators=5, random_state=0).fit(matrix, target)
    trees = Trees.join([read_sklearn_tree(member.tree_) for member in forest.estimators_], 4, 3)
    leaves = int((trees.arrays["right"] < 0).sum())
    table = trees.arrays["leaf_values"]
    assert table[:3].tolist() == np.eye(3).tolist()
    assert len(table) < 0.1 * leaves and (table[3:].max(axis=1) < 1).all()


def test_forged_trees_are_refused(tmp_path: Path) -> None:
    """Every pointer is bent in turn; the honest file loads."""
    from sklearn.tree import DecisionTreeRegressor

    matrix, target = make_rows()
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(matrix, target)
    Trees.join([read_sklearn_tree(tree.tree_)], 4, 1).save(tmp_path)
    assert Trees.load(tmp_path, 4, 1).count == 1
    honest = read_arrays(tmp_path / FILE, ARRAYS)
    last = len(honest["right"]) - 1
    bent = [("right", last, 0), ("right", last, 10_000), ("right", last, -7), ("feature", last, 4), ("leaf", 0, 0)]
    bent += [("sizes", 0, 3), ("sizes", 0, -3), ("threshold", last, np.nan), ("leaf_values", 0, np.inf)]
    for name, at, value in bent:
        arrays = {key: values.copy() for key, values in honest.items()}
        arrays[name][at] = value
        write_arrays(tmp_path / FILE, arrays)
        with pytest.raises(ArtifactError):
            Trees.load(tmp_path, 4, 1)
    for name in ARRAYS:
        write_arrays(tmp_path / FILE, {**honest, name: honest[name].astype(np.complex64)})
        with pytest.raises(ArtifactError, match="complex64"):
            Trees.load(tmp_path, 4, 1)


def test_a_few_rows_take_the_same_way_however_they_are_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees of many depths, one of them a single leaf; holes in some cells."""
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 4)).astype(np.float32)
    target = matrix[:, 0] * matrix[:, 1] + rng.normal(scale=0.1, size=300)
    fitted = [DecisionTreeRegressor(max_depth=depth, random_state=0).fit(matrix, target) for depth in (3, None, 7, 1)]
    still = DecisionTreeRegressor().fit(matrix, np.ones(300))
    trees = Trees.join([read_sklearn_tree(model.tree_) for model in (*fitted, still)], 4, 1)
    few = matrix[:9].copy()
    few[2, 1] = few[5] = np.nan
    quick = trees._walk(few)
    monkeypatch.setattr(_trees, "MAX_WALK_NODES", 0)
    np.testing.assert_array_equal(trees._walk(few), quick)
    expected = sum(model.predict(few[:2]) for model in (*fitted, still))
    np.testing.assert_allclose(trees.add_up(few[:2])[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("left", "right", "leads"),
    [
        ([1, 1, 2], [2, 1, 2], True),
        ([1, 1, 2], [1, 1, 2], False),  # both ways to one node: a chain of such has endlessly many
        ([1, 1, 2], [3, 1, 2], False),
        ([1, 0, 2], [2, 1, 2], False),
        ([0, 1, 2], [0, 1, 2], True),  # nothing but leaves
    ],
)
def test_trees_lead_on_where_each_node_has_one_way_to_it(left: list[int], right: list[int], leads: bool) -> None:
    assert lead_on(np.array([3]), np.array(left), np.array(right)) is leads
