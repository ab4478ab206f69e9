"""Folders as compressed bytes, for the way between machines: a tar in Zstandard, whole or in pieces."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# A gigabyte a second: what a network of ten gigabits takes is not slowed by more.
LEVEL = 1
PIECE_BYTES = 16 << 20

Manifest = dict[str, tuple[int, str]]


def pack(folder: Path) -> bytes:
    """The files below a folder, compressed."""
    buffer = io.BytesIO()
    _write(buffer, folder, [""])
    return buffer.getvalue()


def unpack(content: bytes, place: Path) -> None:
    """Put what `pack` gave at `place`, whole or not at all; what was there is replaced.

    Raises:
        OSError, tarfile.TarError: if it cannot be written, or holds paths that lead elsewhere.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    try:
        _read(io.BytesIO(content), own)
        shutil.rmtree(place, ignore_errors=True)
        own.rename(place)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def list_files(root: Path, folders: tuple[str, ...]) -> Manifest:
    """Relative path → size in bytes and SHA-256 of every file below these folders of `root`."""
    found: Manifest = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                found[path.relative_to(root).as_posix()] = (path.stat().st_size, _digest(path))
    return found


def fingerprint(manifest: Manifest) -> str:
    """One digest of all files, their names and sizes."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def holds(root: Path, manifest: Manifest) -> bool:
    """Whether `root` has all these files, with these contents. Sizes are held first, as they cost nothing."""
    try:
        if any((root / name).stat().st_size != size for name, (size, _) in manifest.items()):
            return False
        return all(_digest(root / name) == digest for name, (_, digest) in manifest.items())
    except OSError:
        return False


def write_pieces(beside: Path, root: Path, folders: tuple[str, ...]) -> Iterator[bytes]:
    """The files below these folders as pieces of one stream; `beside` holds it while they are read.

    Memory stays at one piece, however large the files are.
    """
    try:
        with beside.open("wb") as file:
            _write(file, root, folders)
        with beside.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    finally:
        beside.unlink(missing_ok=True)


def read_stream(path: Path, place: Path) -> None:
    """Put the files of a stream of pieces, joined in the file `path`, below the new folder `place`."""
    with path.open("rb") as file:
        _read(file, place)


def _write(file: IO[bytes], root: Path, folders: Any) -> None:
    import zstandard

    with (
        zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        for folder in folders:
            for path in sorted((root / folder).rglob("*")):
                if path.is_file():
                    archive.add(path, arcname=path.relative_to(root).as_posix(), filter=_without_owner)


def _read(file: IO[bytes], place: Path) -> None:
    import zstandard

    place.mkdir(parents=True)
    with (
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            _take_out(archive, member, place)


def _take_out(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    """Write one file of an archive below `place`. Nothing else was packed; Pythons before 3.11.4 have no filter that
    would refuse the rest.

    Raises:
        tarfile.TarError: if it is no plain file, or lies elsewhere.
    """
    path, content = place / member.name, archive.extractfile(member) if member.isreg() else None
    if content is None or not path.resolve().is_relative_to(place.resolve()):
        raise tarfile.ExtractError(f"{member.name!r} is no file of this folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
