"""What every request passes: host name, token, size of its body, a count, and headers that browsers obey."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping

from automl.serve.call import KEY, Answer, App, Call, Endpoint, Message, Receive, Scope, Send
from automl.serve.failures import answer_error
from automl.serve.metrics import OTHER, Metrics
from automl.serve.refusal import Refusal
from automl.serve.settings import LOOPBACK, Settings

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
# the page itself shows nothing of the model: it asks with the token that its user gives
PAGE_PATHS = frozenset({"/", "/page.js", "/page.css"})
BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
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
GONE = 499  # in the counts: the client went away


class Limits:
    """ASGI middleware around the whole application.

    Args:
        hot: POST paths that are answered here, without the framework's way to them.
        token: what a client must bring as `Authorization: Bearer`; "" asks for nothing.
        paths: those that are counted by name.
    """

    def __init__(
        self,
        app: App,
        hot: Mapping[str, Endpoint],
        *,
        settings: Settings,
        token: str,
        metrics: Metrics,
        paths: frozenset[str],
    ) -> None:
        self.app = app
        self.hot = hot
        self.settings = settings
        self.metrics = metrics
        self._token = token.encode()
        self._paths = paths | set(hot)
        self._hosts = frozenset(host.lower() for host in (*settings.hosts, *(LOOPBACK if settings.is_loopback else ())))
        self._buffered = 0
        self._most_buffered = max(settings.max_buffered_bytes, 2 * settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, held = time.perf_counter(), 0, 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            await send(message)

        self.metrics.begin()
        path = scope["path"]
        try:
            headers = dict(scope["headers"])
            self._admit(path, headers)
            body = b""
            if scope["method"] not in BODILESS:
                body = await self._read_body(headers, receive)
                held = len(body)
            call = Call(scope, headers, body)
            endpoint = self.hot.get(path) if scope["method"] == "POST" else None
            if endpoint is not None:
                await (await endpoint(call)).send(send_marked)
            else:
                scope[KEY] = call
                await self.app(scope, _replay(body, receive), send_marked)
        except _GoneError:
            status = GONE
        except asyncio.CancelledError:  # the time to drain is over
            if status:
                raise
            ending = Refusal(503, "The server is ending", hint="Try again", kind="ending", retry_seconds=2)
            await answer_error(ending, self.metrics).send(send_marked)
        except Exception as error:
            if not status:  # else it is answered, and told, already
                answer: Answer = answer_error(error, self.metrics)
                await answer.send(send_marked)
        finally:
            self._buffered -= held
            name = path if path in self._paths else OTHER
            self.metrics.end(name, status or GONE, time.perf_counter() - began)

    def _admit(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._hosts and path not in OPEN_PATHS:  # who asks whether it is ready knows an address alone
            host = headers.get(b"host", b"").decode("latin-1").lower()
            name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
            if name.strip("[]") not in self._hosts:
                hint = "automl serve --allow-host NAME accepts a further name"
                raise Refusal(421, "The server does not go by this name", hint=hint, kind="host")
        if self._token and path not in OPEN_PATHS and path not in PAGE_PATHS:
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                raise Refusal(401, "A token is needed", hint="Send Authorization: Bearer TOKEN", kind="token")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise Refusal(415, "The body is packed", hint="Send it without Content-Encoding", kind="encoding")

    async def _read_body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body; how long it may take is the connection's business."""
        limit = self.settings.max_body_bytes
        told = headers.get(b"content-length", b"")
        if told.isdigit() and int(told[:20]) > limit:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError
                part = message.get("body", b"")
                size += len(part)
                self._buffered += len(part)
                if size > limit:
                    raise self._too_large()
                if self._buffered > self._most_buffered:
                    text = "Too many bodies are being read already"
                    raise Refusal(503, text, hint="Try again later", kind="overload", retry_seconds=1)
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException:
            self._buffered -= size
            raise

    def _too_large(self) -> Refusal:
        text = f"The body has more than {self.settings.max_body_bytes:,} bytes"
        return Refusal(413, text, hint="Send fewer rows at a time", kind="body_size")


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
