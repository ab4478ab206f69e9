"""Texts: a folder or zip of .txt files with one folder a class; train/ and test/ may lie above the classes."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from automl.data.collections import Part
from automl.data.collections._classes import are_most, find_test_part, list_files, sort_files
from automl.data.collections._members import Members, list_members
from automl.data.encoding import decode_texts
from automl.data.table import RawTable
from automl.errors import DataError
from automl.picture_places import DAMAGED
from automl.recipe import DataOptions
from automl.schema import Notice

TEXT, LABEL = "text", "label"
SUFFIXES = {".txt", ".text", ".md", ".eml"}
MOST_BYTES = 1 << 20  # of one file
KIND = "texts"


class TextFiles:
    """Most of the files are .txt, and there are several: one file is a table."""

    def claims(self, path: Path) -> bool:
        members = list_members(path)
        if members is None:
            return False
        alone = members.is_zip and len(members.names) == 1  # a packed table that is called .txt
        return are_most(members, _is_text) and not alone

    def find_test(self, path: Path) -> Path | None:
        return find_test_part(path, _is_text)

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        import pandas as pd

        found = sort_files(path, part, _is_text, KIND)
        notices = list(found.notices)
        texts, broken, cut, said = _read_all(found.members, found.names, options.encoding)
        notices += said
        if broken:
            notices.append(list_files(broken, "cannot be read as text and count as missing", "binary content", KIND))
        if cut:
            reason = "what a text is about stands early"
            notices.append(list_files(cut, f"are read to {MOST_BYTES >> 20} MiB", reason, KIND))
        if part == "train" and len(set(texts)) == 1:
            what = "empty" if not (texts[0] or "").strip() else "the same"
            raise DataError(f"All {len(texts)} texts are {what}", hint="Check that the export was completed")
        columns: dict[str, list[str | None]] = {TEXT: texts}
        if found.has_labels:
            columns[LABEL] = list(found.labels)
        frame = pd.DataFrame(columns, dtype="str")
        return RawTable(
            frame=frame,
            notices=tuple(notices),
            target=LABEL,
            has_classes=True,
            names=found.names,
            texts=(TEXT,),
        )


def _read_all(
    members: Members, names: Sequence[str], encoding: str | None
) -> tuple[list[str | None], list[str], list[str], list[Notice]]:
    """Contents in order, names of what is binary and of what was cut, and what is said of their encoding."""
    cut: list[str] = []

    def shorten() -> Iterator[bytes]:
        for name, content in zip(names, _contents(members, names), strict=True):
            if len(content) > MOST_BYTES:
                cut.append(name)
                content = _whole_characters(content[:MOST_BYTES])
            yield content

    texts, notices = decode_texts(shorten(), encoding)
    broken = [name for name, text in zip(names, texts, strict=True) if text is None]
    if broken and 2 * len(broken) > len(names):
        raise DataError(f"{len(broken)} of {len(names)} files are not text, such as {broken[0]!r}", hint="Check them")
    return texts, broken, cut, notices


def _contents(members: Members, names: Sequence[str]) -> Iterator[bytes]:
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
    except (OSError, EOFError, NotImplementedError, RuntimeError, *DAMAGED) as error:
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


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


plugin = TextFiles()
