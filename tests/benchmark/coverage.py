"""Whether the reported interval holds the true score: many simulated tasks, each scored on 100,000 fresh rows, and
30 real ones, each fitted on some rows of a table and scored on all others.

    python -m tests.benchmark.coverage --out FOLDER [--tasks 200] [--first 0] [--real 30] [--minutes 7]
        [--seconds 10 | --trials 10] [--candidates all] [--members 3] [--fresh 25000]

Nets are left out unless asked for: they take nine tenths of the time, and what is measured here, the correction for
having chosen among many, does not hang on them.

A line a task goes to coverage.jsonl, so that it can be ended and begun again; the table and the summary go to
coverage.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import automl
from automl.metrics import get_metric
from tests.outcomes import AS_PROMISED, Outcomes

FRESH_ROWS = 100_000
ROWS = (150, 300, 600, 1200)
KINDS = ("binary", "multiclass", "regression")
DATASETS = Path(__file__).parents[2] / "datasets"
REAL = (
    ("social_survey.csv", "married", "binary"),
    ("social_survey.csv", "age", "regression"),
    ("social_survey.csv", "relig", "multiclass"),
    ("social_survey.csv", "tvhours", "regression"),
    ("social_survey.csv", "partyid", "multiclass"),
    ("penguins.csv", "body_mass_g", "regression"),
)
COLUMNS = ("kind", "target", "rows", "reported", "low", "high", "true", "flattery")
CANDIDATES = "linear,naive_bayes,xgboost,extra_trees,hist_gradient_boosting"


@dataclasses.dataclass(frozen=True)
class Task:
    """Rows to learn from, and rows that tell the truth; `kind` is that of a simulated task, or "real"."""

    kind: str
    target: str
    frame: pd.DataFrame
    fresh: pd.DataFrame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first simulated task")
    parser.add_argument("--real", type=int, default=30)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--candidates", default=CANDIDATES, help="families by name, or all")
    parser.add_argument(
        "--members", type=int, help="of an ensemble at most: answering 100,000 rows takes most of a task"
    )
    parser.add_argument("--fresh", type=int, default=FRESH_ROWS, help="rows that tell the truth of a simulated task")
    options = parser.parse_args()
    outcomes = Outcomes(options.out, "coverage", COLUMNS)
    deadline = time.monotonic() + 60 * options.minutes
    draw_simulated = partial(draw_task, fresh_rows=options.fresh)
    tasks: list[tuple[str, int, Callable[[int], Task]]]
    tasks = [(f"{number}", number, draw_simulated) for number in range(options.first, options.first + options.tasks)]
    tasks += [(f"real {number}", number, draw_real) for number in range(options.real)]
    for name, number, draw in tasks:
        if time.monotonic() > deadline:
            break
        if not outcomes.has(name):
            run_task(name, number, draw, options, outcomes)
    summary = summarize(outcomes.records)
    outcomes.write_table("Coverage", ["```json", *json.dumps(summary, indent=1).splitlines(), "```"])
    print(json.dumps(summary, indent=1))


def draw_task(number: int, fresh_rows: int = FRESH_ROWS) -> Task:
    """One of the simulated worlds."""
    frame, kind = draw_world(number, ROWS[(number // 3) % len(ROWS)])
    return Task(kind, "target", frame, draw_world(number, fresh_rows)[0])


def draw_real(number: int) -> Task:
    """Some rows of a real table to learn from, all others to score on; rare classes are left out."""
    file, target, kind = REAL[number % len(REAL)]
    frame = pd.read_csv(DATASETS / file).dropna(subset=[target])
    if kind != "regression":
        frame = frame[frame.groupby(target)[target].transform("size") >= 60]
    order = np.random.default_rng([number, 3]).permutation(len(frame))
    rows = min(len(frame) // 2, ROWS[(number // len(REAL)) % len(ROWS)])
    return Task("real", target, frame.iloc[order[:rows]], frame.iloc[order[rows:]])


def draw_world(number: int, rows: int) -> tuple[pd.DataFrame, str]:
    """A table of one of the simulated worlds; the same number is always the same world, however many rows are drawn."""
    world = np.random.default_rng([number, 1])
    rng = np.random.default_rng([number, 2, rows])
    kind = KINDS[number % 3]
    columns, noise = int(world.integers(3, 20)), float(world.uniform(0.3, 2.0))
    first = world.normal(size=(columns, 6))
    second = world.normal(size=(6, 3))
    shift = world.normal(size=4)
    x = rng.normal(size=(rows, columns))
    code = rng.integers(0, 4, rows)
    signal = np.tanh(x @ first / np.sqrt(columns)) @ second + shift[code][:, None] * 0.5
    frame = pd.DataFrame(x, columns=[f"x{place}" for place in range(columns)])
    frame["group"] = np.array(["red", "green", "blue", "grey"])[code]
    if kind == "regression":
        frame["target"] = signal[:, 0] + noise * rng.normal(size=rows)
    elif kind == "binary":
        chance = 1 / (1 + np.exp(-2 * signal[:, 0] / noise - world.normal()))
        frame["target"] = np.where(rng.random(rows) < chance, "yes", "no")
    else:
        gumbel = signal * 2 / noise + rng.gumbel(size=signal.shape)
        frame["target"] = np.array(["a", "b", "c"])[gumbel.argmax(axis=1)]
    return frame, kind


def run_task(
    name: str, number: int, draw: Callable[[int], Task], options: argparse.Namespace, outcomes: Outcomes
) -> None:
    """Fit, read the reported score, and score the deployed model on rows that it has not seen."""
    task = draw(number)
    out = options.out / "run"
    shutil.rmtree(out, ignore_errors=True)
    limit = {"time": options.seconds} if options.seconds else {"trials": options.trials}
    families = options.candidates.split(",") if options.candidates != "all" else "auto"
    changes: dict[str, Any] = {"search": {"candidates": families}}
    if options.members:
        changes["ensemble"] = {"max_members": options.members}
    recipe = automl.Recipe().override(changes)
    run = automl.fit(task.frame, target=task.target, out=out, seed=number, jobs=options.jobs, recipe=recipe, **limit)
    found = json.loads(run.evaluation_path.read_text(encoding="utf-8"))
    predictor = automl.load(run.path)
    metric, y = get_metric(found["metric"]), predictor.encode_target(task.fresh[task.target])
    outputs = predictor.predict_outputs(task.fresh)
    true = float(metric.score(y, outputs))
    rng = np.random.default_rng(number)
    # so many rows that their own error may be left out are one case, fewer another
    drawn = [rng.integers(0, len(y), len(y)) for _ in range(100 if len(y) < FRESH_ROWS else 0)]
    error = float(np.std([metric.score(y[rows], outputs[rows]) for rows in drawn])) if drawn else 0.0
    sign = 1 if found["maximize"] else -1
    width = (found["high"] - found["low"]) / 2
    held = bool(abs((found["low"] + found["high"]) / 2 - true) <= np.hypot(width, 1.96 * error))
    outcomes.add(
        name,
        AS_PROMISED if held else "the interval does not hold the true score",
        kind=task.kind,
        target=task.target,
        rows=len(task.frame),
        reported=found["score"],
        raw=found["raw_score"],
        low=found["low"],
        high=found["high"],
        true=true,
        error=error,
        flattery=sign * (found["score"] - true),
    )


def summarize(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of intervals that hold the truth, and flattery in units of the interval's standard error."""
    result: dict[str, Any] = {}
    for kind in ("simulated", *KINDS, "real"):
        own = [line for line in lines if line["kind"] == kind or (kind == "simulated" and line["kind"] != "real")]
        if not own:
            continue
        errors = [np.hypot((line["high"] - line["low"]) / 3.92, line["error"]) for line in own]
        units = np.array([line["flattery"] for line in own]) / np.maximum(errors, 1e-12)
        result[kind] = {
            "tasks": len(own),
            "held": round(float(np.mean([line["verdict"] == AS_PROMISED for line in own])), 4),
            "flattery_in_standard_errors": round(float(units.mean()), 3),
            "its_standard_error": round(float(units.std(ddof=1) / np.sqrt(len(units))), 3) if len(units) > 1 else None,
        }
    return result


if __name__ == "__main__":
    main()
