"""Runs `automl fit` over tables of every shape with 3 to 10 s each, and writes the table of what came of it.

    python -m tests.soak --out FOLDER [--runs 600] [--minutes 120] [--first 0]

A line a run goes to FOLDER/soak.jsonl, so that it can be ended and begun again; the table goes to FOLDER/soak.md.
Exit code 1 if more than one run in 200 breaks a promise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tests.flow.command import Result, Tool, read_lines
from tests.outcomes import AS_PROMISED, Outcomes
from tests.soak.tables import Table, draw_table

COLUMNS = ("shape", "file", "limit", "seconds", "load", "code", "score", "ok", "lost", "said")
GRACE_SECONDS = 5.0  # the promise: the limit, and the larger of 5 s and 2%
MAX_BROKEN_SHARE = 0.005
# What a run that did its best may answer: a model, data refused, nothing but the constant model.
CODES = (0, 3, 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--first", type=int, default=0, help="the number of the first table")
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    outcomes = Outcomes(options.out.absolute(), "soak", COLUMNS)
    deadline = time.monotonic() + 60 * options.minutes
    for number in range(options.first, options.first + options.runs):
        if time.monotonic() > deadline:
            break
        if not outcomes.has(str(number)):
            print(json.dumps(run_table(number, outcomes), ensure_ascii=False), flush=True)
    outcomes.write_table("Soak", summarize(outcomes.records))
    print("\n".join(summarize(outcomes.records)))
    return 1 if len(outcomes.broken()) > MAX_BROKEN_SHARE * len(outcomes.records) else 0


def run_table(number: int, outcomes: Outcomes) -> dict[str, Any]:
    """One run, in a folder that is removed unless a promise was broken."""
    table = draw_table(number)
    folder = outcomes.lines_path.parent / f"run-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tool = Tool(folder)
    path = table.write(tool.work)
    words = ("--target", table.target, "--time", f"{table.seconds}s", *table.flags, "--out", "run", "--quiet", "--json")
    running = tool.start("fit", path, *words)
    result = running.wait(table.seconds + 120)
    wrong = judge(table, result, tool)
    if left := running.leftovers(within=5):
        wrong.append(f"still running: {left[0]}")
    statuses = Counter(line["status"] for line in read_lines(tool.work / "run" / "search" / "trials.jsonl"))
    record = outcomes.add(
        str(number),
        "; ".join(wrong) or AS_PROMISED,
        shape=table.shape,
        file=table.file,
        limit=table.seconds,
        seconds=round(result.seconds, 2),
        load=round(os.getloadavg()[0], 1),  # what others took of the machine: who is late here may not be to blame
        code=result.code,
        score=result.record.get("score") if result.code == 0 else None,
        ok=statuses["ok"],
        lost={name: count for name, count in statuses.items() if name not in ("ok", "pruned")} or "",
        said=next((line for line in result.err.splitlines() if line.startswith("error: ")), ""),
    )
    if not wrong:
        shutil.rmtree(folder)
    return record


def judge(table: Table, result: Result, tool: Tool) -> list[str]:
    """The promises that were broken."""
    wrong = []
    if result.code not in CODES or "Traceback" in result.err or "This is a bug" in result.err:
        wrong.append(f"exit code {result.code}: {result.err.strip()[-200:]}")
    if result.seconds > table.seconds + GRACE_SECONDS:
        wrong.append(f"{result.seconds - table.seconds:.1f} s late")
    if result.code == 3 and (tool.work / "run").exists():
        wrong.append("a refusal left a folder")
    if result.code in (0, 4):
        wrong += try_model(table, tool.work / "run")
    if strays := [*tool.home.rglob("*"), *tool.temporary.rglob("*")]:
        wrong.append(f"files outside the run folder: {strays[0].name}")
    return wrong


def try_model(table: Table, run: Path) -> list[str]:
    """The model that was left loads and answers every row."""
    import automl

    try:
        predictor = automl.load(run)
        outputs = predictor.predict_outputs(table.frame.drop(columns=table.target).head(50))
    except Exception as error:  # whatever it is, it is the outcome
        return [f"the model: {type(error).__name__}: {error}"]
    if len(outputs) != min(50, len(table.frame)) or not np.isfinite(outputs).all():
        return ["the model answers with what is not finite"]
    return []


def summarize(records: list[dict[str, Any]]) -> list[str]:
    """Figures of all runs so far."""
    codes = Counter(record["code"] for record in records)
    broken = [record for record in records if record["verdict"] != AS_PROMISED]
    late = [record["seconds"] - record["limit"] for record in records]
    lines = [
        f"{len(records)} runs, {len(broken)} broken promises ({len(broken) / max(1, len(records)):.2%}).",
        "Exit codes: " + ", ".join(f"{count} × {code}" for code, count in sorted(codes.items())) + ".",
        f"Seconds after the limit: median {np.median(late):.1f}, latest {np.max(late):.1f}." if late else "",
    ]
    said = Counter(record["said"].split("(")[0][:60] for record in records if record["said"])
    return lines + [f"{count} × {text}" for text, count in said.most_common(8)]


if __name__ == "__main__":
    sys.exit(main())
