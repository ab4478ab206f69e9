"""Texts: a folder or zip of .txt files with one folder a class; train/ and test/ may lie above the classes."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from automl.data.collections import Part
from automl.data.collections._members import Members, list_members
from automl.data.encoding import decode
from automl.data.table import RawTable
from automl.errors import DataError
from automl.recipe import DataOptions
from automl.schema import Notice

TEXT, LABEL = "text", "label"
SUFFIXES = {".txt", ".text", ".md", ".eml"}
MOST_BYTES = 1 << 20  # of one file
MOST_NAMED = 5


class TextFiles:
    """Most of the files are .txt, and there are several: one file is a table."""

    def claims(self, path: Path) -> bool:
        members = list_members(path)
        if members is None:
            return False
        texts = sum(_is_text(name) for name in members.names)
        alone = members.is_zip and len(members.names) == 1  # a packed table that is called .txt
        return texts > 0 and 2 * texts > len(members.names) and not alone

    def find_test(self, path: Path) -> Path | None:
        members = _open(path)
        train, test = members.split_parts()
        return members.below(test).path if train and test else None

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        import pandas as pd

        members, notices = _choose_part(_open(path), part)
        names = [name for name in members.names if _is_text(name)]
        strays = [name for name in members.names if not _is_text(name)]
        if strays:
            notices.append(_list(strays, "are no texts and are left out", "told by their extensions"))
        labels = [name.partition("/")[0] if "/" in name else None for name in names]
        loose = [name for name, label in zip(names, labels, strict=True) if label is None]
        if loose and part != "all" and len(loose) < len(names):
            notices.append(_list(loose, "lie beside the class folders and are left out", "they have no class"))
            names = [name for name, label in zip(names, labels, strict=True) if label is not None]
            labels = [label for label in labels if label is not None]
        if any(name.count("/") > 1 for name in names):
            text = "texts in deeper folders belong to the class of the first one"
            notices.append(Notice(topic="texts", text=text, reason="one folder a class"))
        texts, broken, cut = _read_all(members, names, options.encoding)
        if broken:
            notices.append(_list(broken, "cannot be read as text and count as missing", "binary content"))
        if cut:
            notices.append(_list(cut, f"are read to {MOST_BYTES >> 20} MiB", "what a text is about stands early"))
        columns: dict[str, list[str | None]] = {TEXT: texts}
        if any(label is not None for label in labels):
            columns[LABEL] = labels
        frame = pd.DataFrame(columns, dtype="str")
        return RawTable(frame=frame, notices=tuple(notices), target=LABEL, names=tuple(names), texts=(TEXT,))


def _open(path: Path) -> Members:
    members = list_members(path)
    assert members is not None, "claimed before"
    return members.unwrap()


def _choose_part(members: Members, part: Part) -> tuple[Members, list[Notice]]:
    train, test = members.split_parts()
    if not train or part == "all":
        return members, []
    if part == "test" and not test:
        raise DataError(f"{str(members.path)!r} has no test/ beside {train}/", hint="Name the folder to be scored")
    chosen = train if part == "train" else test
    text = f"{chosen}/ is {'learned from' if part == 'train' else 'scored'}"
    return members.below(chosen), [Notice(topic="texts", text=text, reason=f"there is a {train}/ and a {test}/")]


def _read_all(
    members: Members, names: list[str], encoding: str | None
) -> tuple[list[str | None], list[str], list[str]]:
    """Contents in order, then names of what is binary and of what was cut."""
    texts: list[str | None] = []
    broken, cut = [], []
    for name, content in zip(names, _contents(members, names), strict=True):
        if len(content) > MOST_BYTES:
            cut.append(name)
            content = _whole_characters(content[:MOST_BYTES])
        try:
            texts.append(decode(content, encoding, name)[0].decode("utf-8", "replace") if content else "")
        except DataError:
            broken.append(name)
            texts.append(None)
    if broken and 2 * len(broken) > len(names):
        raise DataError(f"{len(broken)} of {len(names)} files are not text, such as {broken[0]!r}", hint="Check them")
    return texts, broken, cut


def _contents(members: Members, names: list[str]) -> Iterator[bytes]:
    try:
        if not members.is_zip:
            for name in names:
                with (members.root / (members.prefix + name)).open("rb") as file:
                    yield file.read(MOST_BYTES + 1)
            return
        with zipfile.ZipFile(members.root) as archive:
            for name in names:
                with archive.open(members.prefix + name) as file:
                    yield file.read(MOST_BYTES + 1)
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"A text of {members.root.name} cannot be read: {str(error)[:100]}", hint="Copy or download it again"
        ) from error


def _whole_characters(content: bytes) -> bytes:
    """Without the bytes of a UTF-8 character that a cut left incomplete."""
    for cut in range(4):
        whole = content[: len(content) - cut]
        with contextlib.suppress(UnicodeDecodeError):
            whole.decode("utf-8")
            return whole
    return content


def _list(names: list[str], what: str, reason: str) -> Notice:
    listed = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return Notice(topic="texts", text=f"{len(names)} file(s) {what}: {listed}", reason=reason)


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


plugin = TextFiles()
