"""A readable script that trains the winner anew with scikit-learn, XGBoost or Keras; run and held against its score."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.survey import find_day_order
from automl.ensemble.bag import BagModel
from automl.errors import ArtifactError, UsageError
from automl.export import Facts, Format, Source
from automl.export._process import run_python
from automl.export._rows import read_own_rows
from automl.export._script import write_script
from automl.export._script_parts import Winner
from automl.export._script_source import find_reading, find_time_format
from automl.files import read_json, write_text
from automl.graph import NoGraphError
from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.recipe import load_recipe
from automl.run import Run
from automl.search.data import SearchData
from automl.search.oof import read_oof
from automl.search.records import read_results
from automl.search.threshold import USUAL, find_threshold
from automl.task import TaskKind

FILE = "train.py"
KEEP = 0.9  # of the configuration's gain over a constant answer that the script must reach
SECONDS = 600.0


class Python:
    """The ensemble's heaviest member that has such a form: nobody reads a script of several models."""

    title = "a Python script"
    executes = True
    from_graph = False
    proof = "score"

    def write(self, source: Source, folder: Path) -> Facts:
        winner, passed = choose_winner(source)
        proven = write_proven(source, winner, folder)
        own = {"xgboost": ["xgboost"], "keras_mlp": ["keras", "tensorflow"], "keras_tabm": ["keras", "tensorflow"]}
        needs = ["scikit-learn", "pandas", "joblib", *own.get(winner.candidate, [])]
        limits = [
            f"It trains {winner.name!r} alone, {winner.share:.0%} of the ensemble; the ensemble scores better."
            if winner.share < 0.995
            else "It trains one model on all rows, where the search keeps one for each fold.",
            *passed,
            *proven.pop("limits"),
            *([f"It knows no weights: the search weighted rows by {winner.weight!r}."] if winner.weight else []),
            "model.joblib is a pickle: load it only where you made it.",
        ]
        return Facts(
            summary="A standalone script that prepares the columns, cross-validates and trains the winning "
            "configuration with scikit-learn.",
            run=(f"pip install {' '.join(needs)}", f"python {FILE} DATA.csv --out model.joblib"),
            needs=tuple(needs),
            limits=tuple(limits),
            proof=f"Run on {proven['data']} in a fresh process it scores {proven['script']:.5g}; in the search this "
            f"configuration scored {proven['configuration']:.5g}.",
            notes={"winner": winner.name, "candidate": winner.candidate, "params": winner.params, "score": proven},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        raise UsageError(f"{folder} trains a model and holds none", hint=f"python {FILE} DATA.csv")


def choose_winner(source: Source) -> tuple[Winner, list[str]]:
    """The heaviest member with a plain form, and a sentence for each heavier one that has none.

    Raises:
        NoGraphError: if no member has one; the heaviest one's reason is told.
        UsageError: without a run, for the rows that prove the script are not known.
    """
    run, model = source.run, source.predictor.model
    if run is None or not isinstance(model, BagModel):
        raise UsageError(
            "A script is proven on the run's rows, and this model has no run", hint="automl export RUN --format python"
        )
    results = {result.trial: result for result in read_results(run.search)}
    data, recipe = SearchData(run.data), load_recipe(str(run.recipe_path))
    listed = read_json(source.folder / "ensemble.json")["members"]
    order = sorted(range(len(listed)), key=lambda place: -listed[place]["weight"])
    reading = find_reading(Path(str(run.record["data"])), recipe.data.encoding)
    time_format, day_first = "", find_day_order(source.predictor.schema)
    if recipe.data.time:
        time_format = find_time_format(read_own_rows(source)[recipe.data.time], day_first=day_first)
    passed: list[str] = []
    first: NoGraphError | None = None
    for place in order:
        result, member = results[int(listed[place]["trial"])], model.members[place]
        winner = Winner(
            name=result.label,
            candidate=result.candidate,
            params={**result.params, **_find_rate(member.models)},
            schema=source.predictor.schema,
            task=source.predictor.task,
            columns=len(member.folds[0].transformer.features()),
            rows=len(data.trains[0]),
            rounds=_count_rounds(member.models),
            seed=recipe.seed,
            share=float(listed[place]["weight"]),
            score=float(result.score or 0.0),
            folds=max(2, len(data.folds) // data.repeats),
            reading=reading,
            group=recipe.data.group,
            time=recipe.data.time,
            time_format=time_format,
            weight=recipe.data.weight,
            unit=_find_unit(member.models),
            threshold=_find_threshold(run, data, result.trial),
        )
        try:
            write_script(winner)
        except NoGraphError as error:
            first = first or error
            passed.append(f"{error.message}, so that it was passed over.")
            continue
        return winner, passed
    assert first is not None
    raise first


def _find_rate(folds: Any) -> dict[str, float]:
    """The learning rate that the rounds of a boosted model were made at, where the time or their number asked for a
    larger one than the parameter."""
    rates = [rate for fold in folds if math.isfinite(rate := getattr(fold.estimator, "rate", math.nan))]
    return {"model.learning_rate": float(f"{np.mean(rates):.4g}")} if rates else {}


def _find_threshold(run: Run, data: SearchData, trial: int) -> float:
    """At which the configuration was held against others, by its answers to rows that it had not seen."""
    metric = get_metric(data.task.metric)
    if not metric.hangs_on_threshold or data.task.kind is not TaskKind.BINARY:
        return USUAL
    outputs = read_oof(run, trial)
    rows = np.flatnonzero(~np.isnan(outputs[:, 0]))
    weight = None if data.weight is None else data.weight[rows]
    return float(f"{find_threshold(metric, data.target[rows], outputs[rows], weight):.6g}")


def _find_unit(folds: Any) -> float:
    """What a target is divided by before its logarithm is learned; 1 where it is not."""
    scales = [getattr(fold.estimator, "scale", None) for fold in folds]
    units = [scale.unit for scale in scales if scale is not None and getattr(scale, "log", False)]
    return float(f"{np.median(units):.4g}") if units else 1.0


def _count_rounds(folds: Any) -> int:
    """Rounds of a boosted model, the mean of its folds; 100 where there are none."""
    counts = []
    for fold in folds:
        estimator = fold.estimator
        if hasattr(estimator, "booster"):
            counts.append(estimator.booster.num_boosted_rounds())
        elif hasattr(estimator, "baseline"):
            counts.append(estimator.trees.count // max(1, len(estimator.baseline)))
    return max(1, round(float(np.mean(counts)))) if counts else 100


def write_proven(source: Source, winner: Winner, folder: Path) -> dict[str, Any]:
    """The script, run on the very file that the model learned from; where pandas cannot read that, on its rows as CSV.

    Returns:
        what `prove` found, `data` for what it ran on, and `limits` in sentences.

    Raises:
        ArtifactError: as `prove`.
    """
    assert source.run is not None
    path = Path(str(source.run.record["data"])).absolute()
    if winner.reading is not None:
        write_text(folder / FILE, write_script(winner))
        try:
            return {**prove(source, winner, folder, path), "data": path.name, "limits": []}
        except ArtifactError:
            pass  # a short script does not mend what the tool mends, such as a header that is repeated
    plain = dataclasses.replace(winner, reading=None)
    write_text(folder / FILE, write_script(plain))
    limit = f"It reads CSV with commas in UTF-8, and {path.name} is written otherwise: bring tables to that form first."
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "rows.csv"
        read_own_rows(source).to_csv(rows, index=False)
        return {**prove(source, plain, folder, rows), "data": "the run's rows", "limits": [limit]}


def prove(source: Source, winner: Winner, folder: Path, rows: Path) -> dict[str, Any]:
    """Run the script on a table in a fresh process; its score must come near the configuration's own.

    Raises:
        ArtifactError: if it fails, or reaches less than 90% of the gain over a constant answer.
    """
    assert source.run is not None
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "model.joblib"
        said = run_python([str(folder / FILE), str(rows), "--out", str(out)], step=FILE, folder=folder, seconds=SECONDS)
        found = json.loads(said.strip().splitlines()[-1])
    if not math.isfinite(found["score"]):
        raise ArtifactError(
            f"The script of {winner.name!r} has no score: a fold of it lacks a class",
            hint="automl export RUN --format skops keeps the model as it is",
        )
    baselines = (
        read_json(source.run.evaluation_path).get("baselines", {}) if source.run.evaluation_path.exists() else {}
    )
    constant = (baselines.get("constant") or {}).get("score", 0.0)
    sign = 1 if get_metric(source.predictor.task.metric).maximize else -1
    gain = sign * (winner.score - constant)
    kept = sign * (found["score"] - constant) / gain if gain > 0 else 1.0
    if kept < KEEP and winner.candidate != "dummy":
        raise ArtifactError(
            f"The script of {winner.name!r} scores {found['score']:.4g}, the configuration {winner.score:.4g}: "
            f"{kept:.0%} of its gain, and {KEEP:.0%} are demanded",
            hint="automl export RUN --format skops keeps the model as it is",
        )
    return {"script": found["score"], "configuration": winner.score, "constant": constant, "kept": kept}


plugin: Format = Python()
