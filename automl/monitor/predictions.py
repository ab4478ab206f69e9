"""What the model says of new rows, in the way in which training's reference was made: each row by one fold's models."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.ensemble.bag import BagModel
from automl.matrix import FloatArray
from automl.monitor import Shift
from automl.monitor.reference import certainty, decide
from automl.monitor.statistics import STABILITY, compare_counts
from automl.monitor.values import compare_values
from automl.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd


def predict_by_folds(predictor: Predictor, typed: pd.DataFrame, reference: dict[str, Any]) -> FloatArray:
    """Outputs (n, k) of a typed frame, each row by the models of one fold, in turn.

    The reference holds what single folds said of rows they had not seen. The mean of all folds, which is what the model
    answers, varies less from row to row: held against the reference, it would look like a drift where there is none.
    """
    model = predictor.model
    folds, repeats = int(reference.get("folds", 0)), int(reference.get("repeats", 1))
    if not isinstance(model, BagModel) or any(len(member.folds) != folds for member in model.members):
        return model.predict(typed)
    a_repeat = folds // repeats
    outputs = np.zeros((len(typed), predictor.task.n_outputs), dtype=np.float32)
    for first in range(min(a_repeat, len(typed))):
        chosen = range(first, folds, a_repeat)  # a row scored once a repeat has the mean of so many
        members = tuple(member.ask_folds(chosen) for member in model.members)
        part = dataclasses.replace(model, members=members)
        outputs[first::a_repeat] = part.predict(typed.iloc[first::a_repeat])
    return outputs


def compare_predictions(predictor: Predictor, reference: dict[str, Any], outputs: FloatArray) -> list[Shift]:
    """Differences of outputs (n, k) from the reference's distribution: at most one shift, of the surest test."""
    task = predictor.task
    is_several = task.is_classification and task.n_classes > 2
    name = "median of the surest class's probability" if is_several else "median"
    found = [compare_values(reference["values"], certainty(task, outputs), "predictions", name)]
    if is_several:
        before = np.asarray(reference["classes"])
        after = np.bincount(decide(task, outputs, predictor.threshold), minlength=task.n_classes)
        found.append(_compare_classes(task.classes, before, after))
    least = min(found, key=lambda shift: shift.p_value)
    return [dataclasses.replace(least, p_value=min(1.0, least.p_value * len(found)))]


def _compare_classes(classes: tuple[str, ...], before: Any, after: Any) -> Shift:
    p_value, index = compare_counts(before, after)
    low, high = before / max(1, before.sum()), after / max(1, after.sum())
    moved = int(np.abs(high - low).argmax())
    text = f"{classes[moved]!r} is predicted for {high[moved]:.1%} of the rows, {low[moved]:.1%} in training"
    bars = zip(classes, low, high, strict=True)
    return Shift(
        what="predictions",
        p_value=p_value,
        effect=index,
        measure="PSI",
        is_large=index > STABILITY,
        text=f"{text} (PSI {index:.2f})",
        bars=tuple((label, float(a), float(b)) for label, a, b in bars),
    )
