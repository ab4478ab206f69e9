"""The files of a folder or a zip archive: found by a bounded walk, named relative to it, never outside of it."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from automl.errors import DataError
from automl.picture_places import INSIDE, split_inside

MAX_FILES = 1_000_000
MAX_DEPTH = 16
OFFICE = {"[Content_Types].xml", "mimetype"}  # what tells a document from an archive of files
_LITTER = {".ds_store", "thumbs.db", "desktop.ini", ".gitkeep", ".gitignore"}
_LITTER_FOLDERS = {"__macosx", ".ipynb_checkpoints", ".git", "@eadir", ".thumbnails"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Files below a root.

    Attributes:
        root: the folder, or the zip archive.
        prefix: path below the root that names are relative to, "" or ending in "/".
        names: relative POSIX names, sorted; litter (`.DS_Store` and the like) left out.
        folders: relative names of folders that hold no file.
        is_zip: whether the root is an archive.
    """

    root: Path
    prefix: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    is_zip: bool

    def cell(self, name: str) -> str:
        """What a table's cell says of a file."""
        inner = self.prefix + name
        return f"{self.root}{INSIDE}{inner}" if self.is_zip else str(self.root / inner)

    def below(self, folder: str) -> Members:
        """The files of one folder, named relative to it."""
        start = folder.rstrip("/") + "/"
        return dataclasses.replace(
            self,
            prefix=self.prefix + start,
            names=tuple(name[len(start) :] for name in self.names if name.startswith(start)),
            folders=tuple(name[len(start) :] for name in self.folders if name.startswith(start)),
        )

    @property
    def path(self) -> Path:
        """The place as a user may name it."""
        return Path(f"{self.root}{INSIDE}{self.prefix.rstrip('/')}") if self.is_zip else self.root / self.prefix

    def tops(self) -> dict[str, int]:
        """Files below each first folder; those without one under ""."""
        return dict(Counter(name.partition("/")[0] if "/" in name else "" for name in self.names))

    def unwrap(self) -> Members:
        """Without the one folder that everything lies in, as archives are often packed; a lone class stays one."""
        found = self
        while set(found.tops()) | {folder.partition("/")[0] for folder in found.folders} == {top := _only(found)}:
            inner = found.below(top)
            if not top or not any("/" in name for name in inner.names):
                return found
            found = inner
        return found


def _only(members: Members) -> str:
    return next(iter(members.tops()), "")


def is_zip(path: Path) -> bool:
    """Whether a path is a regular file that begins as zip archives do; a pipe is never opened, for it might not end."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except (OSError, ValueError):
        return False


def list_members(path: Path) -> Members | None:
    """The files of a folder, of a zip archive, or of a folder in one (`photos.zip!/test`); None for anything else.

    Raises:
        DataError: if there are too many, a name leads outside, or the archive is damaged or encrypted.
    """
    text = str(path)
    if _is_folder(path):
        names, folders = _walk(path)
        return Members(root=path.resolve(), prefix="", names=names, folders=folders, is_zip=False)
    outer, inner = split_inside(text)
    if inner and is_zip(Path(outer)):
        whole = list_members(Path(outer))
        return whole.below(inner) if whole else None
    if not is_zip(path):
        return None
    names, folders = _list_zip(path)
    if not OFFICE.isdisjoint(names):
        return None  # a workbook, however many pictures it holds
    return Members(root=path.resolve(), prefix="", names=names, folders=folders, is_zip=True)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _walk(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names: list[str] = []
    empty: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [(root, "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop()
        count = len(names)
        inner = 0
        for entry in _scan(folder, seen):
            kind = _kind(entry)
            if not kind or _is_litter(entry.name, is_folder=kind == "folder"):
                continue
            if kind == "folder":
                inner += 1
                if depth < MAX_DEPTH:
                    waiting.append((Path(entry.path), f"{prefix}{entry.name}/", depth + 1))
            else:
                names.append(prefix + entry.name)
        if len(names) > MAX_FILES:
            raise DataError(f"{str(root)!r} holds more than {MAX_FILES:,} files", hint="Name a folder with fewer")
        if len(names) == count and not inner and prefix:
            empty.append(prefix.rstrip("/"))
    return tuple(sorted(names)), tuple(sorted(empty))


def _kind(entry: os.DirEntry[str]) -> str:
    """A folder, a file, or "" for what is neither: pipes, devices, links that lead nowhere."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError:
        return ""


def _scan(folder: Path, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    """Entries of a folder, unless it was gone through before by another name: symbolic links may form loops."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except PermissionError as error:
        raise DataError(f"No permission to read {str(folder)!r}", hint=f"chmod -R u+rX {folder}") from error
    except OSError as error:
        raise DataError(f"Cannot read {str(folder)!r}: {error.strerror}", hint="Check the path") from error


def _list_zip(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise DataError(
            f"{path.name} is a damaged zip file: it is cut off or changed ({str(error)[:80]})",
            hint="Copy or download it again",
        ) from error
    if len(entries) > MAX_FILES:
        raise DataError(f"{path.name} holds more than {MAX_FILES:,} files", hint="Unpack it and name a folder")
    names: dict[str, None] = {}
    folders: list[str] = []
    for entry in entries:
        _refuse_escape(entry, path)
        parts = PurePosixPath(entry.filename).parts
        if any(_is_litter(part, is_folder=at < len(parts) - 1 or entry.is_dir()) for at, part in enumerate(parts)):
            continue
        if entry.is_dir():
            folders.append(entry.filename.rstrip("/"))
        elif entry.filename in names:
            raise DataError(f"{path.name} holds {entry.filename[:80]!r} twice", hint="Pack it again")
        else:
            names[entry.filename] = None
    held = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return tuple(sorted(names)), tuple(sorted(folder for folder in folders if folder not in held))


def _refuse_escape(entry: zipfile.ZipInfo, path: Path) -> None:
    name = entry.orig_filename if isinstance(entry.orig_filename, str) else entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    problem = ""
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
        problem = "leads out of the archive"
    elif "\\" in name or "\0" in name:
        problem = "has a character that no name may have"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device"
    elif entry.flag_bits & 1:
        raise DataError(f"{path.name} is encrypted", hint="Unpack it with its password, then give the folder")
    if problem:
        raise DataError(
            f"{path.name} holds {name[:80]!a}, which {problem}",
            hint="Do not use this archive unless you know its maker",
        )


def _is_litter(name: str, *, is_folder: bool) -> bool:
    low = name.lower()
    return low in _LITTER_FOLDERS if is_folder else low in _LITTER or name.startswith("._")
