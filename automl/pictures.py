"""Pictures as cells of a table: what a cell may refer to, and how it becomes an array of fixed size.

A cell is text: a path; a member of an archive (`photos.zip!/cat/1.png`); a row of an array file
(`mnist.npz!/x_train/7`); or, where a picture travels with its row, a data URI
(`data:image/png;base64,…`). Pixels are always uint8.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import errno
import io
import math
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from automl.errors import DataError, EngineError
from automl.matrix import Array
from automl.picture_pixels import (
    DEEP,
    MAX_FILE_BYTES,
    URI,
    PictureError,
    decode_picture,
    open_picture,
    orientation,
)
from automl.picture_places import INSIDE, fetch
from automl.schema import PictureFormat

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pgm", ".ppm", ".pbm"}
)
MAX_THREADS = 8
IN_MEMORY_BYTES = 64 << 20
FEWEST = 100  # pictures that are read whatever the time
TOO_LATE = "the time was too short to read it"
MOST_SHOWN = 200  # characters of a picture's name in a message
COPIED_AT_ONCE = 1024
_GREY = ("1", "L")
DEEP_COLOUR = "F;RGB"  # what Pillow has no mode for: colour of more than 8 bits, which arrays may hold


_collector: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("faults", default=None)


@contextlib.contextmanager
def collect_faults() -> Iterator[dict[str, str]]:
    """Cell → reason of the pictures that could not be read inside; they count as missing there."""
    faults: dict[str, str] = {}
    token = _collector.set(faults)
    try:
        yield faults
    finally:
        _collector.reset(token)


_inline: contextvars.ContextVar[bool] = contextvars.ContextVar("inline", default=False)


@contextlib.contextmanager
def accept_inline_only() -> Iterator[None]:
    """Inside, only data URIs are pictures: who sends rows over a network must not name files of this machine."""
    token = _inline.set(True)
    try:
        yield
    finally:
        _inline.reset(token)


def read_cells(cells: Sequence[Any] | Array, picture: PictureFormat) -> Array:
    """Pictures (n, h, w, c) uint8 of cells; a missing one is black.

    Raises:
        DataError: if a picture cannot be read, unless inside `collect_faults`.
    """
    pixels, faults = decode_all(cells, picture)
    if not faults:
        return pixels
    told = {str(cells[row]): reason for row, reason in faults.items()}
    faulty = _collector.get()
    if faulty is None:
        raise DataError(
            f"{len(told)} picture(s) cannot be read: {list_faults(told)}", hint="Mend or remove them, then try again"
        )
    faulty.update(told)
    return pixels


def find_faulty(frame: pd.DataFrame, faults: Collection[str]) -> Array:
    """Rows (n,) bool of a frame that have one of these pictures."""
    hit = np.zeros(len(frame), dtype=bool)
    for column in frame.columns:
        if frame[column].dtype.kind in "OU" or str(frame[column].dtype) == "str":
            hit |= frame[column].isin(list(faults)).to_numpy()
    return hit


def tell_left_out(faults: dict[str, str]) -> list[str]:
    """A sentence on rows that are left out for their pictures; none where all can be read."""
    return (
        [f"{len(faults)} picture(s) cannot be read, their rows are left out: {list_faults(faults)}"] if faults else []
    )


def list_faults(faults: dict[str, str], most: int = 5) -> str:
    """The first few as text."""
    listed = [f"{shorten(cell)} ({reason})" for cell, reason in list(faults.items())[:most]]
    return ", ".join(listed) + (" …" if len(faults) > most else "")


def shorten(cell: str) -> str:
    """The name of a picture without the folders it lies in, but for its own."""
    if cell.startswith(URI):
        return cell[:30] + "…"
    return "/".join(cell.replace(INSIDE, "/").split("/")[-2:])[-MOST_SHOWN:]


def decode_all(
    cells: Sequence[Any] | Array, picture: PictureFormat, *, deadline: float = float("inf")
) -> tuple[Array, dict[int, str]]:
    """Decode in parallel, each picture brought to one size at once, so that no two large ones are kept.

    Args:
        deadline: `time.monotonic()` from which on no more are read than a hundred; they come in a random order.

    Returns:
        Pixels (n, h, w, c) uint8, in memory or, above 64 MB, in a mapped file that vanishes with the array;
        and row → reason of those that could not be read, `TOO_LATE` where it is the time.
    """
    shape = (len(cells), picture.height, picture.width, picture.channels)
    pixels = _allocate(shape)
    faults: dict[int, str] = {}
    rows = _in_order(cells, deadline)
    if _inline.get():
        faults = {row: "no data URI, and files are not read here" for row in rows if not cells[row].startswith(URI)}
        rows = [row for row in rows if row not in faults]
    first = set(rows[:FEWEST])

    def decode(row: int) -> None:
        if time.monotonic() > deadline and row not in first:
            faults[row] = TOO_LATE
            return
        try:
            pixels[row] = decode_cell(str(cells[row]), picture)
        except PictureError as error:
            faults[row] = str(error)

    _run_all(decode, rows)
    return pixels, dict(sorted(faults.items()))


def probe_all(cells: Sequence[Any] | Array, *, deadline: float = float("inf")) -> tuple[list[Header], dict[int, str]]:
    """Headers of all pictures that have one, and row → reason of the others. Nothing is unpacked.

    Args:
        deadline: as for `decode_all`.
    """
    found: dict[int, Header] = {}
    faults: dict[int, str] = {}
    rows = _in_order(cells, deadline)
    first = set(rows[:FEWEST])

    def probe(row: int) -> None:
        if time.monotonic() > deadline and row not in first:
            faults[row] = TOO_LATE
            return
        try:
            found[row] = probe_cell(str(cells[row]))
        except PictureError as error:
            faults[row] = str(error)

    _run_all(probe, rows)
    return [found[row] for row in sorted(found)], dict(sorted(faults.items()))


def _in_order(cells: Sequence[Any] | Array, deadline: float) -> list[int]:
    """Rows that name a picture; in a random order where the time may not do for all."""
    rows = [row for row in range(len(cells)) if isinstance(cells[row], str)]
    if math.isfinite(deadline):
        rows = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    return rows


def take_pictures(pixels: Array, rows: Array) -> Array:
    """The pictures of these rows; in memory or in a mapped file as those of `decode_all`."""
    taken = _allocate((len(rows), *pixels.shape[1:]))
    for at in range(0, len(rows), COPIED_AT_ONCE):
        taken[at : at + COPIED_AT_ONCE] = pixels[rows[at : at + COPIED_AT_ONCE]]
    return taken


def _run_all(work: Callable[[int], None], rows: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is told here in our own words
        if len(rows) < 16:
            for row in rows:
                work(row)
            return
        threads = min(MAX_THREADS, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, rows, chunksize=64):
                pass


def _allocate(shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape))
    if size <= IN_MEMORY_BYTES:
        return np.zeros(shape, dtype=np.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping outlives the name: nothing is left behind
        _take_room(file, size)
        return np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)


def _take_room(file: IO[bytes], size: int) -> None:
    """Blocks of its own for a file: were the disk full later on, a write into the mapping would end the process.

    Raises:
        EngineError: if there is no room.
    """
    try:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot do so
            return
        raise EngineError(
            f"{tempfile.gettempdir()} has no room for {max(1, size >> 20):,} MB of pixels ({error.strerror})",
            hint="Free some space there, or name a folder that has it: TMPDIR=DIR automl …",
        ) from error


class Header:
    """What the first bytes of a picture say.

    Attributes:
        width, height: as it is looked at: turned as its EXIF orientation says.
        mode: Pillow's name of the pixel format.
        frames: 1, or 2 for an animation or several pages.
    """

    __slots__ = ("frames", "height", "mode", "width")

    def __init__(self, width: int, height: int, mode: str, frames: int) -> None:
        self.width, self.height, self.mode, self.frames = width, height, mode, frames

    @property
    def is_grey(self) -> bool:
        return self.mode in _GREY or self.mode in DEEP

    @property
    def is_deep(self) -> bool:
        return self.mode in DEEP or self.mode == DEEP_COLOUR


def probe_cell(cell: str) -> Header:
    """Size and kind of a picture from its header.

    Raises:
        PictureError: if it is none, is empty, or has more than 50 million pixels.
    """
    path = None if cell.startswith(URI) else Path(cell)
    if path is not None and _is_small_file(path):  # of a file only the header is read
        with path.open("rb") as file, open_picture(file) as image:
            return _read_header(image)
    loaded = fetch(cell)
    if isinstance(loaded, np.ndarray):
        is_grey = loaded.ndim == 2 or loaded.shape[2] == 1
        grey, colour = ("L", "RGB") if loaded.dtype in (np.uint8, np.bool_) else ("F", DEEP_COLOUR)
        return Header(loaded.shape[1], loaded.shape[0], grey if is_grey else colour, 1)
    with open_picture(loaded) as image:
        return _read_header(image)


def _is_small_file(path: Path) -> bool:
    """Whether a path is a file that is not empty and not too large; for anything else `fetch` says what is wrong."""
    try:
        return path.is_file() and 0 < path.stat().st_size <= MAX_FILE_BYTES and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def _read_header(image: Any) -> Header:
    turned = image.format != "TIFF" and orientation(image) in (5, 6, 7, 8)  # of a TIFF, Pillow tells the turned size
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    return Header(width, height, image.mode, 2 if _has_more_frames(image) else 1)


def _has_more_frames(image: Any) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # damaged behind its first frame, which is all that is looked at
        return False


def decode_cell(cell: str, picture: PictureFormat) -> Array:
    """Pixels (h, w, c) uint8 of one picture: turned by EXIF, on white where it is transparent, stretched to its size.

    Raises:
        PictureError: as `probe_cell`, and if the data ends early.
    """
    pixels: Array = decode_picture(fetch(cell), picture)
    return pixels


def measure_range(cells: Sequence[str], *, deadline: float = float("inf")) -> tuple[float, float, int]:
    """Lowest and highest value of deep pictures (16-bit, float): whole values are rounded out to 2^k - 1.

    Args:
        deadline: as for `decode_all`.

    Returns:
        The two values, and how many of the pictures were looked at.
    """
    ends: list[tuple[float, float, bool]] = []
    rows = _in_order(cells, deadline)
    first = set(rows[:FEWEST])
    late: list[int] = []

    def measure(row: int) -> None:
        if time.monotonic() > deadline and row not in first:
            late.append(row)
            return
        with contextlib.suppress(PictureError, OSError, ValueError):
            values = _read_values(cells[row])
            good = values[np.isfinite(values)] if values.dtype.kind == "f" else values
            if good.size:
                ends.append((float(good.min()), float(good.max()), values.dtype.kind != "f"))

    _run_all(measure, rows)
    looked_at = len(rows) - len(late)
    if not ends:
        return 0.0, 255.0, looked_at
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if all(end[2] for end in ends) and low >= 0:
        return 0.0, float(2 ** max(8, int(np.ceil(np.log2(high + 1)))) - 1), looked_at
    return low, high if high > low else low + 1.0, looked_at


def _read_values(cell: str) -> Array:
    loaded = fetch(cell)
    if isinstance(loaded, np.ndarray):
        return loaded
    with open_picture(loaded) as image:
        return np.asarray(image)


def encode_uri(pixels: Array) -> str:
    """A data URI (PNG, lossless) of pixels (h, w, c) uint8."""
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=False)
    return f"{URI}png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
