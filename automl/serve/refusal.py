"""An answer that is no 200: a status, one sentence, a hint; it never repeats what the client sent."""

from __future__ import annotations

import json
from http import HTTPStatus

from automl.errors import AutoMLError


class Refusal(AutoMLError):  # noqa: N818 - it is an answer, not a fault of ours
    """A request that is not answered as asked.

    Args:
        status: of HTTP.
        kind: what the counter of errors calls it, such as "json" or "columns".
        retry_seconds: when the client may come back; 0 says nothing.
    """

    def __init__(self, status: int, message: str, *, hint: str = "", kind: str = "", retry_seconds: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind or HTTPStatus(status).phrase.lower().replace(" ", "_")
        self.retry_seconds = retry_seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_seconds)} if self.retry_seconds else {}

    def to_json(self) -> bytes:
        """RFC 9457 problem details; `error` says the same for clients of the Open Inference Protocol."""
        return json.dumps(
            {
                "type": "about:blank",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.message,
                "hint": self.hint,
                "error": f"{self.message}. {self.hint}".strip(),
            },
            ensure_ascii=False,
        ).encode()


PROBLEM = "application/problem+json"
