"""Every body that --max-body allows can be read."""

from __future__ import annotations

import asyncio
from typing import Any

from automl.serve.call import Answer, Call
from automl.serve.limits import Limits
from automl.serve.metrics import Metrics
from automl.serve.settings import Settings

PART = b" " * (1 << 20)
SETTINGS = Settings(model="", hosts=("localhost",), max_body_bytes=3 << 20, max_buffered_bytes=2 << 20)


def status_of(parts: int) -> int:
    """The answer to a request whose body is so many megabytes."""
    found: list[int] = []
    left = parts

    async def take(call: Call) -> Answer:
        return Answer(str(len(call.body)).encode(), "text/plain")

    async def nowhere(*_: Any) -> None:
        raise AssertionError

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": PART, "more_body": left > 0}

    async def send(message: Any) -> None:
        found.extend([message["status"]] if "status" in message else [])

    limits = Limits(nowhere, {"/predict": take}, settings=SETTINGS, token="", metrics=Metrics(), paths=frozenset())
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"host", b"localhost")]}
    asyncio.run(limits(scope, receive, send))
    (status,) = found
    return status


def test_a_body_of_the_largest_size_is_read_even_if_all_bodies_together_may_have_less() -> None:
    assert status_of(3) == 200
    assert status_of(4) == 413
