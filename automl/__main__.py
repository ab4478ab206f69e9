"""`python -m automl` and the `automl` command; Ctrl-C is quiet even while the command line is being imported."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    try:
        from automl.cli.main import main as run_command_line
    except KeyboardInterrupt:
        print("error: Interrupted before anything was begun", file=sys.stderr)
        os._exit(INTERRUPTED)
    run_command_line()


if __name__ == "__main__":
    main()
