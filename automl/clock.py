"""The clock of a run, which every stage can ask: how long it may take so that all that comes after it still fits."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

from automl.events import RunStarted, read_events

IMPORTED = time.monotonic()  # the command line imports this module before anything else
# An interpreter comes to its first import within this, on a busy machine too.
START_SECONDS = 1.0


def command_started() -> float:
    """`time.monotonic()` at which the command began, so that the time spent on imports counts as the user's.

    The age of the process does not tell it alone: `sh -c "pip install … && automl fit …"` becomes its last command, and
    what the shell did before is not the command's time.
    """
    age = process_age_seconds() - (time.monotonic() - IMPORTED)
    return IMPORTED - min(max(age, 0.0), START_SECONDS)


def process_age_seconds() -> float:
    """Seconds since this process began, whatever programs it has been."""
    try:
        start_ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return max(0.0, uptime - start_ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


# What score, importance, report and saving need of a reserve before explanations have a share in it.
PLAIN_SECONDS = 6.7
# Shares of the limit after which no more is read of a table than is needed, and nothing more told of it.
READ_SHARE, LOOK_SHARE = 0.3, 0.4
# The promise: at its prompt no later than the limit and the larger of these, less what ending the process takes.
LATE_SECONDS, LATE_SHARE, EXIT_SECONDS = 5.0, 0.02, 1.0
REPORT_SECONDS = 1.2
# No run is silent for longer, unless what it tells next has taken so long.
SILENT_SECONDS = 60.0
# What an evaluation gets at least, and at most where the search ended long before its time.
MIN_EVALUATE_SECONDS, WRAP_UP_SECONDS = 2.0, 8.0


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic time of a run.

    Attributes:
        started: `time.monotonic()` at the command's start.
        seconds: the user's limit; None for a run limited by trials.
        kept: seconds at the end of the search for a fit on rows that were not searched on.
    """

    started: float
    seconds: float | None
    kept: float = 0.0

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds until the limit; inf without one."""
        return float("inf") if self.seconds is None else self.seconds - self.elapsed()

    def reserve(self) -> float:
        """Seconds kept for the corrected score, importance, report and saving; a floor until it has been measured."""
        if self.seconds is None:
            return 0.0
        plain = 2.5 + 0.07 * self.seconds
        studies = self.study_seconds()
        return min(60.0, max(plain, PLAIN_SECONDS + studies) if studies else plain)

    def study_seconds(self) -> float:
        """Seconds of the reserve that are for explaining the model; below a minute a report is a plain one."""
        return 0.0 if self.seconds is None or self.seconds < 60 else min(6.0, 0.03 * self.seconds)

    def read_left(self) -> float:
        """Seconds in which further columns of a table may be looked at."""
        return float("inf") if self.seconds is None else READ_SHARE * self.seconds - self.elapsed()

    def look_left(self) -> float:
        """Seconds for what is worth knowing of a table before the search, but is not needed for it."""
        return float("inf") if self.seconds is None else LOOK_SHARE * self.seconds - self.elapsed()

    def evaluate_seconds(self) -> float | None:
        """Seconds for the corrected score and all that is measured beside it; None for a run limited by trials."""
        if self.seconds is None:
            return None
        left = self.left() - REPORT_SECONDS - self.study_seconds()
        seconds = min(max(MIN_EVALUATE_SECONDS, left), 0.08 * self.seconds + 2)
        return min(seconds, WRAP_UP_SECONDS) if self.left() > self.reserve() + WRAP_UP_SECONDS else seconds

    def last_left(self) -> float:
        """Seconds until the command must have written its last file to keep the promise."""
        if self.seconds is None:
            return float("inf")
        return self.left() + max(LATE_SECONDS, LATE_SHARE * self.seconds) - EXIT_SECONDS

    def search_left(self) -> float:
        """Seconds that may still be spent on trials."""
        return self.left() - self.reserve() - self.kept

    def keep(self, share: float) -> Clock:
        """The same clock, with this share of what is left for trials kept."""
        return dataclasses.replace(self, kept=max(0.0, share * self.search_left()))

    def release(self, late_seconds: float) -> Clock:
        """The same clock when what was kept is used; the reserve may be touched so far, but by a third at most."""
        return dataclasses.replace(self, kept=-min(late_seconds, self.reserve() / 3))


def spent_seconds(events: Path) -> float:
    """Time that earlier sessions of a run used, from its events.jsonl.

    The events bear the time of day, which may be set, and goes on while a laptop sleeps; a session's own clock does
    neither. So a gap counts as no less than nothing, and no more than what ended it says it took.
    """
    spent, last = 0.0, None
    for event in read_events(events):
        if last is not None and not isinstance(event, RunStarted):
            longest = max(SILENT_SECONDS, getattr(event, "seconds", 0.0))
            spent += min(max(0.0, event.at - last), longest)
        last = event.at
    return spent
