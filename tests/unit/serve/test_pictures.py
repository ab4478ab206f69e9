"""Pictures travel with their rows: decoded once, brought to the model's size; no request can name a file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.pictures import decode_cell
from automl.schema import Column, PictureFormat, Role, Schema
from automl.serve.pictures_body import read_form, read_picture, settle_pictures
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader

PICTURE = PictureFormat(height=4, width=6, channels=3)
READER = RowReader(
    Schema((Column(name="photo", role=Role.IMAGE, picture=PICTURE), Column(name="age", role=Role.NUMBER)))
)


def png(width: int = 12, height: int = 8, color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, format="PNG")
    return buffer.getvalue()


def test_base64_and_data_uris_become_pictures_of_the_models_size() -> None:
    bare = base64.b64encode(png()).decode()
    rows = READER.from_records([{"photo": bare, "age": 1}, {"photo": f"data:image/png;base64,{bare}", "age": 2}])
    settled = settle_pictures(rows, READER)
    assert settled.columns["photo"][0] == settled.columns["photo"][1]
    pixels = decode_cell(settled.columns["photo"][0], PICTURE)
    assert pixels.shape == (4, 6, 3)
    assert np.array_equal(pixels, decode_cell(f"data:image/png;base64,{bare}", PICTURE))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_path_is_no_picture(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "there.png"
    path.write_bytes(png())
    rows = READER.from_records([{"photo": f"{scheme}{path}", "age": 1}])
    with pytest.raises(Refusal, match="Row 0: the picture in 'photo' cannot be read: not base64") as refusal:
        settle_pictures(rows, READER)
    assert str(tmp_path) not in refusal.value.to_json().decode()


def test_pictures_of_many_pixels_are_refused_before_they_are_unpacked() -> None:
    large = base64.b64encode(png(6000, 6000)).decode()
    assert len(large) < 300_000
    rows = READER.from_records([{"photo": large, "age": 1}] * 2)
    with pytest.raises(Refusal, match="more than 64 million pixels together"):
        settle_pictures(rows, READER)


def test_a_form_is_a_row_a_file_and_its_fields_are_cells_of_all_rows() -> None:
    rows = read_form([("files", True, png()), ("age", False, "7"), ("photo", True, png(color="blue"))], READER)
    assert (rows.count, rows.columns["age"]) == (2, ["7", "7"])
    assert len(set(settle_pictures(rows, READER).columns["photo"])) == 2
    with pytest.raises(Refusal, match="holds a field twice"):
        read_form([("age", False, "7"), ("age", False, "8")], READER)


def test_a_body_that_is_a_picture_lacks_the_other_columns() -> None:
    with pytest.raises(Refusal, match="lack 1 of the model's columns: 'age'"):
        read_picture(png(), READER)


def test_what_is_no_picture_is_refused_with_its_row() -> None:
    rows = READER.from_records([{"photo": base64.b64encode(png()).decode(), "age": 1}, {"photo": "aGVsbG8=", "age": 1}])
    with pytest.raises(Refusal, match="Row 1: the picture in 'photo' cannot be read: no picture of a known format"):
        settle_pictures(rows, READER)
