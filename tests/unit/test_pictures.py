"""Pictures become the arrays that a person would see, and what is no picture is named."""

from __future__ import annotations

import errno
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.data.collections._members import list_members
from automl.errors import DataError, EngineError
from automl.picture_pixels import fit_array, read_picture
from automl.picture_places import split_inside
from automl.pictures import (
    PictureError,
    accept_inline_only,
    collect_faults,
    decode_all,
    decode_cell,
    encode_uri,
    list_faults,
    measure_range,
    probe_cell,
    read_cells,
    take_pictures,
)
from automl.schema import PictureFormat

GREY = PictureFormat(height=2, width=2, channels=1)
COLOR = PictureFormat(height=2, width=2, channels=3)
CORNERS = np.array([[0, 50], [100, 255]], dtype=np.uint8)


def save(folder: Path, name: str, image: Image.Image, **options: object) -> str:
    image.save(folder / name, **options)
    return str(folder / name)


@pytest.mark.parametrize("ending", ["png", "webp", "bmp", "tiff", "gif", "pgm"])
def test_a_grey_picture_keeps_its_values_in_every_lossless_format(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    cell = save(tmp_path, f"a.{ending}", Image.fromarray(CORNERS), **options)
    assert decode_cell(cell, GREY)[:, :, 0].tolist() == [[0, 50], [100, 255]]


def test_a_jpeg_is_close_to_what_was_saved(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), (200, 30, 90), dtype=np.uint8)
    cell = save(tmp_path, "a.jpg", Image.fromarray(flat), quality=95)
    assert np.abs(decode_cell(cell, COLOR).astype(int) - [200, 30, 90]).max() <= 4


def test_what_is_transparent_lies_on_white_and_hides_its_colour(tmp_path: Path) -> None:
    pixels = np.array([[[255, 0, 0, 0], [255, 0, 0, 255]], [[0, 0, 255, 128], [0, 0, 0, 255]]], dtype=np.uint8)
    cell = save(tmp_path, "a.png", Image.fromarray(pixels, "RGBA"))
    found = decode_cell(cell, COLOR)
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 1].tolist() == [255, 0, 0]
    assert found[1, 0].tolist() == [127, 127, 255]


def test_a_palette_with_a_transparent_entry_lies_on_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], dtype=np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    cell = save(tmp_path, "a.png", image, transparency=0)
    assert decode_cell(cell, COLOR)[0].tolist() == [[255, 255, 255], [0, 255, 0]]


def test_cmyk_becomes_red_green_blue(tmp_path: Path) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    found = decode_cell(save(tmp_path, "a.jpg", red, quality=95), COLOR)[0, 0].astype(int)
    assert found[0] > 240
    assert max(found[1], found[2]) < 15


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    deep = np.array([[0, 16384], [32768, 65535]], dtype=np.uint16)
    cell = save(tmp_path, "a.png", Image.fromarray(deep))
    assert probe_cell(cell).is_deep
    assert measure_range([cell]) == (0.0, 65535.0, 1)
    wide = PictureFormat(height=2, width=2, channels=1, low=0.0, high=65535.0)
    assert decode_cell(cell, wide)[:, :, 0].tolist() == [[0, 64], [128, 255]]


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.array([[0, 16384], [32768, 65535]], np.uint16), [[0, 64], [128, 255]]),
        (np.array([[0, 50], [100, 255]], np.uint16), [[0, 50], [100, 255]]),
        (np.array([[0, 0.25], [0.5, 1]], np.float32), [[0, 64], [128, 255]]),
        (np.array([[0, np.nan], [100, 255]], np.float32), [[0, 0], [100, 255]]),
    ],
    ids=["16 bits", "8 bits in a file of 16", "shares", "floats of 8 bits"],
)
def test_a_model_of_8_bits_sees_deeper_pictures_as_a_person_does(
    tmp_path: Path, values: np.ndarray, seen: list[list[int]]
) -> None:
    cell = save(tmp_path, "a.tiff", Image.fromarray(values))
    assert decode_cell(cell, GREY)[:, :, 0].tolist() == seen
    assert fit_array(values, GREY)[:, :, 0].tolist() == seen


def test_twelve_bits_in_a_sixteen_bit_file_use_the_whole_range(tmp_path: Path) -> None:
    deep = np.array([[0, 1000], [2000, 4000]], dtype=np.uint16)
    cell = save(tmp_path, "a.tiff", Image.fromarray(deep))
    assert measure_range([cell]) == (0.0, 4095.0, 1)


