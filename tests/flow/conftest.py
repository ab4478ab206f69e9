"""Runs that several tests look at, each made once a session."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.command import PENGUINS, SURVEY, Result, Tool, read_lines

SPLIT = "split: {folds: 4, repeats: 1}"
RECIPES = {
    "linear": "search: {candidates: [linear], tune: false}\n" + SPLIT,
    "two": "search: {candidates: [linear, xgboost], tune: true}\n" + SPLIT,
    "several": "search: {candidates: [linear, xgboost, extra_trees, naive_bayes], tune: true}\n" + SPLIT,
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


@pytest.fixture(scope="session")
def survey_predictions(shared: Tool, survey: Path) -> Result:
    """What `survey` says of the table that it learned from, as CSV."""
    return shared("predict", survey, SURVEY, "--proba", "--quiet")


@pytest.fixture(scope="session")
def seventh(shared: Tool, recipe: Callable[[str], Path]) -> Path:
    """12 trials with seed 7, in one worker."""
    words = ("fit", PENGUINS, "--target", "body_mass_g", "--trials", "12", "--seed", "7", "--jobs", "1")
    result = shared(*words, "--recipe", recipe("several"), "--out", "seventh", env={"PYTHONHASHSEED": "0"})
    assert result.code == 0, result
    return shared.work / "seventh"


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory, seventh: Path) -> Path:
    """The same from its own recipe, in two workers, killed when it had a model and its last four trials had begun."""
    tool = Tool(tmp_path_factory.mktemp("killed"))
    run = tool.work / "run"
    words = ("fit", PENGUINS, "--target", "body_mass_g", "--recipe", seventh / "recipe.yaml", "--out", run)
    running = tool.start(*words, "--jobs", "2", env={"PYTHONHASHSEED": "2"})
    deadline = time.monotonic() + 60
    while len(read_lines(run / "search" / "specs.jsonl")) < 9 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    assert running.leftovers(within=5) == []
    assert 8 <= len(read_lines(run / "search" / "trials.jsonl")) < 12
    assert (run / "model" / "manifest.json").exists()
    return run
