"""What models of all rows are worth: the same ensembles answer with them, without them, and by them alone.

    python -m tests.benchmark.all_rows RUN=TEST.csv [RUN=TEST.csv …]

Each run is one of `automl fit` on other rows than those of its labelled test file. The loss follows from the run's own
metric; what each way of answering changes of that of the folds alone is told at the end, as a mean over the runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl.data.load import read_table
from automl.ensemble.artifact import load_predictor
from automl.ensemble.bag import BagModel, FoldModel, Member, load_fold
from automl.files import read_json
from automl.metrics import get_metric
from automl.predictor import Predictor
from automl.run import Run
from automl.search.data import SearchData


def list_ways(model: BagModel, folds: dict[int, tuple[FoldModel, ...]]) -> Iterator[tuple[str, BagModel]]:
    """Name → the ensemble answering that way.

    Args:
        folds: trial → the models of all its folds.
    """

    def by(change: dict[str, object], member: Member) -> Member:
        return member if member.whole is None else dataclasses.replace(member, **change)  # type: ignore[arg-type]

    def all_folds(member: Member) -> Member:
        return dataclasses.replace(member, folds=folds[member.trial], whole=None)

    yield "folds alone", dataclasses.replace(model, members=tuple(map(all_folds, model.members)))
    yield "as deployed", model
    every = tuple(by({"folds": all_folds(member).folds}, member) for member in model.members)
    yield "all folds beside", dataclasses.replace(model, members=every)
    alone = tuple(by({"folds": (member.whole,), "whole": None}, member) for member in model.members)
    yield "all rows alone", dataclasses.replace(model, members=alone)


def read_folds(run: Run, predictor: Predictor) -> dict[int, tuple[FoldModel, ...]]:
    """Trial → the models of all its folds, as the run keeps them."""
    record, serving = read_json(run.model / "ensemble.json"), SearchData(run.data).serving_folds
    bags = [load_fold(run.path, record, predictor.schema, predictor.task, fold) for fold in serving]
    return {
        members[0].trial: tuple(member.folds[0] for member in members)
        for members in zip(*(bag.members for bag in bags), strict=True)
    }


def measure(run: Path, test: Path) -> dict[str, float]:
    """Way → loss on the test file's rows, and the weight of the members that have a model of all rows."""
    predictor = load_predictor(run)
    assert isinstance(predictor.model, BagModel)
    metric = get_metric(Run.open(run).record["metric"])
    frame = read_table(test).frame
    y = predictor.encode_target(predictor.find_target(frame))
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    typed = predictor.schema.parse(frame[known], coded=True)
    found = {"weight": sum(member.weight for member in predictor.model.members if member.whole is not None)}
    for name, model in list_ways(predictor.model, read_folds(Run.open(run), predictor)):
        score = metric.score(y[known], model.predict(typed))
        found[name] = 1 - score if metric.maximize else score
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="RUN=TEST")
    changes: dict[str, list[float]] = {}
    for pair in parser.parse_args().pairs:
        run, _, test = pair.partition("=")
        found = measure(Path(run), Path(test))
        print(json.dumps({"run": run, **{name: round(value, 5) for name, value in found.items()}}), flush=True)
        for name in ("as deployed", "all folds beside", "all rows alone"):
            changes.setdefault(name, []).append(float(np.log(found[name] / found["folds alone"])))
    for name, logs in changes.items():
        error = np.std(logs) / np.sqrt(len(logs))
        print(f"{name}: {100 * np.mean(logs):+.2f}% ± {100 * error:.2f} of the loss of folds alone, {len(logs)} runs")


if __name__ == "__main__":
    main()
