"""Jobs that do what jobs do at their worst; workers import them by name, so they stand in a module of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20


def give_back(payload: Any) -> Any:
    return payload


def tell_pid(payload: Any) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def note_and_nap(payload: dict[str, Any]) -> int:
    """Say that it has begun, by a file with the process id, then sleep."""
    _note(Path(payload["path"]), os.getpid())
    time.sleep(payload.get("seconds", 60.0))
    return os.getpid()


def fail(message: str) -> None:
    raise ValueError(message)


class UnreadableError(Exception):
    """An exception that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def fail_without_words(payload: Any) -> None:
    raise UnreadableError


def call_exit(code: int) -> None:
    sys.exit(code)


def run_out_of_memory(payload: Any) -> None:
    raise MemoryError


def return_function(payload: Any) -> Any:
    return lambda: payload


class Poison:
    """A value that is sent without trouble and cannot be put together again."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return fail, ("poison",)


def return_poison(payload: Any) -> Poison:
    return Poison()


def spin(path: str) -> None:
    _note(Path(path), os.getpid())
    while True:
        pass


def ignore_term(payload: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def fill_memory(megabytes: int) -> None:
    """Touch every page, a little at a time."""
    held = []
    for _ in range(megabytes // 20):
        held.append(bytearray(os.urandom(1)) * (20 * MEGABYTE))
        time.sleep(0.01)
    time.sleep(60)


def fill_memory_of_a_child(megabytes: int) -> None:
    script = f"import time; held = bytearray(b'x') * ({megabytes} << 20); time.sleep(60)"
    subprocess.run([sys.executable, "-c", script], check=True)


def crash(number: int) -> None:
    """End as a fault in native code would."""
    os.kill(os.getpid(), number)
    time.sleep(60)


def vanish(code: int) -> None:
    os._exit(code)


def leave_child(payload: dict[str, Any]) -> None:
    """Start a process that outlives the job unless it is ended with it, then do as `then` says."""
    child = subprocess.Popen(["sleep", "60"])
    _note(Path(payload["path"]), child.pid)
    if payload["then"] == "nap":
        time.sleep(60)
    elif payload["then"] == "crash":
        crash(signal.SIGKILL)


def crash_beside_a_fork(path: str) -> None:
    """A forked child holds the job's pipe open, so that its end alone does not tell of the crash."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    _note(Path(path), child)
    crash(signal.SIGSEGV)


def flood(megabytes: int) -> str:
    for _ in range(megabytes):
        os.write(1, b"o" * MEGABYTE)
        os.write(2, b"e" * MEGABYTE)
    return "done"


def list_modules(names: list[str]) -> list[str]:
    return [name for name in names if name in sys.modules]


def read_environment(name: str) -> str | None:
    return os.environ.get(name)


def _note(path: Path, number: int) -> None:
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(str(number), encoding="ascii")
    beside.rename(path)


def kill_host(path: str) -> None:
    """End the process that looks after workers, as a job can that takes all memory of its host."""
    with Path(path).open("a", encoding="ascii") as file:
        file.write("x")
    template = os.getppid()
    status = Path(f"/proc/{template}/stat").read_text(encoding="ascii")
    os.kill(int(status.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
    time.sleep(60)


def nap_once(payload: dict[str, Any]) -> str:
    """The first time sleep for long, the second time be done at once."""
    path = Path(payload["path"])
    if path.exists():
        return "done"
    _note(path, os.getpid())
    time.sleep(60)
    return "slept"


def count_lines(payload: dict[str, Any]) -> str:
    """Read what was placed, leave a folder, and say where that was."""
    root = Path(payload["run"])
    lines = (root / "data" / "lines.txt").read_text(encoding="utf-8").splitlines()
    place = root / "search" / "models" / "0000-1"
    place.mkdir(parents=True)
    (place / "count.txt").write_text(str(len(lines)), encoding="ascii")
    (root / "search" / "cache" / "abc-1").mkdir(parents=True, exist_ok=True)
    return str(root)
