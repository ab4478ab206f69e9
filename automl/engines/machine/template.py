"""The template process's loop: fork a worker for each socket that is handed over, report how workers ended."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
from pathlib import Path

from automl.engines.machine.worker import run_worker

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends; elsewhere the closed socket is what ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def serve_template(fd: int, modules: list[str]) -> None:
    """Serve until the other end of the socket closes, then end all workers.

    Messages in: one byte with the worker's socket, its log file and its folder for temporary files attached.
    Messages out: a JSON line `{"pid": p}` for each fork, in order, and `{"pid": p, "code": c}` for each end
    (negative: the signal).
    """
    die_with_parent(os.getppid())
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    channel = socket.socket(fileno=fd)
    for module in modules:
        with contextlib.suppress(ImportError):  # the job that needs it reports what is missing
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is imported stays: a worker need not look through it after each job, nor copy its pages
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([channel], [], [], 0.05 if children else 1.0)
        _reap(children, channel)
        if not ready:
            continue
        message, handed, _, _ = socket.recv_fds(channel, 1, 3)
        if not message:
            break
        pid = os.fork()
        if pid == 0:
            _become_worker(channel, handed)
        for handle in handed:
            os.close(handle)
        children.add(pid)
        _tell(channel, {"pid": pid})
    for pid in children:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _become_worker(channel: socket.socket, handed: list[int]) -> None:
    code = 1
    try:
        parent = os.getppid()
        channel.close()
        os.setsid()
        die_with_parent(parent)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        log = handed[1]
        if folder := folder_of(handed[2]):
            os.environ["TMPDIR"], tempfile.tempdir = folder, None
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        run_worker(handed[0])
        code = 0
    finally:
        os._exit(code)


def folder_of(handle: int) -> str:
    """The path of an open folder; "" where the system does not tell."""
    try:
        if sys.platform == "darwin":
            import fcntl

            return fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0").decode()
        return str(Path(f"/proc/self/fd/{handle}").readlink())
    except OSError:
        return ""


def _reap(children: set[int], channel: socket.socket) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            children.clear()
            return
        if pid == 0:
            return
        children.discard(pid)
        _tell(channel, {"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(channel: socket.socket, record: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(record).encode() + b"\n")
