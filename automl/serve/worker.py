"""One worker process: a model, an application, and the supervisor at the other end of two pipes.

`python -m automl.serve.worker` reads its settings as one line of JSON from stdin, which stays open as a sign that the
supervisor lives, and writes lines of JSON to stdout: that it is ready, or why not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import AutoMLError
from automl.schema import Role
from automl.serve.contract import Contract
from automl.serve.settings import Settings

if TYPE_CHECKING:
    from automl.serve.model import ServedModel
    from automl.serve.observers import Observer

STUCK = 70  # exit code of a worker whose model does not come back
HARD_SECONDS = 2.0


class Worker:
    """Loads the model, listens on an inherited socket, and ends in bounded time.

    Args:
        descriptor: of the listening socket.
        say: sends a record to the supervisor.
        contract: of the model by which others answer; one that breaks it is not served. None if nobody answers.
    """

    def __init__(
        self, settings: Settings, token: str, descriptor: int, say: Any, contract: Contract | None = None
    ) -> None:
        self.settings = settings
        self.token = token
        self.say = say
        self.contract = contract
        self.socket = socket.socket(fileno=descriptor)
        self.code = 0
        self._swapping = False
        self._again = False
        self._task: asyncio.Task[None] | None = None
        self._grpc: Any = None
        self._grpc_end: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until told to end."""
        from automl.serve.app import make_app
        from automl.serve.metrics import Metrics
        from automl.serve.model import load_model
        from automl.serve.service import Service

        settings = self.settings
        model = load_model(Path(settings.model), runtime=settings.runtime, name=settings.name)
        if not self._keeps_contract(model):
            return
        self.metrics = Metrics()
        self.service = Service(
            model,
            settings,
            self.metrics,
            observers=make_observers(settings, model),
            on_stuck=self._give_up,
            on_hang=self._give_up_at_once,
        )
        await self._warm_up()
        self.server = self._make_server(make_app(self.service, token=self.token))
        self._handle_signals()
        if settings.grpc_port is not None:
            from automl.serve.oip_grpc import start_grpc

            self._grpc = await start_grpc(self.service, token=self.token)
        gauges = asyncio.create_task(self.service.keep_gauges())
        serving = asyncio.create_task(self.server.serve(sockets=[self.socket]))
        while not self.server.started and not serving.done():
            await asyncio.sleep(0.01)
        told = {"name": model.name, "version": model.version, "runtime": model.runtime}
        self.say({"ready": True, **told, "contract": Contract.of(model).to_json()})
        await serving
        await asyncio.sleep(0.05)  # those that were cut off are told so
        gauges.cancel()
        if self._grpc_end is not None:
            await self._grpc_end
        elif self._grpc is not None:  # the model hangs: there is nothing to wait for
            await self._grpc.stop(grace=1.0)
        self.service.observers.close()

    def _keeps_contract(self, model: ServedModel) -> bool:
        """A worker that takes a dead one's place may find another model than the one that its fellows answer by."""
        if self.contract is None:
            return True
        try:
            self.contract.check(Contract.of(model))
        except AutoMLError as error:
            self.say(_refusal(self._version_there(), error))
            self.code = error.exit_code
            return False
        return True

    def _version_there(self) -> str:
        from automl.serve.version import find_folder, version_of

        return version_of(find_folder(Path(self.settings.model)))

    async def _warm_up(self) -> None:
        """The first rows pay for what is made on first use; no client should."""
        current = self.service.current
        rows = current.reader.from_records([current.example])
        for size in (1, 8):
            columns = {name: cells * size for name, cells in rows.columns.items()}
            await self.service.predict(current, type(rows)(columns, size, counted=False))

    def _make_server(self, app: Any) -> Any:
        import uvicorn

        from automl.serve.connection import make_protocol

        settings = self.settings
        protocol = make_protocol(
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            write_seconds=settings.write_seconds,
            most=settings.max_connections,
        )
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
            timeout_keep_alive=75,
            backlog=1024,
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        return server

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.end)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches all; the supervisor decides
        loop.add_signal_handler(signal.SIGHUP, self._swap_soon)
        loop.add_signal_handler(signal.SIGUSR1, self.metrics.reloads.labels("refused").inc)  # by another process
        threading.Thread(target=self._watch_parent, args=(loop,), name="parent", daemon=True).start()

    def end(self) -> None:
        """Take no more requests, let those at work end, for as long as the settings allow."""
        self.service.draining = True
        self.server.should_exit = True
        if self._grpc is not None and self._grpc_end is None:
            self._grpc_end = asyncio.ensure_future(self._grpc.stop(grace=self.settings.drain_seconds))
        _exit_after(self.settings.drain_seconds + HARD_SECONDS, self.code)

    def _watch_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        """The pipe closes when the supervisor is gone, however it went."""
        os.read(0, 1)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self.end)

    def _give_up_at_once(self) -> None:
        """The loop's own thread never comes back: nothing can be drained."""
        self._tell_stuck()
        os._exit(STUCK)

    def _tell_stuck(self) -> None:
        _log(f"the model did not answer within {self.settings.predict_seconds:g} s; this worker is replaced")

    def _give_up(self) -> None:
        """The model's thread never comes back: the process must go, another takes its place."""
        self._tell_stuck()
        self.code = STUCK
        self.server.should_exit = True
        _exit_after(HARD_SECONDS, STUCK)

    def _swap_soon(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._swap())

    async def _swap(self) -> None:
        """Load the model anew beside the one that serves, then swap."""
        from automl.serve.model import load_model

        if self._swapping:
            self._again = True
            return
        self._swapping, version = True, ""
        try:
            path, loop = Path(self.settings.model), asyncio.get_running_loop()
            load = lambda: load_model(path, runtime=self.settings.runtime, name=self.service.current.model.name)  # noqa: E731
            version = self._version_there()
            if version == self.service.current.model.version:
                return
            model = await loop.run_in_executor(None, load)
            self.service.swap(model)
            self.metrics.reloads.labels("done").inc()
            self.say({"reloaded": model.version, "contract": Contract.of(model).to_json()})
        except Exception as error:  # whatever is wrong with the new model, the old one answers
            self.metrics.reloads.labels("refused").inc()
            self.say(_refusal(version, error))
        finally:
            self._swapping = False
            if self._again:
                self._again = False
                self._swap_soon()


