"""Puts automl beside other AutoML libraries on tables that anyone has, each in an environment of its own.

    python -m tests.benchmark.compare --peers automl,autogluon,flaml --seconds 60 --out FOLDER

Tables are those of datasets/ and of scikit-learn itself; a quarter of the rows, drawn by --seeds, is kept apart for
scoring. Every fit and prediction is a process of its own, one at a time; scores are computed here. A line a fit goes to
compare.jsonl, so that it can be ended and begun again; at the end the table is printed, with date, versions, machine.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.metrics import get_metric

HERE = Path(__file__).parent
DATASETS = HERE.parents[1] / "datasets"
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
# What pip installs for a peer; "" is this checkout in the environment that runs the script.
PEERS = {
    "automl": "",
    "autogluon": "autogluon.tabular[all]",
    "flaml": "flaml[automl]",
    "h2o": "h2o",
    "lightautoml": "lightautoml",
    "mljar": "mljar-supervised",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="automl,flaml", help=", ".join(PEERS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "compare.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    done = {(line["peer"], line["table"], line["seed"], line["seconds"]) for line in lines}
    peers = options.peers.split(",")
    for seed in map(int, options.seeds.split(",")):
        for name, (frame, target, kind) in list_tables().items():
            for peer in peers:
                if (peer, name, seed, options.seconds) in done:
                    continue
                line = {"peer": peer, "table": name, "seed": seed, "seconds": options.seconds, "kind": kind}
                line |= run(peer, frame, target, kind, seed, options)
                lines.append(line)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(name, seed, peer, line.get("score"), line.get("reason", ""), file=sys.stderr, flush=True)
    print(tabulate([line for line in lines if line["peer"] in peers and line["seconds"] == options.seconds], peers))


def list_tables() -> dict[str, tuple[pd.DataFrame, str, str]]:
    """Name → table, target and kind of task."""
    from sklearn import datasets

    found = {
        "social_survey": (pd.read_csv(DATASETS / "social_survey.csv"), "married", "binary"),
        "penguins": (pd.read_csv(DATASETS / "penguins.csv").dropna(subset="body_mass_g"), "body_mass_g", "regression"),
    }
    for name, kind in (("breast_cancer", "binary"), ("wine", "multiclass"), ("digits", "multiclass")):
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        found[name] = (bunch.frame, "target", kind)
    found["diabetes"] = (datasets.load_diabetes(as_frame=True).frame, "target", "regression")
    for name, (frame, target, kind) in found.items():
        if kind != "regression":  # labels that every peer takes for labels
            found[name] = (frame.assign(**{target: "c" + frame[target].astype(str)}), target, kind)
    return found


def python_of(peer: str, out: Path) -> Path:
    """The interpreter of the peer's own environment, made on first use."""
    if not PEERS[peer]:
        return Path(sys.executable)
    folder = out / "environments" / peer
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pandas", "pyarrow", PEERS[peer]], check=True)
    return python


def run(
    peer: str, frame: pd.DataFrame, target: str, kind: str, seed: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Fit and predict in processes of the peer's own, then score."""
    order = np.random.default_rng(seed).permutation(len(frame))
    cut = len(frame) // 4
    test, train = frame.iloc[order[:cut]], frame.iloc[order[cut:]]
    work = options.out / "work"
    work.mkdir(exist_ok=True)
    train.to_csv(work / "train.csv", index=False)
    test.drop(columns=target).to_csv(work / "test.csv", index=False)
    (work / "predictions.csv").unlink(missing_ok=True)
    words = [python_of(peer, options.out), HERE / "peer.py", peer, work, target, kind, str(options.seconds), str(seed)]
    began = time.monotonic()
    try:
        ended = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, timeout=3 * options.seconds + 300,
            cwd=HERE.parents[1], env={**os.environ, "PYTHONWARNINGS": "ignore"}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"score": None, "reason": "ended after three times its time and five minutes"}
    wall = round(time.monotonic() - began, 1)
    if not (work / "predictions.csv").exists():
        return {"score": None, "wall_seconds": wall, "reason": ended.stderr[-300:]}
    facts = json.loads((work / "facts.json").read_text(encoding="utf-8"))
    return {"score": score(work / "predictions.csv", test[target], kind), "wall_seconds": wall, **facts}


def score(path: Path, truth: pd.Series, kind: str) -> float:
    """The metric of the task, from a column `prediction` or a column a class."""
    predictions = pd.read_csv(path)
    metric = get_metric(METRICS[kind])
    if kind == "regression":
        return float(metric.score(truth.to_numpy(dtype=float), predictions[["prediction"]].to_numpy()))
    labels = sorted(truth.unique())
    shares = predictions.reindex(columns=labels, fill_value=0.0).to_numpy(dtype=float)
    shares = np.clip(shares, 1e-15, None) / np.clip(shares, 1e-15, None).sum(axis=1, keepdims=True)
    return float(metric.score(truth.map({label: place for place, label in enumerate(labels)}).to_numpy(), shares))


def tabulate(lines: list[dict[str, Any]], peers: list[str]) -> str:
    """Mean score over seeds by table and peer, and each peer's mean rank; failures have the last rank."""
    rows, ranks = [], {peer: [] for peer in peers}
    for table in dict.fromkeys(line["table"] for line in lines):
        own = [line for line in lines if line["table"] == table]
        metric = get_metric(METRICS[own[0]["kind"]])
        means = {}
        for peer in peers:
            scores = [line["score"] for line in own if line["peer"] == peer]
            means[peer] = float(np.mean(scores)) if scores and None not in scores else None
        losses = {
            peer: np.inf if mean is None else (-mean if metric.maximize else mean) for peer, mean in means.items()
        }
        for peer in peers:
            ranks[peer].append(1 + sum(losses[other] < losses[peer] for other in peers))
        cells = ["failed" if mean is None else f"{mean:.4f}" for mean in means.values()]
        rows.append(f"| {table} ({METRICS[own[0]['kind']]}) | " + " | ".join(cells) + " |")
    versions = {line["peer"]: line.get("version") for line in lines if line.get("version")}
    head = [f"| table | {' | '.join(peers)} |", "|---" * (len(peers) + 1) + "|"]
    foot = ["| mean rank | " + " | ".join(f"{np.mean(ranks[peer]):.2f}" for peer in peers) + " |"]
    seconds = lines[0]["seconds"] if lines else 0
    told = f"{datetime.date.today()}, {seconds} s a fit, {os.cpu_count()} cores, {platform.platform()}, {versions}"
    return "\n".join([*head, *rows, *foot, "", told])


if __name__ == "__main__":
    main()
