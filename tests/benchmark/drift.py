"""How often `automl monitor` cries wolf, and how often it sees a shift: simulated months beside one trained model.

    python -m tests.benchmark.drift --months 200
    python -m tests.benchmark.drift --months 200 --data adult.csv --target income

Without --data the months come from a made-up world of numbers, categories and dates in which the truth is known; with
it, months are drawn from the rows of a real table that training did not get. Each month is looked at three times: as it
is, with one column moved by half a standard deviation (the column that the model goes by most, of those with numbers),
and with that column as it is and one harmless column moved a hundredth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.data.load import read_table
from automl.ensemble.artifact import load_predictor
from automl.flow import fit
from automl.monitor.drift import compare
from automl.monitor.reference import read_reference
from automl.schema import Role


def make_world(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of a world that does not change: six numbers, four categories, a date, holes, and a noisy label."""
    frame = pd.DataFrame({f"number_{place}": rng.normal(size=rows) for place in range(4)})
    frame["income"] = np.round(np.exp(rng.normal(7, 1, rows)), 2)
    frame["children"] = rng.poisson(1.2, rows)
    for place, levels in enumerate((2, 5, 30, 400)):
        shares = 1 / np.arange(1, levels + 1)
        drawn = rng.choice(levels, rows, p=shares / shares.sum())
        frame[f"level_{place}"] = np.array([f"l{level}" for level in range(levels)])[drawn]
    frame["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 364, rows), unit="D")
    logit = 1.5 * frame["number_0"] + frame["number_1"] + 0.6 * (frame["level_1"] == "l0") - 0.5 * frame["children"]
    frame["label"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no")
    frame.loc[rng.random(rows) < 0.08, "number_2"] = np.nan
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1_000, help="of a month")
    parser.add_argument("--training", type=int, default=5_000)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--target", default="label")
    asked = parser.parse_args()
    rng = np.random.default_rng(7)
    pool = None
    if asked.data is not None:
        table = read_table(asked.data).frame
        order = rng.permutation(len(table))
        training, pool = table.iloc[order[: asked.training]], table.iloc[order[asked.training :]]
    else:
        training = make_world(asked.training, rng)
    with tempfile.TemporaryDirectory() as place:
        run = fit(training.reset_index(drop=True), target=asked.target, out=Path(place) / "run", trials=asked.trials)
        predictor, reference = load_predictor(run.path), read_reference(run.model)
        print(json.dumps(count_alarms(predictor, reference, asked, pool, rng), indent=1))


def count_alarms(predictor: Any, reference: Any, asked: Any, pool: pd.DataFrame | None, rng: Any) -> dict[str, Any]:
    """Shares of months with any test called a drift, and over the gate; what called falsely, and how often."""
    numbers = [column.name for column in predictor.schema.of(Role.NUMBER)]
    importance = reference.get("importance") or {}
    ranked = sorted(numbers, key=lambda name: -importance.get(name, 0.0))
    top, last = ranked[0], ranked[-1]
    any_drift = {"as it is": 0, "top column + 0.5 sd": 0, "last column + 0.01 sd": 0}
    over, found = dict.fromkeys(any_drift, 0), dict.fromkeys(any_drift, 0)
    culprits: dict[str, int] = {}
    for month in range(asked.months):
        if pool is None:
            frame = make_world(asked.rows, rng)
        else:
            frame = pool.iloc[rng.choice(len(pool), asked.rows, replace=False)].reset_index(drop=True)
        for name in any_drift:
            moved = frame
            if name != "as it is":
                column, size = (top, 0.5) if "top" in name else (last, 0.01)
                values = pd.to_numeric(frame[column], errors="coerce")
                moved = frame.assign(**{column: values + size * float(values.std())})
            record = compare(predictor, reference, moved)
            any_drift[name] += bool(record["reasons"])
            over[name] += record["over_gate"]
            drifted = [entry["column"] for entry in record["columns"] if entry["status"] != "stable"]
            found[name] += top in drifted
            if name == "as it is":
                whole = [key for key in ("predictions", "score") if record[key] and record[key]["drifted"]]
                for culprit in drifted + whole:
                    culprits[culprit] = culprits.get(culprit, 0) + 1
        if month % 20 == 19:
            print(f"{month + 1} months: {over}", file=sys.stderr, flush=True)
    share = 1 / asked.months
    return {
        "months": asked.months,
        "rows_a_month": asked.rows,
        "columns": len(predictor.schema.features),
        "moved": top,
        "any_drift": {name: count * share for name, count in any_drift.items()},
        "over_gate": {name: count * share for name, count in over.items()},
        "top_column_found": {name: count * share for name, count in found.items()},
        "false_alarms_by": culprits,
    }


if __name__ == "__main__":
    main()
