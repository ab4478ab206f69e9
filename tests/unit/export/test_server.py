"""The server that travels with a container ends well: what it has begun to answer, it answers."""

from __future__ import annotations

import http.client
import importlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from automl.export import _server

SLOW_MODEL = """
import time

class Model:
    signature = {"classes": None}

    def __init__(self, folder, files):
        pass

    def predict(self, rows):
        time.sleep(rows[0]["seconds"])
        return [{"prediction": 1.0}] * len(rows)
"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server as its container runs it, before a model that takes as long as a row says."""
    shutil.copyfile(_server.__file__, folder / "server.py")
    (folder / "predict.py").write_text(SLOW_MODEL)
    command = [sys.executable, "-I", "server.py", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def ask(port: int, path: str, seconds: float | None = None) -> int:
    """The status of an answer on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if seconds is None:
        connection.request("GET", path)
    else:
        connection.request("POST", path, json.dumps({"rows": [{"seconds": seconds}]}))
    with connection.getresponse() as answer:
        answer.read()
        status = answer.status
    connection.close()
    return status


def test_a_request_at_work_is_answered_when_the_server_is_told_to_end(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, port):
        assert ask(port, "/readyz") == 200
        statuses: list[int] = []
        slow = threading.Thread(target=lambda: statuses.append(ask(port, "/predict", 2.0)))
        slow.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert [ask(port, path) for path in ("/readyz", "/v2/health/ready", "/healthz")] == [503, 503, 200]
        assert ask(port, "/predict", 0.0) == 503
        slow.join()
        assert statuses == [200]
        assert process.wait(5) == 0


def test_idle_connections_and_half_a_request_line_do_not_hold_the_end(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, port):
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        half = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        half.connect()
        half.sock.sendall(b"POST /pre")
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 3
        idle.close()
        half.close()


def test_rows_that_mlflow_sends_name_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    module = types.ModuleType("predict")
    module.Model = lambda folder, **options: given.update(options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "predict", module)
    importlib.import_module("automl.export._mlflow_model").PyfuncModel("folder")
    assert given == {"files": False}


def test_what_was_not_answered_well_is_counted_so(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/predict", json.dumps({"rows": [{"other": 1}]}))  # the model raises a KeyError
        assert connection.getresponse().status == 500
        connection.close()
        assert ask(port, "/predict", 0.0) == 200
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
    assert 'automl_requests_total{path="/predict",status="500"} 1' in text
    assert 'automl_requests_total{path="/predict",status="200"} 1' in text
