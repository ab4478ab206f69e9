"""Which bytes were read under a name, so that a file that has grown or changed since is told from what it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Any

EDGE_BYTES = 64 << 20  # of a larger file its two ends speak, so that it costs no second reading


def identify_file(path: Path) -> dict[str, Any] | None:
    """Its size and the SHA-256 of its ends: `bytes` and `sha256`; None for a folder, a stream or nothing."""
    if not path.is_file():
        return None
    size = path.stat().st_size
    return {"bytes": size, "sha256": _hash_beginning(path, size)}


def begins_with(path: Path, facts: dict[str, Any]) -> bool:
    """Whether the file's first bytes are those that `identify_file` saw: it is the same file, or has grown since."""
    size = int(facts["bytes"])
    return path.stat().st_size >= size and _hash_beginning(path, size) == facts["sha256"]


def copy_beginning(path: Path, size: int, folder: Path) -> Path:
    """The first `size` bytes as a file of the same name in `folder`."""
    copy = folder / path.name
    with path.open("rb") as source, copy.open("wb") as target:
        _copy_bytes(source, target, size)
    return copy


def _hash_beginning(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start, end in _edges(size):
            file.seek(start)
            left = end - start
            while left > 0 and (chunk := file.read(min(left, 1 << 20))):
                digest.update(chunk)
                left -= len(chunk)
    return digest.hexdigest()


def _edges(size: int) -> list[tuple[int, int]]:
    if size <= 2 * EDGE_BYTES:
        return [(0, size)]
    return [(0, EDGE_BYTES), (size - EDGE_BYTES, size)]


def _copy_bytes(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0 and (chunk := source.read(min(size, 1 << 20))):
        target.write(chunk)
        size -= len(chunk)