def make_observers(settings: Settings, model: ServedModel) -> list[Observer]:
    """Who hears of every answer: the request log, where one is wanted."""
    if not settings.log:
        return []
    from automl.monitor.request_log import RequestLog

    features = model.predictor.schema.features
    pictures = [column.name for column in features if column.role is Role.IMAGE]  # too large for a log
    log = RequestLog(
        Path(settings.log),
        columns=[column.name for column in features],
        hashed=settings.log_hashed,
        dropped=(*settings.log_dropped, *pictures),
        megabytes=settings.log_megabytes,
        writers=settings.workers,
    )
    return [lambda _, rows, outputs, seconds: log(rows, outputs, seconds)]


def _refusal(version: str, error: Exception) -> dict[str, Any]:
    """What the supervisor hears of a model that is not taken."""
    known = isinstance(error, AutoMLError | OSError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return {"refused": text, "hint": getattr(error, "hint", ""), "version": version}


def _exit_after(seconds: float, code: int) -> None:
    """However the server ends, the process ends: a stuck thread or client must not hold it."""
    timer = threading.Timer(seconds, lambda: os._exit(code))
    timer.daemon = True
    timer.start()


def _log(text: str) -> None:
    sys.stderr.write(f"automl serve: {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Run a worker; the process ends with it."""
    status = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not pass for a message to the supervisor

    def say(record: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):
            status.write(json.dumps(record) + "\n")
            status.flush()

    for name in ("uvicorn", "python_multipart"):  # the latter tells bytes of bodies
        logging.getLogger(name).setLevel(logging.CRITICAL)
    record = json.loads(sys.stdin.buffer.readline())
    settings, contract = Settings.from_json(record["settings"]), record["contract"]
    held_to = Contract.from_json(contract) if contract else None
    worker = Worker(settings, record["token"], int(record["descriptor"]), say, held_to)
    try:
        import uvloop

        # never closed: that would wait for threads, and the process ends here anyhow
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(worker.run())
    except AutoMLError as error:
        say({"error": error.message, "hint": error.hint, "exit_code": error.exit_code})
        worker.code = error.exit_code
    except ImportError as error:
        hint = "pip install 'automl[serve]'"
        say({"error": f"Serving needs {error.name}, which is not installed", "hint": hint, "exit_code": 5})
        worker.code = 5
    sys.stderr.flush()
    os._exit(worker.code)  # threads of libraries must not hold the process


if __name__ == "__main__":
    main()
