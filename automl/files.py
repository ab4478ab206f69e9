"""Files that are whole or not there: each is written beside its name, synced and renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from automl.errors import EngineError

# What the system says where no more can be written.
FULL_DISK = "The disk is full"
CUT_ARRAY = re.compile(r"\d+ requested and \d+ written")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextlib.contextmanager
def replacing(path: Path, mode: str = "wb", *, sync: bool = True) -> Iterator[IO[Any]]:
    """Open a file beside `path` for writing; it takes the name when the block ends without an error.

    Raises:
        EngineError: if the disk is full or the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with _open_new(beside, mode) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise environment_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _open_new(path: Path, mode: str) -> IO[Any]:
    if "b" in mode:
        return path.open(mode)
    # names of files may hold bytes that are no UTF-8; `\\udcff` in a JSON string reads back as it was
    return path.open(mode, encoding="utf-8", errors="backslashreplace")


def environment_error(error: OSError, path: Path) -> EngineError:
    """The user's version of a failed write: what, where, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EngineError(f"{FULL_DISK}: cannot write {path}", hint="Free some space, then: automl resume RUN")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EngineError(f"No permission to write {path}", hint="Choose another folder with --out DIR")
    hint = (
        "Look at the disk, then: automl resume RUN"
        if error.errno == errno.EIO
        else "Choose another folder with --out DIR"
    )
    return EngineError(f"Cannot write {path}: {error.strerror or error}", hint=hint)


def tells_full_disk(reason: str) -> bool:
    """Whether what another process says of its failure is that the disk is full."""
    is_numpy = CUT_ARRAY.search(reason) is not None  # which tells how much it wrote, and no error of the system
    return any(os.strerror(code) in reason for code in (errno.ENOSPC, errno.EDQUOT)) or FULL_DISK in reason or is_numpy


@contextlib.contextmanager
def telling_full_disk(folder: Path) -> Iterator[None]:
    """Whatever fails inside because a disk is full or read only is the environment's fault, whoever wrote.

    Args:
        folder: the run, which a hint to resume it then names.

    Raises:
        EngineError: in place of such an OSError.
    """
    try:
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            place = Path(error.filename) if isinstance(error.filename, str) else folder
            raise environment_error(error, place) from error
    except EngineError as error:
        error.hint = error.hint.replace("automl resume RUN", f"automl resume {shlex.quote(str(folder))}")
        raise


def check_writable(path: Path) -> None:
    """See that something new can be made at `path`, long before there is something to write; nothing is made.

    Raises:
        EngineError: if it cannot.
    """
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise environment_error(OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), path)
    if not os.access(above, os.W_OK | os.X_OK):
        raise environment_error(OSError(errno.EACCES, os.strerror(errno.EACCES)), path)


def write_text(path: Path, text: str) -> None:
    with replacing(path, "w") as file:
        file.write(text)


def write_json(path: Path, record: Any) -> None:
    write_text(path, json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def write_array(path: Path, save: Callable[[IO[bytes]], None], *, sync: bool = False) -> None:
    """Write a binary file through `save(file)`."""
    with replacing(path, "wb", sync=sync) as file:
        save(file)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exchange(one: Path, other: Path) -> bool:
    """Let two names of one file system change places at once, so that neither is ever without what it names.

    Returns:
        False, with nothing done, where the system cannot (Linux can since 3.15).
    """
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)


def remove(path: Path) -> None:
    """Remove a file, a folder or a link, if it is there; what a link leads to stays."""
    if path.is_symlink() or path.is_file():
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=True)
