"""Collections: many files, or a file of many arrays, that are one table; one file a kind."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from automl.data.table import RawTable
from automl.recipe import DataOptions
from automl.registry import Registry

# Which rows of a collection that comes with its own split: those to learn from, those kept for a test, or all.
Part = Literal["train", "test", "all"]


class Collection(Protocol):
    """One file of `automl.data.collections`."""

    def claims(self, path: Path) -> bool:
        """Whether a folder or file is of this kind. What is there may be anything, or nothing at all."""
        ...

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        """The table.

        Raises:
            DataError: if it is not sound.
        """
        ...

    def find_test(self, path: Path) -> Path | None:
        """The part that is kept for a test, under a path that `claims` takes as well; None if there is none."""
        ...


registry: Registry[Collection] = Registry("automl.data.collections", noun="collection")


def find_collection(path: Path) -> Collection | None:
    """The kind of collection that a path is, or None."""
    if str(path) == "-":
        return None
    for name in registry.names():
        kind: Collection = registry.get(name)
        if kind.claims(path):
            return kind
    return None
