"""A server with settings that no option changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl.serve.settings import Settings
from tests.unit.serve.server import Server

PROGRAM = """
import json, sys
from automl.serve.settings import Settings
from automl.serve.supervisor import Supervisor

def tell(record):
    print(json.dumps(record), flush=True)

Supervisor(Settings.from_json(sys.argv[1]), token="", on_ready=tell).run()
"""


@contextmanager
def inside(settings: Settings, place: Path, program: str = PROGRAM) -> Iterator[Server]:
    """A server of these settings, which ends with the block."""
    errors = place / "inside.err"
    with errors.open("w") as file:
        command = [sys.executable, "-c", program, settings.to_json()]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        server = Server(process, errors)
        assert server.url, server.messages()
        yield server
        server.client.close()
    finally:
        process.terminate()
        process.wait(40)
        assert process.stdout is not None
        process.stdout.close()