def test_float_pictures_are_scaled_by_their_range(tmp_path: Path) -> None:
    cell = save(tmp_path, "a.tiff", Image.fromarray(np.array([[-1.0, 0.0], [1.0, 3.0]], dtype=np.float32)))
    low, high, _ = measure_range([cell])
    assert (low, high) == (-1.0, 3.0)
    found = decode_cell(cell, PictureFormat(height=2, width=2, channels=1, low=low, high=high))
    assert found[:, :, 0].tolist() == [[0, 64], [128, 255]]


@pytest.mark.parametrize(
    ("orientation", "first_row"), [(1, [0, 50]), (2, [50, 0]), (3, [255, 100]), (6, [100, 0]), (8, [50, 255])]
)
def test_exif_turns_a_picture_as_a_viewer_does(tmp_path: Path, orientation: int, first_row: list[int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    cell = save(tmp_path, "a.png", Image.fromarray(CORNERS), exif=exif)
    assert decode_cell(cell, GREY)[0, :, 0].tolist() == first_row


@pytest.mark.parametrize(
    ("tag", "kind", "data"),
    [(0x011A, 2, b"abc\0"), (0x010E, 5, struct.pack("<II", 1, 2))],
    ids=["a resolution as text", "a description as a fraction"],
)
def test_a_turned_photo_is_read_whatever_else_its_camera_wrote(
    tmp_path: Path, tag: int, kind: int, data: bytes
) -> None:
    place = 8 + 2 + 2 * 12 + 4  # behind the two entries
    value = data if len(data) <= 4 else struct.pack("<I", place)
    count = len(data) if kind == 2 else 1
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHI", tag, kind, count) + value]
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + b"".join(sorted(entries)) + bytes(4) + data
    photo = Image.fromarray(np.repeat(np.repeat(CORNERS, 8, axis=0), 8, axis=1))
    cell = save(tmp_path, "a.jpg", photo, exif=exif, quality=95)
    first, second = decode_cell(cell, GREY)[0, :, 0].astype(int)
    assert first > second + 50


def test_whatever_a_decoder_raises_is_told_of_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*given: object, **named: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'read'")

    cell = save(tmp_path, "a.png", Image.fromarray(CORNERS))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", stumble)
    with pytest.raises(PictureError, match="cut off or damaged"):
        decode_cell(cell, GREY)


def test_the_header_of_a_turned_picture_tells_its_seen_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    cell = save(tmp_path, "a.jpg", Image.new("RGB", (30, 10)), exif=exif)
    assert (probe_cell(cell).width, probe_cell(cell).height) == (10, 30)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (2, 2), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    cell = str(tmp_path / "a.webp")
    assert probe_cell(cell).frames == 2
    assert decode_cell(cell, GREY)[0, 0, 0] == 10


def test_an_animation_that_ends_early_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (2, 2), value) for value in (10, 200)]
    save(tmp_path, "a.gif", frames[0], save_all=True, append_images=frames[1:])
    whole = (tmp_path / "a.gif").read_bytes()
    second = whole.rindex(b",\0\0\0\0")  # where the second frame is described
    (tmp_path / "a.gif").write_bytes(whole[: second + 4])
    cell = str(tmp_path / "a.gif")
    assert probe_cell(cell).frames == 1
    assert decode_cell(cell, GREY)[0, 0, 0] == 10


def test_a_larger_picture_is_averaged_down(tmp_path: Path) -> None:
    checks = np.kron(np.array([[0, 200], [200, 0]], dtype=np.uint8), np.ones((50, 50), dtype=np.uint8))
    found = decode_cell(save(tmp_path, "a.png", Image.fromarray(checks)), GREY)[:, :, 0].astype(int)
    assert np.abs(found - [[25, 175], [175, 25]]).max() <= 26


