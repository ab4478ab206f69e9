"""A large file in pieces says what it says as a whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from automl.data.load import load_dataset, read_table
from automl.data.readers import csv as csv_reader
from automl.data.readers import parquet as parquet_reader
from automl.data.stream import stream_table
from automl.errors import DataError
from automl.pictures import encode_uri
from automl.recipe import DataOptions, Recipe
from automl.schema import Role

OPTIONS = DataOptions()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "STREAM_BYTES", 4096)
    monkeypatch.setattr(parquet_reader, "BATCH_ROWS", 100)


def make_frame(rows: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "number": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows).round(3)),
            "whole": pd.array([None if number % 7 == 0 else number for number in range(rows)], dtype="Int64"),
            "level": rng.choice(["a", "größe", 'with "quotes"', "with, comma", "two\nlines"], rows),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="D"),
        }
    )


def read_pieces(path: Path) -> tuple[pd.DataFrame, int]:
    tables = stream_table(path, options=OPTIONS, least_bytes=0)
    assert tables is not None
    frames = [table.frame for table in tables]
    return pd.concat(frames, ignore_index=True), len(frames)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_in_pieces_is_the_same_as_at_once(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "data.csv"
    make_frame().to_csv(path, index=False, sep=separator)
    found, pieces = read_pieces(path)
    assert pieces > 5
    pd.testing.assert_frame_equal(found, read_table(path).frame)


def test_quotes_behind_a_comma_within_a_quoted_cell_do_not_keep_a_file_from_being_cut(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    make_frame().assign(said='she said, "no", and left').to_csv(path, index=False)
    found, pieces = read_pieces(path)
    assert pieces > 5
    pd.testing.assert_frame_equal(found, read_table(path).frame)
    path.write_text('a, b\n"1, 2", "x"\n"3, 4", "y"\n', encoding="utf-8")
    assert stream_table(path, options=OPTIONS, least_bytes=0) is None
    assert read_table(path).frame["b"].tolist() == ["x", "y"]


def test_a_parquet_file_in_pieces_is_the_same_as_at_once(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    make_frame().to_parquet(path, index=False)
    found, pieces = read_pieces(path)
    assert pieces == 10
    whole = read_table(path).frame
    for name in whole.columns:  # integers without gaps in one piece have another type there, and the same values
        assert (
            found[name].astype(object).where(found[name].notna(), None).tolist()
            == whole[name].astype(object).where(whole[name].notna(), None).tolist()
        )


def test_titles_comments_and_a_byte_order_mark_are_seen_in_the_first_piece(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    rows = "".join(f"{number};x{number}\n" for number in range(2000))
    path.write_bytes(b"\xef\xbb\xbf# a comment\nnumber;name\n" + rows.encode())
    found, pieces = read_pieces(path)
    assert pieces > 3
    assert found.columns.tolist() == ["number", "name"]
    assert (len(found), found["name"].iloc[-1]) == (2000, "x1999")
    pd.testing.assert_frame_equal(found, read_table(path).frame)


def test_headers_that_repeat_are_dropped_and_told(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    block = "a,b\n" + "".join(f"{number},y\n" for number in range(1500))
    path.write_text(block * 2, encoding="ascii")
    tables = stream_table(path, options=OPTIONS, least_bytes=0)
    assert tables is not None
    told = [notice.text for table in tables for notice in table.notices]
    assert told == ["dropped 1 row(s) that repeat the header"]
    assert len(read_pieces(path)[0]) == 3000


def test_a_row_that_is_wrong_is_a_refusal_when_it_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    good = "".join(f"{number},y\n" for number in range(3000))
    path.write_text("a,b\n" + good + "1,2,3\n", encoding="ascii")
    with pytest.raises(DataError, match="cannot be read as CSV after row") as caught:
        read_pieces(path)
    assert "in quotes" in caught.value.hint


def test_what_cannot_be_cut_is_read_whole(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{number},é\n" for number in range(500))
    packed, legacy, blanks, small = (tmp_path / name for name in ("p.csv.gz", "l.csv", "b.csv", "s.csv"))
    packed.write_bytes(gzip.compress(text.encode()))
    legacy.write_bytes(text.encode("latin-1"))
    blanks.write_text("".join(f"{number}  {number}\n" for number in range(500)), encoding="ascii")
    small.write_text(text, encoding="utf-8")
    for path in (packed, legacy, blanks):
        assert stream_table(path, options=OPTIONS, least_bytes=0) is None, path
    assert stream_table(small, options=OPTIONS) is None
    assert stream_table(Path("-"), options=OPTIONS) is None
    assert stream_table(tmp_path / "none.csv", options=OPTIONS) is None


def test_what_is_no_table_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"\x89PNG" + b"\0" * 5000)
    with pytest.raises(DataError, match="a PNG picture"):
        stream_table(path, options=OPTIONS, least_bytes=0)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 2500])
def test_a_name_too_long_is_left_to_the_reader_which_says_so(name: str) -> None:
    assert stream_table(Path(name), options=OPTIONS, least_bytes=1) is None
    with pytest.raises(DataError, match="Cannot read"):
        load_dataset(Path(name), target="y", recipe=Recipe())


def make_pictures(tmp_path: Path, *, inline: bool) -> pd.DataFrame:
    cells = []
    for at in range(120):
        pixels = np.full((8, 8, 1), at, dtype=np.uint8)
        Image.fromarray(pixels[:, :, 0]).save(tmp_path / f"{at}.png")
        cells.append(encode_uri(pixels) if inline else f"{at}.png")
    return pd.DataFrame({"rooms": np.arange(120) % 5, "photo": cells, "sold": ["no", "yes"] * 60})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("inline", [True, False])
def test_a_table_with_pictures_is_read_whole_so_that_they_are_seen(
    tmp_path: Path, ending: str, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.data.sample.LEAST_BYTES", 1)
    path, frame = tmp_path / f"houses.{ending}", make_pictures(tmp_path, inline=inline)
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path, index=False)
    dataset = load_dataset(path, target="sold", recipe=Recipe())
    assert dataset.schema["photo"].role is Role.IMAGE
    assert dataset.pixels["photo"][:, 0, 0, 0].tolist() == list(range(120))


@pytest.mark.parametrize("said", [{"drop": ("photo",)}, {"roles": {"photo": "category"}}])
def test_pictures_that_are_not_looked_at_do_not_keep_a_table_from_being_cut(
    tmp_path: Path, said: dict[str, object]
) -> None:
    make_pictures(tmp_path, inline=False).to_csv(tmp_path / "houses.csv", index=False)
    options = DataOptions.model_validate(said)
    assert stream_table(tmp_path / "houses.csv", options=options, least_bytes=0) is not None
