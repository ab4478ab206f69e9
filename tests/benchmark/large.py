"""Large synthetic tables: 18 numbers, 10 categories, a date and a target, with missing cells; and what they cost.

`python -m tests.benchmark.large make --rows 10000000 --out FILE.parquet` keeps memory flat: a quarter of a million
rows at a time. `python -m tests.benchmark.large measure --rows 10000 100000 1000000 --time 60s --out DIR` makes tables,
fits, predicts and evaluates on 200,000 fresh rows, and prints seconds and memory of all processes against rows, with
the exponents of the lines through them on double logarithmic paper. `--recipe`, `--memory` go to `fit`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from tests.benchmark import memory

BLOCK_ROWS = 250_000
FRESH_ROWS, FRESH_SEED = 200_000, 1_000_000_007
NUMBERS, CATEGORIES = 18, 10
LEVELS = (2, 3, 5, 8, 12, 20, 50, 100, 300, 1000)


def make_block(rows: int, seed: int) -> pa.Table:
    """Rows whose target follows from sums, products and levels, with noise; every fifth column has missing cells."""
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(7)
    signal = np.zeros(rows)
    columns: dict[str, Any] = {}
    numbers = rng.normal(size=(NUMBERS, rows)).astype(np.float32)
    for place in range(NUMBERS):
        signal += fixed.normal() * np.sin(fixed.uniform(0.5, 3) * numbers[place]) * (place % 3 == 0)
        gaps = rng.random(rows) < 0.08 if place % 5 == 0 else None
        columns[f"number_{place}"] = pa.array(numbers[place].astype(np.float64), mask=gaps)
    signal += numbers[1] * numbers[2] + 0.5 * (numbers[3] > 0) * numbers[4]
    for place, levels in enumerate(LEVELS):
        names = pa.array([f"level {place}-{number}" for number in range(levels)])
        codes = rng.integers(0, levels, rows)
        signal += fixed.normal(scale=0.7, size=levels)[codes]
        gaps = rng.random(rows) < 0.05 if place % 5 == 0 else None
        columns[f"category_{place}"] = pa.DictionaryArray.from_arrays(pa.array(codes, mask=gaps), names).cast(
            pa.string()
        )
    days = rng.integers(17_000, 20_000, rows)
    columns["day"] = pa.array(days.astype("datetime64[D]").astype("datetime64[us]"))
    signal += 0.3 * ((days % 7) < 2)
    columns["target"] = pa.array(np.where(signal + rng.logistic(size=rows) > 0, "yes", "no"))
    return pa.table(columns)


def write(rows: int, path: Path, *, seed: int = 1) -> None:
    """Parquet, or CSV if the name says so."""
    schema = make_block(1, 0).schema
    with arrow_csv.CSVWriter(path, schema) if path.suffix == ".csv" else pq.ParquetWriter(path, schema) as writer:
        for number, start in enumerate(range(0, rows, BLOCK_ROWS)):
            writer.write_table(make_block(min(BLOCK_ROWS, rows - start), seed + number))


def measure(rows: int, folder: Path, options: list[str]) -> dict[str, Any]:
    """Fit, predict and evaluate; files are made where they are not there yet."""
    data, fresh, run = folder / f"{rows}.parquet", folder / "fresh.parquet", folder / f"run-{rows}"
    for path, count, seed in ((data, rows, 1), (fresh, FRESH_ROWS, FRESH_SEED)):
        if not path.exists():
            write(count, path, seed=seed)
    tool = [sys.executable, "-m", "automl"]
    fit = memory.run(
        [*tool, "fit", str(data), "--target", "target", "--out", str(run), *options], log=folder / f"fit-{rows}.log"
    )
    out = folder / f"predictions-{rows}.parquet"
    predict = memory.run([*tool, "predict", str(run), str(data), "--out", str(out)], log=folder / f"predict-{rows}.log")
    found = pq.ParquetFile(out).metadata.num_rows if predict.code == 0 else 0
    scored = subprocess.run([*tool, "evaluate", str(run), str(fresh), "--json"], capture_output=True, check=False)
    stages = json.loads((run / "run.json").read_text(encoding="utf-8"))["stages"]
    auc = json.loads(scored.stdout)["metrics"]["roc_auc"] if scored.returncode == 0 else {}
    return {
        "rows": rows,
        "exit": fit.code,
        "fit_seconds": round(fit.seconds, 1),
        "fit_mb": round(fit.peak_mb),
        "before_search_seconds": _before_search(run),
        "search_seconds": stages.get("search", {}).get("seconds"),
        "fresh_auc": auc,
        "claimed": json.loads((run / "evaluation.json").read_text(encoding="utf-8")).get("score"),
        "predict_seconds": round(predict.seconds, 2),
        "predict_mb": round(predict.peak_mb),
        "predict_rows_per_second": round(rows / predict.seconds),
        "predicted_rows": found,
        "model": [
            member["name"] for member in json.loads((run / "ensemble.json").read_text(encoding="utf-8"))["members"]
        ],
    }


def _before_search(run: Path) -> float:
    """Seconds from the command's start to the search: reading, describing, setting rows apart."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    end = next(event["at"] for event in events if event["event"] == "StageStarted" and event["stage"] == "search")
    finished = next(event for event in events if event["event"] == "RunFinished")
    return round(float(finished["seconds"] - (finished["at"] - end)), 2)


def fit_exponent(rows: list[int], values: list[float]) -> float:
    """The slope of log(value) over log(rows)."""
    return round(float(np.polyfit(np.log(rows), np.log(values), 1)[0]), 3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="command", required=True)
    making = parts.add_parser("make")
    making.add_argument("--rows", type=int, required=True)
    making.add_argument("--out", type=Path, required=True)
    measuring = parts.add_parser("measure")
    measuring.add_argument("--rows", type=int, nargs="+", required=True)
    measuring.add_argument("--out", type=Path, required=True)
    for option in ("--time", "--memory", "--recipe"):
        measuring.add_argument(option)
    asked = parser.parse_args()
    if asked.command == "make":
        write(asked.rows, asked.out)
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    given = {"--time": asked.time, "--memory": asked.memory, "--recipe": asked.recipe}
    options = [word for name, value in given.items() if value for word in (name, value)]
    records = []
    for rows in asked.rows:
        records.append(measure(rows, asked.out, options))
        print(json.dumps(records[-1]), flush=True)
    if len(records) > 1:
        for name in ("before_search_seconds", "fit_mb", "predict_seconds", "predict_mb"):
            print(f"{name} grows with rows to the {fit_exponent(asked.rows, [record[name] for record in records])}")


if __name__ == "__main__":
    main()
