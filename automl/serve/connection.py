"""One connection: uvicorn's protocol with what it lacks, time and size limits for the head and time for the answer."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from automl.serve.refusal import PROBLEM, Refusal

MAX_HEAD_BYTES = 64 << 10
_SLOW = Refusal(408, "The body did not come in time", hint="Send it faster, or fewer rows").to_json()
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (
    PROBLEM.encode(),
    len(_SLOW),
    _SLOW,
)


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose client may not take for ever.

    Attributes:
        head_seconds: from the first byte of a connection, or of a further request, to the end of its head.
        body_seconds: from there to the end of its body; then the client is told so and cut off.
        write_seconds: for a client to take an answer that is ready.
        most: connections open at one time; those beyond are closed at once.
    """

    head_seconds: float
    body_seconds: float
    write_seconds: float
    most: int

    _head: asyncio.TimerHandle | None = None
    _body: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head is None:
                self._head = self.loop.call_later(self.head_seconds, self._give_up)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._cancel_head()
        if self._body is None:
            self._body = self.loop.call_later(self.body_seconds, self._cut_body)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._cancel_body()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self._writing is None:
            self._writing = self.loop.call_later(self.write_seconds, self._check_written)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head()
        self._cancel_body()
        if self._writing is not None:
            self._writing.cancel()
        super().connection_lost(exc)

    def _check_written(self) -> None:
        self._writing = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _give_up(self) -> None:
        """Nobody sends a head for so long but who wants to keep connections busy."""
        self._head = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _cut_body(self) -> None:
        self._body = None
        if self.transport.is_closing():
            return
        if not self.cycle.response_started:
            self.transport.write(TOO_SLOW)
        self.cycle.disconnected = True  # the application hears that nobody waits any more
        self.cycle.message_event.set()
        self.transport.close()

    def _cancel_body(self) -> None:
        if self._body is not None:
            self._body.cancel()
            self._body = None

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def make_protocol(
    *, head_seconds: float, body_seconds: float, write_seconds: float, most: int
) -> type[BoundedProtocol]:
    """The protocol class of a server, with its limits."""
    limits = {
        "head_seconds": head_seconds,
        "body_seconds": body_seconds,
        "write_seconds": write_seconds,
        "most": most,
    }
    return type("LimitedProtocol", (BoundedProtocol,), limits)
