"""The lines to copy name the folder that answers, of a version as of a run of its own."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from automl.report.blocks import Code, Paragraph
from automl.report.console import open_console, print_verdict
from automl.report.document import build_section
from automl.report.source import RunSource
from automl.run import Run
from tests.golden.runs import write_failed_run, write_full_run


def lines(run: Run) -> list[str]:
    """The commands and the Python of the usage section."""
    section = build_section("usage", RunSource(run))
    assert section is not None
    return [block.text for block in section.blocks if isinstance(block, Code) and block.language != "json"]


def notes(run: Run) -> list[str]:
    section = build_section("usage", RunSource(run))
    assert section is not None
    return [block.text for block in section.blocks if isinstance(block, Paragraph)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return write_full_run(tmp_path / "my run")


def test_the_lines_of_a_version_are_those_of_the_run_it_is_a_version_of(run: Run) -> None:
    version = write_full_run(run.path / "versions" / "0003")
    assert lines(version) == lines(run)
    named = [shlex.split(line.replace("cat NEW.csv | ", ""))[2] for line in lines(run) if line.count("automl ")]
    assert {"my run"} == {word for word in named if word != "="}
    assert notes(run) == []
    assert notes(version)[0].startswith("This report is of version 3 of my run. ")


def test_what_is_printed_after_a_retraining_names_the_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    version = write_full_run(run.path / "versions" / "0003")
    print_verdict(version, open_console())
    assert capsys.readouterr().out.splitlines()[-1] == "next: automl predict 'my run' NEW.csv --out predictions.csv"


def test_a_folder_that_only_looks_like_a_version_is_a_run_of_its_own(tmp_path: Path) -> None:
    alone = write_full_run(tmp_path / "versions" / "0003")
    assert RunSource(alone).version is None
    assert any("versions/0003" in line for line in lines(alone))


def test_a_version_without_a_model_is_resumed_itself(run: Run) -> None:
    assert lines(write_failed_run(run.path / "versions" / "0002")) == ["automl resume 'my run/versions/0002'"]
