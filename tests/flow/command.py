"""The tool as its user has it: a command, its exit code, what it prints, and the files it leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

AUTOML = (sys.executable, "-m", "automl")
DATASETS = Path(__file__).parents[2] / "datasets"
SURVEY, PENGUINS = DATASETS / "social_survey.csv", DATASETS / "penguins.csv"
MARK = "AUTOML_TEST_MARK"

# Given a folder, writes what a command needs into it and returns its words; NAME=value sets a variable, as in a shell.
Maker = Callable[[Path], Iterable[str | Path]]


@dataclasses.dataclass(frozen=True)
class Result:
    """What one command left on the terminal; `seconds` of wall clock, from outside."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Background:
    """A command that runs while the test goes on, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, mark: str) -> None:
        self.process, self.folder, self.mark = process, folder, mark
        self.began = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def wait(self, seconds: float = 90) -> Result:
        code = self.process.wait(seconds)
        spent = self.seconds()
        texts = [(self.folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")]
        return Result(code, texts[0], texts[1], spent)

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def leftovers(self, within: float) -> list[str]:
        """Processes of the command that are still there after so many seconds; it and all it started carry its mark."""
        deadline = time.monotonic() + within
        while (found := self._living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _living(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
            except psutil.Error:
                continue
        return found


class Tool:
    """Starts commands in a folder, with a home and a folder for temporary files that are empty in the beginning."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.temporary = folder / "home", folder / "temporary"
        self.work = folder / "work"
        for each in (self.home, self.temporary, self.work):
            each.mkdir()

    def __call__(
        self, *words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, timeout: float = 120
    ) -> Result:
        began = time.monotonic()
        done = subprocess.run(
            [*AUTOML, *map(str, words)],
            input=stdin,
            capture_output=True,
            cwd=self.work,
            env=self.environment(env),
            timeout=timeout,
            check=False,
        )
        seconds = time.monotonic() - began
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode(), seconds)

    def start(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Background:
        mark = uuid.uuid4().hex
        place = self.folder / f"output-{mark}"
        place.mkdir()
        with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
            process = subprocess.Popen(
                [*AUTOML, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.work,
                env={**self.environment(env), MARK: mark},
                start_new_session=True,
            )
        return Background(process, place, mark)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}}
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.temporary), "TERM": "xterm", **(more or {})}


class Prepared:
    """Commands whose results several tests look at, made in the background while others go on, one at a time."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self._makers: dict[str, Maker] = {}
        self._pool = ThreadPoolExecutor(1)
        self._futures: dict[str, Future[Result]] = {}

    def offer(self, makers: Mapping[str, Maker]) -> None:
        self._makers |= makers

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._futures:
                self._futures[name] = self._pool.submit(self._make, self._makers[name])

    def __getitem__(self, name: str) -> Result:
        self.start([name])
        return self._futures[name].result()

    def run(self, name: str) -> Path:
        """The run folder that the command `name` was to make in `tool.work`."""
        result = self[name]
        assert result.code == 0, f"{name}: {result}"
        return self.tool.work / name

    def wait(self) -> None:
        """Until all that was started is done, however it ended."""
        futures.wait(self._futures.values())

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _make(self, maker: Maker) -> Result:
        words = list(maker(self.tool.work))
        settings = [word for word in words if isinstance(word, str) and re.match(r"[A-Z]+=", word)]
        env = dict(word.split("=", 1) for word in settings)
        return self.tool(*(word for word in words if word not in settings), env=env)


def python(program: str, *words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """What a fresh Python process prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records of a JSONL file; a line that is only half written yet is passed over."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def read_record(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def wait_for_trials(running: Background, run: Path, count: int, within: float = 60) -> None:
    """Until so many trials have finished, or the command has ended."""
    deadline = time.monotonic() + within
    while len(read_lines(run / "search" / "trials.jsonl")) < count and not running.is_over():
        assert time.monotonic() < deadline, f"{count} trials did not finish within {within} s"
        time.sleep(0.05)


def stray_files(run: Path) -> list[str]:
    """Temporary names that were left in a run folder."""
    return [str(path.relative_to(run)) for path in run.rglob("*") if path.name.startswith(".") or ".tmp" in path.name]


def without_times(board: dict[str, Any]) -> list[dict[str, Any]]:
    """A leaderboard's models, but for what a clock measured."""
    timed = {"fit_seconds", "predict_ms"}
    return [{key: value for key, value in model.items() if key not in timed} for model in board["models"]]
