"""The memory of a search: which configurations were asked for and what came of them, as two append-only files.

`specs.jsonl` gets a line before a configuration's first job, `trials.jsonl` one after its last. A line is whole as soon
as it is added, so that a kill takes nothing; those of one moment are synced together, before any model is made of them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from automl.errors import EngineError
from automl.events import cut_torn_tail, read_jsonl
from automl.files import environment_error
from automl.search.trial import TrialResult, TrialSpec

Made = TypeVar("Made")
CONSTANT = "dummy"


class Records:
    """Reads what a folder remembers and appends to it.

    Args:
        folder: `run.search`.

    Attributes:
        damaged: lines of trials.jsonl that hold no result; they stay, and their trials are made again.
    """

    def __init__(self, folder: Path) -> None:
        self._specs_path = folder / "specs.jsonl"
        self._trials_path = folder / "trials.jsonl"
        self.torn_bytes = cut_torn_tail(self._specs_path) + cut_torn_tail(self._trials_path)
        self.specs: dict[int, TrialSpec] = {}
        self.attempts: dict[int, int] = {}
        for spec in _read(self._specs_path, TrialSpec.from_json):
            self.specs[spec.number] = spec
            self.attempts[spec.number] = self.attempts.get(spec.number, 0) + 1
        self.results = {result.trial: result for result in _read(self._trials_path, TrialResult.from_json)}
        self.damaged = _count_lines(self._trials_path) - len(self.results)
        self._unsynced: set[Path] = set()

    def next_number(self) -> int:
        return max((*self.specs, *self.results), default=-1) + 1

    @property
    def has_model(self) -> bool:
        """Whether a configuration other than the constant is complete."""
        return any(result.status == "ok" and result.candidate != CONSTANT for result in self.results.values())

    def unfinished(self) -> list[TrialSpec]:
        """Configurations that were begun and have no result, in order."""
        return [spec for number, spec in sorted(self.specs.items()) if number not in self.results]

    def add_spec(self, spec: TrialSpec) -> None:
        """Note that a configuration is begun; a second time if a killed run is taken up again."""
        self.specs[spec.number] = spec
        self.attempts[spec.number] = self.attempts.get(spec.number, 0) + 1
        self._append(self._specs_path, spec.to_json())

    def add_result(self, result: TrialResult) -> None:
        self.results[result.trial] = result
        self._append(self._trials_path, result.to_json())

    def sync(self) -> None:
        """Wait until the disk has all that was added: a kill takes nothing of it before, a power cut nothing after.

        Many workers answer at once, and a wait takes milliseconds: one for all of them.

        Raises:
            EngineError: if the disk does not take it.
        """
        for path in sorted(self._unsynced):
            try:
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
            except OSError as error:
                raise environment_error(error, path) from error
            self._unsynced.discard(path)

    def _append(self, path: Path, record: dict[str, Any]) -> None:
        append_line(path, record)
        self._unsynced.add(path)


def read_results(folder: Path) -> list[TrialResult]:
    """Results of a run in the order they finished; for readers, who change nothing."""
    return list(_read(folder / "trials.jsonl", TrialResult.from_json))


def _read(path: Path, make: Callable[[dict[str, Any]], Made]) -> Iterator[Made]:
    """What the lines of a file hold; one that was damaged is passed over, as if it had never been written."""
    for record in read_jsonl(path):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            yield make(record)


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line, whole or not at all.

    Raises:
        EngineError: if the disk is full or the file cannot be written; what was written of the line is taken back.
    """
    # a reason may hold bytes that are no UTF-8; as `\\udcff` in a JSON string they read back as they were
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise environment_error(error, path) from error
    size = os.fstat(handle).st_size
    try:
        written = os.write(handle, line)
        if written != len(line):
            os.ftruncate(handle, size)
            raise EngineError(f"The disk is full: cannot write {path}", hint="Free some space, then: automl resume RUN")
    except OSError as error:
        os.ftruncate(handle, size)
        raise environment_error(error, path) from error
    finally:
        _close(handle, path)


def _close(handle: int, path: Path) -> None:
    """Some file systems tell of an error only now."""
    try:
        os.close(handle)
    except OSError as error:
        raise environment_error(error, path) from error
