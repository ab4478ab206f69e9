"""Pictures as arrays: NumPy's .npz, and the idx files that MNIST came in. Nothing in them is executed."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import numpy as np

from automl.errors import DataError
from automl.matrix import Array

MAX_BYTES = 8 << 30
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
# What NumPy and zipfile raise of files that are cut off or changed; RuntimeError is a way of packing that is not known,
# or a password, and MemoryError a shape that nobody meant.
_UNSOUND = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def is_array_file(path: Path) -> bool:
    """Whether a file is .npz, or idx, packed or not; told by its content."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PK\x03\x04":
            return path.suffix.lower() == ".npz"
        if head[:2] == _GZIP:
            with gzip.open(path) as unpacked:
                head = unpacked.read(4)
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES and 1 <= head[3] <= 4


def open_arrays(name: str) -> dict[str, Array]:
    """All arrays of a file, by name; an idx file has one, "array".

    Raises:
        DataError: if it is damaged, or an array holds Python objects.
    """
    path = Path(name)
    try:
        if path.suffix.lower() == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if sum(entry.file_size for entry in archive.zip.infolist()) > MAX_BYTES:
                    raise DataError(f"{path.name} unpacks to more than {MAX_BYTES >> 30} GiB", hint="Split it")
                return {key: archive[key] for key in archive.files}
        return {"array": _read_idx(path)}
    except _UNSOUND as error:
        raise DataError(
            f"{path.name} is not a sound file of arrays: {(str(error) or type(error).__name__).splitlines()[0][:120]}",
            hint="Write it again with numpy.savez, without Python objects",
        ) from error


def _read_idx(path: Path) -> Array:
    data = path.read_bytes()
    if data[:2] == _GZIP:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES)
    sizes = np.frombuffer(data, dtype=">u4", count=data[3], offset=4).astype(np.int64)
    kind = np.dtype(_IDX_TYPES[data[2]])
    start, count = 4 + 4 * data[3], int(np.prod(sizes))
    if len(data) != start + count * kind.itemsize:
        raise ValueError(f"{len(data):,} bytes, not {start + count * kind.itemsize:,}")
    array: Array = np.frombuffer(data, dtype=kind, count=count, offset=start).reshape(sizes)
    return array.astype(kind.newbyteorder("="))
