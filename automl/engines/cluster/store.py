"""A worker's side of the data set: found on shared storage, or received in pieces; one copy a host.

Below the worker's scratch folder lie `automl/data-<fingerprint>`, what was received, and `automl/run-<session>`, where
the jobs of one session find it as their root and keep their matrices. All workers of a host use the same folders.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

from automl.engines.cluster.parcel import Manifest, fingerprint, holds, read_stream
from automl.engines.local import remove_matching

FOLDER = "automl"
USED = ".used"
MARK_SECONDS = 20.0


def scratch_folder(directory: str) -> Path:
    """What the workers of a host share, from the local directory of one of them."""
    return Path(directory).parent / FOLDER


def find_data(directory: str, session: str, root: str, manifest: Manifest) -> bool:
    """Whether the worker has the data; if so the session's folder is made to show it.

    Args:
        directory: the worker's local directory.
        root: where the parent has the data; read from there if this host sees the same files.
        manifest: of the data.
    """
    place = scratch_folder(directory) / f"data-{fingerprint(manifest)[:24]}"
    for candidate in (place, Path(root)):
        if holds(candidate, manifest):
            _show(scratch_folder(directory) / f"run-{session}", candidate, manifest)
            return True
    return False


def begin_data(directory: str, token: str) -> None:
    """Make room for a stream of pieces."""
    part = _part(directory, token)
    part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part.unlink(missing_ok=True)


def add_piece(directory: str, token: str, offset: int, piece: bytes) -> None:
    """Write a piece of the stream at its place; twice the same does no harm."""
    handle = os.open(_part(directory, token), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, piece, offset)
    finally:
        os.close(handle)


def finish_data(directory: str, token: str, manifest: Manifest) -> None:
    """Unpack the stream.

    Raises:
        OSError, tarfile.TarError: if it cannot be written.
        ValueError: if what arrived is not what was sent.
    """
    part = _part(directory, token)
    place = part.parent / f"data-{fingerprint(manifest)[:24]}"
    own = part.with_suffix(".tmp")
    try:
        read_stream(part, own)
        if not holds(own, manifest):
            raise ValueError("the data set arrived changed")
        if holds(place, manifest):  # another session has sent the same, and may be reading it
            return
        shutil.rmtree(place, ignore_errors=True)
        try:
            own.rename(place)
        except OSError:
            if not holds(place, manifest):
                raise
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(own, ignore_errors=True)


def session_folder(directory: str, session: str) -> Path:
    return scratch_folder(directory) / f"run-{session}"


def forget(directory: str, session: str, pattern: str) -> None:
    """Remove what jobs of a session have kept."""
    remove_matching(session_folder(directory, session), pattern)


def leave(directory: str, session: str) -> None:
    """Remove a session's folder, and the received data that no other session shows."""
    scratch = scratch_folder(directory)
    shutil.rmtree(scratch / f"run-{session}", ignore_errors=True)
    for part in scratch.glob(f".{session}-*"):  # of a stream that was broken off
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
    shown = {os.path.realpath(link) for link in scratch.glob("run-*/*") if link.is_symlink()}
    for place in scratch.glob("data-*"):
        if not any(Path(path).is_relative_to(place.resolve()) for path in shown):
            shutil.rmtree(place, ignore_errors=True)
    with contextlib.suppress(OSError):
        scratch.rmdir()


def mark_used(directory: str, session: str) -> None:
    """Note, now and then, that a job of the session is running on this host."""
    mark = session_folder(directory, session) / USED
    with contextlib.suppress(OSError):
        if not mark.exists() or time.time() - mark.stat().st_mtime > MARK_SECONDS:
            mark.touch()


def leave_unused(directory: str, session: str, seconds: float) -> None:
    """Leave if no worker of the host has had a job of the session for so long: its parent may have been killed."""
    folder = session_folder(directory, session)
    with contextlib.suppress(OSError):
        newest = max((path.stat().st_mtime for path in (folder, folder / USED) if path.exists()), default=time.time())
        if time.time() - newest > seconds:
            leave(directory, session)


def _part(directory: str, token: str) -> Path:
    return scratch_folder(directory) / f".{token}.part"


def _show(session: Path, candidate: Path, manifest: dict[str, Any]) -> None:
    session.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in {Path(file).parts[0] for file in manifest}:
        beside = session / f".{name}.tmp-{os.getpid()}"
        beside.symlink_to(candidate.resolve() / name)
        beside.replace(session / name)
