"""A request that has passed the limits, and an answer, as plain as they can be."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = "application/json"
KEY = "automl.call"  # where the scope of an ASGI application holds the call


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A request with its whole body.

    Attributes:
        headers: names in lower case.
    """

    scope: Scope
    headers: Mapping[bytes, bytes]
    body: bytes

    def header(self, name: str) -> str:
        return self.headers.get(name.encode(), b"").decode("latin-1")

    def query(self, name: str) -> str | None:
        values = parse_qs(self.scope["query_string"].decode("latin-1")).get(name)
        return values[0] if values else None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def send(self, send: Send) -> None:
        """As two ASGI messages."""
        headers = [
            (b"content-type", self.content_type.encode("latin-1")),
            (b"content-length", str(len(self.body)).encode()),
        ]
        for name, value in self.headers.items():
            headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


Endpoint = Callable[[Call], Awaitable[Answer]]
