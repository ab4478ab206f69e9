"""Prices with a sign and a comma are the target: every command reads them as `fit` did."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd

from tests.flow.command import Tool
from tests.flow.conftest import write_recipe


def test_a_target_with_a_unit_is_read_by_every_command(tool: Tool) -> None:
    rng = np.random.default_rng(8)
    size, kind = rng.normal(size=500), rng.integers(0, 3, 500)
    price = np.exp(8 + 0.5 * size + 0.2 * kind + rng.normal(0, 0.1, 500))
    table = pd.DataFrame({"size": size.round(4), "kind": kind, "price": [f"${value:,.2f}" for value in price]})
    table[:300].to_csv(tool.work / "old.csv", index=False)
    table[300:].to_csv(tool.work / "new.csv", index=False)
    recipe = write_recipe(tool.work, "linear")
    words = ("--target", "price", "--trials", "2", "--jobs", "1", "--recipe", recipe, "--test", "new.csv")
    fitted = tool("fit", "old.csv", *words, "--out", "run", "--json")
    assert fitted.code == 0, fitted
    found = tool("evaluate", "run", "new.csv", "--json").record
    assert found["rows"] == 200
    assert found["metrics"]["r2"]["value"] > 0.8
    monitored = tool("monitor", "run", "new.csv", "--json")
    assert monitored.code == 0, monitored
    assert monitored.record["score"]["rows"] == 200
    retrained = tool("retrain", "run", "new.csv", "--trials", "2", "--json")
    assert retrained.code == 0, retrained
    assert retrained.record["judged_rows"] == 60
    exported = tool("export", "run", "--format", "python", "--out", "script")
    assert exported.code == 0, exported
    done = subprocess.run(
        [sys.executable, "script/train.py", "new.csv"], cwd=tool.work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
