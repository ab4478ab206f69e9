"""Typed formats keep their types; every format ends as the same table."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from automl.data.load import load_dataset, read_table
from automl.data.readers import registry
from automl.errors import DataError
from automl.recipe import DataOptions, Recipe
from automl.schema import Role

ROWS = 30
FRAME = pd.DataFrame(
    {
        "age": np.arange(ROWS) % 7,
        "pay": np.arange(ROWS) / 4,
        "job": pd.Series(["cook", None, "smith"] * (ROWS // 3), dtype="str"),
        "member": [True, False] * (ROWS // 2),
        "since": pd.date_range("2024-01-01", periods=ROWS, unit="us"),
        "y": ["no", "yes", "no"] * (ROWS // 3),
    }
)


def write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pandas(frame)
        with ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    elif path.suffix == ".json":
        frame.to_json(path, orient="records", date_format="iso")
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".tsv":
        frame.to_csv(path, sep="\t", index=False)
    elif path.suffix == ".arff":
        path.write_text(arff_text(frame))
    else:
        frame.to_csv(path, index=False)


def arff_text(frame: pd.DataFrame) -> str:
    kinds = {
        "age": "numeric",
        "pay": "REAL",
        "job": "{cook,smith}",
        "member": "{True,False}",
        "since": "string",
        "y": "{no,yes}",
    }
    lines = [
        "% made by hand",
        "@RELATION people",
        *(f"@attribute {name} {kind}" for name, kind in kinds.items()),
        "@data",
    ]
    for row in frame.itertuples(index=False):
        job = row.job if isinstance(row.job, str) else "?"
        lines.append(f"{row.age},{row.pay},{job},{row.member},'{row.since.date()}',{row.y}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "feather", "arrow", "jsonl", "json", "xlsx", "arff"])
def test_every_format_gives_the_same_data_set(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"people.{suffix}"
    write(FRAME, path)
    dataset = load_dataset(path, target="y", recipe=Recipe())
    wanted = load_dataset(FRAME, target="y", recipe=Recipe())
    pd.testing.assert_frame_equal(dataset.frame, wanted.frame)
    assert dataset.task == wanted.task
    assert dataset.fingerprint == wanted.fingerprint
    assert dataset.name == "people"
    assert dataset.frame["job"].tolist()[:3] == ["cook", None, "smith"]
    assert dataset.frame["since"].iloc[29] == pd.Timestamp("2024-01-30")
    assert dataset.frame["member"].tolist()[:2] == ["True", "False"]


def test_all_formats_are_found_by_file_name() -> None:
    assert registry.names() == ("arff", "csv", "excel", "feather", "jsonl", "parquet")


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n3,4\n")))
    table = read_table("-")
    assert table.frame.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="stdin is empty"):
        read_table("-")


def test_parquet_types_that_pandas_would_spoil_are_kept(tmp_path: Path) -> None:
    table = pa.table(
        {
            "gappy": pa.array([9007199254740993, None], pa.int64()),
            "money": pa.array([1, 2], pa.decimal128(38, 0)),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "empty": pa.nulls(2),
            "day": pa.array([0, 1], pa.date32()),
            "yes": pa.array([True, None]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    frame = read_table(tmp_path / "t.parquet").frame
    assert frame["gappy"].tolist()[0] == 9007199254740993
    assert frame["money"].tolist() == [1.0, 2.0]
    assert str(frame["kind"].dtype) == "category"
    assert frame["empty"].isna().all()
    assert frame["day"].tolist()[1] == pd.Timestamp("1970-01-02")
    assert frame["yes"].tolist()[0] is True


def test_nested_columns_are_refused_by_name_unless_dropped(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(ROWS)), "tags": [[1, 2]] * ROWS, "y": ["a", "b"] * (ROWS // 2)})
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="Column 'tags' holds ndarray cells"):
        load_dataset(tmp_path / "t.parquet", target="y", recipe=Recipe())
    recipe = Recipe().override({"data": {"drop": ["tags"], "keep": ["x"]}})
    assert list(load_dataset(tmp_path / "t.parquet", target="y", recipe=recipe).frame.columns) == ["x"]


def test_columns_of_one_name_are_refused_in_typed_files(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    feather.write_feather(twice, str(tmp_path / "t.arrow"))
    with pytest.raises(DataError, match="same name: 'a'"):
        read_table(tmp_path / "t.arrow")


def test_json_lines_may_lack_keys_and_have_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n\n{"b": "y", "c": true}\n{"a": NaN}\n')
    table = read_table(path)
    assert list(table.frame.columns) == ["a", "b", "c"]
    assert table.frame["b"].tolist()[:2] == ["x", "y"]
    assert [notice.text for notice in table.notices] == ["3 of 3 rows lack a key: its cell is missing"]


def test_the_first_sheet_with_cells_is_read_and_another_by_name(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
        pd.DataFrame({"a": [1, 2], "when": pd.to_datetime(["2024-01-01", None])}).to_excel(
            book, sheet_name="one", index=False
        )
        pd.DataFrame({2024: ["x", 7]}).to_excel(book, sheet_name="two", index=False)
    first = read_table(path)
    assert first.frame["a"].tolist() == [1.0, 2.0]
    assert str(first.frame["when"].dtype) == "datetime64[us]"
    assert first.notices[0].text == "read the sheet 'one' of 3: 'empty', 'one', 'two'"
    second = read_table(path, options=DataOptions(sheet="two"))
    assert second.frame.to_dict("list") == {"2024": ["x", "7"]}
    with pytest.raises(DataError) as caught:
        read_table(path, options=DataOptions(sheet="twoo"))
    assert caught.value.hint == "Did you mean 'two'?"


def test_empty_rows_inside_a_sheet_are_told_those_around_it_are_not(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    rows = [None, ["a", "b"], [1, "x"], None, [2, "y"], None, None, [3, "z"], None]
    with pd.ExcelWriter(path) as book:
        pd.DataFrame([row or [None, None] for row in rows]).to_excel(book, index=False, header=False)
    table = read_table(path)
    assert table.frame.to_dict("list") == {"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}
    assert [notice.text for notice in table.notices] == ["left out 3 empty row(s) of the sheet: 3, 5, 6"]


def test_a_sheet_without_cells_that_is_named_is_refused(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
    with pytest.raises(DataError, match="The sheet 'empty' of"):
        read_table(tmp_path / "book.xlsx", options=DataOptions(sheet="empty"))


def test_what_arff_declares_as_categories_stays_such_though_it_be_numbers(tmp_path: Path) -> None:
    classes, grades = [*range(1, 27)], ["1", "2", "K"]
    rows = [f"{row},{row % 2},{grades[row % 3]},{classes[row % 26]}" for row in range(104)]
    head = "@relation r\n@attribute x numeric\n@attribute flag {0,1}\n@attribute grade {1,2,K}\n@attribute y "
    text = head + "{" + ",".join(map(str, classes)) + "}\n@data\n" + "\n".join(rows) + "\n"
    (tmp_path / "t.arff").write_text(text, encoding="utf-8")
    dataset = load_dataset(tmp_path / "t.arff", target="y", recipe=Recipe())
    assert (dataset.task.classes, dataset.task.label_type) == (tuple(map(str, classes)), "int")
    assert dataset.schema["flag"].role is dataset.schema["grade"].role is Role.CATEGORY
    assert dataset.frame["flag"].tolist()[:2] == ["0", "1"]
    graded = load_dataset(tmp_path / "t.arff", target="grade", recipe=Recipe())
    assert (graded.task.classes, graded.task.label_type) == (("1", "2", "K"), "str")


def test_an_unknown_extension_with_text_in_it_is_read_as_csv(tmp_path: Path) -> None:
    (tmp_path / "table.dat").write_text("a;b\n1;2\n")
    assert read_table(tmp_path / "table.dat").frame.to_dict("list") == {"a": ["1"], "b": ["2"]}


def test_a_json_array_is_a_table_too(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"a": 2**70}, {"a": 1}]))
    assert read_table(tmp_path / "t.json").frame["a"].tolist() == [float(2**70), 1.0]
    (tmp_path / "u.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="item 1 is no object"):
        read_table(tmp_path / "u.json")


def test_forty_thousand_rows_load_in_well_under_a_second(tmp_path: Path) -> None:
    import time

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40_000, 6)).round(4), columns=list("abcdef"))
    for name in "ghi":
        frame[name] = rng.choice(["red", "green", "blue"], 40_000)
    frame["y"] = rng.choice(["no", "yes"], 40_000)
    frame.to_csv(tmp_path / "t.csv", index=False)
    read_table(tmp_path / "t.csv")
    started = time.monotonic()
    read_table(tmp_path / "t.csv")
    assert time.monotonic() - started < 1.0


def test_pictures_that_the_standard_input_names_lie_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = b"photo,y\n" + b"".join(b"cats/%d.png,%d\n" % (at, at % 2) for at in range(12))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    table = read_table("-")
    assert table.pictures == ("photo",)
    assert table.frame["photo"][0] == str(tmp_path.resolve() / "cats/0.png")
