"""Errors as problem details (RFC 9457): whatever goes wrong becomes one sentence that repeats nothing of a request."""

from __future__ import annotations

import sys
from http import HTTPStatus

from automl.errors import AutoMLError
from automl.serve.call import Answer
from automl.serve.metrics import Metrics
from automl.serve.refusal import PROBLEM, Refusal


def answer_error(error: Exception, metrics: Metrics) -> Answer:
    """The answer to a request that failed, counted by its kind; what is not a refusal goes to the log."""
    refusal = _judge(error)
    metrics.errors.labels(refusal.kind).inc()
    headers = refusal.headers
    if refusal.status in (408, 413):  # what is left of the body is not read
        headers["Connection"] = "close"
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(refusal.to_json(), PROBLEM, refusal.status, headers)


def _judge(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, AutoMLError):  # its sentence may quote a cell
        _log(f"the model refused rows: {type(error).__name__}")
        return Refusal(422, "The model cannot take these rows", hint="GET /schema tells the columns", kind="model")
    _log(f"a request failed by a fault of ours: {type(error).__name__}: {str(error)[:200]!r}")
    return Refusal(500, "The server failed", hint="Its log says more", kind="bug")


def refuse_status(status: int) -> Refusal:
    """The refusal behind a bare status, such as that of a path that is not there."""
    texts = {404: "There is nothing here", 405: "This method is not taken here"}
    return Refusal(
        status,
        texts.get(status, HTTPStatus(status).phrase),
        hint="GET /openapi.json tells what there is",
        kind="not_found" if status in texts else "http",
    )


def _log(text: str) -> None:
    sys.stderr.write(f"automl serve: {text}\n")
