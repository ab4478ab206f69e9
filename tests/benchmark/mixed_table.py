"""What each part of a mixed table is worth: a picture, a text, a number and a category a row, each left out in turn.

    python -m tests.benchmark.mixed_table --out FOLDER [--seconds 60] [--rows 1500]

The rows are made of the data sets that come with the tool: a handwritten digit, a package's description, and two
columns drawn at random. The class is told by all four together, with a tenth of the labels changed.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

import automl

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
PARTS = ("digit", "description", "weight", "shop")
CHANGED = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=1500)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = write_table(options.out, options.rows)
    for left_out in (None, *PARTS):
        table = pd.read_csv(path)
        used = options.out / f"without_{left_out}.csv"  # beside the pictures that it names
        table.drop(columns=[left_out] if left_out else []).to_csv(used, index=False)
        run = automl.fit(used, target="sold", time=options.seconds, out=options.out / f"run_without_{left_out}")
        evaluation = json.loads((run.path / "evaluation.json").read_text(encoding="utf-8"))
        interval = {name: round(evaluation[name], 4) for name in ("score", "low", "high")}
        print(json.dumps({"without": left_out, "metric": evaluation["metric"], **interval}), flush=True)


def write_table(out: Path, rows: int) -> Path:
    """table.csv with the pictures that it names beside it."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(DATASETS / "digits.zip") as archive:
        archive.extractall(out / "pictures")
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
    sections = pd.read_csv(DATASETS / "package_sections.csv")
    digits, texts = rng.choice(names, rows), sections.iloc[rng.integers(0, len(sections), rows)]
    value = np.array([int(name.split("/")[-2]) for name in digits])
    weight, shop = rng.normal(0, 1, rows), rng.choice(["north", "south", "west"], rows)
    playful = texts["section"].isin(["games", "sound", "graphics", "science"]).to_numpy()
    told = (value >= 5) * 2.0 + playful * 2.0 + weight + (shop == "north") * 1.5 - 2.5
    sold = (told > 0) ^ (rng.uniform(size=rows) < CHANGED)
    table = pd.DataFrame(
        {
            "digit": [f"pictures/{name}" for name in digits],
            "description": texts["description"].to_numpy(),
            "weight": weight.round(3),
            "shop": shop,
            "sold": np.where(sold, "yes", "no"),
        }
    )
    table.to_csv(out / "table.csv", index=False)
    return out / "table.csv"


if __name__ == "__main__":
    main()
