"""Whether a model can be served, in a process of its own: `python -m automl.serve.check MODEL RUNTIME`.

The contract that it must keep comes as one line of JSON from stdin; {}, or no line, asks for nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from automl.errors import AutoMLError


def main(arguments: list[str], told: bytes) -> int:
    """Load the model, answer its golden rows and hold it against the contract; says what is wrong on stdout."""
    from automl.serve.contract import Contract
    from automl.serve.model import load_model

    try:
        model = load_model(Path(arguments[0]), runtime=arguments[1])
        if record := json.loads(told or "{}"):
            Contract.from_json(record).check(Contract.of(model))
    except (AutoMLError, OSError) as error:
        sys.stdout.write(f"{error}. {getattr(error, 'hint', '')}\n")
        return getattr(error, "exit_code", 5)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:], sys.stdin.buffer.readline())
    sys.stdout.flush()
    os._exit(code)
