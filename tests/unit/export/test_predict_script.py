"""predict.py of an export, alone in a fresh process, reads the files that models are trained from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from automl.export._bundle import export_model, open_source
from tests.unit.export.models import store_model

HEADER = ["member", "account", "day", "city", "age"]
ROWS = [
    ["TRUE", "91600001500", "2020-02-03", "Wien", "44"],
    ["0", "91600000007", "2020-05-09", "Zürich", "71"],
    ["true", "91600001999", "2020-03-01", "Linz", "18"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("predict")
    export_model(open_source(store_model(place / "run").run.path), "onnx", place / "onnx")
    return place / "onnx"


@pytest.fixture(scope="module")
def answers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What it says of a plain file."""
    return predict(folder, write(tmp_path_factory.mktemp("plain") / "rows.csv")).stdout


def predict(folder: Path, rows: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-I", str(folder / "predict.py"), str(rows), *options]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def write(path: Path, separator: str = ",", above: str = "", encoding: str = "utf-8") -> Path:
    lines = [separator.join(cells) for cells in (HEADER, *ROWS)]
    path.write_bytes((above + "\n".join(lines) + "\n").encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "separator", "above", "encoding"),
    [
        ("rows.csv", ";", "", "utf-8"),
        ("ROWS.CSV", " , ", "", "utf-8-sig"),
        ("rows.tsv", "\t", "", "utf-16"),
        ("rows.txt", "|", "Members, all; 2020\n\n", "utf-8"),
        ("rows.dat", "   ", "", "latin-1"),
        ("rows.csv", ",", "", "cp1252"),
    ],
)
def test_a_table_is_read_however_it_is_written(
    folder: Path, answers: str, tmp_path: Path, name: str, separator: str, above: str, encoding: str
) -> None:
    done = predict(folder, write(tmp_path / name, separator, above, encoding))
    assert done.stderr == ""
    assert done.stdout == answers
    assert len(answers.splitlines()) == 4


def test_an_encoding_can_be_said(folder: Path, answers: str, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.csv", encoding="gb18030")
    assert predict(folder, rows, "--encoding", "gb18030").stdout == answers
    assert "there is no encoding 'utf-88'" in predict(folder, rows, "--encoding", "utf-88").stderr


def test_json_lines_may_leave_out_what_is_missing(folder: Path, tmp_path: Path) -> None:
    """Even through a whole piece of the file: 1,500 rows with an age, and 1,500 without."""
    given = dict(zip(HEADER, ROWS[0], strict=True))
    without = {name: cell for name, cell in given.items() if name != "age"}
    outputs = []
    for blank in (without, {**without, "age": None}):
        rows = tmp_path / "rows.jsonl"
        rows.write_text("".join(json.dumps(row) + "\n" for row in [given] * 1500 + [blank] * 1500), encoding="utf-8")
        done = predict(folder, rows)
        assert done.stderr == ""
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 3001


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", "town;years\nWien;44\n", "the rows lack the model's column(s)"),
        (
            "rows.csv",
            "member,account,day,city,age\n1,2,2020-01-01,Graz, Linz,44\n",
            "row 1 below the header has 6 cells",
        ),
        ("rows.jsonl", '{"age": 44}\nage\n', "line 2 is no JSON object, but 'age'"),
        ("rows.jsonl", "[44]\n", "line 1 is no JSON object"),
        ("", "", "No such file"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    folder: Path, tmp_path: Path, name: str, content: str, said: str
) -> None:
    rows = tmp_path / (name or "none.csv")
    if name:
        rows.write_text(content, encoding="utf-8")
    done = predict(folder, rows)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_cells_in_single_quotes_are_read_as_training_reads_them(folder: Path, answers: str, tmp_path: Path) -> None:
    lines = [",".join(HEADER), *(",".join(f"'{cell}'" for cell in cells) for cells in ROWS)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = predict(folder, tmp_path / "rows.csv")
    assert (done.stderr, done.stdout) == ("", answers)

    quoted = [",".join(f"'{cell}'" if cell.isalpha() else cell for cell in cells) for cells in ROWS]
    plain = [",".join(["", "91600001500", "2020-02-03", "", "44"])] * 1_000  # the quotes come late
    (tmp_path / "late.csv").write_text("\n".join([lines[0], *plain, *quoted]) + "\n", encoding="utf-8")
    late = predict(folder, tmp_path / "late.csv")
    assert late.stdout.splitlines()[-3:] == answers.splitlines()[1:]
