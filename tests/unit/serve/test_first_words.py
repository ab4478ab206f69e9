"""What the command says when it serves can be typed as it stands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOKEN = "0123456789abcdef0123"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_line_to_type_next_shows_the_schema(export: Path, token: str) -> None:
    command = [sys.executable, "-m", "automl", "serve", str(export), "--port", "0"]
    environment = {**os.environ, "AUTOML_SERVE_TOKEN": token}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("next: "))
        assert TOKEN not in line
        typed = line.removeprefix("next: ")
        done = subprocess.run(["sh", "-c", typed], env={**os.environ, "TOKEN": token}, capture_output=True, check=True)
        assert json.loads(done.stdout)["target"] == "bought"
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()
