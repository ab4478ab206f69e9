"""Bad input: files made on the fly, the command that each is given to, and what has to come of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

LOADED = 0

# Given an empty folder, writes what a command needs into it and returns its words; {MODEL} is a trained model's folder.
Maker = Callable[[Path], Iterable[str | Path]]


@dataclasses.dataclass(frozen=True)
class Case:
    """One file or folder, and what is promised of it.

    Attributes:
        group: which list it is of.
        code: the exit code; 0 if it is taken.
        says: part of the error, or, if it is taken, of anything that is said.
        hint: part of the hint.
        seconds: the longest it may take in a process that has imported everything; a refusal is quick, or it came late.
        stdin: what the command reads there.
    """

    group: str
    id: str
    make: Maker
    code: int = 3
    says: str = ""
    hint: str = ""
    seconds: float = 0.0
    stdin: bytes = b""

    @property
    def limit(self) -> float:
        """Seconds."""
        return self.seconds or (2.0 if self.code else 15.0)

    @property
    def name(self) -> str:
        return f"{self.group}: {self.id}"


def planned(file: str, content: bytes, *flags: str, target: str | None = "y") -> Maker:
    """`automl plan` of one file: all that `fit` does before it trains."""

    def make(folder: Path) -> list[str]:
        (folder / file).write_bytes(content)
        return ["plan", file, *(["--target", target] if target else []), *flags, "--json"]

    return make


def collect_cases() -> list[Case]:
    """All cases, in order; ids are unique in a group."""
    from tests.corpus import commands, containers, pictures, predictions, tables

    return [case for module in (tables, containers, pictures, commands, predictions) for case in module.collect()]
