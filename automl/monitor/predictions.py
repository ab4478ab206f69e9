"""What the model says of new rows, in the way in which training's reference was made: each row by one fold's models."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.ensemble.bag import BagModel, Member
from automl.matrix import FloatArray
from automl.monitor import Shift
from automl.monitor.reference import certainty, decide
from automl.monitor.statistics import STABILITY, compare_counts
from automl.monitor.values import compare_values
from automl.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd


def predict_by_folds(predictor: Predictor, typed: pd.DataFrame, reference: dict[str, Any]) -> FloatArray:
    """Outputs (n, k) of a typed frame, each row by one fold's models of those that answer, in turn.

    The reference holds what single folds said of rows they had not seen. The mean of all folds, which is what the model
    answers, varies less from row to row: held against the reference, it would look like a drift where there is none.
    """
    model = predictor.model
    repeats = int(reference.get("repeats", 1))  # a row scored once a repeat has the mean of so many
    if not isinstance(model, BagModel) or max(len(member.folds) for member in model.members) < repeats:
        return model.predict(typed)
    turns = min(max(len(member.folds) for member in model.members) // repeats, len(typed))
    outputs = np.zeros((len(typed), predictor.task.n_outputs), dtype=np.float32)
    for turn in range(turns):
        members = tuple(_take_turn(member, turn, repeats) for member in model.members)
        part = dataclasses.replace(model, members=members)
        outputs[turn::turns] = part.predict(typed.iloc[turn::turns])
    return outputs


def _take_turn(member: Member, turn: int, repeats: int) -> Member:
    """The same with one of its folds a repeat; of members with fewer folds each has its turn again, or all answer."""
    step = max(1, len(member.folds) // repeats)
    return dataclasses.replace(member, folds=member.folds[turn % step : step * repeats : step], whole=None)


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
