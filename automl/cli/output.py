"""What commands print: JSON objects and clean lines on stdout, notices on stderr."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

from automl.schema import Notice

# Categories that could steer a terminal: controls, formats (bidi marks, zero widths), surrogates.
_HIDDEN = {"Cc", "Cf", "Cs"}


def clean(text: str) -> str:
    """Text without control, escape and bidirectional characters; what a data file says must not steer the terminal."""
    return "".join(" " if unicodedata.category(mark) in _HIDDEN else mark for mark in text)


def print_json(record: dict[str, Any]) -> None:
    """One object with a schema_version; numbers that are not finite become null."""
    print(json.dumps({"schema_version": 1, **_finite(record)}, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_notices(notices: Iterable[Notice]) -> None:
    """Each guess and change as a line on stderr."""
    for notice in notices:
        reason = f" ({notice.reason})" if notice.reason else ""
        print(f"note: {clean(notice.text + reason)}", file=sys.stderr)


def open_output() -> Any:
    """A rich console on stdout that leaves files and pipes plain."""
    from automl.report.console import open_console

    return open_console(sys.stdout)
