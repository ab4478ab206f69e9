"""What every request passes: host name, token, size and time of its body, a count, and headers that browsers obey."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from automl.serve.metrics import OTHER, Metrics
from automl.serve.refusal import PROBLEM, Refusal
from automl.serve.settings import LOOPBACK, Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
# the page itself shows nothing of the model: it asks with the token that its user gives
PAGE_PATHS = frozenset({"/", "/page.js", "/page.css"})
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", CSP.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
TIDY_SECONDS = 2.0


class Limits:
    """ASGI middleware around the whole application.

    Args:
        token: what a client must bring as `Authorization: Bearer`; "" asks for nothing.
        paths: those that are counted by name.
    """

    def __init__(self, app: App, *, settings: Settings, token: str, metrics: Metrics, paths: frozenset[str]) -> None:
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self._token = token.encode()
        self._paths = {path: path for path in paths}
        self._hosts = frozenset(host.lower() for host in (*settings.hosts, *(LOOPBACK if settings.is_loopback else ())))
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        self.metrics.in_flight.inc()
        held = 0
        try:
            try:
                self._admit(scope)
                body, held = await self._read_body(scope, receive)
                await self.app(scope, _replay(body, receive), send_marked)
            except Refusal as refusal:
                if status:
                    raise
                self.metrics.errors.labels(refusal.kind).inc()
                await _refuse(refusal, send_marked)
        except _GoneError:
            status = status or 499
        finally:
            self._buffered -= held
            self.metrics.in_flight.dec()
            path = self._paths.get(scope["path"], OTHER)
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.latency.labels(path).observe(time.perf_counter() - began)

    def _admit(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        if self._hosts:
            host = headers.get(b"host", b"").decode("latin-1").lower()
            name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
            if name.strip("[]") not in self._hosts:
                hint = "automl serve --allow-host NAME accepts a further name"
                raise Refusal(421, "The server does not go by this name", hint=hint, kind="host")
        path = scope["path"]
        if self._token and path not in OPEN_PATHS and path not in PAGE_PATHS:
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                raise Refusal(401, "A token is needed", hint="Send Authorization: Bearer TOKEN", kind="token")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise Refusal(415, "The body is packed", hint="Send it without Content-Encoding", kind="encoding")

    async def _read_body(self, scope: Scope, receive: Receive) -> tuple[bytes, int]:
        """The whole body, and how many bytes of the worker's allowance it holds."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS", "DELETE"):
            return b"", 0
        limit = self.settings.max_body_bytes
        told = dict(scope["headers"]).get(b"content-length", b"")
        too_large = Refusal(
            413, f"The body has more than {limit:,} bytes", hint="Send fewer rows at a time", kind="body_size"
        )
        if told.isdigit() and int(told[:20]) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _GoneError
                    part = message.get("body", b"")
                    size += len(part)
                    self._buffered += len(part)
                    if size > limit:
                        raise too_large
                    if self._buffered > self.settings.max_buffered_bytes:
                        text = "Too many bodies are being read already"
                        raise Refusal(503, text, hint="Try again later", kind="overload", retry_seconds=1)
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts), size
        except TimeoutError as error:
            self._buffered -= size
            text = f"The body did not come within {self.settings.body_seconds:g} s"
            raise Refusal(408, text, hint="Send it faster, or fewer rows", kind="body_time") from error
        except BaseException:
            self._buffered -= size
            raise


class _GoneError(Exception):
    """The client went away before its request was whole."""


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application; then what really comes."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = refusal.to_json()
    headers = [(b"content-type", PROBLEM.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    if refusal.status in (408, 413):  # what is left of the body is not read
        headers.append((b"connection", b"close"))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
