"""Where a picture lies: in a file, in an archive, in a row of an array file, or in the cell itself as a data URI."""

from __future__ import annotations

import lzma
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import DataError
from automl.matrix import Array
from automl.picture_arrays import is_array_file, open_arrays
from automl.picture_pixels import MAX_FILE_BYTES, URI, PictureError, read_file, read_uri

INSIDE = "!/"  # between an archive and what lies in it
NO_FILE = "no such file"
# What reading a member of a damaged archive raises besides errors of the system.
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)

_archives: dict[tuple[str, int, int], Any] = {}
_archives_lock = threading.Lock()


def check_name(text: str) -> None:
    """Demand that the name of a file can be written down.

    Raises:
        DataError: if its bytes are not UTF-8, so that no table can hold it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"The name {text!a} is not UTF-8", hint="Rename it, for example with: convmv -f latin1 -t utf8 -r --notest"
        ) from error


def split_inside(text: str) -> tuple[str, str]:
    """The path of an archive and what is meant in it; "" where nothing is. Folders may have names that end in "!"."""
    at = text.find(INSIDE)
    while at >= 0 and not Path(text[:at]).is_file():
        at = text.find(INSIDE, at + 1)
    return (text, "") if at < 0 else (text[:at], text[at + len(INSIDE) :])


def fetch(cell: str) -> bytes | Array:
    """The file behind a cell, or the array where it is a row of one.

    Raises:
        PictureError: if there is nothing to read.
    """
    if cell.startswith(URI):
        return read_uri(cell)
    try:
        outer, inner = split_inside(cell)
        if not inner or Path(cell).exists():
            return read_file(Path(cell))
        if is_array_file(Path(outer)):
            name, _, row = inner.rpartition("/")
            pictures: Array = _open_archive(outer, open_arrays)[name]
            return np.asarray(pictures[int(row)])
        archive = _open_archive(outer, zipfile.ZipFile)
        if archive.getinfo(inner).file_size > MAX_FILE_BYTES:
            raise PictureError(f"larger than {MAX_FILE_BYTES >> 20} MB")
        data: bytes = archive.read(inner)
        return data
    except FileNotFoundError as error:
        raise PictureError(NO_FILE) from error
    except PermissionError as error:
        raise PictureError("may not be read") from error
    except (KeyError, IndexError) as error:
        raise PictureError("not in the archive") from error
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, *DAMAGED) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError("cannot be read") from error


def _open_archive(name: str, opener: Callable[[str], Any]) -> Any:
    """An archive, opened once for as long as it does not change."""
    status = Path(name).stat()
    key = (name, status.st_size, status.st_mtime_ns)
    with _archives_lock:
        if key not in _archives:
            if len(_archives) > 8:
                _archives.clear()
            _archives[key] = opener(name)
        return _archives[key]
