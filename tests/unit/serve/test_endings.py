"""The server ends well whenever it is told to: a call at work is answered, a worker that starts is waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from automl.serve.settings import Settings
from tests.unit.serve.inside import PROGRAM, inside, program_with

SLOW = """
from automl.serve.service import Service
predict = Service.predict

async def predict_slowly(self, current, rows):
    if rows.counted:
        await asyncio.sleep(2.5)
    return await predict(self, current, rows)

Service.predict = predict_slowly
"""

SIGNALLED = """
import os, signal
from automl.serve import supervisor

class Signalled(supervisor._Process):
    def __init__(self, *rest):
        super().__init__(*rest)
        os.kill(os.getpid(), signal.SIGTERM)

supervisor._Process = Signalled
"""


def test_a_call_at_work_is_answered_over_grpc_when_the_server_is_told_to_end(export: Path, tmp_path: Path) -> None:
    grpc = pytest.importorskip("grpc")
    from automl.serve.oip_messages import SERVICE, message_classes

    classes = message_classes()
    request = classes["ModelInferRequest"](model_name="shop")
    for name, text in (("city", b"Graz"), ("member", b"true"), ("day", b"2020-01-01")):
        request.inputs.add(name=name, datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(text)
    for name, number in (("age", 30.0), ("account", 91_600_000_000.0)):
        request.inputs.add(name=name, datatype="FP64", shape=[1, 1]).contents.fp64_contents.append(number)
    settings = Settings(model=str(export), name="shop", port=0, grpc_port=0, drain_seconds=10.0)
    with inside(settings, tmp_path, program_with(SLOW)) as server, ThreadPoolExecutor(1) as pool:
        with grpc.insecure_channel(server.record["grpc"]) as channel:
            infer = channel.unary_unary(
                f"/{SERVICE}/ModelInfer",
                request_serializer=classes["ModelInferRequest"].SerializeToString,
                response_deserializer=classes["ModelInferResponse"].FromString,
            )
            called = pool.submit(infer, request, timeout=20)
            time.sleep(0.7)
            began = time.monotonic()
            os.kill(server.process.pid, signal.SIGTERM)
            assert called.result().model_name == "shop"
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 6


def test_a_signal_between_the_starts_of_two_workers_ends_the_server_without_a_fault(export: Path) -> None:
    settings = Settings(model=str(export), port=0, workers=2)
    words = [sys.executable, "-c", SIGNALLED + PROGRAM, settings.to_json()]
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 10
