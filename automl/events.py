"""What happens in a run, as records: console, log and report are readers of this one stream.

An event is a frozen dataclass; on disk it is one JSON line `{"event": "TrialFinished", "at": 1795311191.66, …}` that
reads back to an equal object.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TextIO

ALL_ROWS = -1  # in place of a fold's number: the job learns from the rows of all folds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, `at` seconds since the epoch (UTC)."""

    kinds: ClassVar[dict[str, type[Event]]] = {}
    at: float = dataclasses.field(default_factory=time.time)

    def __init_subclass__(cls) -> None:
        Event.kinds[cls.__name__] = cls

    def to_json(self) -> dict[str, Any]:
        return {"event": type(self).__name__, **dataclasses.asdict(self)}

    @staticmethod
    def from_json(record: dict[str, Any]) -> Event:
        """Rebuild an event. Unknown kinds raise KeyError; unknown fields are ignored (a newer writer)."""
        kind = Event.kinds[record["event"]]
        names = {field.name for field in dataclasses.fields(kind)}
        return kind(**{key: value for key, value in record.items() if key in names})


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """The command began: what it works on and with how much."""

    run: str
    data: str
    target: str
    seconds: float | None = None
    trials: int | None = None
    jobs: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A stage of the flow (load, profile, split, search, evaluate, report, …) began."""

    stage: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageFinished(Event):
    """A stage ended; `detail` is what a reader should know of it, in a few words."""

    stage: str
    seconds: float
    detail: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataLoaded(Event):
    """The table as it will be used."""

    rows: int
    columns: int
    task: str
    metric: str
    classes: int = 0
    folds: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision(Event):
    """Something was guessed, dropped, changed or grouped on the user's behalf, and why."""

    topic: str
    text: str
    reason: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobStarted(Event):
    """A worker took up one fold of one trial, or a fit on all rows (`ALL_ROWS`)."""

    trial: int
    fold: int
    candidate: str
    worker: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobFinished(Event):
    """A worker put down one fold of one trial; `status` as in `TrialFinished`."""

    trial: int
    fold: int
    candidate: str
    worker: int
    status: str
    seconds: float
    score: float | None = None
    peak_mb: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialFinished(Event):
    """A configuration ended: ok, pruned, timed_out, out_of_memory, crashed, failed, non_finite or orphaned."""

    trial: int
    candidate: str
    status: str
    score: float | None = None
    seconds: float = 0.0
    folds: int = 0
    peak_mb: float = 0.0
    reason: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BestImproved(Event):
    """The deployable model became better; `score` is the out-of-fold score, in the metric's own units."""

    score: float
    model: str
    members: int = 1
    elapsed: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarningRaised(Event):
    """Something the user should know but that does not stop the run."""

    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The command ended: complete, interrupted, stopped or failed."""

    status: str
    seconds: float
    score: float | None = None
    low: float | None = None
    high: float | None = None


Sink = Callable[[Event], None]


class Bus:
    """Hands each event to every sink. A sink that raises is dropped, and that is said once on stderr.

    What a signal's handler says while another event is handed out waits for that one: the handler runs within the very
    sink that it would enter again, and a lock held there would never be given back.
    """

    def __init__(self, *sinks: Sink) -> None:
        self.sinks: list[Sink] = list(sinks)
        self._waiting: deque[Event] = deque()
        self._busy = False

    def __call__(self, event: Event) -> None:
        self._waiting.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                self._hand_out(self._waiting.popleft())
        finally:
            self._busy = False

    def _hand_out(self, event: Event) -> None:
        for sink in list(self.sinks):
            try:
                sink(event)
            except Exception as error:  # a broken reader must not end the run
                self.sinks.remove(sink)
                with contextlib.suppress(OSError):
                    sys.stderr.write(f"warning: an event reader failed and was switched off: {error}\n")


class JsonlSink:
    """Appends each event to a JSONL file, one write a line, so that a reader never sees half of one but the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        cut_torn_tail(path)
        # a file name may hold bytes that are no UTF-8; as `\\udcff` in a JSON string they read back as they were
        self._file: TextIO = path.open("a", encoding="utf-8", errors="backslashreplace")

    def __call__(self, event: Event) -> None:
        self._file.write(json.dumps(event.to_json(), ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def cut_torn_tail(path: Path) -> int:
    """Drop what follows the last whole record: a line torn by a kill, or blocks that a crash left unwritten. Returns
    the bytes dropped.

    Appending after a torn line would glue two records together and lose both.
    """
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        size = end = file.seek(0, 2)
        while end > 0:
            start, line = _last_line(file, end)
            if line.endswith(b"\n") and _parse(line) is not None:
                break
            end = start
        if end < size:
            file.truncate(end)
        return size - end


def _last_line(file: BinaryIO, end: int) -> tuple[int, bytes]:
    """Where the last line before `end` starts, and the line."""
    start, block = end, b""
    while start > 0 and b"\n" not in block[:-1]:
        step = min(65536, start)
        start -= step
        file.seek(start)
        block = file.read(step) + block
    cut = block.rfind(b"\n", 0, len(block) - 1) + 1
    return start + cut, block[cut:]


def _parse(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None if it holds none."""
    try:
        record = json.loads(line.decode("utf-8"))
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a JSONL file in order; a torn last line and lines that hold no record are passed over. A missing file
    has no records."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and (record := _parse(line)) is not None:
                yield record


def read_events(path: Path) -> Iterator[Event]:
    """Events of a run in order; kinds that this version does not know are passed over."""
    for record in read_jsonl(path):
        if record.get("event") in Event.kinds:
            yield Event.from_json(record)
