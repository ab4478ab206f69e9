"""Runs that several tests look at, each made once a session."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flow.command import PENGUINS, SURVEY, Maker, Prepared, Result, Tool, read_lines

Words = tuple[str | Path, ...]

SPLIT = "split: {folds: 3, repeats: 1}"
RECIPES = {
    "linear": "search: {candidates: [linear], tune: false}\n" + SPLIT,
    "two": "search: {candidates: [linear, xgboost], tune: true}\n" + SPLIT,
    "several": "search: {candidates: [linear, xgboost, extra_trees, naive_bayes], tune: true}\n" + SPLIT,
}


def write_recipe(work: Path, name: str) -> Path:
    """A short search of `RECIPES`, as a file."""
    path = work.parent / f"{name}.yaml"
    path.write_text(RECIPES[name] + "\n", encoding="utf-8")
    return path


def make_survey(work: Path) -> Words:
    return "fit", SURVEY, "-t", "married", "--trials", "4", "--recipe", write_recipe(work, "two"), "--out", "survey"


def make_penguins(work: Path) -> Words:
    short = ("--trials", "3", "--recipe", write_recipe(work, "two"))
    return "fit", PENGUINS, "-t", "body_mass_g", *short, "--out", "penguins", "--json"


def make_seventh(work: Path) -> Words:
    twelve = ("--trials", "12", "--seed", "7", "--recipe", write_recipe(work, "two"))
    return "PYTHONHASHSEED=0", "fit", PENGUINS, "-t", "body_mass_g", *twelve, "--jobs", "1", "--out", "seventh"


PREPARED: dict[str, Maker] = {"survey": make_survey, "penguins": make_penguins, "seventh": make_seventh}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A tool whose runs nobody changes."""
    return Tool(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def prepared(request: pytest.FixtureRequest, shared: Tool) -> Iterator[Prepared]:
    """What PREPARED of this file and of the test modules makes, each when it is asked for."""
    prepared = Prepared(shared)
    prepared.offer(PREPARED)
    for module in dict.fromkeys(item.module for item in request.session.items if isinstance(item, pytest.Function)):
        prepared.offer(getattr(module, "PREPARED", {}))
    yield prepared
    prepared.close()


@pytest.fixture(scope="module", autouse=True)
def begun(request: pytest.FixtureRequest, prepared: Prepared) -> None:
    """A module's own runs begin with its first test, and are made while it goes on."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    if any(item.module is request.module and item.get_closest_marker("slow") is None for item in items):
        prepared.start(getattr(request.module, "PREPARED", {}))


@pytest.fixture(scope="session")
def recipe(shared: Tool) -> Callable[[str], Path]:
    """Name of a short search → its file."""
    return lambda name: write_recipe(shared.work, name)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path)


@pytest.fixture(scope="session")
def survey_fit(prepared: Prepared) -> Result:
    """The command that made `survey`."""
    return prepared["survey"]


@pytest.fixture(scope="session")
def survey(prepared: Prepared) -> Path:
    """A complete run: binary, labels that are words, categories, missing cells."""
    return prepared.run("survey")


@pytest.fixture(scope="session")
def penguins_fit(prepared: Prepared) -> Result:
    """The command that made `penguins`, with --json."""
    return prepared["penguins"]


@pytest.fixture(scope="session")
def penguins(prepared: Prepared) -> Path:
    """A complete run: regression."""
    return prepared.run("penguins")


@pytest.fixture(scope="session")
def seventh(prepared: Prepared) -> Path:
    """12 trials with seed 7, in one worker."""
    return prepared.run("seventh")


@pytest.fixture(scope="session")
def survey_predictions(shared: Tool, survey: Path) -> Result:
    """What `survey` says of the table that it learned from, as CSV."""
    return shared("predict", survey, SURVEY, "--proba", "--quiet")


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory, seventh: Path) -> Path:
    """The same from its own recipe, in two workers, killed when it had a model and its last four trials had begun."""
    tool = Tool(tmp_path_factory.mktemp("killed"))
    run = tool.work / "run"
    words = ("fit", PENGUINS, "--target", "body_mass_g", "--recipe", seventh / "recipe.yaml", "--out", run)
    running = tool.start(*words, "--jobs", "2", env={"PYTHONHASHSEED": "2"})
    deadline = time.monotonic() + 60
    while len(read_lines(run / "search" / "specs.jsonl")) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    assert running.leftovers(within=5) == []
    assert 8 <= len(read_lines(run / "search" / "trials.jsonl")) < 12
    assert (run / "model" / "manifest.json").exists()
    return run
