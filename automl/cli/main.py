"""`automl`: dispatches to one command a file, and turns errors into one sentence, one hint and an exit code."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from automl.cli import (
    check,
    cluster,
    compare,
    dashboard,
    distill,
    doctor,
    evaluate,
    explain,
    export,
    fit,
    leaderboard,
    monitor,
    plan,
    plugins,
    predict,
    recipes,
    report,
    resume,
    retrain,
    rollback,
    serve,
    status,
    stop,
    track,
    verify,
)
from automl.errors import AutoMLError, EngineError, InterruptedRunError, UsageError, did_you_mean
from automl.files import FULL, environment_error

INTERRUPTED = 130
DENIED = (errno.EACCES, errno.EPERM)

app = typer.Typer(
    name="automl",
    help="From a table to a model you can believe, read about and serve: automl fit data.csv --target y --time 5m",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"automl {version('automl')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a bug.")] = False,
) -> None:
    if debug:
        os.environ["AUTOML_DEBUG"] = "1"


_begun: set[str] = set()


def _tell_interrupt(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, with Ctrl-C as an error of ours: the parser would end without a word."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _begun.add(command.__name__)
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt as error:
            hint = "automl resume RUN goes on with a run that was begun"
            raise InterruptedRunError("Interrupted; what had finished is kept", hint=hint) from error

    return wrapped


for _name, _command in (
    ("fit", fit.fit_command),
    ("plan", plan.plan_command),
    ("check", check.check_command),
    ("resume", resume.resume_command),
    ("status", status.status_command),
    ("stop", stop.stop_command),
    ("leaderboard", leaderboard.leaderboard_command),
    ("report", report.report_command),
    ("dashboard", dashboard.dashboard_command),
    ("explain", explain.explain_command),
    ("compare", compare.compare_command),
    ("predict", predict.predict_command),
    ("evaluate", evaluate.evaluate_command),
    ("export", export.export_command),
    ("verify", verify.verify_command),
    ("serve", serve.serve_command),
    ("monitor", monitor.monitor_command),
    ("retrain", retrain.retrain_command),
    ("rollback", rollback.rollback_command),
    ("track", track.track_command),
    ("distill", distill.distill_command),
    ("recipes", recipes.recipes_command),
    ("plugins", plugins.plugins_command),
    ("doctor", doctor.doctor_command),
):
    app.command(_name)(_tell_interrupt(_command))
cluster.cluster_app.command("check")(_tell_interrupt(cluster.check_cluster_command))
app.add_typer(cluster.cluster_app, name="cluster")


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    _open_missing_streams()
    os.umask(os.umask(0o022) | 0o022)  # whatever the shell allows, nobody else may write into what we write
    for stream in (sys.stdout, sys.stderr):  # names of files may hold bytes that are no UTF-8: `\\udcff` in their place
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 0
    except OSError:  # what was to be read could not be written
        code = code or EngineError.exit_code
    # destructors of large libraries take a second that the user has not given us
    os._exit(code)


def _open_missing_streams() -> None:
    """Where the caller has closed a standard stream, nothing takes its place: the next file would be written over."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w" if number else "r"))  # noqa: SIM115 - for as long as we live


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; nothing escapes but a bug under --debug."""
    try:
        code = typer.main.get_command(app)(arguments, prog_name="automl", standalone_mode=False)
        if code == INTERRUPTED and not _begun:  # the parser's own answer to Ctrl-C, which it gives without a word
            raise KeyboardInterrupt
        return int(code) if isinstance(code, int) else 0
    except AutoMLError as error:
        return _say(error.message, error.hint, error.exit_code, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Interrupted", "The same command begins again", INTERRUPTED, arguments)
    except (BrokenPipeError, SystemExit):  # the parser ends with SystemExit when the reader of a pipe has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.Exit as error:
        return int(error.exit_code)
    except OSError as error:
        told = _blame_system(error)
        return _say_bug(error, arguments) if told is None else _say(told.message, told.hint, told.exit_code, arguments)
    except Exception as error:
        if hasattr(error, "format_message"):  # the parser's own complaints
            return _say(_parser_message(error, arguments), _parser_hint(error, arguments), 2, arguments)
        return _say_bug(error, arguments)


def _blame_system(error: OSError) -> AutoMLError | None:
    """What the system does not let us do, as an error of ours; None if it is a bug to have asked for it."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in FULL:
        return environment_error(error, Path(place or "/dev/stdout"))
    if error.errno in DENIED and place:
        hint = "Ask its owner for access, or choose a place of your own"
        return EngineError(f"No permission to read or write {place}", hint=hint)
    if error.errno == errno.ENAMETOOLONG and place:
        return UsageError(f"A name is too long: {place}", hint="Look at what the command names")
    return None


def _say_bug(error: Exception, arguments: list[str]) -> int:
    if os.environ.get("AUTOML_DEBUG"):
        raise error
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return _say(f"This is a bug: {text}", "The same command with automl --debug first shows where", 1, arguments)


def _parser_message(error: Any, arguments: list[str]) -> str:
    """The parser's sentence, with the value that it complains of: of numbers it tells the option alone."""
    message = str(error.format_message())
    for option in getattr(getattr(error, "param", None), "opts", ()):
        joined = next((each for each in arguments if each.startswith(f"{option}=")), None)
        place = arguments.index(option) + 1 if option in arguments else len(arguments)
        value = joined.partition("=")[2] if joined else (arguments[place] if place < len(arguments) else None)
        if value is not None and value not in message:
            return message.replace("Invalid value for", f"Invalid value {value[:40]!r} for", 1)
    return message


def _parser_hint(error: Any, arguments: list[str]) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "automl"
    if context is not None and "No such command" in str(error.format_message()):
        words = [argument for argument in arguments if not argument.startswith("-")]
        wrong = words[len(path.split()) - 1 :]  # `automl` itself is no argument
        return did_you_mean(wrong[0] if wrong else "", context.command.list_commands(context)) or f"{path} --help"
    return f"{path} --help"


def _say(message: str, hint: str, code: int, arguments: list[str]) -> int:
    """Tell an error on stderr, and as an object on stdout for --json."""
    from automl.cli.output import clean

    with contextlib.suppress(OSError):  # where nobody can be told, the exit code still tells
        print(f"error: {clean(message)}", file=sys.stderr)
        if hint:
            print(f"hint: {clean(hint)}", file=sys.stderr)
        if "--json" in arguments:
            record = {"schema_version": 1, "error": {"message": message, "hint": hint, "exit_code": code}}
            print(json.dumps(record, ensure_ascii=False))
    return code


if __name__ == "__main__":
    main()
