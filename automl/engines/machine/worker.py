"""A worker: takes jobs from its socket one after another, and answers each with how it went."""

from __future__ import annotations

import gc
import traceback
from multiprocessing.connection import Connection
from typing import Any

from automl.engines import Job, Status

MAX_REASON = 500
MAX_TRACEBACK = 4000


def run_worker(fd: int) -> None:
    """Serve jobs until the socket closes.

    For each job two messages go out: "ready" when it is taken up, then (status, value, reason, traceback).
    """
    connection: Connection[Any, Any] = Connection(fd)
    while True:
        try:
            job: Job = connection.recv()
        except (EOFError, ConnectionError):
            return
        except Exception as error:  # its function or payload is not known here
            connection.send((Status.FAILED, None, describe_error(error), ""))
            continue
        connection.send("ready")
        answer = run_job(job)
        try:
            connection.send(answer)
        except (EOFError, ConnectionError):
            return
        except Exception as error:  # the value cannot be sent: that is the job's failure, not the worker's
            connection.send((Status.FAILED, None, describe_error(error), ""))
        gc.collect()


def run_job(job: Job) -> tuple[Status, Any, str, str]:
    """Call the job's function; whatever it raises becomes a status and a reason."""
    try:
        return Status.OK, job.function(job.payload), "", ""
    except MemoryError as error:
        return Status.OUT_OF_MEMORY, None, describe_error(error) or "MemoryError", ""
    except Exception as error:
        return Status.FAILED, None, describe_error(error), traceback.format_exc()[-MAX_TRACEBACK:]
    except SystemExit as error:
        return Status.FAILED, None, f"the job called exit({error.code!r})", ""


def describe_error(error: BaseException) -> str:
    """One line: the exception's class and the start of its message."""
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be read)"
    first = " ".join(text[: 4 * MAX_REASON].split())[:MAX_REASON]  # splitting a giant message takes giant memory
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def answer(payload: Any) -> Any:
    """Give back what was sent: the smallest job, by which `automl doctor` sees that workers work."""
    return payload
