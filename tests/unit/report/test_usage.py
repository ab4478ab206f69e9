"""The lines to copy name the folder that answers, of a version as of a run of its own."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path

import pytest

from automl.files import read_json, write_json
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


def learn_from(run: Run, data: str, role: str, name: str) -> Run:
    """The run as one of class folders would be."""
    profile = read_json(run.profile_path)
    profile["profile"]["columns"] = [{"name": name, "role": role, "reason": "", "missing": 0.0, "distinct": 9}]
    write_json(run.profile_path, profile)
    run.update(data=data, target="label")
    return run


@pytest.mark.parametrize(
    ("data", "role", "name", "frame"),
    [
        ("datasets/digits.zip", "image", "path", '{"path": [str(file.resolve()) for file in files]}'),
        ("mails", "text", "text", '{"text": [file.read_text("utf-8") for file in files]}'),
    ],
)
def test_a_model_of_class_folders_is_asked_of_folders(
    data: str, role: str, name: str, frame: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    told = lines(learn_from(run, data, role, name))
    assert told[0] == "automl predict 'my run' NEW/ --proba --out predictions.csv"
    assert told[1] == "automl evaluate 'my run' TEST/"
    assert not any(".csv" in line.replace("predictions.csv", "") for line in told)
    assert frame in told[-1]
    compile(told[-1], "usage", "exec")
    print_verdict(run, open_console())
    assert capsys.readouterr().out.splitlines()[-1] == "next: automl predict 'my run' NEW/ --out predictions.csv"


def test_a_table_with_the_same_columns_is_a_table(run: Run) -> None:
    assert lines(learn_from(run, "mails.csv", "text", "text"))[0].startswith("automl predict 'my run' NEW.csv")


@pytest.mark.parametrize(("role", "name"), [("image", "path"), ("text", "text")])
def test_the_row_to_copy_has_no_empty_cell_of_a_text_or_picture(role: str, name: str, run: Run) -> None:
    section = build_section("usage", RunSource(learn_from(run, "mails", role, name)))
    assert section is not None
    (request,) = [block.text for block in section.blocks if isinstance(block, Code) and block.language == "json"]
    cell = json.loads(request)["rows"][0][name]
    if role == "image":
        head, _, content = cell.partition(",")
        assert (head, base64.b64decode(content)[:4]) == ("data:image/png;base64", b"\x89PNG")
    else:
        assert cell == "A short text about this and that."
