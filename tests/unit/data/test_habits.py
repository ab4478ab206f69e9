"""Tables as programs and people write them: markers beside codes and dates, units, indices, classes with a format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data import Dataset
from automl.data.load import load_dataset, read_table
from automl.data.readers import csv as csv_reader
from automl.data.stream import stream_table
from automl.errors import DataError
from automl.predictor import encode_target
from automl.recipe import DataOptions, Recipe, build_recipe
from automl.schema import Role
from automl.task import TaskKind

N = 200
RNG = np.random.default_rng(11)


def load_csv(
    folder: Path, *, separator: str = ",", target: str = "y", data: object = None, **columns: object
) -> Dataset:
    path = folder / "table.csv"
    base = {"x": RNG.integers(0, 50, N), "y": ["no", "yes"] * (N // 2)}
    pd.DataFrame({**base, **columns}).to_csv(path, index=False, sep=separator)
    return load_dataset(path, target=target, recipe=build_recipe({"data": data or {}}, source="test"))


def told(dataset: Dataset) -> str:
    return "\n".join(f"{notice.text} ({notice.reason})" for notice in dataset.notices)


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["5,000", "10,000", "20,000"], ("5,000", "10,000", "20,000")),
        (["0%", "100%"], ("0%", "100%")),
        (["1,00", "2,00", "3,00"], ("1,00", "2,00", "3,00")),
        (["$5", "$10"], ("$5", "$10")),
        (["5 stars", "4 stars"], ("4 stars", "5 stars")),
    ],
)
def test_classes_that_are_written_as_amounts_are_called_as_they_are_written(
    tmp_path: Path, cells: list[str], classes: tuple[str, ...]
) -> None:
    target = [cells[row % len(cells)] for row in range(N)]
    dataset = load_csv(tmp_path, separator=";", y=target)
    assert dataset.task.kind is not TaskKind.REGRESSION
    assert dataset.task.classes == classes
    labels = [dataset.task.classes[code] for code in dataset.target]
    assert labels == target
    np.testing.assert_array_equal(encode_target(pd.Series(target, dtype="str"), dataset.task), dataset.target)


@pytest.mark.parametrize("marker", ["NA", "NaN", "-", "unknown", r"\N"])
def test_a_marker_beside_codes_leaves_them_codes(tmp_path: Path, marker: str) -> None:
    account = [f"{number:07d}" for number in RNG.integers(0, 60, N)]
    key = [str(2**60 + int(number)) for number in RNG.integers(0, 60, N)]
    account[3] = key[5] = marker
    dataset = load_csv(tmp_path, account=account, key=key)
    assert dataset.schema["account"].role is Role.CATEGORY
    assert dataset.schema["key"].role is Role.CATEGORY
    assert account[0] in dataset.schema["account"].levels
    assert key[0] in dataset.schema["key"].levels


@pytest.mark.parametrize("marker", ["None", "-", "unknown", "0000-00-00 00:00:00", r"\N", "NaT"])
def test_a_marker_beside_dates_is_missing_and_told(tmp_path: Path, marker: str) -> None:
    days = (pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), unit="D")).strftime("%Y-%m-%d")
    cells = [marker if row % 20 == 0 else day for row, day in enumerate(days)]
    dataset = load_csv(tmp_path, seen=cells)
    assert dataset.schema["seen"].role is Role.DATE
    assert dataset.frame["seen"].isna().sum() == N // 20
    assert f"{marker!r} counts as missing (it stands among dates)" in told(dataset)


def test_a_date_that_is_asked_for_may_have_markers(tmp_path: Path) -> None:
    cells = [f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2024" if row % 10 else "unknown" for row in range(N)]
    dataset = load_csv(tmp_path, due=cells, data={"roles": {"due": "date"}})
    assert dataset.frame["due"].isna().sum() == N // 10


@pytest.mark.parametrize(
    ("write", "seconds"),
    [
        (lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S UTC"), 0),
        (lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT"), 0),
        (lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S +0200"), -7200),
        (lambda moment: moment.strftime("%a %b %d %H:%M:%S +0000 %Y"), 0),
        (lambda moment: moment.strftime("%b %d %Y %I:%M%p"), None),
        (lambda moment: moment.strftime("%m/%d/%Y, %I:%M:%S %p"), 0),
        (lambda moment: moment.strftime("%m/%d/%Y %H:%M:%S.000"), 0),
        (lambda moment: moment.strftime("%b %d %Y"), None),
    ],
    ids=["bigquery", "http", "rfc 2822", "twitter", "sql server", "javascript", "fractions", "month first"],
)
def test_moments_are_read_as_programs_write_them(
    tmp_path: Path, write: Callable[[pd.Timestamp], str], seconds: int | None
) -> None:
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 30_000_000, N), unit="s")
    dataset = load_csv(tmp_path, at=[write(moment) for moment in moments])
    assert dataset.schema["at"].role is Role.DATE
    if seconds is not None:
        expected = moments + pd.Timedelta(seconds=seconds)
        assert (dataset.frame["at"].to_numpy() == expected.to_numpy()).all()


@pytest.mark.parametrize(
    ("unit", "value"),
    [(" kg", 73.2), (" months", 36), ("CC", 998), (" km/h", 120.5), ("g", 5), (" m²", 45)],
)
def test_a_unit_behind_each_number_is_cut_off_and_told(tmp_path: Path, unit: str, value: float) -> None:
    numbers = np.round(value * RNG.uniform(0.5, 2, N), 1)
    dataset = load_csv(tmp_path, size=[f"{number}{unit}" for number in numbers])
    assert dataset.schema["size"].role is Role.NUMBER
    np.testing.assert_allclose(dataset.frame["size"], numbers)
    assert "cut off" in told(dataset)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (
            [f"{row}:{row % 60:02d}:{row % 7:02d}" for row in range(N)],
            "durations such as '0:00:00', which are not read",
        ),
        (
            [f"{row + 1}.5{'kM'[row % 2]}" for row in range(N)],
            "numbers in several units ('M', 'k'), which are not read",
        ),
    ],
)
def test_quantities_that_are_not_read_are_no_identifiers(tmp_path: Path, cells: list[str], reason: str) -> None:
    dataset = load_csv(tmp_path, span=cells)
    assert dataset.schema["span"].role is Role.IGNORE
    assert dataset.schema["span"].reason.startswith(reason)


@pytest.mark.parametrize("cells", [["1a", "2b", "3c"], ["12A", "7A", "3A"], ["AB12", "AB13", "AB14"]])
def test_codes_with_letters_stay_words(tmp_path: Path, cells: list[str]) -> None:
    dataset = load_csv(tmp_path, code=[cells[row % 3] for row in range(N)])
    assert dataset.schema["code"].role is Role.CATEGORY


def test_decimal_points_of_one_column_speak_for_another_beside_semicolons(tmp_path: Path) -> None:
    price = [f"{value:.3f}" for value in RNG.uniform(1.2, 1.9, N)]
    litres = [f"{value:.1f}" for value in RNG.uniform(5, 60, N)]
    with_points = load_csv(tmp_path, separator=";", price=price, litres=litres)
    assert float(with_points.frame["price"].max()) < 2
    alone = load_csv(tmp_path, separator=";", price=price)  # may be thousands, which is told
    assert float(alone.frame["price"].min()) > 1000
    assert "'.' between thousands" in told(alone)


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_what_a_sample_left_of_an_index_is_dropped_as_an_index_is(tmp_path: Path, header: str) -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=N), "y": RNG.normal(size=N)}, index=RNG.permutation(10**6)[:N])
    path = tmp_path / "sample.csv"
    frame.to_csv(path, index_label=header or None)
    assert read_table(path).frame.columns.tolist() == ["x", "y"]
    frame.reset_index(drop=True).to_csv(path, index_label=header or None)
    assert read_table(path).frame.columns.tolist() == ["x", "y"]


def test_an_unnamed_column_of_few_values_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(",x\n" + "".join(f"{row % 2},{row}\n" for row in range(100)), encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["column_1", "x"]


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_an_index_is_dropped_from_every_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    monkeypatch.setattr(csv_reader, "STREAM_BYTES", 2048)
    path = tmp_path / "large.csv"
    pd.DataFrame({"x": RNG.normal(size=1000)}).assign(z="word").to_csv(path, index_label=header or None)
    pieces = stream_table(path, options=DataOptions(), least_bytes=0)
    assert pieces is not None
    tables = list(pieces)
    assert len(tables) > 5
    assert {tuple(table.frame.columns) for table in tables} == {("x", "z")}
    assert [bool(table.notices) for table in tables] == [True] + [False] * (len(tables) - 1)


def test_a_nameless_column_that_is_no_index_is_called_the_same_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "STREAM_BYTES", 2048)
    path = tmp_path / "large.csv"
    path.write_text(",x\n" + "".join(f"{row % 2},{row}\n" for row in range(1000)), encoding="utf-8")
    pieces = list(stream_table(path, options=DataOptions(), least_bytes=0) or ())
    assert len(pieces) > 2
    assert {tuple(piece.frame.columns) for piece in pieces} == {("column_1", "x")}
    assert [notice.text for piece in pieces for notice in piece.notices] == ["column 1 is called column_1"]


def test_a_column_that_the_model_uses_is_no_index_in_a_short_file(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text(",x\n0,5\n1,6\n2,7\n", encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["x"]
    options = DataOptions(roles={"column_1": "number", "x": "number"})
    assert read_table(path, options=options).frame.columns.tolist() == ["column_1", "x"]
    pieces = list(stream_table(path, options=options, least_bytes=0) or ())
    assert pieces[0].frame.columns.tolist() == ["column_1", "x"]
    path.write_text(",column_1\n0,5\n1,6\n2,7\n", encoding="utf-8")  # the name is another column's
    assert read_table(path, options=options).frame.columns.tolist() == ["column_1"]


def test_single_quotes_of_one_row_are_taken_off_for_a_model(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("age,work\n39,'State-gov'\n", encoding="utf-8")
    options = DataOptions(roles={"age": "number", "work": "category"})
    assert read_table(path, options=options).frame["work"].tolist() == ["State-gov"]
    path.write_text("age,work\n39,'State-gov'\n40,'tis all\n", encoding="utf-8")  # some only begin so
    assert read_table(path, options=options).frame["work"].tolist() == ["'State-gov'", "'tis all"]


def test_decimal_numbers_are_names_where_the_word_beside_them_is_no_class(tmp_path: Path) -> None:
    path = tmp_path / "spectra.csv"
    rows = [f"0.{row},1.{row},{'ab'[row % 2]}" for row in range(20)]
    path.write_text("\n".join(["400.5,402.5,class", *rows]) + "\n", encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["400.5", "402.5", "class"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["column_1", "column_2", "column_3"]


def test_decimal_numbers_beside_a_name_that_no_other_row_has_are_data(tmp_path: Path) -> None:
    path = tmp_path / "cars.data"
    path.write_text("".join(f"1{row}.0,8,car no {row}\n" for row in range(20)), encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["column_1", "column_2", "column_3"]


def test_names_that_are_numbers_are_known_from_the_model(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("400.5,402.5\n0.1,0.2\n0.3,0.4\n0.5,0.6\n", encoding="utf-8")
    assert read_table(path).frame.columns.tolist() == ["column_1", "column_2"]
    options = DataOptions(roles={"400.5": "number", "402.5": "number", "note": "ignore"})
    assert read_table(path, options=options).frame.columns.tolist() == ["400.5", "402.5"]


@pytest.mark.parametrize(
    "above", ["\n", "Sales report\n\n", "Sales report\n\nRegion: North\n\n", "# by hand\n\n", '"Sales\nof May"\n']
)
@pytest.mark.parametrize("pieces", [False, True])
def test_blank_lines_above_the_header_are_counted(tmp_path: Path, above: str, pieces: bool) -> None:
    path = tmp_path / "report.csv"
    path.write_text(above + "a,b,c\n1,2,3\n4,5,6\n", encoding="utf-8")
    tables = stream_table(path, options=DataOptions(), least_bytes=0) if pieces else iter([read_table(path)])
    (table,) = tables or ()
    assert table.frame.to_dict("list") == {"a": ["1", "4"], "b": ["2", "5"], "c": ["3", "6"]}
    assert not any("repeat" in notice.text for notice in table.notices)


@pytest.mark.parametrize("name", ["customer_id", "npi", "mandate_no"])
def test_numbers_of_ten_digits_that_stand_for_things_are_no_moments(tmp_path: Path, name: str) -> None:
    dataset = load_csv(tmp_path, **{name: 1_000_234_567 + 977 * np.arange(N)})
    assert dataset.schema[name].reason.startswith("an identifier")


@pytest.mark.parametrize("name", ["v", "index", "date_key"])
def test_numbers_of_ten_digits_are_moments_otherwise(tmp_path: Path, name: str) -> None:
    dataset = load_csv(tmp_path, **{name: 1_000_234_567 + 977 * np.arange(N)})
    assert dataset.schema[name].role is Role.DATE


@pytest.mark.parametrize("name", ["last_paid", "dateid", "dt_key", "period_id"])
def test_digits_of_a_day_are_days_whatever_the_name(tmp_path: Path, name: str) -> None:
    days = pd.date_range("2024-01-01", periods=N).strftime("%Y%m%d").astype(int)
    assert load_csv(tmp_path, **{name: days}).schema[name].role is Role.DATE


def test_years_of_two_digits_that_lie_in_the_future_are_told(tmp_path: Path) -> None:
    born = [f"{row % 12 + 1:02d}/{row % 15 + 13}/{55 + row % 30}" for row in range(N)]
    past = [f"{row % 12 + 1:02d}/{row % 15 + 13}/{70 + row % 30}" for row in range(N)]
    dataset = load_csv(tmp_path, born=born, past=past)
    assert "born: 98 cell(s) lie in the future, up to 2068" in told(dataset)
    assert "past: " not in "\n".join(line for line in told(dataset).splitlines() if "future" in line)


def test_other_bytes_in_the_middle_of_a_large_file_are_called_another_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "STREAM_BYTES", 4096)
    monkeypatch.setattr("automl.data.stream.SAMPLE_BYTES", 4096)
    path = tmp_path / "large.csv"
    rows = [f"{row},Oslo,word word word" for row in range(20_000)]
    rows[15_000] = "15000,Malmö,word"
    path.write_bytes(("a,town,c\n" + "\n".join(rows)).encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 throughout") as caught:
        list(stream_table(path, options=DataOptions(), least_bytes=0) or ())
    assert "--encoding" in caught.value.hint


def test_a_blank_line_is_the_missing_cell_of_a_table_of_one_column(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\ngood\n\nbad\ntext\n\n\n", encoding="utf-8")
    cells = read_table(path).frame["text"]
    assert cells.isna().tolist() == [False, True, False, False]
    assert cells[3] == "text"


def test_months_say_nothing_of_the_order_of_day_and_month(tmp_path: Path) -> None:
    period = [f"{row % 12 + 1:02d}/2024" for row in range(N)]
    due = [f"{row % 12 + 1:02d}/{row % 11 + 1:02d}/2024" for row in range(N)]
    paid = [f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2024" for row in range(N)]
    assert "other way round" in told(load_csv(tmp_path, period=period, due=due))
    dataset = load_csv(tmp_path, period=period, due=due, paid=paid)
    assert dataset.schema["due"].format.date_format == "%d/%m/%Y"


def test_a_time_column_is_read_in_the_order_that_other_columns_show(tmp_path: Path) -> None:
    due = [f"{row % 12 + 1:02d}/{row % 11 + 1:02d}/2024" for row in range(N)]
    paid = [f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2024" for row in range(N)]
    dataset = load_csv(tmp_path, due=due, paid=paid, data={"time": "due"})
    assert dataset.times is not None
    assert dataset.times[1] == pd.Timestamp("2024-02-02").timestamp()
    assert dataset.times[12] == pd.Timestamp("2024-02-01").timestamp()


def test_weights_are_read_as_the_file_writes_numbers(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, separator=";", w=["0,75", "1,25"] * (N // 2), data={"weight": "w"})
    assert dataset.weight is not None
    np.testing.assert_allclose(dataset.weight[:2], [0.75, 1.25])


def test_a_number_that_is_asked_for_is_told_by_the_cells_that_hold_digits(tmp_path: Path) -> None:
    cells = ["call us" if row % 10 == 0 else f"${row * 17:,}" for row in range(N)]
    dataset = load_csv(tmp_path, price=cells, data={"roles": {"price": "number"}})
    assert dataset.frame["price"].isna().sum() == N // 10
    assert dataset.frame["price"].max() == 17 * (N - 1)


def test_steps_of_time_are_no_identifiers(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, t=np.arange(N), counter=np.arange(N))
    assert dataset.schema["t"].role is Role.NUMBER
    assert dataset.schema["counter"].role is Role.IGNORE


def test_categories_that_differ_in_case_alone_are_told(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, sex=["Male", "male", "female", "Female"] * (N // 4))
    assert "categories differ only in case or space: 'Male', 'male'" in told(dataset)


def test_whole_numbers_of_json_that_no_number_type_holds_stay_exact(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    key = [2**63 + 2 * row for row in range(3)]
    path.write_text("".join(f'{{"key": {number}, "x": 1}}\n' for number in [*key, "null"]), encoding="utf-8")
    assert read_table(path).frame["key"].tolist()[:3] == [str(number) for number in key]


def test_what_a_frame_holds_is_loaded_as_its_file_is() -> None:
    frame = pd.DataFrame(
        {"x": np.arange(N) % 7, "size": [f"{row % 9} kg" for row in range(N)], "y": ["a", "b"] * (N // 2)}
    )
    dataset = load_dataset(frame, target="y", recipe=Recipe())
    assert dataset.frame["size"].tolist()[:3] == [0.0, 1.0, 2.0]
