"""automl stop: ask a running search to wrap up."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from automl.cli import options as opt

if TYPE_CHECKING:
    from automl.run import Run
    from automl.versions import Versions


def stop_command(run: opt.RunArgument, as_json: opt.JsonOption = False) -> None:
    """Ask a running search to wrap up with the best so far."""
    from automl.cli.output import print_json
    from automl.errors import UsageError
    from automl.run import Run
    from automl.versions import Versions

    opened = Run.open(run)
    searching = find_search(opened, Versions(run.absolute()))
    if searching is None:
        raise UsageError(
            f"{run} is not running ({opened.record['status']})", hint=f"automl leaderboard {shlex.quote(str(run))}"
        )
    searching.stop_path.touch()
    if as_json:
        print_json({"run": str(searching.path), "stopping": True})
    else:
        print(f"{run} wraps up now; watch it with: automl status {shlex.quote(str(run))}")


def find_search(run: Run, versions: Versions) -> Run | None:
    """The run that searches: itself, or the challenger that `automl retrain` trains; None if neither does.

    A lock alone tells little: `report` and `explain` hold it as well.
    """
    from automl.run import Run

    challengers = (Run(versions.path(number)) for number in reversed(versions.all_numbers()))
    known = (each for each in (run, *challengers) if each.record_path.is_file())
    return next((each for each in known if each.is_locked() and each.record["status"] == "running"), None)
