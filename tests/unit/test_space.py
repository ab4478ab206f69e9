"""SearchSpace: what is drawn lies inside, what is completed is complete, and conditions hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.space import Choice, Condition, Float, Int, Params, SearchSpace, split_params

KERNELS = SearchSpace(
    {
        "kernel": Choice(("linear", "rbf", "poly"), "rbf"),
        "gamma": Float(1e-4, 10.0, 0.1, log=True),
        "degree": Int(2, 5, 3),
        "coef": Float(-1.0, 1.0, 0.0),
    },
    {
        "gamma": Condition("kernel", ("rbf", "poly")),
        "degree": Condition("kernel", ("poly",)),
        "coef": Condition("degree", (3, 4, 5)),
    },
)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    parameters: dict[str, Float | Int | Choice] = {}
    conditions: dict[str, Condition] = {}
    for number in range(draw(st.integers(1, 6))):
        name = f"p{number}"
        log = draw(st.booleans())
        kind = draw(st.sampled_from(["float", "int", "choice"]))
        if kind == "float":
            low = draw(st.floats(1e-6, 1e3) if log else st.floats(-1e3, 1e3))
            high = draw(st.floats(low, 2e3))
            parameters[name] = Float(low, high, draw(st.floats(low, high)), log)
        elif kind == "int":
            least = draw(st.integers(1 if log else -50, 50))
            most = draw(st.integers(least, 100))
            parameters[name] = Int(least, most, draw(st.integers(least, most)), log)
        else:
            values = draw(st.lists(st.sampled_from(["a", "b", None, 0.5]), min_size=1, max_size=4, unique=True))
            parameters[name] = Choice(tuple(values), values[0])
        parents = [other for other, parameter in parameters.items() if isinstance(parameter, Choice) and other != name]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            conditions[name] = Condition(parent, (draw(st.sampled_from(parameters[parent].edges())),))
    return SearchSpace(parameters, conditions)


def _assert_holds(space: SearchSpace, params: Params) -> None:
    for name, parameter in space.parameters.items():
        condition = space.conditions.get(name)
        wanted = condition is None or (condition.parent in params and params[condition.parent] in condition.values)
        assert (name in params) == wanted
        if wanted:
            assert parameter.contains(params[name])


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_what_is_drawn_lies_inside_and_is_a_function_of_the_seed(space: SearchSpace, seed: int) -> None:
    params = space.sample(np.random.default_rng(seed))
    _assert_holds(space, params)
    assert space.sample(np.random.default_rng(seed)) == params


@given(space=spaces(), seed=st.integers(0, 2**32 - 1), size=st.floats(0, 1))
def test_a_step_from_a_configuration_leads_to_another_one(space: SearchSpace, seed: int, size: float) -> None:
    start = space.sample(np.random.default_rng(seed))
    params = space.step(start, size, np.random.default_rng(seed))
    _assert_holds(space, params)
    assert space.step(start, size, np.random.default_rng(seed)) == params
    assert space.step(start, 0.0, np.random.default_rng(seed)) == pytest.approx(start)


def test_a_step_goes_its_share_of_the_range() -> None:
    rng = np.random.default_rng(1)
    rates = [np.log10(Float(1e-3, 1e3, 1.0, log=True).step(1.0, 0.1, rng)) for _ in range(500)]
    assert np.std(rates) == pytest.approx(0.6, rel=0.1) and abs(np.mean(rates)) < 0.1
    leaves = [Int(0, 100, 50).step(50, 0.1, rng) for _ in range(500)]
    assert np.std(leaves) == pytest.approx(10, rel=0.1)
    kinds = [Choice(tuple("abcde"), "a").step("b", 0.2, rng) for _ in range(500)]
    assert kinds.count("b") == pytest.approx(500 * 0.84, rel=0.1) and set(kinds) == set("abcde")


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_completing_a_complete_configuration_changes_nothing(space: SearchSpace, seed: int) -> None:
    params = space.sample(np.random.default_rng(seed))
    assert space.complete(params) == params


@given(space=spaces())
def test_defaults_are_a_complete_configuration(space: SearchSpace) -> None:
    _assert_holds(space, space.defaults())
    for name, value in space.defaults().items():
        assert value == space.parameters[name].default


@given(space=spaces())
def test_edges_lie_inside(space: SearchSpace) -> None:
    for parameter in space.parameters.values():
        assert all(parameter.contains(edge) for edge in parameter.edges())


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_a_prefix_comes_off_again(space: SearchSpace, seed: int) -> None:
    params = space.prefixed("model").sample(np.random.default_rng(seed))
    _assert_holds(space, split_params(params, "model"))


def test_only_what_is_asked_for_is_completed() -> None:
    assert KERNELS.complete({"kernel": "linear", "gamma": 1.0}) == {"kernel": "linear"}
    assert KERNELS.complete({"kernel": "rbf"}) == {"kernel": "rbf", "gamma": 0.1}
    assert KERNELS.complete({"kernel": "poly", "degree": 2}) == {"kernel": "poly", "gamma": 0.1, "degree": 2}
    assert KERNELS.complete({"kernel": "poly"}) == {"kernel": "poly", "gamma": 0.1, "degree": 3, "coef": 0.0}


def test_all_faults_of_a_configuration_are_told_together() -> None:
    with pytest.raises(ValueError, match="lies outside") as caught:
        KERNELS.complete({"kernel": "poly", "gama": 1.0, "degree": 9, "coef": math.nan})
    assert "gama is not a parameter here" in str(caught.value)
    assert "degree=9 lies outside" in str(caught.value)


def test_a_parent_that_is_not_asked_for_does_not_count_as_none() -> None:
    space = SearchSpace(
        {"a": Choice(("x", "y"), "x"), "b": Choice((None, 1), None), "c": Int(1, 9, 5)},
        {"b": Condition("a", ("y",)), "c": Condition("b", (None,))},
    )
    assert space.complete({}) == {"a": "x"}
    assert space.complete({"a": "y"}) == {"a": "y", "b": None, "c": 5}


@pytest.mark.parametrize("value", [0.1, 1e-3, 0.3, 7.0])
def test_a_logarithmic_draw_never_leaves_a_range_of_one_value(value: float) -> None:
    assert Float(value, value, value, log=True).draw(np.random.default_rng(0)) == value


@pytest.mark.parametrize(
    ("parameters", "conditions", "message"),
    [
        ({"a": Int(1, 3, 4)}, {}, "default 4 of a lies outside"),
        ({"a": Int(1, 3, True)}, {}, "default True of a lies outside"),
        ({"a": Float(0.0, 1.0, True)}, {}, "default True of a lies outside"),
        ({"a": Choice(("x",), "y")}, {}, "default 'y' of a lies outside"),
        ({"a": Float(0.0, 1.0, 0.5, log=True)}, {}, "a has a logarithmic range that does not lie above 0"),
        ({"a": Int(0, 8, 1, log=True)}, {}, "a has a logarithmic range that does not lie above 0"),
        (
            {"a": Int(1, 3, 1), "b": Int(1, 3, 1)},
            {"a": Condition("b", (1,))},
            "a depends on b, which does not stand before",
        ),
        ({"a": Int(1, 3, 1)}, {"b": Condition("a", (1,))}, "a condition is set on b, which is not a parameter here"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_when_it_is_built(
    parameters: dict[str, Float | Int | Choice], conditions: dict[str, Condition], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSpace(parameters, conditions)


def test_spaces_add_up_in_order() -> None:
    both = KERNELS | SearchSpace({"C": Float(0.1, 10.0, 1.0, log=True)})
    assert list(both.parameters) == ["kernel", "gamma", "degree", "coef", "C"]
    assert both.complete({"kernel": "linear"}) == {"kernel": "linear", "C": 1.0}
