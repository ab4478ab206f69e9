"""Runs that several tests look at, each made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.command import PENGUINS, SURVEY, Result, Tool

RECIPES = {
    "linear": "search: {candidates: [linear], tune: false}",
    "two": "search: {candidates: [linear, xgboost], tune: true}",
    "several": "search: {candidates: [linear, xgboost, extra_trees, naive_bayes], tune: true}",
}


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of a short search → its file."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in RECIPES.items():
        (folder / f"{name}.yaml").write_text(text + "\n", encoding="utf-8")
    return lambda name: folder / f"{name}.yaml"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A tool whose runs nobody changes."""
    return Tool(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path)


@pytest.fixture(scope="session")
def survey_fit(shared: Tool, recipe: Callable[[str], Path]) -> Result:
    """The command that made `survey`."""
    words = ("fit", SURVEY, "--target", "married", "--trials", "4", "--recipe", recipe("two"), "--out", "survey")
    return shared(*words)


@pytest.fixture(scope="session")
def survey(shared: Tool, survey_fit: Result) -> Path:
    """A complete run: binary, labels that are words, categories, missing cells."""
    assert survey_fit.code == 0, survey_fit
    return shared.work / "survey"


@pytest.fixture(scope="session")
def penguins_fit(shared: Tool, recipe: Callable[[str], Path]) -> Result:
    """The command that made `penguins`, with --json."""
    words = (
        "fit",
        PENGUINS,
        "--target",
        "body_mass_g",
        "--trials",
        "3",
        "--recipe",
        recipe("two"),
        "--out",
        "penguins",
    )
    return shared(*words, "--json")


@pytest.fixture(scope="session")
def penguins(shared: Tool, penguins_fit: Result) -> Path:
    """A complete run: regression."""
    assert penguins_fit.code == 0, penguins_fit
    return shared.work / "penguins"
