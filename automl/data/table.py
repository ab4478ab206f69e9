"""A table as it came from a file, before its columns have roles, and what a reader of files is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from automl.matrix import IntArray
from automl.recipe import DataOptions
from automl.schema import Notice

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The bytes of one table.

    Attributes:
        path: where they come from; Path("-") for the standard input.
        name: the file's name without what compression added, such as "churn.csv".
        data: the content, unpacked.
        notices: what was done to get there.
    """

    path: Path
    name: str
    data: bytes
    notices: tuple[Notice, ...] = ()

    @property
    def suffix(self) -> str:
        """The extension in lower case, such as ".csv"; "" if there is none."""
        return Path(self.name).suffix.lower()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Which rows of a file a sample holds.

    Attributes:
        rows: their numbers in the file (n,) int64, ascending, counted from 0.
        total: rows of the file.
    """

    rows: IntArray
    total: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """Rows and columns before anything is made of them.

    Attributes:
        frame: text formats give pandas `str` columns (empty cells are missing); typed formats keep their types.
            Column names are distinct text.
        notices: what was guessed and changed while reading.
        separator: of a text table, "" of other formats; a semicolon speaks for decimal commas.
        target: the column that is learned unless another is named; "" if that has to be said.
        has_classes: whether that column holds classes, be they written as numbers or not.
        names: what each row is called, where rows are files; () for tables.
        pictures: columns that refer to pictures, known from the format.
        texts: columns that hold texts, known from the format.
        drawn: where the rows come from, if they are a sample of a file's.
    """

    frame: pd.DataFrame
    notices: tuple[Notice, ...] = ()
    separator: str = ""
    target: str = ""
    has_classes: bool = False
    names: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    drawn: Drawn | None = None


class Reader(Protocol):
    """One file of `automl.data.readers`: a format of tables.

    A reader may also have `stream(head, options)`, which gives the tables of a large file one after the other, or None
    if this file has to be read whole; of `head.data` only the file's first bytes are there, and `head.path` is read.
    """

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether a file of this name, unpacked, with these first bytes (4,096 at most) is of this format."""
        ...

    def read(self, source: Source, options: DataOptions) -> RawTable:
        """The table.

        Raises:
            DataError: if the bytes are not a sound table of this format.
        """
        ...
