"""A fresh Python process: what an export must prove itself in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from automl.errors import ArtifactError

SECONDS = 300.0


def run_python(arguments: Sequence[str], *, step: str, folder: Path, seconds: float = SECONDS) -> str:
    """Run this interpreter, one thread a library; stdout comes back.

    Args:
        step: what the process does, for the message if it fails.
        folder: where it runs.

    Raises:
        ArtifactError: if it fails or takes too long; its last line is quoted.
    """
    quiet = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"{step} took longer than {seconds:.0f} s", hint="Try again on a quiet machine") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ArtifactError(f"{step} failed: {lines[-1][:300]}", hint="automl verify DIR tells whether it is whole")
    return done.stdout
