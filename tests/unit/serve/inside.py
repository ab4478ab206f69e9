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


def program_with(worker: str) -> str:
    """A server whose workers are changed first, by these lines of Python that know `Worker`."""
    lines = f"import asyncio, pathlib, automl.serve.worker as module\nWorker = module.Worker\n{worker}\nmodule.main()\n"
    return f"""
from automl.serve import supervisor

class Changed(supervisor._Process):
    def __init__(self, command, *rest):
        super().__init__([command[0], "-c", {lines!r}], *rest)

supervisor._Process = Changed
{PROGRAM}"""
