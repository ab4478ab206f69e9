"""A real server as a process of its own, for tests that are its clients."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx


class Server:
    """`automl serve MODEL …` on a free port, as its users start it."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process, self.errors = process, errors
        assert process.stdout is not None
        line = process.stdout.readline()
        self.record: dict[str, Any] = json.loads(line) if line else {}
        self.code = None if "url" in self.record else process.wait(20)
        self.url = str(self.record.get("url", ""))
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def messages(self) -> str:
        return self.errors.read_text(encoding="utf-8", errors="replace")

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A bare connection on which so much was sent."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        opened.sendall(sent)
        return opened

    def workers(self) -> list[int]:
        """Process ids of those that answer."""
        import psutil

        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # one that has just died
                if "automl.serve.worker" in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found

    def end(self, seconds: float = 30) -> tuple[int, float]:
        """Exit code after SIGTERM, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds), time.monotonic() - began

    def metric(self, name: str) -> float:
        """The sum of a series over its labels."""
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.client.get("/metrics").text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )


@contextmanager
def serving(
    model: Path, place: Path, *words: str, env: Mapping[str, str] | None = None, ready: bool = True
) -> Iterator[Server]:
    """A server that ends with the block."""
    errors = place / f"server-{time.monotonic_ns()}.err"
    command = [sys.executable, "-m", "automl", "serve", str(model), "--port", "0", "--json", *words]
    with errors.open("w") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, text=True, env={**os.environ, **(env or {})}
        )
    try:
        server = Server(process, errors)
        assert bool(server.url) is ready, server.messages()
        yield server
        server.client.close()
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_until(question: Any, within: float = 30) -> None:
    """Until it is answered with yes."""
    deadline = time.monotonic() + within
    while not question():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)
