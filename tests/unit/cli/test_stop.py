"""`automl stop` reaches what searches, and nothing else that holds a run's lock."""

from __future__ import annotations

from pathlib import Path

import pytest

import automl
from automl.cli.main import run as run_command
from automl.errors import InterruptedRunError
from automl.events import Event, StageStarted
from automl.run import Run
from tests.unit.search.runs import make_regression_table


def make(path: Path, status: str) -> Run:
    run = Run.create(path, data_name="table", record={})
    run.update(status=status)
    return run


def test_of_a_run_that_is_retrained_the_challenger_is_stopped(tmp_path: Path) -> None:
    root = make(tmp_path / "run", "complete")
    challenger = make(tmp_path / "run" / "versions" / "0002", "running")
    with root.locked(), challenger.locked():
        assert run_command(["stop", str(root.path)]) == 0
    assert challenger.stop_path.exists() and not root.stop_path.exists()


def test_a_report_that_is_written_is_no_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(tmp_path / "run", "complete")
    with root.locked():
        assert run_command(["stop", str(root.path)]) == 2
    assert "is not running (complete)" in capsys.readouterr().err
    assert not root.stop_path.exists()


def test_a_search_is_stopped(tmp_path: Path) -> None:
    root = make(tmp_path / "run", "running")
    with root.locked():
        assert run_command(["stop", str(root.path)]) == 0
    assert root.stop_path.exists()
    assert run_command(["stop", str(root.path)]) == 2  # nobody holds it any more


def test_a_run_that_is_stopped_before_a_first_model_says_how_to_go_on(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "split":
            (tmp_path / "run" / "stop").touch()

    with pytest.raises(InterruptedRunError, match="Stopped before a first model was finished in ") as caught:
        automl.fit(make_regression_table(), target="price", out=tmp_path / "run", trials=3, jobs=1, sinks=[stop])
    assert caught.value.hint == f"automl resume {tmp_path / 'run'}"
    assert Run.open(tmp_path / "run").record["status"] == "stopped"
