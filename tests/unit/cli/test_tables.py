"""What is written in pieces is one file: one header, all rows, or nothing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from automl.cli.tables import check_output, open_writer
from automl.data.load import read_table
from automl.data.sheets import find_sheet
from automl.errors import UsageError

FRAME = pd.DataFrame({"prediction": ["yes", "no", "yes", "größe"], "proba_yes": [0.75, 0.25, 1.0, 0.1 + 0.2]})


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".feather"])
@pytest.mark.parametrize("cuts", [[4], [1, 3], [2, 0, 2]])
def test_pieces_make_one_file(tmp_path: Path, suffix: str, cuts: list[int]) -> None:
    out = tmp_path / f"out{suffix}"
    check_output(str(out))
    start = 0
    with open_writer(str(out)) as write:
        for rows in cuts:
            write(FRAME.iloc[start : start + rows])
            start += rows
            assert not out.exists()
    found = read_table(out).frame
    assert found["prediction"].tolist() == FRAME["prediction"].tolist()
    assert found["proba_yes"].astype(float).tolist() == pytest.approx(FRAME["proba_yes"].tolist(), abs=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_text_is_the_same_in_pieces_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdout", said)
    with open_writer("-") as write:
        write(FRAME.iloc[:3])
        write(FRAME.iloc[3:])
    assert said.getvalue() == ("prediction,proba_yes\nyes,0.75\nno,0.25\nyes,1.0\ngröße,0.30000000000000004\n")


def test_json_lines_keep_every_digit_and_write_null_for_what_is_no_number(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    numbers = [3.2e-12, float("inf"), float("nan"), 1 / 3]
    rows = {'100% "sure"': numbers, "prediction": ["a, b", None, "größe", 'say "no"'], "is": [True, False, True, True]}
    with open_writer(str(out)) as write:
        write(pd.DataFrame(rows).iloc[:0])
        write(pd.DataFrame(rows))
        write(
            pd.DataFrame({'100% "sure"': [None, 2.5], "prediction": [1, 2], "is": [float("inf"), True]}, dtype=object)
        )
    lines = [json.loads(line, parse_constant=pytest.fail) for line in out.read_text("utf-8").splitlines()]
    assert [line['100% "sure"'] for line in lines] == [3.2e-12, None, None, 1 / 3, None, 2.5]
    assert [line["prediction"] for line in lines] == ["a, b", None, "größe", 'say "no"', 1, 2]
    assert [line["is"] for line in lines] == [True, False, True, True, None, True]


def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(RuntimeError), open_writer(str(out)) as write:
        write(FRAME)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "words"), [("a.xyz", "No format ends with"), ("none/a.csv", "There is no folder")])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_output(str(tmp_path / name))


def test_the_sheet_of_the_training_is_read_where_the_workbook_has_one_of_its_name(tmp_path: Path) -> None:
    run, data = tmp_path / "run", tmp_path / "new.xlsx"
    run.mkdir()
    with pd.ExcelWriter(data) as book:
        for name in ("2022", "2023"):
            FRAME.to_excel(book, sheet_name=name, index=False)
    assert find_sheet(run, data) is None
    for asked, expected in (("2023", "2023"), ("2024", None)):
        (run / "recipe.yaml").write_text(f"data: {{sheet: '{asked}'}}\n", encoding="utf-8")
        assert find_sheet(run, data) == expected
    FRAME.to_csv(tmp_path / "new.csv")
    assert find_sheet(run, tmp_path / "new.csv") is None
