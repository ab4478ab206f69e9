"""The process that a user starts: it holds the port, keeps the workers alive, checks new models, and ends in time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from automl.errors import AutoMLError, EngineError
from automl.serve.contract import Contract
from automl.serve.settings import Settings
from automl.serve.version import find_folder, version_of

START_SECONDS = 300.0
POLL_SECONDS = 1.0
CHECK_SECONDS = 300.0
LONGEST_PAUSE = 30.0  # between two starts of a worker that dies
HEALTHY_SECONDS = 60.0


class _Process:
    """A worker as its supervisor sees it."""

    def __init__(
        self, command: list[str], environment: dict[str, str], descriptor: int, record: dict[str, Any]
    ) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, pass_fds=(descriptor,)
        )
        self.began = time.monotonic()
        self.ready = False
        self.version = ""  # of the model that it answers by
        self._is_ending = False
        self._rest = b""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.output = self.process.stdout
        os.set_blocking(self.output.fileno(), False)
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(record).encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> Iterator[dict[str, Any]]:
        """What it has said since."""
        with contextlib.suppress(BlockingIOError, OSError):
            while part := self.output.read():
                self._rest += part
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self.process.send_signal(number)

    def end(self) -> None:
        """Ask it to end; asked again it is left alone with what it does."""
        if not self._is_ending:
            self._is_ending = True
            self.signal(signal.SIGTERM)

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Supervisor:
    """Runs the workers of a server.

    Args:
        token: what clients must bring; "" for nothing.
        on_ready: called once with a record of addresses and model when all workers serve.
    """

    def __init__(self, settings: Settings, *, token: str, on_ready: Callable[[dict[str, Any]], None]) -> None:
        self.settings = settings
        self.token = token
        self._on_ready = on_ready
        self._told = False
        self._ending = 0.0
        self._workers: list[_Process] = []
        self._starts: list[float] = []  # when a worker is to be started
        self._pause = 0.5
        self._check: subprocess.Popen[str] | None = None
        self._check_began = 0.0
        # the version that is being checked, or was refused, and its files then: a copy may have been on its way
        self._asked, self._asked_files = "", 0
        self._version = ""  # by which answers came last
        self._contract: dict[str, Any] = {}  # of that model, as a worker told it
        self._accepted = ""  # the version that a check found fit
        self._refused = ""  # the version that was not taken last
        self._reload_wanted = False
        self._next_poll = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            AutoMLError: what the first worker could not do: read the model, listen, find a library.
        """
        self._socket = listen(self.settings)
        port = self._socket.getsockname()[1]
        self._grpc_holder, grpc_port = _hold_grpc_port(self.settings)
        self.settings = _replace(self.settings, port=port, grpc_port=grpc_port)
        self._metrics = tempfile.mkdtemp(prefix="automl-serve-")
        read_end, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        handlers = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        old_wake = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            for _ in range(self.settings.workers):
                if not self._ending:
                    self._start_worker()
            self._loop(read_end)
        finally:
            signal.set_wakeup_fd(old_wake)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._clean_up(read_end)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def _loop(self, wake: int) -> None:
        while not (self._ending and not self._workers):
            with selectors.DefaultSelector() as selector:
                selector.register(wake, selectors.EVENT_READ)
                for worker in self._workers:
                    selector.register(worker.output, selectors.EVENT_READ)
                for key, _ in selector.select(timeout=0.2):
                    if key.fd == wake:
                        os.read(wake, 4096)
            for worker in list(self._workers):
                for record in worker.read():
                    self._hear(worker, record)
                self._bury_if_dead(worker)
            now = time.monotonic()
            if self._ending:
                self._end_workers(now)
                continue
            self._check_starts(now)
            self._watch_model(now)

    def _on_signal(self, number: int, _: Any) -> None:
        if number == signal.SIGHUP:
            self._reload_wanted = True
            return
        if self._ending:
            self._ending = 1.0  # the second one: at once
            return
        self._ending = time.monotonic() + self.settings.drain_seconds + 1.0

    def _end_workers(self, now: float) -> None:
        """Called by the loop, not by the signal: that may come while a worker is being started on the socket."""
        self._socket.close()
        for worker in self._workers:
            worker.end()
            if now > self._ending:
                worker.signal(signal.SIGKILL)

    def _hear(self, worker: _Process, record: dict[str, Any]) -> None:
        if record.get("ready"):
            self._hear_ready(worker, record)
        elif "reloaded" in record:
            worker.version = self._version = str(record["reloaded"])
            self._contract = record["contract"]
            _log(f"now answers by version {worker.version}")
        elif "refused" in record:
            self._refuse(str(record["version"]), f"{record['refused']}. {record.get('hint', '')}")
            if not worker.ready:
                self._count_refusal()
        elif "error" in record:
            if self._told:
                _log(f"a new worker cannot start: {record['error']}. {record.get('hint', '')}")
                return
            self._workers.remove(worker)
            worker.process.wait(10)
            raise _worker_error(record)

    def _hear_ready(self, worker: _Process, record: dict[str, Any]) -> None:
        worker.ready = True
        worker.version = str(record["version"])
        self._tell_of_swap(worker, record["contract"])
        if self._accepted not in ("", worker.version):  # it had loaded its model before the new one was accepted
            worker.signal(signal.SIGHUP)
        is_whole = all(one.ready for one in self._workers) and len(self._workers) == self.settings.workers
        if is_whole and not self._told:
            self._told = True
            self._on_ready({**record, **self._addresses()})

    def _tell_of_swap(self, worker: _Process, contract: dict[str, Any]) -> None:
        """A worker that takes a dead one's place reads the model that is there now, which nobody may have announced."""
        if self._told and worker.version not in (self._version, self._accepted):
            before = f"before it was {self._version}"
            _log(f"the new worker answers by version {worker.version}, which stands there now; {before}")
            try:
                Contract.from_json(self._contract).check(Contract.from_json(contract))
            except AutoMLError as error:  # no worker of the model before was left, and one must answer
                _log(f"ERROR: clients of the model before cannot go on with it: {error}. {error.hint}")
        self._version, self._contract = worker.version, contract

    def _refuse(self, version: str, reason: str) -> None:
        _log(f"the new model is refused, the old one stays: {reason}")
        self._accepted, self._refused = "", version

    def _count_refusal(self) -> None:
        """The series are the workers': one of them counts what none of them refused itself."""
        for worker in self._workers:
            if worker.ready:
                worker.signal(signal.SIGUSR1)
                return

    def _addresses(self) -> dict[str, Any]:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        found: dict[str, Any] = {"url": f"http://{host}:{self.settings.port}"}
        if self.settings.grpc_port is not None:
            found["grpc"] = f"{host}:{self.settings.grpc_port}"
        return found

    # ---- workers -----------------------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": self._metrics, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.setdefault("OMP_NUM_THREADS", "1")
        environment.pop("AUTOML_SERVE_TOKEN", None)
        record = {
            "settings": self.settings.to_json(),
            "token": self.token,
            "descriptor": self._socket.fileno(),
            # the only one to answer takes what is there: a server that is down serves nobody
            "contract": self._contract if self._served() else {},
        }
        command = [sys.executable, "-m", "automl.serve.worker"]
        self._workers.append(_Process(command, environment, self._socket.fileno(), record))

    def _bury_if_dead(self, worker: _Process) -> None:
        code = worker.process.poll()
        if code is None or worker not in self._workers:
            if code is None and not worker.ready and time.monotonic() - worker.began > START_SECONDS:
                worker.signal(signal.SIGKILL)
            return
        for record in worker.read():  # its last words
            self._hear(worker, record)
        self._workers.remove(worker)
        worker.close()
        _forget(self._metrics, worker.process.pid)
        if self._ending:
            return
        if not self._told:
            raise EngineError(f"A worker ended with code {code} while it started", hint="Its messages stand above")
        lived = time.monotonic() - worker.began
        self._pause = 0.5 if lived > HEALTHY_SECONDS else min(LONGEST_PAUSE, self._pause * 2)
        self._starts.append(time.monotonic() + self._pause)
        when = " once a model stands there that is not refused" if self._must_wait() else ""
        _log(f"a worker ended with code {code} and is replaced{when}")

    def _served(self) -> set[str]:
        """The versions by which workers answer; more than one only on the way from one to the next."""
        return {worker.version for worker in self._workers if worker.ready}

    def _must_wait(self) -> bool:
        """Whether a new worker could only load a model that was refused, while others answer by the one before it."""
        served, refused = self._served(), self._refused
        return bool(served and refused) and refused not in served and _version_there(self.settings.model) == refused

    def _check_starts(self, now: float) -> None:
        if self._starts and self._must_wait():
            return
        due = [moment for moment in self._starts if moment <= now]
        self._starts = [moment for moment in self._starts if moment > now]
        for _ in due:
            self._start_worker()

    # ---- new models --------------------------------------------------------------------------------------------------

    def _watch_model(self, now: float) -> None:
        """Have a fresh process load a new model and answer its golden rows before any worker touches it."""
        if self._check is not None:
            self._follow_check(now)
            return
        if not self._reload_wanted and not (self.settings.reload and now >= self._next_poll):
            return
        served = self._served()
        if not served:  # those that start could load the model that is there, or the one before it
            return
        self._next_poll = now + POLL_SECONDS
        version = _version_there(self.settings.model)
        forced, self._reload_wanted = self._reload_wanted, False
        if not version or served == {version}:
            return
        files = _stamp_files(self.settings.model)
        if (version, files) == (self._asked, self._asked_files) and not forced:
            return
        self._asked, self._asked_files = version, files
        self._check_began = now
        command = [sys.executable, "-m", "automl.serve.check", self.settings.model, self.settings.runtime]
        self._check = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._check.stdin is not None
        with contextlib.suppress(OSError), self._check.stdin as stdin:
            stdin.write(json.dumps(self._contract) + "\n")

    def _follow_check(self, now: float) -> None:
        assert self._check is not None and self._check.stdout is not None
        code = self._check.poll()
        if code is None:
            if now - self._check_began > CHECK_SECONDS:
                self._check.kill()
            return
        text = self._check.stdout.read().strip()
        self._check.stdout.close()
        self._check = None
        if code == 0:
            self._accepted, self._refused = self._asked, ""
            for worker in self._workers:
                if worker.ready:
                    worker.signal(signal.SIGHUP)
        else:
            self._refuse(self._asked, text or f"loading it ended with code {code}")
            self._count_refusal()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _clean_up(self, read_end: int) -> None:
        for worker in self._workers:
            worker.signal(signal.SIGKILL)
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(5)
            worker.close()
        if self._check is not None:
            self._check.kill()
            self._check.wait(5)
        self._socket.close()
        if self._grpc_holder is not None:
            self._grpc_holder.close()
        os.close(read_end)
        os.close(self._wake)
        shutil.rmtree(self._metrics, ignore_errors=True)


