"""Runs in somebody else's book: the event stream told to a tracking system, one file a system, beside the run."""

from __future__ import annotations

import queue
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from automl.events import Event, RunStarted, read_events
from automl.registry import Registry
from automl.run import Run

# How long the command waits for trackers after the run itself has ended.
PATIENCE_SECONDS = 3.0
# A tracker that is so many events behind has lost the run.
MOST_WAITING = 100_000


class Recorder(Protocol):
    """One run being told to one system."""

    def record(self, event: Event) -> None:
        """Take the next event; what the run folder holds by then may be read."""
        ...

    def finish(self) -> None:
        """The last event was told: write what is left and let go of the system."""
        ...


class Tracker(Protocol):
    """One file of `automl.track`, as its `plugin`.

    Attributes:
        title: what the system is called.
    """

    title: str

    def begin(self, run: Run) -> Recorder:
        """Open the system for a run that has just begun."""
        ...

    def where(self, run: Run) -> str:
        """The line of shell that shows what was told."""
        ...


trackers: Registry[Tracker] = Registry("automl.track", noun="tracker")


class Tracking:
    """Trackers as one sink of events. Each works in a thread of its own: one that fails or hangs is left behind, and
    that is said once; the run does not wait for it.

    Args:
        names: of trackers.
        tell: hears of a tracker that failed, a sentence.

    Raises:
        UsageError, MissingExtraError: if there is no such tracker, or its library is not installed.
    """

    def __init__(self, names: Sequence[str], tell: Callable[[str], None]) -> None:
        self.threads = [_Thread(name, trackers.get(name)) for name in dict.fromkeys(names)]
        self.tell = tell
        self.run: Run | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and self.run is None:
            self.run = Run(Path(event.run))
            for thread in self.threads:
                thread.start_for(self.run)
        for thread in self.threads:
            thread.offer(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for the trackers, all together no longer than `seconds`, and tell what became of those that failed."""
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.end()
        for thread in self.threads:
            fault = thread.wait(max(0.0, deadline - time.monotonic()))
            if fault and self.run is not None:
                again = f"automl track {shlex.quote(str(self.run.path))} --to {thread.name}"
                self.tell(f"{thread.name} has not got all of the run: {fault}; again: {again}")


class _Thread:
    def __init__(self, name: str, plugin: Tracker) -> None:
        self.name, self.plugin = name, plugin
        self.fault = ""
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start_for(self, run: Run) -> None:
        self._thread = threading.Thread(target=self._work, args=(run,), name=f"track-{self.name}", daemon=True)
        self._thread.start()

    def offer(self, event: Event) -> None:
        if self._thread is not None and not self.fault and self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(event)

    def end(self) -> None:
        self._waiting.put(None)

    def wait(self, seconds: float) -> str:
        if self._thread is None:
            return ""
        self._thread.join(seconds)
        if self._thread.is_alive():
            return f"it was not ready {PATIENCE_SECONDS:g} s after the end"
        return self.fault

    def _work(self, run: Run) -> None:
        try:
            recorder = self.plugin.begin(run)
            while (event := self._waiting.get()) is not None:
                recorder.record(event)
            recorder.finish()
        except Exception as error:  # whatever somebody else's system does, the run is worth more
            self.fault = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def replay(run: Run, name: str) -> int:
    """Tell a run that is there to a tracker; returns the number of events.

    Raises:
        UsageError, MissingExtraError: as `Tracking`; what the system raises is let through.
    """
    plugin = trackers.get(name)
    recorder, count = plugin.begin(run), 0
    for event in read_events(run.events_path):
        recorder.record(event)
        count += 1
    recorder.finish()
    return count


def artifacts(run: Run) -> list[Path]:
    """The files of a finished run that are worth keeping in a tracking system, without the model."""
    paths = (
        run.report_path, run.model_card_path, run.leaderboard_path, run.recipe_path, run.evaluation_path,
        run.profile_path, run.report_json_path, run.events_path,
    )  # fmt: skip
    return [path for path in paths if path.is_file()]
