"""Requests made up from the OpenAPI document, thousands of them: no answer is the server's fault, none hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.serve.server import Server


@pytest.mark.slow
def test_schemathesis_finds_no_fault_of_the_server(server: Server, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("schemathesis")
    words = ["run", f"{server.url}/openapi.json", "--checks", "not_a_server_error,content_type_conformance"]
    words += ["--max-examples", "60", "--request-timeout", "20", "--seed", "1", "--no-color"]
    done = subprocess.run([command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert server.client.get("/readyz").status_code == 200
    assert "a fault of ours" not in server.messages()
