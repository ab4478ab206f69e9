"""Whether a model can be served, in a process of its own: `python -m automl.serve.check MODEL RUNTIME`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from automl.errors import AutoMLError


def main(arguments: list[str]) -> int:
    """Load the model and answer its golden rows; says what is wrong on stdout."""
    from automl.serve.model import load_model

    try:
        load_model(Path(arguments[0]), runtime=arguments[1])
    except (AutoMLError, OSError) as error:
        sys.stdout.write(f"{error}. {getattr(error, 'hint', '')}\n")
        return getattr(error, "exit_code", 5)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
