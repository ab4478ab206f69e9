"""automl leaderboard: the models of a run in order."""

from __future__ import annotations

from automl.cli import options as opt


def leaderboard_command(run: opt.RunArgument, as_json: opt.JsonOption = False) -> None:
    """The models of a run in order, ties shown as ties."""
    from automl.cli.output import open_output, print_json
    from automl.run import Run
    from automl.search.leaderboard import read_leaderboard

    opened = Run.open(run)
    record = read_leaderboard(opened)
    if as_json:
        print_json(record)
        return
    from automl.report.console import print_leaderboard

    print_leaderboard(opened, open_output())
