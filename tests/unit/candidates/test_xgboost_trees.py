"""A few rows go through XGBoost's trees by a walk of our own, and answer as XGBoost does, to the last bit."""

from typing import Any

import numpy as np
import pytest

from automl.candidates import _xgboost_trees
from automl.candidates._ubjson import read_ubjson
from automl.candidates._xgboost_trees import PLAN_AFTER, FewRowsAnswerer, plan_walk
from automl.matrix import Array, FloatArray

CODES = 40


def make_rows(count: int, seed: int) -> FloatArray:
    """Four numbers with holes, and codes of two categories; some are missing, some larger than any that was learned."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 6)).astype(np.float32)
    matrix[:, 4] = rng.integers(0, CODES, count)
    matrix[:, 5] = rng.integers(0, 3, count)
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    return matrix


def boost(target: Array, *, rounds: int = 60, types: str = "qqqqcc", **settings: Any) -> Any:
    import xgboost

    rows = make_rows(len(target), 0)
    data = xgboost.QuantileDMatrix(rows, target, feature_types=list(types), enable_categorical=True)
    return xgboost.train({"nthread": 1, "max_depth": 7, **settings}, data, rounds)


def make_target(kind: str) -> Array:
    rows = np.nan_to_num(make_rows(1500, 0))
    values = rows[:, 0] * rows[:, 1] + (rows[:, 4] % 7) + rows[:, 5]
    noisy = values + np.random.default_rng(1).normal(size=len(values)) / 3
    return noisy if kind == "values" else np.digitize(noisy, np.quantile(noisy, [0.5] if kind == "two" else [0.3, 0.6]))


SETTINGS: dict[str, dict[str, Any]] = {
    "values": {"objective": "reg:squarederror"},
    "two": {"objective": "binary:logistic", "base_score": 0.4},
    "three": {"objective": "multi:softprob", "num_class": 3},
}


@pytest.mark.parametrize("grown", [{"grow_policy": "depthwise"}, {"grow_policy": "lossguide", "gamma": 1.0}])
@pytest.mark.parametrize("to_one", [1, 100])
@pytest.mark.parametrize("kind", list(SETTINGS))
def test_a_walk_answers_as_xgboost_does(kind: str, to_one: int, grown: dict[str, Any]) -> None:
    booster = boost(make_target(kind), max_cat_to_onehot=to_one, **SETTINGS[kind], **grown)
    rows = make_rows(200, 5)
    rows[:3, 4] = CODES, CODES + 1000, -1  # codes that no tree knows
    walk = plan_walk(booster)
    assert walk is not None
    expected = booster.inplace_predict(rows, predict_type="margin").reshape(len(rows), -1)
    np.testing.assert_array_equal(walk.predict(rows), expected)
    np.testing.assert_array_equal(walk.predict(rows[7:8]), expected[7:8])


def test_trees_without_categories_are_walked_alike() -> None:
    booster = boost(make_target("values"), types="qqqqqq")
    rows = make_rows(50, 9)
    walk = plan_walk(booster)
    assert walk is not None
    np.testing.assert_array_equal(walk.predict(rows)[:, 0], booster.inplace_predict(rows, predict_type="margin"))


def test_a_walk_is_planned_only_where_few_rows_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Any] = []
    monkeypatch.setattr(_xgboost_trees, "plan_walk", lambda booster: planned.append(booster) or plan_walk(booster))
    booster, rows = boost(make_target("two"), **SETTINGS["two"]), make_rows(300, 2)
    answerer = FewRowsAnswerer()
    many = answerer.predict(booster, rows)
    few = [answerer.predict(booster, rows[:5]) for _ in range(PLAN_AFTER)]
    assert planned == []
    few += [answerer.predict(booster, rows[:5]) for _ in range(3)]
    assert planned == [booster]
    for scores in few:
        np.testing.assert_array_equal(scores, many[:5])


def test_trees_that_are_too_large_are_left_to_xgboost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_xgboost_trees, "MAX_WALK_NODES", 100)
    booster, rows = boost(make_target("values")), make_rows(3, 2)
    assert plan_walk(booster) is None
    answerer = FewRowsAnswerer()
    for _ in range(5):
        assert answerer.predict(booster, rows).shape == (3, 1)


@pytest.mark.parametrize(
    ("place", "key", "value"), [(0, "left_children", 0), (1, "right_children", 10**6), (1, "right_children", 1)]
)
def test_a_tree_that_leads_in_a_circle_out_of_itself_or_twice_to_a_node_is_not_walked(
    place: int, key: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    booster = boost(make_target("values"), rounds=2)

    def read_wrong(data: bytes) -> Any:
        found = read_ubjson(data)
        tree = found["learner"]["gradient_booster"]["model"]["trees"][place]
        tree[key] = np.array(tree[key])
        tree[key][0] = value
        return found

    monkeypatch.setattr(_xgboost_trees, "read_ubjson", read_wrong)
    assert plan_walk(booster) is None


def forget_a_part(data: bytes) -> Any:
    found = read_ubjson(data)
    del found["learner"]["gradient_booster"]["model"]["trees"][0]["default_left"]
    return found


def begin_elsewhere(data: bytes) -> Any:
    found = read_ubjson(data)
    found["learner"]["learner_model_param"]["base_score"] = "[0.25]"
    return found


@pytest.mark.parametrize("read_strange", [forget_a_part, begin_elsewhere])
def test_where_another_xgboost_writes_or_adds_otherwise_it_answers_by_itself(
    read_strange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_xgboost_trees, "read_ubjson", read_strange)
    booster, rows = boost(make_target("values")), make_rows(3, 2)
    answerer = FewRowsAnswerer()
    for _ in range(PLAN_AFTER + 3):
        np.testing.assert_array_equal(answerer.predict(booster, rows)[:, 0], booster.inplace_predict(rows))


def test_binary_json_is_read_as_xgboost_writes_it() -> None:
    booster = boost(make_target("three"), rounds=3, **SETTINGS["three"])
    found = read_ubjson(bytes(booster.save_raw("ubj")))
    model = found["learner"]["gradient_booster"]["model"]
    assert model["gbtree_model_param"]["num_trees"] == "9"
    assert list(model["tree_info"]) == [0, 1, 2] * 3
    nodes = [int(tree["tree_param"]["num_nodes"]) for tree in model["trees"]]
    assert [len(tree["left_children"]) for tree in model["trees"]] == nodes


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-40], lambda data: b"{" * 200, lambda data: b"", lambda data: b"x"]
)
def test_bytes_that_are_no_binary_json_are_refused(spoil: Any) -> None:
    data = bytes(boost(make_target("values"), rounds=2).save_raw("ubj"))
    with pytest.raises(ValueError, match="these bytes"):
        read_ubjson(spoil(data))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{U\x01aT}", {"a": True}),
        (b"[i\x05I\x01\x00SU\x02hiZF]", [5, 256, "hi", None, False]),
        (b"[#U\x02U\x01U\x02", [1, 2]),
        (b"[$l#L\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x07\xff\xff\xff\xff", [7, -1]),
    ],
)
def test_values_of_binary_json_are_read(data: bytes, value: Any) -> None:
    found = read_ubjson(data)
    assert (found.tolist() if isinstance(found, np.ndarray) else found) == value
