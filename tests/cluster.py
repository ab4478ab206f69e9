"""A Dask cluster as its users run one: a scheduler and workers, each a process of its own, that tests can hurt."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Cluster:
    """Started by `start_scheduler` and `start_worker`.

    Args:
        folder: for logs and the workers' scratch folders.
        host: the scheduler's address.
        inside: name → words put before the command of that name, such as ("ip", "netns", "exec", "one").
    """

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", inside: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.folder, self.host, self.inside = folder, host, dict(inside or {})
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"dask://{self.host}:{self.port}"

    def start_scheduler(self) -> None:
        words = ("distributed.cli.dask_scheduler", "--host", self.host, "--port", str(self.port), "--no-dashboard")
        self._start("scheduler", *words)

    def start_worker(self, name: str, *options: str, env: Mapping[str, str] | None = None) -> None:
        """A nanny and its worker of one thread, with a scratch folder of its own, as on a host of its own."""
        scratch = self.folder / name
        scratch.mkdir(exist_ok=True)
        words = (f"tcp://{self.host}:{self.port}", "--nthreads", "1", "--no-dashboard", "--name", name)
        self._start(name, "distributed.cli.dask_worker", *words, "--local-directory", str(scratch), *options, env=env)

    def _start(self, name: str, module: str, *words: str, env: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.inside.get(name, ()), sys.executable, "-W", "ignore", "-m", module, *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """A host that loses its power: the nanny, its worker and all they started, at once."""
        below = self.below(name)
        nanny = self.processes.pop(name)
        for process in [nanny, *below]:
            with contextlib.suppress(psutil.Error, OSError):
                process.kill()
        nanny.wait(10)

    def kill_worker_process(self, name: str) -> None:
        """The worker alone, as the kernel does when memory is short: its nanny starts another."""
        workers = [process for process in self.below(name) if "spawn_main" in " ".join(process.cmdline())]
        assert workers, f"{name} has no worker process yet"
        workers[0].kill()

    def below(self, name: str) -> list[psutil.Process]:
        try:
            return psutil.Process(self.processes[name].pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)


@contextlib.contextmanager
def running_cluster(folder: Path, workers: Sequence[str] = ("one", "two")) -> Iterator[Cluster]:
    """A scheduler and these workers on this machine."""
    cluster = Cluster(folder)
    try:
        cluster.start_scheduler()
        for name in workers:
            cluster.start_worker(name)
        yield cluster
    finally:
        cluster.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def stop_process(pid: int, seconds: float) -> None:
    """Have a process and all below it stand still for a while, as when its host is cut off or out of breath."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)
