"""Picture columns of a data set: found, measured, decoded once; what cannot be read is named, left out or refused."""

from __future__ import annotations

import dataclasses
import re
import shlex
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.data.table import RawTable
from automl.errors import DataError
from automl.matrix import Array, IntArray
from automl.picture_pixels import URI
from automl.picture_places import NO_FILE, check_name
from automl.pictures import (
    MOST_SHOWN,
    SUFFIXES,
    TOO_LATE,
    Header,
    decode_all,
    list_faults,
    measure_range,
    probe_all,
    take_pictures,
)
from automl.recipe import DataOptions
from automl.schema import Column, Notice, PictureFormat, Role, Schema

LONG_SIDE = 96
MIN_SIDE = 8
MAX_ARRAY_BYTES = 2 << 30
MAX_FAULTY_SHARE = 0.1
FIRST_CELLS = 200  # rows that tell whether a column may hold pictures
LOOKED_AT = 50  # distinct texts that decide it
# Of the time for reading: the headers alone, and the values of pictures of more than 8 bits.
PROBE_SHARE, RANGE_SHARE = 0.3, 0.3
_ENDINGS = tuple(SUFFIXES)
_ADDRESS = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")


def looks_like_pictures(texts: Iterable[str]) -> bool:
    """Whether the texts of a column are paths or data URIs of pictures, but for one in ten."""
    seen: set[str] = set()
    misses = 0
    for text in texts:
        if text in seen:
            continue
        seen.add(text)
        misses += not (text.startswith(URI) or text.lower().endswith(_ENDINGS))
        if misses > LOOKED_AT // 10 or len(seen) == LOOKED_AT:
            break
    return len(seen) > 0 and len(seen) - misses >= 0.9 * len(seen)


def resolve_paths(raw: RawTable, folder: Path, roles: dict[str, str]) -> RawTable:
    """The table with picture paths made absolute: they are meant relative to the folder of the table's own file."""
    found = find_picture_columns(raw.frame, roles)
    if not found:
        return raw
    frame, folder = raw.frame.copy(deep=False), folder.resolve()
    for label in found:  # not by `assign`: a frame's columns may be numbered
        absolute = [_absolute(cell, folder) for cell in frame[label]]
        frame[label] = pd.Series(absolute, index=frame.index, dtype="str")
    return dataclasses.replace(raw, frame=frame, pictures=tuple(str(label) for label in found))


def find_picture_columns(frame: pd.DataFrame, roles: dict[str, str]) -> list[Any]:
    """Labels of the columns that hold pictures, by their role or, where they have none, by their first cells."""
    found = []
    head = frame.iloc[:FIRST_CELLS]
    for place, label in enumerate(frame.columns):
        cells = head.iloc[:, place]
        if not (pd.api.types.is_string_dtype(cells.dtype) or cells.dtype == object):
            continue
        texts = (cell for cell in cells if isinstance(cell, str) and cell.strip())
        if roles.get(str(label)) == "image" or (str(label) not in roles and looks_like_pictures(texts)):
            found.append(label)
    return found


def _absolute(cell: Any, folder: Path) -> Any:
    if not isinstance(cell, str) or not cell.strip() or cell.startswith(URI) or _ADDRESS.match(cell):
        return cell
    path = str(folder / cell.strip().replace("\\", "/"))
    check_name(path)
    return path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """What came of the picture columns of a table.

    Attributes:
        frame: the rows that have something to learn from, missing cells where a picture could not be read.
        rows: their numbers in the source (m,) int64.
        formats: picture column → what its pictures were brought to.
        pixels: picture column → (m, h, w, c) uint8.
    """

    frame: pd.DataFrame
    rows: IntArray
    formats: dict[str, PictureFormat]
    pixels: dict[str, Array]
    notices: tuple[Notice, ...] = ()

    def force_roles(self, options: DataOptions) -> DataOptions:
        """Options by which these columns, and no others, become pictures."""
        roles: dict[str, Any] = {**options.roles, **dict.fromkeys(self.formats, "image")}
        return options.model_copy(update={"roles": roles}) if self.formats else options

    def complete(self, schema: Schema) -> Schema:
        """The schema with the format of each picture column in it."""
        return Schema(tuple(self._complete(column) for column in schema.columns))

    def _complete(self, column: Column) -> Column:
        picture = self.formats.get(column.name)
        if picture is None:
            return column
        kind = "grey" if picture.channels == 1 else "colour"
        reason = f"pictures, read as {picture.width}×{picture.height} {kind}"
        return dataclasses.replace(column, role=Role.IMAGE, picture=picture, reason=reason)


