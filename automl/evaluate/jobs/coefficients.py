"""The linear model's coefficients, with their spread over the folds, and the line it draws through its main column."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.candidates import Estimator
from automl.evaluate.columns import column_places, mix_rows, read_column
from automl.evaluate.jobs import Case, Study
from automl.files import read_json
from automl.matrix import Array
from automl.preprocess.plan import Transformer
from automl.preprocess.table import MISSING, UNSEEN
from automl.schema import Role
from automl.search.data import fold_folder
from automl.search.records import read_results
from automl.search.trial import candidates

LINEAR = "linear"
SHOWN = 30
GRID = 20
MAX_ROWS = 400
BINS = 8


class Coefficients:
    """Of the deployed model where it is a linear one, else of the linear baseline beside it."""

    title = "Linear coefficients"
    order = 50
    seconds = 5.0
    least_seconds = 0.4

    def measure(self, case: Case) -> dict[str, Any] | None:
        found = _find_linear(case)
        if found is None:
            return None
        trial, deployed = found
        names: list[str] = []
        sources: dict[str, str] = {}
        folds: list[dict[str, Array]] = []
        for fold in range(len(case.data.folds)):
            transformer, estimator = _load(case, trial, fold)
            slopes = _slopes(estimator)
            if slopes is None:
                return None
            features = transformer.features()
            shown = name_levels(transformer, case)
            labels = [shown.get(feature.name, feature.name) for feature in features]
            folds.append({label: slopes[:, at] for at, label in enumerate(labels)})
            names += labels
            sources |= {label: feature.source for label, feature in zip(labels, features, strict=True)}
            if not case.has_time():
                break
        names = list(dict.fromkeys(names))
        entries = [_summarize(name, sources[name], folds) for name in names]
        entries.sort(key=lambda entry: -entry["size"])
        return {
            "deployed": deployed,
            "folds": len(folds),
            "unit": _unit(case, estimator),
            "classes": list(case.task.classes) if case.task.n_classes > 2 else [],
            "features": len(entries),
            "entries": entries[:SHOWN],
            "line": _line(case, trial, [str(entry["source"]) for entry in entries]),
        }


def _find_linear(case: Case) -> tuple[int, bool] | None:
    """The trial to speak of, and whether it is the deployed model itself."""
    members = read_json(case.run.ensemble_path)["members"]
    if len(members) == 1 and members[0]["candidate"] == LINEAR:
        return int(members[0]["trial"]), True
    complete = [
        result.trial
        for result in read_results(case.run.search)
        if result.candidate == LINEAR and result.status == "ok"
        and (fold_folder(case.run.path, result.trial, case.data.chief_fold) / "transform.npz").exists()
    ]  # fmt: skip
    return (min(complete), False) if complete else None


def _load(case: Case, trial: int, fold: int) -> tuple[Transformer, Estimator]:
    folder = fold_folder(case.run.path, trial, fold)
    transformer = Transformer.load(folder / "transform.npz", case.data.table.layout)
    return transformer, candidates.get(LINEAR).load(folder / "model")


def _slopes(estimator: Any) -> Array | None:
    """(c, m): change of the log-odds, or of the value in its own unit, for one unit of each matrix column."""
    slopes = getattr(getattr(estimator, "model", None), "coef_", None)
    if slopes is None:
        return None
    slopes = np.atleast_2d(np.asarray(slopes, dtype=np.float64))
    scale = getattr(estimator, "scale", None)
    # behind a logarithm there is no one slope in the target's unit
    return slopes * scale.deviation if scale is not None and not scale.log else slopes


def name_levels(transformer: Transformer, case: Case) -> dict[str, str]:
    """Matrix columns that say whether a category has certain values → those values, in words.

    Found by asking: each value of a category, one a row, shows which of the columns it sets.
    """
    layout, named = case.data.table.layout, {}
    for part in transformer.parts:
        for place, name in enumerate(layout.categories if part.kind == "category" else ()):
            levels = [*case.schema[name].levels, "(missing)", "(never seen)"]
            if part.state["encodings"][place] != "one_hot":
                continue
            codes = np.full((len(levels), len(layout.categories)), MISSING, dtype=np.int32)
            codes[:, place] = [*range(len(levels) - 2), MISSING, UNSEEN]
            first = case.data.table.take(np.zeros(len(levels), dtype=np.int64))
            probe = dataclasses.replace(first, categories=codes)
            block = part.transform(probe)
            for at, feature in enumerate(part.features(probe)):
                own = [level for level, value in zip(levels, block[:, at], strict=True) if value > 0.5]
                if feature.source == name and feature.name != name and own:
                    named[feature.name] = f"{name} is {_listed(own)}"
    return named


def _listed(values: list[str]) -> str:
    return ", ".join(values[:2]) + (f" or {len(values) - 2} others" if len(values) > 2 else "")


def _unit(case: Case, estimator: Any) -> str:
    if case.task.is_classification:
        return "log-odds"
    scale = getattr(estimator, "scale", None)
    is_raised = scale is not None and scale.log
    return f"the logarithm of {case.task.target}, in standard deviations," if is_raised else case.task.target


def _summarize(name: str, source: str, folds: list[dict[str, Array]]) -> dict[str, Any]:
    """Mean over folds and 1.96 standard deviations of them; a feature that a fold did not have counts as 0 there."""
    outputs = next(len(fold[name]) for fold in folds if name in fold)
    values = np.array([fold.get(name, np.zeros(outputs)) for fold in folds])
    mean = values.mean(axis=0)
    half = 1.96 * values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(outputs)
    return {
        "feature": name,
        "source": source,
        "size": float(np.abs(mean).max()),
        "values": [float(value) for value in mean],
        "low": [float(value) for value in mean - half],
        "high": [float(value) for value in mean + half],
    }


def _line(case: Case, trial: int, sources: list[str]) -> dict[str, Any] | None:
    """The model's average answer along its main number, beside the truth's mean in bins of held-out rows."""
    number = next((name for name in sources if case.schema[name].role is Role.NUMBER), None)
    if number is None:
        return None
    rows = case.unseen_rows(MAX_ROWS)
    table = case.data.table.take(rows)
    cells = read_column(table, case.schema[number])
    known = np.array([at for at, cell in enumerate(cells) if cell is not None], dtype=np.int64)
    if len(known) < 2 * BINS:
        return None
    order = known[np.argsort([cells[at] for at in known], kind="stable")]
    picked = order[np.unique(np.linspace(0.02, 0.98, GRID) * (len(order) - 1)).round().astype(int)]
    taken = np.zeros((len(rows) * len(picked), len(case.columns)), dtype=bool)
    taken[:, case.columns.index(number)] = True
    front = table.take(np.tile(picked, len(rows)))
    back = table.take(np.repeat(np.arange(len(rows)), len(picked)))
    transformer, estimator = _load(case, trial, case.data.chief_fold)
    mixed = mix_rows(front, back, taken, column_places(table.layout, case.columns))
    place = case.places[0][0] + (1 if case.task.n_classes == 2 else 0)
    outputs = estimator.predict(transformer.transform(mixed))[:, place].reshape(len(rows), len(picked))
    truth = case.data.target[rows] == place if case.task.is_classification else case.data.target[rows]
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return {
        "column": number,
        "x": [float(cells[at]) for at in picked],
        "y": [float(value) for value in outputs.mean(axis=0)],
        "seen_x": [float(np.mean([cells[at] for at in part])) for part in bins],
        "seen_y": [float(np.mean(truth[part])) for part in bins],
        "explained": case.places[0][1],
    }


plugin: Study = Coefficients()
