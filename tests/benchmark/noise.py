"""How often a run claims to be better than a constant where there is nothing to learn: noise of every kind.

    python -m tests.benchmark.noise --out FOLDER [--tasks 200] [--minutes 7] [--seconds 5 | --trials 6]
        [--candidates linear,xgboost]

A line a task goes to noise.jsonl, so that it can be ended and begun again; the table and the summary go to noise.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import automl
from tests.benchmark.coverage import CANDIDATES
from tests.outcomes import AS_PROMISED, Outcomes

ROWS = (60, 150, 400, 1000)
KINDS = ("binary", "multiclass", "regression")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--candidates", default=CANDIDATES, help="families by name")
    options = parser.parse_args()
    outcomes = Outcomes(options.out, "noise", ("kind", "rows", "score", "low", "high"))
    deadline = time.monotonic() + 60 * options.minutes
    for number in range(options.tasks):
        if time.monotonic() > deadline:
            break
        if not outcomes.has(str(number)):
            run_task(number, options, outcomes)
    summary = summarize(outcomes.records)
    outcomes.write_table("Noise", ["```json", *json.dumps(summary, indent=1).splitlines(), "```"])
    print(json.dumps(summary, indent=1))


def draw_noise(number: int) -> tuple[pd.DataFrame, str]:
    """A table whose target has nothing to do with its columns."""
    rng = np.random.default_rng([number, 5])
    rows, kind = ROWS[(number // 3) % len(ROWS)], KINDS[number % 3]
    columns = int(rng.integers(2, 40))
    frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{place}" for place in range(columns)])
    frame["shop"] = [f"shop {code}" for code in rng.integers(0, max(2, rows // 4), rows)]
    if kind == "regression":
        return frame.assign(target=rng.normal(size=rows)), kind
    labels, share = (["no", "yes"], [0.7, 0.3]) if kind == "binary" else (["a", "b", "c"], [0.5, 0.3, 0.2])
    return frame.assign(target=rng.choice(labels, rows, p=share)), kind


def run_task(number: int, options: argparse.Namespace, outcomes: Outcomes) -> None:
    frame, kind = draw_noise(number)
    out = options.out / "run"
    shutil.rmtree(out, ignore_errors=True)
    limit = {"time": options.seconds} if options.seconds else {"trials": options.trials}
    recipe = automl.Recipe().override({"search": {"candidates": options.candidates.split(",")}})
    run = automl.fit(frame, target="target", out=out, seed=number, jobs=2, recipe=recipe, **limit)
    found = json.loads(run.evaluation_path.read_text(encoding="utf-8"))
    claims = bool(found.get("better_than_constant"))
    outcomes.add(
        str(number),
        "claims to be better than a constant" if claims else AS_PROMISED,
        kind=kind,
        rows=len(frame),
        score=found["score"],
        low=found["low"],
        high=found["high"],
    )


def summarize(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of runs that claim what is not there, with the share that 19 in 20 such experiments would stay below."""
    claimed = sum(record["verdict"] != AS_PROMISED for record in records)
    share = claimed / max(1, len(records))
    margin = 1.645 * np.sqrt(max(share, 0.01) * (1 - share) / max(1, len(records)))
    return {"runs": len(records), "claimed": claimed, "share": round(share, 4), "at_most": round(share + margin, 4)}


if __name__ == "__main__":
    main()
