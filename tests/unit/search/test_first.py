"""Configurations of the user's own: tried after the baselines and before all others, each once."""

from __future__ import annotations

import pytest
import yaml

from automl.errors import RecipeError
from automl.recipe import Configuration, Recipe, build_recipe
from automl.search.portfolio import make_portfolio
from automl.task import TaskKind
from tests.unit.search.test_families import make_families

OWN = (
    Configuration(candidate="xgboost", label="mine", params={"model.max_depth": 3, "model.unknown": 1}),
    Configuration(candidate="extra_trees"),
    Configuration(candidate="no_such_family"),
    Configuration(candidate="xgboost", params={"model.max_depth": 999}),
)


def test_they_follow_the_baselines_with_the_defaults_for_what_they_leave_out() -> None:
    families = make_families(kind=TaskKind.BINARY)
    specs = make_portfolio(families, TaskKind.BINARY, first=OWN)
    assert [spec.label for spec in specs[:5]] == ["constant", "linear", "mine", "extra_trees", "xgboost"]
    assert specs[2].params["model.max_depth"] == 3
    assert "model.unknown" not in specs[2].params
    assert specs[4].params["model.max_depth"] == 6  # what the space does not allow is left at its default
    assert not any(spec.raced for spec in specs[2:5])


def test_what_the_list_would_try_as_well_is_tried_once() -> None:
    families = make_families(kind=TaskKind.BINARY)
    plain = make_portfolio(families, TaskKind.BINARY)
    specs = make_portfolio(families, TaskKind.BINARY, first=OWN)
    configurations = [(spec.candidate, str(spec.params)) for spec in specs]
    assert len(set(configurations)) == len(configurations)
    assert len(plain) < len(specs) <= len(plain) + 3


def test_without_the_portfolio_they_remain() -> None:
    specs = make_portfolio(make_families(kind=TaskKind.BINARY), TaskKind.BINARY, use=False, first=OWN[:1])
    assert [spec.label for spec in specs] == ["constant", "linear", "mine"]


def test_a_recipe_keeps_them_and_tells_faults() -> None:
    recipe = Recipe().override({"search": {"first": [{"candidate": "linear", "params": {"model.C": 0.5}}]}})
    assert build_recipe(yaml.safe_load(recipe.dump_yaml()), source="the test") == recipe
    with pytest.raises(RecipeError, match=r"search\.first"):
        Recipe().override({"search": {"first": [{"params": {}}]}})