def decode_columns(table: RawTable, *, aside: Collection[str], deadline: float = float("inf")) -> Album:
    """Decode all picture columns of a table.

    Args:
        aside: columns that no model sees.
        deadline: `time.monotonic()` from which on no more pictures are read; rows without theirs are left out.

    Raises:
        DataError: if more than a tenth of a column's pictures cannot be read; nothing is trained then.
    """
    frame = table.frame
    names = [name for name in table.pictures if name not in aside]
    if not names:
        rows = np.arange(len(frame), dtype=np.int64)
        return Album(frame=frame, rows=rows, formats={}, pixels={})
    frame = frame.rename(columns=str)  # of a frame whose columns are numbered
    alone = len(names) == 1 and all(str(name) in (*names, *aside) for name in frame.columns)
    keep = np.ones(len(frame), dtype=bool)
    formats, pixels, notices = {}, {}, []
    for name in names:
        cells = frame[name].astype(object).where(frame[name].notna(), None).to_numpy(dtype=object).copy()
        formats[name], pixels[name], faults, remarks = _decode_column(name, cells, deadline, alone=alone)
        notices += remarks
        keep[[row for row, reason in faults.items() if reason == TOO_LATE]] = False
        cells[list(faults)] = None
        keep &= ~(pd.isna(cells) & alone)
        frame = frame.assign(**{name: pd.Series(cells, index=frame.index, dtype="str")})
    rows = np.flatnonzero(keep).astype(np.int64)
    if not keep.all():
        frame = frame.iloc[rows].reset_index(drop=True)
        pixels = {name: take_pictures(array, rows) for name, array in pixels.items()}
    return Album(frame=frame, rows=rows, formats=formats, pixels=pixels, notices=tuple(notices))


def _decode_column(
    name: str, cells: Array, deadline: float, *, alone: bool
) -> tuple[PictureFormat, Array, dict[int, str], list[Notice]]:
    headers, found = probe_all(cells, deadline=_share_of(PROBE_SHARE, deadline))
    late = {row: reason for row, reason in found.items() if reason == TOO_LATE}
    faults = {row: reason for row, reason in found.items() if row not in late}
    sound = cells.copy()
    sound[list(late)] = None
    _refuse_if_many(name, sound, faults)
    sound[list(faults)] = None
    picture, unmeasured = choose_format(headers, sound, len(cells), deadline=_share_of(RANGE_SHARE, deadline))
    pixels, unread = decode_all(sound, picture, deadline=deadline)
    late |= {row: reason for row, reason in unread.items() if reason == TOO_LATE}
    faults |= {row: reason for row, reason in unread.items() if row not in late}
    _refuse_if_many(name, cells, faults)
    told = {str(cells[row]): reason for row, reason in sorted(faults.items())}
    notices = _describe(name, headers, picture, told, alone=alone, unmeasured=unmeasured)
    if late:
        text = f"learned from {len(cells) - len(late):,} of {len(cells):,} rows, drawn at random"
        notices.append(Notice(topic="rows", text=text, reason="the time was too short to read all pictures"))
    return picture, pixels, faults | late, notices


def _share_of(share: float, deadline: float) -> float:
    """The moment at which this share of the time that is left has passed."""
    now = time.monotonic()
    return now + share * max(0.0, deadline - now)


