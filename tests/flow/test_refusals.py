"""What cannot be used is refused with one sentence, one hint and the right exit code; nothing is left behind."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.flow.command import PENGUINS, SURVEY, Maker, Prepared, Result, Tool, python

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63000100000500010d0a2db4"
)
HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad, gateway</h1></body></html>\n"
ROWS = "".join(f"{i},{i * 7 % 13},{'no' if i % 3 else 'yes'}\n" for i in range(60))

FILES: dict[str, bytes] = {
    "good.csv": f"a,b,y\n{ROWS}".encode(),
    "empty.csv": b"",
    "header.csv": b"a,b,y\n",
    "constant.csv": b"a,b,y\n" + b"".join(b"%d,%d,yes\n" % (i, i % 7) for i in range(50)),
    "no_target.csv": b"a,b,y\n" + b"".join(b"%d,%d,\n" % (i, i % 7) for i in range(50)),
    "twice.csv": f"a,a,y\n{ROWS}".encode(),
    "ragged.csv": f"a,b,y\n{ROWS}1,2\n1,2,3,4,5\n{ROWS}".encode(),
    "page.csv": HTML,
    "picture.csv": PNG + bytes(range(256)) * 8,
    "notes.csv": b"Dear all,\nthe meeting is moved.\n",
    "few.csv": b"a,y\n1,no\n",
    "blind.csv": b"a,b,yy\n1,2,no\n",
    "family.yaml": b"search: {candidates: [xgbost]}\n",
    "recipe.yaml": b"serach: {candidates: [linear]}\nbudget: {seconds: soon}\n",
}

BLIND = ("--test", "refusals/blind.csv")
FAMILY = ("--recipe", "refusals/family.yaml")

# name → words after `fit`, exit code, what the error says, what the hint says
FITS: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "an empty file": (("refusals/empty.csv", "-t", "y"), 3, "empty.csv is empty", ""),
    "a header and nothing else": (("refusals/header.csv", "-t", "y"), 3, "no rows", ""),
    "a target that is misspelt": (("refusals/good.csv", "-t", "Yy"), 3, "'Yy'", "Did you mean 'y'?"),
    "a constant target": (("refusals/constant.csv", "-t", "y"), 3, "'yes'", ""),
    "a target that is missing everywhere": (("refusals/no_target.csv", "-t", "y"), 3, "'y'", ""),
    "two columns of one name": (("refusals/twice.csv", "-t", "y"), 3, "'a'", ""),
    "rows of other lengths": (("refusals/ragged.csv", "-t", "y"), 3, "62", ""),
    "a web page": (("refusals/page.csv", "-t", "y"), 3, "HTML", ""),
    "a picture": (("refusals/picture.csv", "-t", "y"), 3, "PNG", ""),
    "a file that is not there": (("refusals/goood.csv", "-t", "y"), 3, "goood.csv", "good.csv"),
    "a folder": (("refusals", "-t", "y"), 3, "folder", ""),
    "an option that is not there": (("refusals/good.csv", "--tarhet", "y"), 2, "--tarhet", "automl fit --help"),
    "no target": (("refusals/good.csv",), 2, "Which column", "--target COLUMN"),
    "a time that is none": (("refusals/good.csv", "-t", "y", "--time", "soon"), 2, "'soon'", "--time 5m"),
    "a time too short": (("refusals/good.csv", "-t", "y", "--time", "1s"), 2, "budget.seconds", ""),
    "a metric that is not there": (("refusals/good.csv", "-t", "y", "--metric", "roc_acu"), 2, "'roc_acu'", "roc_auc"),
    "a metric of another task": (("refusals/good.csv", "-t", "y", "--metric", "rmse"), 2, "'rmse'", "roc_auc"),
    "a task that is not there": (("refusals/good.csv", "-t", "y", "--task", "ranking"), 2, "'ranking'", ""),
    "a recipe that is not there": (("refusals/good.csv", "-t", "y", "--recipe", "blanced"), 2, "'blanced'", "balanced"),
    "a recipe with faults": (("refusals/good.csv", "-t", "y", "--recipe", "refusals/recipe.yaml"), 2, "serach", ""),
    "a group that is not there": (("refusals/good.csv", "-t", "y", "--group", "bb"), 3, "'bb'", "'b'"),
    "a size that is none": (("refusals/good.csv", "-t", "y", "--memory", "much"), 2, "'much'", "--memory 4G"),
    "a test file that is not there": (
        ("refusals/good.csv", "-t", "y", "--test", "refusals/tset.csv"),
        3,
        "tset.csv",
        "",
    ),
    "a test file without columns": (("refusals/good.csv", "-t", "y", "--test", "refusals/few.csv"), 3, "'b'", ""),
    "a test file without the target": (
        ("refusals/good.csv", "-t", "y", "--test", "refusals/blind.csv"),
        3,
        "'y'",
        "'yy'",
    ),
    "a family that is not there": (
        ("refusals/good.csv", "-t", "y", "--recipe", "refusals/family.yaml"),
        2,
        "'xgbost'",
        "xgboost",
    ),
}


def assert_told_well(result: Result, code: int, error: str, hint: str) -> None:
    """One `error:` line, at most one `hint:` line, no traceback, nothing on stdout."""
    assert result.code == code, result
    lines = [line for line in result.err.splitlines() if not line.startswith(("note: ", "[ "))]
    assert [line.partition(":")[0] for line in lines] in (["error", "hint"], ["error"]), result
    assert error in lines[0], result
    if hint:
        assert hint in lines[-1], result
        assert lines[-1].startswith("hint: ")
    assert "Traceback" not in result.err + result.out
    assert "This is a bug" not in result.err
    assert result.out == ""


def make_refusal(number: int, words: tuple[str, ...], work: Path) -> tuple[str | Path, ...]:
    folder = work / "refusals"
    if not folder.exists():
        folder.mkdir()
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
    return "fit", *words, "--out", f"refusals/run{number}", "--quiet"


PREPARED: dict[str, Maker] = {
    name: partial(make_refusal, number, case[0]) for number, (name, case) in enumerate(FITS.items())
}


@pytest.mark.parametrize("name", FITS)
def test_fit_refuses(prepared: Prepared, name: str) -> None:
    _, code, error, hint = FITS[name]
    assert_told_well(prepared[name], code, error, hint)
    assert prepared[name].seconds < 10


def test_refusals_leave_nothing_behind(prepared: Prepared) -> None:
    assert all(prepared[name].code for name in FITS)
    assert {path.name for path in (prepared.tool.work / "refusals").iterdir()} == set(FILES)


def test_fit_refuses_a_folder_that_holds_a_run_or_anything_else(tool: Tool, penguins: Path) -> None:
    held = (penguins / "run.json").read_bytes()
    result = tool("fit", PENGUINS, "--target", "body_mass_g", "--out", penguins)
    assert_told_well(result, 2, "already holds a run", "automl resume")
    assert (penguins / "run.json").read_bytes() == held
    (tool.folder / "full").mkdir()
    (tool.folder / "full" / "letter.txt").write_text("dear")
    result = tool("fit", PENGUINS, "--target", "body_mass_g", "--out", tool.folder / "full")
    assert_told_well(result, 2, "not empty", "--out")
    assert [path.name for path in (tool.folder / "full").iterdir()] == ["letter.txt"]


def test_a_folder_that_cannot_be_written_is_the_environments_fault(tool: Tool) -> None:
    (tool.folder / "file").write_text("not a folder")
    result = tool("fit", PENGUINS, "--target", "body_mass_g", "--out", tool.folder / "file" / "run")
    assert_told_well(result, 5, "run", "--out DIR")


def test_predict_tells_all_columns_that_are_missing(shared: Tool, penguins: Path, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("species,bill_length_mm\nAdelie,39.1\n")
    result = shared("predict", penguins, tmp_path / "few.csv")
    assert_told_well(result, 3, "island", "")
    assert "flipper_length_mm" in result.err


@pytest.mark.parametrize(
    "command", ["predict", "evaluate", "leaderboard", "status", "resume", "stop", "report", "explain"]
)
def test_commands_refuse_what_is_no_run(shared: Tool, tmp_path: Path, command: str) -> None:
    table = (PENGUINS,) if command in ("predict", "evaluate") else ()
    assert_told_well(shared(command, tmp_path / "nowhere", *table), 2, "nowhere", "automl fit")


def test_predict_refuses_a_format_that_it_cannot_write(shared: Tool, penguins: Path) -> None:
    assert_told_well(shared("predict", penguins, PENGUINS, "--out", "out.docx"), 2, "'.docx'", ".csv")
    assert_told_well(shared("predict", penguins, PENGUINS, "--out", "no/such/out.csv"), 2, "no/such", "mkdir")


def test_evaluate_refuses_a_table_without_the_target(shared: Tool, survey: Path, tmp_path: Path) -> None:
    (tmp_path / "unlabelled.csv").write_text(SURVEY.read_text(encoding="utf-8").replace("married,", "maried,", 1))
    assert_told_well(shared("evaluate", survey, tmp_path / "unlabelled.csv"), 3, "'married'", "'maried'")


def test_an_unknown_command_is_answered_with_the_nearest(shared: Tool) -> None:
    assert_told_well(shared("leaderbord"), 2, "leaderbord", "leaderboard")


@pytest.fixture
def copy(survey: Path, tmp_path: Path) -> Path:
    """A run whose model may be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(survey / "model", folder)
    return folder