def test_a_bomb_is_refused_by_its_header_alone(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(PictureError, match="10000x10000, more than 50"):
        probe_cell(str(tmp_path / "bomb.png"))
    _, faults = decode_all([str(tmp_path / "bomb.png")], GREY)
    assert "50 million pixels" in faults[0]


def test_each_kind_of_broken_file_has_its_reason(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, format="JPEG")
    broken = {
        "empty.png": (b"", "empty, 0 bytes"),
        "text.jpg": (b"hello, no picture", "no picture of a known format"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture of a known format"),
        "cut.jpg": (whole.getvalue()[:-400], "cut off or damaged"),
    }
    for name, (data, _) in broken.items():
        (tmp_path / name).write_bytes(data)
    cells = [str(tmp_path / name) for name in broken] + [str(tmp_path / "gone.png"), None]
    pixels, faults = decode_all(cells, GREY)
    assert list(faults.values()) == [reason for _, reason in broken.values()] + ["no such file"]
    assert not pixels.any()


def test_reading_names_the_broken_ones_and_collecting_goes_on(tmp_path: Path) -> None:
    good = save(tmp_path, "good.png", Image.fromarray(CORNERS))
    (tmp_path / "bad.png").write_bytes(b"bad")
    cells = [good, str(tmp_path / "bad.png")]
    with pytest.raises(DataError, match=r"1 picture\(s\) cannot be read: .*bad.png \(no picture of a known format\)"):
        read_cells(cells, GREY)
    with collect_faults() as faults:
        pixels = read_cells(cells, GREY)
    assert list(faults) == [cells[1]]
    assert pixels[0, 1, 1, 0] == 255


def test_where_rows_come_from_a_network_no_file_is_read(tmp_path: Path) -> None:
    cell = save(tmp_path, "a.png", Image.fromarray(CORNERS))
    with accept_inline_only():
        with pytest.raises(DataError, match="files are not read here"):
            read_cells([cell], GREY)
        assert read_cells([encode_uri(CORNERS[:, :, None])], GREY)[0, 1, 1, 0] == 255
    assert read_cells([cell], GREY)[0, 1, 1, 0] == 255


def test_pixels_survive_the_data_uri(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    assert (decode_cell(encode_uri(pixels), COLOR) == pixels).all()
    assert encode_uri(pixels[:, :, :1]).startswith("data:image/png;base64,")


def test_a_member_of_a_zip_and_a_row_of_an_array_are_cells(tmp_path: Path) -> None:
    inner = io.BytesIO()
    Image.fromarray(CORNERS).save(inner, format="PNG")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("cat/1.png", inner.getvalue())
    np.savez(tmp_path / "p.npz", x_train=CORNERS[None])
    for cell in (f"{tmp_path}/p.zip!/cat/1.png", f"{tmp_path}/p.npz!/x_train/0"):
        assert decode_cell(cell, GREY)[:, :, 0].tolist() == CORNERS.tolist()
    for cell in (f"{tmp_path}/p.zip!/cat/2.png", f"{tmp_path}/p.npz!/x_train/9"):
        with pytest.raises(PictureError, match="not in the archive"):
            decode_cell(cell, GREY)


def test_many_pictures_are_decoded_in_their_order(tmp_path: Path) -> None:
    cells = [save(tmp_path, f"{at:03d}.png", Image.new("L", (4, 4), at)) for at in range(100)]
    pixels, faults = decode_all(cells, GREY)
    assert not faults
    assert pixels[:, 0, 0, 0].tolist() == list(range(100))


def test_one_deep_picture_among_many_is_not_clipped(tmp_path: Path) -> None:
    """Each is asked for its range, not a sample of them, as long as there is time."""
    dark = np.full((8, 8), 100, dtype=np.uint16)
    cells = [save(tmp_path, f"{at:03d}.png", Image.fromarray(dark)) for at in range(150)]
    bright = save(tmp_path, "bright.png", Image.fromarray(np.full((8, 8), 60_000, dtype=np.uint16)))
    assert measure_range([*cells, bright]) == (0.0, 65535.0, 151)
    _, high, looked_at = measure_range([*cells, bright], deadline=0.0)
    assert looked_at == 100 and high in (255.0, 65535.0)


def test_an_array_with_transparent_places_lies_on_white_as_a_file_does(tmp_path: Path) -> None:
    pixels = np.array([[[255, 0, 0, 0], [0, 255, 0, 255]]], dtype=np.uint8)
    shape = PictureFormat(height=1, width=2, channels=3)
    cell = save(tmp_path, "a.png", Image.fromarray(pixels))
    assert fit_array(pixels, shape).tolist() == decode_cell(cell, shape).tolist() == [[[255] * 3, [0, 255, 0]]]


def test_faults_are_told_by_whole_cells_and_shown_by_their_ends(tmp_path: Path) -> None:
    long = f"data:image/png;base64,{'A' * 400}"
    with collect_faults() as faults:
        read_cells([long], COLOR)
    assert list(faults) == [long]
    assert len(list_faults(faults)) < 100


def test_only_the_header_of_a_file_is_read_to_measure_it(tmp_path: Path) -> None:
    path = Path(save(tmp_path, "a.png", Image.fromarray(np.zeros((300, 200, 3), dtype=np.uint8))))
    path.write_bytes(path.read_bytes()[:200])
    header = probe_cell(str(path))
    assert (header.width, header.height) == (200, 300)


def test_pictures_of_some_rows_are_copied_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.pictures.COPIED_AT_ONCE", 2)
    pixels = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    rows = np.array([4, 0, 2])
    np.testing.assert_array_equal(take_pictures(pixels, rows), pixels[rows])


def test_a_disk_without_room_for_the_pixels_is_told_before_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped without blocks of its own, a file ends the process by a signal when the disk is full."""

    def fill(*given: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("automl.pictures.IN_MEMORY_BYTES", 1)
    pixels = np.ones((5, 2, 2, 1), dtype=np.uint8)
    assert take_pictures(pixels, np.arange(3)).sum() == 12
    monkeypatch.setattr("os.posix_fallocate", fill)
    with pytest.raises(EngineError, match="has no room for 1 MB of pixels") as told:
        take_pictures(pixels, np.arange(3))
    assert "TMPDIR=" in told.value.hint


def test_where_room_cannot_be_taken_beforehand_pixels_are_mapped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("automl.pictures.IN_MEMORY_BYTES", 1)
    monkeypatch.setattr("os.posix_fallocate", refuse)
    assert take_pictures(np.ones((5, 2, 2, 1), dtype=np.uint8), np.arange(3)).sum() == 12


def test_arrays_of_colour_stay_in_colour_whatever_their_type(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).random((12, 6, 6, 3))
    np.savez(tmp_path / "c.npz", x=colour.astype(np.float32), y=np.arange(12) % 2, one=colour[:, :, :, :1] > 0.5)
    header = probe_cell(f"{tmp_path}/c.npz!/x/3")
    assert (header.is_grey, header.is_deep) == (False, True)
    header = probe_cell(f"{tmp_path}/c.npz!/one/3")
    assert (header.is_grey, header.is_deep) == (True, False)
    pixels = decode_cell(f"{tmp_path}/c.npz!/one/3", PictureFormat(height=6, width=6, channels=1))
    np.testing.assert_array_equal(pixels[:, :, 0], 255 * (colour[3, :, :, 0] > 0.5))


def test_a_pipe_or_a_device_is_no_picture_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for cell in (str(tmp_path / "pipe.png"), "/dev/zero"):
        for read in (decode_cell, lambda cell, _: probe_cell(cell), read_picture):
            with pytest.raises(PictureError, match="no regular file"):
                read(cell, GREY)


def test_a_turned_tiff_is_as_wide_as_it_is_looked_at(tmp_path: Path) -> None:
    stored = np.zeros((30, 40), np.uint8)
    stored[0, 0] = 200
    cell = save(tmp_path, "a.tiff", Image.fromarray(stored), tiffinfo={274: 6})
    header = probe_cell(cell)
    assert (header.width, header.height) == (30, 40)
    pixels = decode_cell(cell, PictureFormat(height=40, width=30, channels=1))
    assert pixels[0, 29, 0] == pixels.sum() == 200  # what was above on the left is above on the right


def test_folders_may_have_names_that_end_in_an_exclamation_mark(tmp_path: Path) -> None:
    (tmp_path / "wow!").mkdir()
    buffer = io.BytesIO()
    Image.fromarray(CORNERS).save(buffer, format="PNG")
    with zipfile.ZipFile(tmp_path / "wow!" / "set.zip", "w") as archive:
        archive.writestr("Yahoo!/1.png", buffer.getvalue())
    cell = f"{tmp_path}/wow!/set.zip!/Yahoo!/1.png"
    assert split_inside(cell) == (f"{tmp_path}/wow!/set.zip", "Yahoo!/1.png")
    assert decode_cell(cell, GREY)[:, :, 0].tolist() == CORNERS.tolist()
    members = list_members(tmp_path / "wow!" / "set.zip!" / "Yahoo!")
    assert members is not None and members.names == ("1.png",)