def choose_format(
    headers: list[Header], cells: Array, rows: int, *, deadline: float = float("inf")
) -> tuple[PictureFormat, int]:
    """The size that pictures are brought to: their own if it is small and the same for all, else their median shape
    with the longer side at most 96 pixels; fewer where all pictures together would take more than 2 GB.

    Args:
        cells: those that have a header, in the order of the headers, and missing ones.
        deadline: `time.monotonic()` from which on no more pictures of more than 8 bits are asked for their range.

    Returns:
        The format, and how many such pictures were not asked.
    """
    widths, heights = np.array([h.width for h in headers]), np.array([h.height for h in headers])
    channels = 1 if all(header.is_grey for header in headers) else 3
    width, height = float(np.median(widths)), float(np.median(heights))
    scale = min(1.0, LONG_SIDE / max(width, height))
    scale = min(scale, float(np.sqrt(MAX_ARRAY_BYTES / max(1.0, rows * width * height * channels))))
    low, high, unmeasured = 0.0, 255.0, 0
    deep = [header.is_deep for header in headers]
    if any(deep):
        present = [str(cell) for cell in cells if isinstance(cell, str)]
        chosen = [cell for cell, is_deep in zip(present, deep, strict=False) if is_deep]
        low, high, measured = measure_range(chosen, deadline=deadline)
        unmeasured = len(chosen) - measured
    picture = PictureFormat(
        height=max(MIN_SIDE, round(height * scale)),
        width=max(MIN_SIDE, round(width * scale)),
        channels=channels,
        low=low,
        high=high,
    )
    return picture, unmeasured


def _refuse_if_many(name: str, cells: Array, faults: dict[int, str]) -> None:
    present = int((~pd.isna(cells)).sum())
    if len(faults) <= MAX_FAULTY_SHARE * present and present:
        return
    told = {str(cells[row]): reason for row, reason in faults.items()}
    addresses = [cell for cell in told if _ADDRESS.match(cell)]
    missing = [cell for cell, reason in told.items() if reason == NO_FILE]
    without = f"do without the pictures: --drop {shlex.quote(name)} or --role {shlex.quote(f'{name}=category')}"
    count = f"{len(faults)} of {present} pictures in {name!r}"
    if 2 * len(addresses) > len(told):
        raise DataError(
            f"{count} are addresses, such as {addresses[0][:MOST_SHOWN]}, and the network is never used",
            hint=f"Download them and write their paths, or {without}",
        )
    hint = "Mend or remove them; up to a tenth may be broken"
    if 2 * len(missing) > len(told):
        folder = Path(missing[0]).parent
        hint = f"They were looked for in {folder}: paths begin at the table's own folder. To {without}"
    raise DataError(f"{count} cannot be read ({len(faults) / max(1, present):.0%}): {list_faults(told)}", hint=hint)


def _describe(
    name: str, headers: list[Header], picture: PictureFormat, faults: dict[str, str], *, alone: bool, unmeasured: int
) -> list[Notice]:
    notices = []

    def add(text: str, reason: str) -> None:
        notices.append(Notice(topic="pictures", text=text, reason=reason))

    if faults:
        what = "are left out" if alone else "count as missing"
        add(f"{len(faults)} picture(s) {what}: {list_faults(faults)}", "they cannot be read")
    sizes = {(header.width, header.height) for header in headers}
    if sizes != {(picture.width, picture.height)}:
        widths, heights = sorted(size[0] for size in sizes), sorted(size[1] for size in sizes)
        text = f"pictures of {name!r} are stretched to {picture.width}×{picture.height}"
        add(text, f"they are {widths[0]} to {widths[-1]} wide and {heights[0]} to {heights[-1]} high")
    if moving := sum(header.frames > 1 for header in headers):
        add(f"{moving} picture(s) move or have several pages: the first frame is used", "")
    if deep := sum(header.is_deep for header in headers):
        text = f"{deep} picture(s) have more than 8 bits: {picture.low:g} to {picture.high:g} becomes 0 to 255"
        beyond = f"{unmeasured:,} were not asked for their range in the time: what lies beyond this one is clipped"
        add(text, beyond if unmeasured else "so that nothing is clipped")
    others = sorted({h.mode for h in headers} - {"L", "RGB"} - {h.mode for h in headers if h.is_deep})
    if others:
        add(f"pixel formats {', '.join(others)} are turned into plain colour, on white where transparent", "")
    if tiny := sum(min(header.width, header.height) < MIN_SIDE for header in headers):
        add(f"{tiny} picture(s) are less than {MIN_SIDE} pixels wide or high", "little can be seen in them")
    return notices