def test_a_flipped_byte_anywhere_in_a_model_is_refused(shared: Tool, copy: Path) -> None:
    largest = max(copy.rglob("*.*"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    result = shared("predict", copy, SURVEY)
    assert_told_well(result, 6, "checksum", "")
    assert largest.name in result.err


ATTACK = """
import hashlib, json, os, pickle, sys
from pathlib import Path
import automl
from automl.errors import ArtifactError

folder, marker = Path(sys.argv[1]), Path(sys.argv[2])

class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {marker}",)

def load():
    try:
        automl.load(folder)
    except ArtifactError as error:
        return str(error)
    return "loaded"

said = {"before": load()}
(folder / "members" / "extra.pkl").write_bytes(pickle.dumps(Bomb()))
said["extra"] = load()
(folder / "members" / "extra.pkl").unlink()
manifest = folder / "manifest.json"
whole = manifest.read_bytes()
for name in list(json.loads(whole)["files"]):
    path = folder / name
    kept = path.read_bytes()
    path.write_bytes(pickle.dumps(Bomb()))  # and the manifest made to fit, as a forger would
    record = json.loads(whole)
    record["files"][name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    manifest.write_text(json.dumps(record))
    said[name] = load()
    path.write_bytes(kept)
    manifest.write_bytes(whole)
said["after"] = load()
print(json.dumps(said))
"""


def test_a_pickle_planted_in_a_model_is_refused_and_never_executed(copy: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    said = json.loads(python(ATTACK, copy, marker))
    assert (said.pop("before"), said.pop("after")) == ("loaded", "loaded")
    assert len(said) > 10
    assert [name for name, answer in said.items() if answer == "loaded"] == []
    assert "does not belong" in said["extra"]
    assert not marker.exists()


def test_a_model_with_a_file_missing_is_refused(shared: Tool, copy: Path) -> None:
    next(copy.rglob("record.json")).unlink()
    assert_told_well(shared("predict", copy, SURVEY), 6, "is missing", "")
