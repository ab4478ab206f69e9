"""`automl report` in its forms, and the dashboard."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from automl.cli.main import run as run_command
from automl.files import read_json
from automl.search.study import Study
from automl.space import Float, SearchSpace
from tests.golden.runs import write_empty_run, write_full_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_full_run(tmp_path / "run").path


def test_without_a_form_it_writes_three_files_and_prints_the_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert (folder / "model_card.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: automl\n")
    assert read_json(folder / "report.json")["schema_version"] == 1


def test_the_page_the_card_and_the_object_can_be_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", str(folder), "--html"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert run_command(["report", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["meta"]["score"] == 0.8471
    assert run_command(["report", str(folder), "--md"]) == 0
    card = capsys.readouterr().out
    fields = yaml.safe_load(card.split("---")[1])
    assert fields["pipeline_tag"] == "tabular-classification"
    assert fields["model-index"][0]["results"][0]["metrics"] == [{"type": "roc_auc", "value": 0.8471}]
    assert not (folder / "report.html").exists()  # printing writes nothing


def test_two_forms_at_once_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", str(folder), "--html", "--md"]) == 2
    assert "--html and --md do not go together" in capsys.readouterr().err


def test_full_without_a_checked_model_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", str(write_empty_run(tmp_path / "run").path), "--full"]) == 4
    assert "automl resume" in capsys.readouterr().err


def test_a_dashboard_of_an_untuned_run_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["dashboard", str(folder)]) == 4
    assert "has tuned nothing yet" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "-1", "70000"])
def test_a_port_that_is_none_is_refused(folder: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["dashboard", str(folder), f"--port={port}"]) == 2
    assert f"--port {port} is out of range" in capsys.readouterr().err


def test_a_dashboard_that_cannot_be_served_tells_no_address(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(host: str, port: int, app: object) -> None:
        raise OSError("Address already in use")

    write_journal(folder)
    monkeypatch.setitem(sys.modules, "optuna_dashboard", SimpleNamespace(wsgi=lambda storage: storage))
    monkeypatch.setattr("automl.search.dashboard.make_server", refuse)
    assert run_command(["dashboard", str(folder), "--json"]) == 5
    told = json.loads(capsys.readouterr().out)  # one object
    assert told["error"]["message"] == "Cannot listen on 127.0.0.1:8080: Address already in use"
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert run_command(["dashboard", str(folder), "--json"]) == 5
    assert "is not installed" in json.loads(capsys.readouterr().out)["error"]["message"]


def write_journal(folder: Path) -> None:
    """What a search leaves that has tried one configuration."""
    space = SearchSpace({"rate": Float(0.0, 1.0, 0.5)})
    study = Study(folder / "search" / "journal.log", maximize=True, seed=0)
    study.tell(0, 0.5, family="xgboost", params=study.ask("xgboost", space, 0), space=space)


def test_the_dashboard_serves_the_studies_of_the_journal(folder: Path) -> None:
    write_journal(folder)
    before = (folder / "search" / "journal.log").read_bytes()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "automl.cli.main", "dashboard", str(folder), "--port", str(port)]
    process = subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url == f"http://127.0.0.1:{port}/"
        studies = fetch(f"{url}api/studies", within=60)
        assert [study["study_name"] for study in studies["study_summaries"]] == ["xgboost"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
    assert (folder / "search" / "journal.log").read_bytes() == before  # it only reads


def fetch(url: str, within: float) -> dict[str, list[dict[str, str]]]:
    """A JSON answer, as soon as there is one."""
    end = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, list[dict[str, str]]] = json.loads(answer.read())
                return found
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
