"""The suite that every study must pass: subclass `StudyConformance` and name the plug-in."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from automl.evaluate.jobs import Case, Study, registry
from automl.run import Run
from tests.unit.evaluate.test_evaluation import train
from tests.unit.evaluate.test_studies import make_binary_table, train_classes
from tests.unit.search.runs import make_multiclass_table, make_regression_table

KINDS = ("binary", "multiclass", "regression")
_made: dict[str, Run] = {}


class StudyConformance:
    """What holds for every study on a run of each kind."""

    study: str
    plugin: Study

    @pytest.fixture(params=KINDS)
    def run(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
        return make_run(request.param, tmp_path_factory)

    def measure(self, run: Run, seconds: float = 60.0, seed: int = 0) -> dict[str, Any] | None:
        return self.plugin.measure(Case(run, seed, time.monotonic() + seconds))

    def test_it_can_be_listed_and_timed(self) -> None:
        assert registry.get(self.study) is self.plugin
        assert self.plugin.title
        assert 0 < self.plugin.least_seconds <= self.plugin.seconds <= 30

    def test_it_finds_the_same_for_a_seed_as_plain_json_and_leaves_the_run_as_it_was(self, run: Run) -> None:
        before = _files(run.path)
        record = self.measure(run, seed=3)
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert self.measure(run, seed=3) == record
        assert _files(run.path) == before

    def test_it_heeds_its_deadline(self, run: Run) -> None:
        began = time.monotonic()
        self.measure(run, seconds=-1.0)
        assert time.monotonic() - began < 10.0


def make_run(kind: str, factory: pytest.TempPathFactory) -> Run:
    """A small run with a linear model, made once a session."""
    if kind not in _made:
        path = factory.mktemp("study") / kind
        if kind == "regression":
            _made[kind] = train(path, make_regression_table(), "price", data={"sensitive": ["city"]}).run
        else:
            table, target = (make_binary_table(200), "late") if kind == "binary" else (make_multiclass_table(), "kind")
            _made[kind] = train_classes(path, table, target).run
    return _made[kind]


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
