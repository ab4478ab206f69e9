"""One row explained: what each column adds to its prediction, and which single change would move it most."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from automl.errors import UsageError, did_you_mean
from automl.evaluate.columns import UNSEEN_NAME, describe_row, mix_rows, read_column, source_columns, stack_tables
from automl.evaluate.columns import column_places as find_places
from automl.evaluate.occlusion import map_occlusion
from automl.evaluate.phrases import Phrase, explain_texts
from automl.evaluate.shapley import Contributions, estimate_contributions, table_game
from automl.matrix import Array, FloatArray
from automl.predictor import Predictor
from automl.preprocess.table import Table
from automl.schema import Role, Schema
from automl.task import Task, TaskKind

BACKGROUND_ROWS = 50
MAX_WALKS = 200
TRIED_VALUES = 15
SEED_STREAM = 41


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A single column given another value that occurs in the data, and the prediction that follows.

    Attributes:
        flips: whether another class would be predicted.
    """

    column: str
    value: Any
    instead: Any
    output: float
    flips: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowExplanation:
    """Why the deployed model predicts what it predicts for one row.

    Attributes:
        label: the class whose probability is explained; "" for a value.
        prediction: class or value that is predicted.
        output, base: the number explained, and its mean over the background rows.
        values: column → the row's cell.
        contributions: (column, contribution, standard error), the largest first; they sum to `output` minus `base`.
        gap: by how much the sample missed that sum before it was made to fit.
        phrases: what each word of the row's texts adds.
        places: by how much the output falls when a part of the row's first picture is covered, (7, 7).
        changes: the single changes that move the output most, and the smallest ones that flip the class.
    """

    label: str
    prediction: Any
    output: float
    base: float
    values: dict[str, Any]
    contributions: tuple[tuple[str, float, float], ...]
    gap: float
    background_rows: int
    walks: int
    changes: tuple[Change, ...]
    phrases: tuple[Phrase, ...] = ()
    places: tuple[tuple[float, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "explained": f"probability of {self.label}" if self.label else "value",
            "class": self.label or None,
            "prediction": self.prediction,
            "output": self.output,
            "base": self.base,
            "contributions": [
                {"column": name, "value": self.values[name], "contribution": value, "standard_error": error}
                for name, value, error in self.contributions
            ],
            "check": {
                "sum_of_contributions": sum(value for _, value, _ in self.contributions),
                "output_minus_base": self.output - self.base,
                "sampling_gap": self.gap,
            },
            "background_rows": self.background_rows,
            "walks": self.walks,
            "words": [dataclasses.asdict(phrase) for phrase in self.phrases],
            "places": [list(line) for line in self.places],
            "what_if": [dataclasses.asdict(change) for change in self.changes],
        }


def explain_row(
    predictor: Predictor,
    predict: Callable[[Table], FloatArray],
    row: Table,
    background: Table,
    *,
    label: str | None = None,
    seconds: float = 10.0,
    seed: int = 0,
) -> RowExplanation:
    """Contributions of every column to the prediction of `row`, and what would change it.

    Args:
        predict: the model's outputs (n, k) of an encoded table.
        row: a table of one row.
        background: rows that say what is usual; the base is their mean prediction.
        label: class to explain; the predicted one (of two: the positive one) unless given.
        seconds: a bound on the sampling; at least every background row is met twice.

    Raises:
        UsageError: if there is no such class.
    """
    task = predictor.task
    columns = source_columns(row.layout)
    both = stack_tables([row, background])
    row, background = both.take(slice(0, 1)), both.take(slice(1, None))
    outputs = predict(row)
    place = _choose_class(task, outputs[0], label)
    found = estimate_contributions(
        table_game(lambda table: predict(table)[:, [place]], row, background, columns),
        rows=1,
        background=len(background),
        players=len(columns),
        walks=_round_up(MAX_WALKS, len(background)),
        rng=np.random.default_rng([seed, SEED_STREAM]),
        deadline=time.monotonic() + seconds,
    )
    prediction = predictor.decide(outputs)[0]
    return RowExplanation(
        label=task.classes[place] if task.is_classification else "",
        prediction=prediction.item() if hasattr(prediction, "item") else prediction,
        output=float(found.outputs[0, 0]),
        base=float(found.base[0]),
        values=describe_row(row, predictor.schema, columns),
        contributions=_ranked(found, columns),
        gap=float(found.gap[0, 0]),
        background_rows=len(background),
        walks=found.walks,
        phrases=explain_texts(predict, row, place) if row.layout.texts else (),
        places=_map_picture(predict, row, place),
        changes=find_changes(predictor, predict, row, background, place),
    )


def _map_picture(predict: Callable[[Table], FloatArray], row: Table, place: int) -> tuple[tuple[float, ...], ...]:
    if not row.layout.pictures or not np.asarray(row.pictures[0][0]).any():  # no picture, or one that is missing
        return ()
    falls = map_occlusion(predict, row, place)
    return tuple(tuple(float(value) for value in line) for line in falls)


def _round_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def check_class(task: Task, label: str) -> None:
    """Refuse a class that the model does not have, before it is loaded.

    Raises:
        UsageError: if there is no such class.
    """
    if not task.is_classification:
        raise UsageError(f"The model predicts a value, not a class {label!r}", hint="Leave --class out")
    if label not in task.classes:
        raise UsageError(f"The model has no class {label!r}", hint=did_you_mean(label, task.classes))


def _choose_class(task: Task, outputs: Array, label: str | None) -> int:
    if label is not None:
        check_class(task, label)
        return task.classes.index(label)
    if task.kind is TaskKind.BINARY:
        return 1
    return int(np.argmax(outputs)) if task.is_classification else 0


def _ranked(found: Contributions, columns: tuple[str, ...]) -> tuple[tuple[str, float, float], ...]:
    values, errors = found.values[0, :, 0], found.errors[0, :, 0]
    order = np.argsort(-np.abs(values), kind="stable")
    return tuple((columns[place], float(values[place]), float(errors[place])) for place in order)


# ---- what would change it ------------------------------------------------------------------------------------------


def find_changes(
    predictor: Predictor, predict: Callable[[Table], FloatArray], row: Table, background: Table, place: int
) -> tuple[Change, ...]:
    """Try other values of each column, one column at a time.

    The values are those of the background rows (quantiles of them, for a number), so that none is one that never
    occurs. A change alone says what the model would answer, not what would happen.

    Returns:
        For each column the change that moves output `place` most, the largest first; before them, where the class
        can be flipped by one column, the change of each such column that is nearest to the row's own value.
    """
    schema, columns = predictor.schema, source_columns(row.layout)
    tried = [_other_rows(row, background, schema, name) for name in columns]
    count = sum(len(rows) for rows in tried)
    if not count:
        return ()
    chosen = np.concatenate(tried).astype(np.int64)
    owner = np.repeat(np.arange(len(columns)), [len(rows) for rows in tried])
    taken = np.zeros((count, len(columns)), dtype=bool)
    taken[np.arange(count), owner] = True
    repeated = row.take(np.zeros(count, dtype=np.int64))
    outputs = predict(mix_rows(background.take(chosen), repeated, taken, find_places(row.layout, columns)))
    before = predict(row)
    if predictor.task.is_classification:
        flips = predictor.decide_index(outputs) != predictor.decide_index(before)[0]
    else:
        flips = np.zeros(count, dtype=bool)
    moves = outputs[:, place].astype(np.float64) - float(before[0, place])
    flipping, moving = [], []
    for number, name in enumerate(columns):
        own = np.flatnonzero(owner == number)
        if not len(own):
            continue
        own_values = read_column(row, schema[name])
        instead = read_column(background.take(chosen[own]), schema[name])

        def make(at: int, name: str = name, own: Array = own, old: Any = own_values[0], new: Any = instead) -> Change:
            output = float(outputs[own[at], place])
            return Change(column=name, value=old, instead=new[at], output=output, flips=bool(flips[own[at]]))

        if flips[own].any():
            flipping.append(make(_nearest(own_values[0], instead, flips[own])))
        most = int(np.argmax(np.abs(moves[own])))
        if moves[own][most] != 0:
            moving.append((abs(float(moves[own][most])), make(most)))
    moving.sort(key=lambda entry: -entry[0])
    flips_first = sorted(flipping, key=lambda change: -abs(change.output - float(before[0, place])))
    return tuple(dict.fromkeys([*flips_first, *(change for _, change in moving)]))


def _other_rows(row: Table, background: Table, schema: Schema, name: str) -> Array:
    """Background rows (m,) that hold different values of a column, spread over its range."""
    values = read_column(background, schema[name])
    own = read_column(row, schema[name])[0]
    first = {value: at for at, value in reversed(list(enumerate(values))) if value not in (None, UNSEEN_NAME, own)}
    if schema[name].role in (Role.NUMBER, Role.DATE):
        ordered = [first[value] for value in sorted(first)]
    else:
        counts = {value: values.count(value) for value in first}
        ordered = [first[value] for value in sorted(first, key=lambda value: -counts[value])][:TRIED_VALUES]
    if len(ordered) > TRIED_VALUES:
        ordered = [ordered[at] for at in np.linspace(0, len(ordered) - 1, TRIED_VALUES).round().astype(int)]
    return np.array(ordered, dtype=np.int64)


def _nearest(old: Any, new: list[Any], allowed: Array) -> int:
    """Of the allowed values the one nearest to the row's own; the first, where nearness means nothing."""
    places = np.flatnonzero(allowed)
    if isinstance(old, float) and all(isinstance(value, float) for value in new):
        return int(places[np.argmin([abs(new[place] - old) for place in places])])
    return int(places[0])


def draw_background(table: Table, rows: Array, rng: np.random.Generator, count: int = BACKGROUND_ROWS) -> Table:
    """A random sample of the training rows, without replacement."""
    return table.take(np.sort(rng.choice(rows, min(count, len(rows)), replace=False)))
