"""Pictures as arrays: NumPy's .npz, and the idx files that MNIST came in. Nothing in them is executed."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from automl.errors import DataError
from automl.matrix import Array

MAX_BYTES, MEMORY_SHARE = 8 << 30, 0.5  # and of the memory that is free
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
                _check_room(path, sum(entry.file_size for entry in archive.zip.infolist()))
                return {key: archive[key] for key in archive.files}
        return {"array": _read_idx(path)}
    except _UNSOUND as error:
        raise DataError(
            f"{path.name} is not a sound file of arrays: {(str(error) or type(error).__name__).splitlines()[0][:120]}",
            hint="Write it again with numpy.savez, without Python objects",
        ) from error


def _check_room(path: Path, size: int) -> None:
    """Refuse what would take more memory than there is, before any of it is unpacked."""
    import psutil

    limit = min(MAX_BYTES, int(MEMORY_SHARE * psutil.virtual_memory().available))
    if size > limit:
        raise DataError(f"{path.name} unpacks to {size >> 20:,} MB, more than {limit >> 20:,} MB", hint="Split it")


def _read_idx(path: Path) -> Array:
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    with gzip.open(path) if is_packed else path.open("rb") as file:
        head = file.read(4)
        kind = np.dtype(_IDX_TYPES[head[2]])
        sizes = np.frombuffer(file.read(4 * head[3]), dtype=">u4", count=head[3]).astype(np.int64)
        size = math.prod(int(side) for side in sizes) * kind.itemsize
        _check_room(path, size)
        data = file.read(size + 1)  # one byte more shows that the sizes are not those of the content
    if len(data) != size:
        raise ValueError(f"{len(data):,} bytes of values, not {size:,}")
    array: Array = np.frombuffer(data, dtype=kind).reshape(sizes)
    return array.astype(kind.newbyteorder("="))
