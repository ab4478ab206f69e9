"""Runs cases one after another, each in a fork of one process that has imported everything, and judges them."""

from __future__ import annotations

import dataclasses
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.corpus import Case
from tests.outcomes import AS_PROMISED

MAX_MB = 1024.0
GIVE_UP_SECONDS = 60
IMPORTS = (
    "pandas", "pyarrow.csv", "pyarrow.parquet", "PIL.Image", "openpyxl", "python_calamine", "arff", "zstandard",
    "sklearn.pipeline", "sklearn.linear_model", "skops.io", "xgboost", "optuna", "yaml", "charset_normalizer",
    "automl.preview", "automl.cli.main", "automl.flow", "automl.candidates.linear",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Seen:
    """What one command left; `left` are files that were not there before."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float
    left: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The error, or nothing."""
        return next((line for line in self.err.splitlines() if line.startswith("error: ")), "")


def import_all() -> None:
    """So that a fork has nothing left to import. Nothing is run, because threads do not survive a fork."""
    import importlib

    for name in IMPORTS:
        importlib.import_module(name)


def run_case(case: Case, folder: Path, model: Path | None) -> Seen:
    """The case's command in a fork, in a folder of its own."""
    work = folder / "work"
    work.mkdir(parents=True)
    words = [str(word).replace("{MODEL}", str(model)) for word in case.make(work)]
    (folder / "stdin").write_bytes(case.stdin)
    before = _list(folder)
    seen = run_forked(lambda: _command(words), folder)
    return dataclasses.replace(seen, left=tuple(sorted(_list(folder) - before - {"out", "err"})))


def _list(folder: Path) -> set[str]:
    return {os.path.relpath(os.path.join(root, name), folder) for root, _, names in os.walk(folder) for name in names}


def run_forked(work: Callable[[], None], folder: Path) -> Seen:
    """`work` in a fork that has `folder / "work"` as its own and `folder / "stdin"` to read; its last act is exit."""
    began = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become(folder, work)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    texts = [(folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")]
    return Seen(os.waitstatus_to_exitcode(status), *texts, seconds, usage.ru_maxrss / 1024)


def _become(folder: Path, work: Callable[[], None]) -> None:
    """In the child: files in place of the terminal, limits, and no way back."""
    code = 77
    try:
        for number, name in enumerate(("stdin", "out", "err")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(folder / name, flags, 0o600), number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        os.environ.update(TMPDIR=str(folder), HOME=str(folder), NO_COLOR="1")
        os.chdir(folder / "work")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(GIVE_UP_SECONDS)
        work()
        code = 78
    except BaseException:  # what pytest or a stranger's code would do with it must not happen here
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: Sequence[str]) -> None:
    from automl.cli.main import main

    sys.argv = ["automl", *words]
    main()


def judge(case: Case, seen: Seen) -> str:
    """`AS_PROMISED`, or what was wrong."""
    wrong: list[str] = []
    if seen.code != case.code:
        said = seen.sentence or seen.err.strip().splitlines()[-1:] or seen.out[:80]
        wrong.append(f"exit code {seen.code}, not {case.code} ({said})")
    if "Traceback" in seen.err + seen.out or "This is a bug" in seen.err:
        wrong.append("a traceback or bug")
    if seen.seconds > case.limit:
        wrong.append(f"{seen.seconds:.1f} s")
    if seen.peak_mb > MAX_MB:
        wrong.append(f"{seen.peak_mb:.0f} MB")
    if "\x1b" in seen.err or "\x1b" in seen.out:
        wrong.append("an escape character on the terminal")
    if seen.left:
        wrong.append(f"files were left: {', '.join(seen.left[:3])}")
    wrong += _judge_refusal(case, seen) if case.code else _judge_loaded(case, seen)
    return "; ".join(wrong) or AS_PROMISED


def _judge_refusal(case: Case, seen: Seen) -> list[str]:
    lines = [line for line in seen.err.splitlines() if not line.startswith("note: ")]
    if [line.partition(":")[0] for line in lines] != ["error", "hint"]:
        return [f"not one sentence and one hint, but {len(lines)} lines"]
    wrong = []
    if case.says not in lines[0]:
        wrong.append(f"it says {lines[0]!r}, not {case.says!r}")
    if case.hint not in lines[1]:
        wrong.append(f"it hints {lines[1]!r}, not {case.hint!r}")
    return wrong


def _judge_loaded(case: Case, seen: Seen) -> list[str]:
    said = seen.out.replace('\\"', '"').replace("\\\\", "\\") + seen.err
    return [] if case.says in said else [f"nothing says {case.says!r}"]
