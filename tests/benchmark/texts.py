"""Texts: the tool beside TF-IDF and logistic regression with their defaults, on the same test rows.

    python -m tests.benchmark.texts --data DIR --out FOLDER [--sets a,b] [--seconds 120] [--without-encoder]

DIR holds a folder a set, with train.csv and test.csv (columns `text` and `label`). The label `oos` stands for texts of
no class: accuracy is then also given of the other rows, with the share of `oos` that was found. A line a set goes to
texts.jsonl. With `--without-encoder` the sentence encoders of the extras are not used, installed or not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import pandas as pd

from automl.preprocess import multilingual
from automl.preprocess.sentences import is_available
from tests.benchmark.scores import make_parser, score_labels

OUTSIDE = "oos"


def main() -> None:
    parser = make_parser(__doc__, 120.0)
    parser.add_argument("--metric", default="", help="what the tool aims at; its default unless given")
    parser.add_argument("--without-encoder", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = options.sets.split(",") if options.sets else sorted(path.name for path in options.data.iterdir())
    for name in names:
        line = json.dumps(run_set(name, options))
        with (options.out / "texts.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


def run_set(name: str, options: argparse.Namespace) -> dict[str, Any]:
    train, test = (pd.read_csv(options.data / name / f"{part}.csv", dtype=str).fillna("") for part in ("train", "test"))
    began = time.monotonic()
    words = fit_words(train["text"], train["label"], test["text"])
    baseline = {**judge(test["label"], words), "seconds": round(time.monotonic() - began, 1)}
    encoders = [name for name, there in (("text", is_available()), ("languages", multilingual.is_available())) if there]
    encoders = [] if options.without_encoder else encoders
    line = {"set": name, "seconds": options.seconds, "encoders": encoders, "metric": options.metric or "default"}
    return {**line, "automl": run_tool(name, test, options), "baseline": baseline}


def fit_words(texts: pd.Series, labels: pd.Series, others: pd.Series) -> Any:
    """Predicted labels of TF-IDF on words with logistic regression, nothing but defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels).predict(others)


def run_tool(name: str, test: pd.DataFrame, options: argparse.Namespace) -> dict[str, Any]:
    """The command line of a user, and the labels that it predicts for rows without theirs."""
    run, asked = options.out / f"run_{name}_{time.time_ns()}", options.out / "asked.csv"
    test[["text"]].to_csv(asked, index=False)
    recipe = options.out / "recipe.yaml"
    recipe.write_text(f"data: {{encoder: {json.dumps(not options.without_encoder)}}}\n", encoding="utf-8")
    more = ["--recipe", recipe, *(["--metric", options.metric] if options.metric else [])]
    fit = [options.data / name / "train.csv", "-t", "label", "--time", f"{options.seconds:g}s", *more, "--out", run]
    began = time.monotonic()
    call("fit", *fit, "--quiet")
    wall = round(time.monotonic() - began, 1)
    call("predict", run, asked, "--quiet", "--out", options.out / "predicted.csv")
    predicted = pd.read_csv(options.out / "predicted.csv", dtype=str, keep_default_na=False)["prediction"]
    return {**judge(test["label"], predicted), "wall": wall}


def judge(truth: pd.Series, predicted: Any) -> dict[str, float]:
    found = pd.Series(list(predicted), dtype=str)
    scores = score_labels(truth, found)
    outside = (truth == OUTSIDE).to_numpy()
    if outside.any():
        scores["in_scope_accuracy"] = score_labels(truth[~outside], found[~outside])["accuracy"]
        scores["oos_recall"] = float((found[outside] == OUTSIDE).mean())
    return {key: round(value, 4) for key, value in scores.items()}


def call(*words: Any) -> None:
    subprocess.run([sys.executable, "-m", "automl", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
