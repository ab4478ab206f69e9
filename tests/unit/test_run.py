"""The run folder: made once, opened only if it is one, and held by one process at a time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl.errors import DataError, EngineError, RunBusyError, UsageError
from automl.files import environment_error
from automl.run import Run


def _make(path: Path, **record: Any) -> Run:
    return Run.create(path, data_name="churn", record=record)


def test_a_new_run_has_its_folders_and_its_record_and_opens_again(tmp_path: Path) -> None:
    run = _make(tmp_path / "deep" / "a", target="churn")
    assert run.record == {"format_version": 1, "id": "a", "status": "running", "stages": {}, "target": "churn"}
    assert all(folder.is_dir() for folder in (run.data, run.search / "oof", run.log))
    assert run.path.stat().st_mode & 0o077 == 0
    assert Run.open(tmp_path / "deep" / "a").record == run.record


def test_a_folder_that_is_a_run_has_its_recipe_whenever_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path, record: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("automl.run.write_json", die)
    with pytest.raises(KeyboardInterrupt):
        Run.create(tmp_path / "a", data_name="churn", record={}, recipe="name: mine\n")
    assert (tmp_path / "a" / "recipe.yaml").read_text() == "name: mine\n"
    assert not (tmp_path / "a" / "run.json").exists()


def test_of_a_run_that_could_not_be_made_nothing_is_left_in_the_way_of_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, record: dict[str, Any]) -> None:
        raise environment_error(OSError(errno.ENOSPC, "full"), path)

    with monkeypatch.context() as patch:
        patch.setattr("automl.run.write_json", refuse)
        with pytest.raises(EngineError, match="The disk is full") as caught:
            Run.create(tmp_path / "a", data_name="churn", record={}, recipe="name: mine\n")
    assert caught.value.hint == "Free some space, then: the same command again"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "files", [(), ("recipe.yaml",), (".recipe.yaml.tmp-99999999",), ("recipe.yaml", ".run.json.tmp-99999999")], ids=len
)
def test_what_a_kill_left_of_making_a_run_is_in_nobodys_way(tmp_path: Path, files: tuple[str, ...]) -> None:
    made = _make(tmp_path / "a")
    made.record_path.unlink()
    for name in files:
        (tmp_path / "a" / name).write_text("name: mi")
    run = Run.create(tmp_path / "a", data_name="churn", record={}, recipe="name: mine\n")
    assert run.recipe_path.read_text() == "name: mine\n"
    assert Run.open(tmp_path / "a").record["status"] == "running"


@pytest.mark.parametrize("name", ["recipe.yaml", "data", "data/churn.csv", "log/recipe.yaml"])
def test_a_file_of_the_users_own_is_no_beginning_of_a_run(tmp_path: Path, name: str) -> None:
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("years of work")
    with pytest.raises(UsageError, match="is there already and is not empty"):
        _make(tmp_path)
    assert own.read_text() == "years of work"


def test_a_run_behind_a_link_is_discarded_and_the_link_leads_to_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    run = _make(tmp_path / "run")
    run.discard()
    assert list((tmp_path / "run").iterdir()) == []
    assert _make(tmp_path / "run").record["status"] == "running"


def test_a_run_without_a_place_is_named_after_the_day_and_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (Run.create(None, data_name="my table/größe", record={}) for _ in range(2))
    assert first.path.parent == tmp_path / "runs"
    assert first.path.name[10:-4] == "-my-table-gr-e-"
    assert first.path != second.path


def test_a_folder_that_holds_a_run_is_refused_with_the_way_to_go_on(tmp_path: Path) -> None:
    _make(tmp_path / "a")
    with pytest.raises(UsageError, match="already holds a run") as caught:
        _make(tmp_path / "a")
    assert f"automl resume {tmp_path / 'a'}" in caught.value.hint


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is there already and is not empty"):
        _make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    assert _make(tmp_path).record["status"] == "running"


@pytest.mark.parametrize("below", ["file/a", "file"])
def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises((EngineError, UsageError)) as caught:
        _make(tmp_path / below)
    assert caught.value.exit_code == (5 if below == "file/a" else 2)
    assert "--out DIR" in caught.value.hint


def test_a_name_that_is_too_long_is_an_error_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="Cannot write"):
        _make(tmp_path / ("x" * 300))


def test_what_is_not_a_run_is_not_opened(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError, match="is not a run folder"):
            Run.open(place)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format_version": null}', '{"format_version": 1}', '"a"', "\ud800"]
)
def test_a_damaged_record_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match="cannot be read"):
        Run.open(tmp_path)


def test_a_run_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"format_version": 2, "stages": {}}))
    with pytest.raises(DataError, match="written by a newer automl"):
        Run.open(tmp_path)


def test_the_ledger_keeps_what_is_done(tmp_path: Path) -> None:
    run = _make(tmp_path / "a")
    assert not run.is_done("split")
    run.mark_stage("split", seconds=0.25)
    run.mark_stage("search", trials=8)
    run.update(status="complete")
    assert run.is_done("split")
    assert Run.open(run.path).record == {
        "format_version": 1,
        "id": "a",
        "status": "complete",
        "stages": {"split": {"status": "done", "seconds": 0.25}, "search": {"status": "done", "trials": 8}},
    }


HOLD = """
import sys
from pathlib import Path
from automl.run import Run
with Run.open(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_another_process_is_making_is_in_the_way(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", data_name="t", record={}, recipe="seed: 0\n")
    run.record_path.rename(run.path / f".run.json.tmp-{os.getpid()}")
    with pytest.raises(UsageError, match="is there already and is not empty"):
        Run.create(tmp_path / "run", data_name="t", record={})


def test_a_second_process_is_told_who_holds_the_run_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    run = _make(tmp_path / "a")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match=f"is in use by process {holder.pid} on ") as caught, run.locked():
            pass
        assert caught.value.exit_code == 7
        assert run.is_locked()
        holder.kill()
        holder.wait()
    assert not run.is_locked()
    with run.locked():
        assert run.is_locked()


def test_a_folder_that_cannot_be_written_cannot_be_locked(tmp_path: Path) -> None:
    run = _make(tmp_path / "a")
    (run.path / "run.lock").mkdir()
    with pytest.raises(EngineError, match="Cannot write"), run.locked():
        pass
    assert not run.is_locked()
