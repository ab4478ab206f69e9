"""What a running fit shows on stderr: a panel on a terminal, plain lines elsewhere, or warnings only."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from automl import events
from automl.report.panel import draw_panel, draw_summary
from automl.report.progress import STAGE_NAMES, Progress, describe_budget, describe_end, describe_table, metric_title

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


REFRESH_HZ = 4.0
# What a pipe takes without waiting once it can be written to at all is a page; a line is cut before that.
MOST_BYTES = 4_000
# How long a line waits for whoever reads the pipe; then it is left out.
PIPE_SECONDS = 0.05
HEARTBEAT_SECONDS = 30.0


class View(Protocol):
    """A sink of events that is open between `__enter__` and `__exit__`."""

    def __call__(self, event: events.Event) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_view(stderr: TextIO, quiet: bool = False, json: bool = False) -> View:
    """The view that suits the stream: warnings only if `quiet`; a panel on a terminal, unless the result is `json`;
    else plain lines."""
    if quiet:
        return QuietView(stderr)
    if json or not stderr.isatty() or os.environ.get("TERM", "") in {"", "dumb"}:
        return PlainView(stderr)
    return LiveView(stderr)


class QuietView:
    """Warnings and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.WarningRaised):
            _write_line(self.stream, f"warning: {event.text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class PlainView:
    """One line for each stage, improvement, decision and warning, and one every 30 s in which nothing was said.

    Args:
        stream: where to write.
        heartbeat_seconds: the longest silence.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stream = stream
        self.progress = Progress()
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._last = clock()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            self.progress.apply(event)
            line = self._describe(event)
            if line:
                self._say(line, event.at)

    def __enter__(self) -> Self:
        self._last = self._clock()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._closing.wait(min(1.0, self._heartbeat_seconds / 4)):
            with self._lock:
                now = self._clock()
                if now - self._last >= self._heartbeat_seconds and self.progress.finished is None:
                    self._say(self._state(), now)

    def _state(self) -> str:
        progress = self.progress
        best = f", best {progress.show_score(progress.best.score)}" if progress.best else ""
        busy = f", {len(progress.running)} running" if progress.running else ""
        return (
            f"{STAGE_NAMES.get(progress.stage, progress.stage or 'working')}: {progress.describe_counts()}{busy}{best}"
        )

    def _say(self, line: str, now: float) -> None:
        self._last = now
        _write_line(self.stream, f"[{self.progress.elapsed(now):6.1f} s] {line}")

    def _describe(self, event: events.Event) -> str:
        progress = self.progress
        if isinstance(event, events.RunStarted):
            return f"{progress.data} -> {event.target}, {describe_budget(progress)}"
        if isinstance(event, events.DataLoaded):
            return describe_table(progress)
        if isinstance(event, events.StageStarted):
            return STAGE_NAMES.get(event.stage, event.stage)
        if isinstance(event, events.StageFinished):
            return event.detail
        if isinstance(event, events.Decision):
            return event.text + (f" ({event.reason})" if event.reason else "")
        if isinstance(event, events.WarningRaised):
            return f"warning: {event.text}"
        if isinstance(event, events.BestImproved):
            members = f", {event.members} models" if event.members > 1 else ""
            return f"best {metric_title(progress)} {progress.show_score(event.score)} ({event.model}{members})"
        if isinstance(event, events.RunFinished):
            return describe_end(progress)
        return ""


class LiveView:
    """A panel that is drawn again at most four times a second and leaves one summary behind.

    Args:
        stream: a terminal.
        console: a rich console to draw on instead, for tests.
        clock: seconds since the epoch.
    """

    def __init__(
        self, stream: TextIO, *, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = console or Console(file=stream, highlight=False, markup=False, emoji=False)
        self.progress = Progress()
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        # stdout is never redirected: it may be a pipe that waits for the result
        self._live = Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=REFRESH_HZ,
            redirect_stdout=False,
            redirect_stderr=True,
            vertical_overflow="crop",
        )

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            self.progress.apply(event)

    def __enter__(self) -> Self:
        self.progress.started = self._clock()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            self._live.stop()

    def render(self) -> RenderableType:
        """The panel as it stands, or the summary once the view is closed."""
        with self._lock:
            if self._closed:
                return draw_summary(self.progress, self._clock())
            return draw_panel(self.progress, self._clock(), self.console.width, self.console.height)


def _write_line(stream: TextIO, line: str) -> None:
    from automl.report.text import clean_line

    text = clean_line(line)
    with contextlib.suppress(OSError, ValueError):  # a closed pipe must not end the run
        encoding = getattr(stream, "encoding", None) or "utf-8"
        shown = text.encode(encoding, "replace")[:MOST_BYTES].decode(encoding, "ignore")
        if _is_read(stream):
            stream.write(shown + "\n")
            stream.flush()


def _is_read(stream: TextIO) -> bool:
    """Whether a line can be written without waiting. Into a pipe that nobody empties one would wait for ever, and the
    run with it."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file, as in a test
        return True
    return bool(select.select([], [number], [], PIPE_SECONDS)[1])
