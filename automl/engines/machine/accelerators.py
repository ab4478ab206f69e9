"""Accelerators that the backend of neural networks sees on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from automl.errors import EngineError

Device = Literal["auto", "cpu", "gpu"]
# Drivers leave such files; without any, asking TensorFlow would cost seconds for a known answer.
DRIVER_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
ASK_SECONDS = 60.0
_QUESTION = (
    "import json, tensorflow as tf; "
    "gpus = tf.config.list_physical_devices('GPU'); "
    "print(json.dumps([tf.config.experimental.get_device_details(g).get('device_name', g.name) for g in gpus]))"
)


def find_accelerators(device: Device) -> tuple[str, ...]:
    """Names of the accelerators to be used; () for the CPU.

    Args:
        device: "cpu" uses none, "gpu" must have one, "auto" takes what is there.

    Raises:
        EngineError: if one is asked for and the backend sees none.
    """
    if device == "cpu" or (device == "auto" and not any(Path(name).exists() for name in DRIVER_FILES)):
        return ()
    names = _ask_backend()
    if device == "gpu" and not names:
        raise EngineError(
            "The device 'gpu' is asked for, and TensorFlow sees no accelerator on this machine",
            hint="--device cpu; or install a TensorFlow that knows yours: pip install 'tensorflow[and-cuda]'",
        )
    return names


def _ask_backend() -> tuple[str, ...]:
    """Asked in a process of its own: a process that has looked at an accelerator cannot fork workers for it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _QUESTION],
            capture_output=True,
            timeout=ASK_SECONDS,
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return tuple(str(name) for name in json.loads(answer.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ()
