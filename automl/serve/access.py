"""Who may ask: a token from the environment or a file, and the addresses that do without one."""

from __future__ import annotations

import os
from pathlib import Path

from automl.errors import UsageError
from automl.serve.settings import Settings

VARIABLE = "AUTOML_SERVE_TOKEN"
SHORTEST = 16


def read_token(file: Path | None, settings: Settings) -> str:
    """The token that clients must bring; "" on a loopback address where none is set.

    Never taken from the command line, which every user of a machine can read.

    Raises:
        UsageError: if an address that others can reach has no token, or the token is short or cannot be sent.
    """
    try:
        text = file.read_text(encoding="utf-8") if file is not None else os.environ.get(VARIABLE, "")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token file {file} cannot be read", hint="Write the token into it as one line") from error
    token = text.strip()
    make = "openssl rand -hex 24 > token && chmod 600 token, then --token-file token"
    if not token:
        if settings.is_loopback and file is None:
            return ""
        where = f"An empty token in {file}" if file is not None else f"Listening on {settings.host} without a token"
        raise UsageError(f"{where} would let anyone in", hint=make)
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"The token is no {SHORTEST} or more printable characters without blanks", hint=make)
    return token
