"""How the command line behaves: one JSON object, no escape codes in files, quiet when asked, quick to answer."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.flow.command import AUTOML, PENGUINS, SURVEY, Maker, Prepared, Result, Tool, python, read_record
from tests.flow.conftest import write_recipe

ESCAPE = "\x1b"


def test_every_command_prints_one_json_object(shared: Tool, survey: Path, penguins_fit: Result) -> None:
    commands = {
        "leaderboard": ("leaderboard", survey),
        "status": ("status", survey),
        "report": ("report", survey),
        "explain": ("explain", survey),
        "compare": ("compare", survey, survey),
        "predict": ("predict", survey, SURVEY),
        "evaluate": ("evaluate", survey, SURVEY),
        "plan": ("plan", PENGUINS, "--target", "body_mass_g"),
        "check": ("check", PENGUINS),
        "recipes": ("recipes",),
        "plugins": ("plugins",),
        "doctor": ("doctor",),
        "resume": ("resume", survey),
        "stop": ("stop", survey),
        "nonsense": ("predict", survey, "nowhere.csv"),
    }
    with ThreadPoolExecutor(2) as pool:
        futures = {name: pool.submit(shared, *words, "--json") for name, words in commands.items()}
    done = {name: future.result() for name, future in futures.items()} | {"fit": penguins_fit}
    for name, result in done.items():
        assert result.out.count("\n") == 1, f"{name}: {result}"
        assert result.record["schema_version"] == 1, name
        assert ESCAPE not in result.out + result.err, name
    assert done["stop"].record["error"]["exit_code"] == done["stop"].code == 2
    assert done["nonsense"].record["error"]["exit_code"] == done["nonsense"].code == 3
    assert len(done["predict"].record["predictions"]) == 2534


def test_fit_json_says_what_a_script_needs(penguins_fit: Result) -> None:
    record = penguins_fit.record
    assert (record["run"].rsplit("/", 1)[1], record["status"], record["metric"]) == ("penguins", "complete", "rmse")
    assert record["low"] <= record["score"] <= record["high"]
    assert Path(record["report"]).is_file()
    assert record["baselines"]["constant"]["score"] > record["score"]


def test_pipes_and_files_get_no_escape_codes(shared: Tool, survey_fit: Result, survey: Path) -> None:
    assert ESCAPE not in survey_fit.out + survey_fit.err
    for words in (("report", survey, "--console"), ("--help",), ("fit", "--help")):
        result = shared(*words)
        assert result.code == 0, result
        assert ESCAPE not in result.out + result.err


def make_quiet(work: Path) -> tuple[str | Path, ...]:
    short = ("--trials", "2", "--recipe", write_recipe(work, "linear"), "--quiet")
    return "fit", PENGUINS, "--target", "body_mass_g", *short, "--drop", "year", "--drop", "island"


PREPARED: dict[str, Maker] = {"quiet": make_quiet}


def test_quiet_says_nothing_but_warnings_and_errors(prepared: Prepared) -> None:
    result = prepared["quiet"]
    assert (result.code, result.out) == (0, ""), result
    assert [line for line in result.err.splitlines() if not line.startswith("warning: ")] == []
    refused = prepared.tool("predict", "nowhere", "nowhere.csv", "--quiet")
    assert refused.code in (2, 3)
    assert refused.err.startswith("error: ")


def test_a_run_without_out_is_named_after_the_day_and_the_data(prepared: Prepared) -> None:
    assert prepared["quiet"].code == 0
    (run,) = (prepared.tool.work / "runs").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-penguins-[0-9a-f]{4}", run.name)
    columns = read_record(run / "data" / "schema.json")["columns"]
    assert {column["name"] for column in columns if column["role"] == "ignore"} == {"year", "island"}


def test_help_answers_at_once(shared: Tool) -> None:
    seconds = [shared("--help").seconds for _ in range(5)]
    assert statistics.median(seconds) < 2 * 0.5
    assert shared("--version").out.startswith("automl ")


def test_importing_automl_costs_nothing() -> None:
    program = "import time; t = time.perf_counter(); import automl; print(time.perf_counter() - t)"
    assert statistics.median(float(python(program)) for _ in range(3)) < 2 * 0.15
    loaded = (
        "import sys, automl.cli.main\n"
        "print(sorted({'pandas', 'sklearn', 'xgboost', 'optuna', 'keras', 'rich.live'} & set(sys.modules)))"
    )
    assert python(loaded).strip() == "[]"


def in_a_terminal(
    tool: Tool, *words: str | Path, columns: int = 40, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and everything shown by a command that has a terminal of so many columns for all its streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*AUTOML, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tool.work,
        env=tool.environment(env),
        start_new_session=True,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 90
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the last one has closed its end
                break
            if not block:
                break
            shown += block
        elif process.poll() is not None:
            break
    os.close(ours)
    return process.wait(10), shown.decode("utf-8", errors="replace")


def test_a_narrow_terminal_shows_the_panel_and_breaks_nothing(tool: Tool, recipe: Callable[[str], Path]) -> None:
    code, shown = in_a_terminal(
        tool, "fit", PENGUINS, "--target", "body_mass_g", "--trials", "2", "--recipe", recipe("linear"), "--out", "run"
    )
    assert code == 0, shown
    assert "Traceback" not in shown
    assert ESCAPE in shown  # the live panel
    assert f"{ESCAPE}[?25h" in shown.rsplit(f"{ESCAPE}[?25l", 1)[-1]  # the cursor is given back
    assert "RMSE" in shown
    for words in (("leaderboard", "run"), ("report", "run", "--console"), ("status", "run"), ("--help",)):
        code, shown = in_a_terminal(tool, *words)
        assert code == 0, shown
        assert "Traceback" not in shown
    code, shown = in_a_terminal(tool, "leaderboard", "run", env={"NO_COLOR": "1"})
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)  # no colours; bold may stay


def test_what_a_file_says_does_not_steer_the_terminal(tool: Tool) -> None:
    table = tool.work / "evil.csv"
    table.write_text("a\x1b[2Jb,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)), encoding="utf-8")
    for words in (("check", table), ("plan", table, "--target", "y"), ("fit", table, "--target", "\x1b[31mz")):
        result = tool(*words)
        assert ESCAPE not in result.out + result.err


def test_output_cut_short_by_head_is_no_error(shared: Tool, survey: Path) -> None:
    command = " ".join([*AUTOML, "predict", str(survey), str(SURVEY), "--quiet"])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -2; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env=shared.environment(),
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[0] == "prediction"
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_recipes_can_be_printed_and_used(shared: Tool, tmp_path: Path) -> None:
    text = shared("recipes", "quick")
    assert text.code == 0
    (tmp_path / "mine.yaml").write_text(text.out, encoding="utf-8")
    plan = shared("plan", PENGUINS, "--target", "body_mass_g", "--recipe", tmp_path / "mine.yaml", "--json")
    assert plan.code == 0, plan
    assert json.loads(plan.out)["budget"]["seconds"] == 60


@pytest.mark.parametrize("command", ["fit", "plan", "check", "predict", "evaluate", "leaderboard", "resume"])
def test_every_option_is_explained(shared: Tool, command: str) -> None:
    result = shared(command, "--help")
    assert result.code == 0
    assert "--json" in result.out
