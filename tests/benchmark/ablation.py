"""What each part of the engine is worth: fits of the same tables in the same time, each with one part left out.

    python -m tests.benchmark.ablation --data DIR --out FOLDER [--sets a,b] [--seconds 60] [--parts nets,bagging]

DIR holds a folder a set, with train.csv, test.csv and meta.json (`target`, `metric`). A line a fit goes to
ablation.jsonl, so that it can be ended and begun again; at the end a table is printed: the loss on the test rows
without a part over the loss with it, so that 1.05 is a part that takes 5% of the loss away. The loss of a score that
is best at 1 is what it lacks to 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import automl
from automl.metrics import get_metric
from automl.search.trial import candidates
from tests.benchmark.scores import make_parser

WHOLE = "(whole)"
# What is laid over the recipe; target means have no place in it and are changed in a copy of the package.
PARTS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "portfolio": {"search": {"portfolio": False}},
    "nets": {"search": {"candidates": tuple(name for name in candidates.names() if not name.startswith("keras_"))}},
    "bagging": {"split": {"folds": 1}},
    "ensemble": {"ensemble": {"max_members": 1}},
    "target means": {},
}
CHANGED = (
    "preprocess/category.py",
    'if encoding == "target" and fit.task.n_classes * 4 > MAX_TARGET_COLUMNS:',
    'if encoding == "target":',
)


def main() -> None:
    parser = make_parser(__doc__, 60.0)
    parser.add_argument("--parts", default="", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "ablation.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    done = {(line["set"], line["without"], line["seconds"], line["seed"]) for line in lines}
    parts = [WHOLE, *(options.parts.split(",") if options.parts else [part for part in PARTS if part != WHOLE])]
    sets = options.sets.split(",") if options.sets else sorted(folder.name for folder in options.data.iterdir())
    for name in sets:
        for part in parts:
            if (name, part, options.seconds, options.seed) in done:
                continue
            line = {"set": name, "without": part, "seconds": options.seconds, "seed": options.seed}
            lines.append(line | run_without(part, options.data / name, options))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(json.dumps(lines[-1]), flush=True)
    print(
        tabulate(
            [line for line in lines if (line["seconds"], line["seed"]) == (options.seconds, options.seed)], sets, parts
        )
    )


def run_without(part: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One fit and its score on the test rows, in processes of their own."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    recipe, run = options.out / "recipe.yaml", options.out / f"run_{time.time_ns()}"
    recipe.write_text(json.dumps(PARTS[part]), encoding="utf-8")
    package = copy_without_target_means(options.out) if part == "target means" else Path(automl.__file__).parents[1]
    fit = [folder / "train.csv", "--target", meta["target"], "--metric", meta["metric"], "--recipe", recipe]
    began = time.monotonic()
    call(package, "fit", *fit, "--time", f"{options.seconds:g}s", "--seed", options.seed, "--out", run, "--quiet")
    wall = round(time.monotonic() - began, 1)
    scores = json.loads(call(package, "evaluate", run, folder / "test.csv", "--json"))["metrics"]
    shutil.rmtree(run)
    return {"metric": meta["metric"], "score": scores[meta["metric"]]["value"], "wall": wall}


def copy_without_target_means(out: Path) -> Path:
    """Where a package lies in which columns that would be encoded by means of the target are encoded by their order."""
    place = out / "without_target_means"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(Path(automl.__file__).parent, place / "automl", ignore=shutil.ignore_patterns("__pycache__"))
    file, before, after = place / "automl" / CHANGED[0], *CHANGED[1:]
    text = file.read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise RuntimeError(f"{CHANGED[0]} has changed: {before!r} is not there once")
    file.write_text(text.replace(before, after), encoding="utf-8")
    return place


def call(package: Path, *words: Any) -> str:
    """What a command of the tool prints, the package being taken from there."""
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "automl", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def tabulate(lines: list[dict[str, Any]], sets: list[str], parts: list[str]) -> str:
    """A row a set, a column a part: how many times the loss it has without it; last the geometric mean."""
    losses = {(line["set"], line["without"]): loss_of(line["metric"], line["score"]) for line in lines}
    shown = [part for part in parts if part != WHOLE]
    rows, ratios = ["| set | " + " | ".join(shown) + " |", "|---" * (len(shown) + 1) + "|"], []
    for name in sets:
        ratios.append([losses[name, part] / losses[name, WHOLE] for part in shown])
        rows.append(f"| {name} | " + " | ".join(f"{ratio:.3f}" for ratio in ratios[-1]) + " |")
    means = np.exp(np.mean(np.log(ratios), axis=0))
    return "\n".join([*rows, "| geometric mean | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"])


def loss_of(metric: str, score: float) -> float:
    return 1 - score if get_metric(metric).maximize else score


if __name__ == "__main__":
    main()