def _replace(settings: Settings, **changes: Any) -> Settings:
    import dataclasses

    return dataclasses.replace(settings, **changes)


def listen(settings: Settings) -> socket.socket:
    """The listening socket that all workers share.

    Raises:
        EngineError: if the port is taken, may not be used, or the host is none of this machine.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EngineError(
            f"{settings.host!r} is no address of this machine", hint="automl serve --host 127.0.0.1"
        ) from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(1024)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            hint = f"automl serve … --port {settings.port + 1}, or --port 0 for a free one"
            raise EngineError(f"The port {settings.port} is taken", hint=hint) from error
        raise EngineError(f"Cannot listen on {where}: {error.strerror}", hint="automl serve … --port 8080") from error
    return opened


def _hold_grpc_port(settings: Settings) -> tuple[socket.socket | None, int | None]:
    """A port for gRPC that nobody else takes while the workers start; they listen on it beside each other."""
    if settings.grpc_port is None:
        return None, None
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        if settings.grpc_port:  # somebody else's server would be joined without a word
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.host, settings.grpc_port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((settings.host, settings.grpc_port))
    except OSError as error:
        holder.close()
        hint = f"automl serve … --grpc-port {settings.grpc_port + 1}"
        raise EngineError(f"The gRPC port {settings.grpc_port} is taken", hint=hint) from error
    return holder, int(holder.getsockname()[1])


def _version_there(model: str) -> str:
    """The version of the model on disk; "" while it is being swapped, or if it is none."""
    try:
        return version_of(find_folder(Path(model)))
    except (AutoMLError, OSError, ValueError):
        return ""


def _stamp_files(model: str) -> int:
    """A number that changes when a file of the model on disk does."""
    try:
        folder = find_folder(Path(model))
        return hash(tuple(sorted((str(p), (s := p.stat()).st_mtime_ns, s.st_size) for p in folder.rglob("*"))))
    except (AutoMLError, OSError, ValueError):
        return 0


def _worker_error(record: dict[str, Any]) -> AutoMLError:
    error = AutoMLError(str(record["error"]), hint=str(record.get("hint", "")))
    error.exit_code = int(record.get("exit_code", 1))
    return error


def _forget(folder: str, pid: int) -> None:
    """Take the gauges of a dead worker away; what it counted stays."""
    for path in Path(folder).glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)


def _log(text: str) -> None:
    sys.stderr.write(f"automl serve: {text}\n")
    sys.stderr.flush()
