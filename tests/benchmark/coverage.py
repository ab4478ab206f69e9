"""Whether the reported interval holds the true score: many simulated tasks, each scored on 100,000 fresh rows.

    python -m tests.benchmark.coverage --tasks 200 --out FOLDER [--seconds 10 | --trials 10] [--candidates all]

Nets are left out unless asked for: they take nine tenths of the time, and what is measured here, the correction for
having chosen among many, does not hang on them.

A line a task goes to coverage.jsonl, so that it can be ended and begun again; the summary is printed at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import automl
from automl.metrics import get_metric

FRESH_ROWS = 100_000
ROWS = (150, 300, 600, 1200)
KINDS = ("binary", "multiclass", "regression")
CANDIDATES = "linear,naive_bayes,xgboost,extra_trees,hist_gradient_boosting"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--candidates", default=CANDIDATES, help="families by name, or all")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "coverage.jsonl"
    whole = path.read_bytes() if path.exists() else b""
    whole = whole[: whole.rfind(b"\n") + 1]  # an ended measurement may have left half a line
    path.write_bytes(whole)
    lines = [json.loads(line) for line in whole.splitlines()]
    done = {line["task"] for line in lines}
    for number in range(options.tasks):
        if number in done:
            continue
        line = run_task(number, options)
        lines.append(line)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    print(json.dumps(summarize(lines), indent=1))


def draw_task(number: int, rows: int) -> tuple[pd.DataFrame, str]:
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


def run_task(number: int, options: argparse.Namespace) -> dict[str, Any]:
    """Fit, read the reported score, and score the deployed model on fresh rows of the same world."""
    rows = ROWS[(number // 3) % len(ROWS)]
    frame, kind = draw_task(number, rows)
    out = options.out / "run"
    shutil.rmtree(out, ignore_errors=True)
    limit = {"time": options.seconds} if options.seconds else {"trials": options.trials}
    families = options.candidates.split(",") if options.candidates != "all" else "auto"
    recipe = automl.Recipe().override({"search": {"candidates": families}})
    run = automl.fit(frame, target="target", out=out, seed=number, jobs=options.jobs, recipe=recipe, **limit)
    found = json.loads(run.evaluation_path.read_text(encoding="utf-8"))
    fresh, _ = draw_task(number, FRESH_ROWS)
    predictor = automl.load(run.path)
    y = predictor.encode_target(fresh["target"])
    true = float(get_metric(found["metric"]).score(y, predictor.predict_outputs(fresh)))
    sign = 1 if found["maximize"] else -1
    return {
        "task": number,
        "kind": kind,
        "rows": rows,
        "reported": found["score"],
        "raw": found["raw_score"],
        "low": found["low"],
        "high": found["high"],
        "true": true,
        "held": bool(found["low"] <= true <= found["high"]),
        "flattery": sign * (found["score"] - true),
        "width": found["high"] - found["low"],
    }


def summarize(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of intervals that hold the truth, and flattery in units of the interval's standard error."""
    result: dict[str, Any] = {}
    for kind in ("all", *KINDS):
        own = [line for line in lines if kind in ("all", line["kind"])]
        if not own:
            continue
        units = np.array([line["flattery"] / max(line["width"] / 3.92, 1e-12) for line in own])
        result[kind] = {
            "tasks": len(own),
            "held": round(float(np.mean([line["held"] for line in own])), 4),
            "flattery_in_standard_errors": round(float(units.mean()), 3),
            "its_standard_error": round(float(units.std(ddof=1) / np.sqrt(len(units))), 3) if len(units) > 1 else None,
        }
    return result


if __name__ == "__main__":
    main()
