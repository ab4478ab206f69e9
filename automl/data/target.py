"""What is to be learned: classes or a number, from the cells of the target column."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from automl import cells
from automl.data.evidence import Evidence, Kind, collect
from automl.data.formats import (
    MISSING,
    NO_NUMBER,
    NO_VALUE,
    ODD_MISSING,
    Guess,
    find_far_marks,
    guess_grouped,
    guess_numbers,
)
from automl.errors import DataError, did_you_mean
from automl.matrix import Array
from automl.recipe import Recipe
from automl.schema import CellFormat, Notice
from automl.task import Task, TaskKind

WORDS = CellFormat(missing=(*MISSING, *ODD_MISSING))
MAX_WHOLE_CLASSES = 20
ROWS_A_CLASS = 10
MAX_CLASSES = 1000
FEW_ZEROS = 0.05  # of the values; where there are more, nothing is a value of its own
COARSE_SHARE = 0.001  # of the standard deviation; an answer that is rounded by more is worth a word
# A target leans to the right from this skewness on; its logarithm has to have a smaller share of it.
LEAST_SKEWNESS, LOGGED_SHARE, LEAST_SKEWED_ROWS = 0.8, 0.75, 50


def infer_task(
    series: pd.Series[Any], recipe: Recipe, *, comma: bool = False, named: bool = False
) -> tuple[Task, Array, list[Notice]]:
    """Tell classes from numbers, and encode the target.

    Args:
        series: raw cells of the target; its name is the target's.
        recipe: `task` overrides the guess; `data.positive` names the positive class.
        comma: whether the table has decimal commas.
        named: whether the cells are names of folders: one that is called NA is a class.

    Returns:
        The task without a metric, the target (n,) as class index int64 (-1: missing) or value float64 (NaN: missing),
        and what was guessed.

    Raises:
        DataError: if all cells are missing or equal, there are about as many classes as rows, a value is infinite,
            or the task asked for does not fit.
    """
    name = str(series.name)
    evidence = collect(name, series)
    guess, numbers = _as_numbers(evidence, comma=comma)
    if named and any(evidence.count(mark) for mark in guess.format.missing):
        guess, numbers = Guess(format=CellFormat(missing=())), None
    if numbers is None and recipe.task == "regression":
        numbers = _read_numbers(evidence, guess.format)
    missing = _missing_cells(evidence, guess.format, numbers)
    if missing.all():
        raise DataError(f"The target {name!r} has no value in any row", hint="Name another column with --target")
    kind, reason = _choose_kind(numbers, evidence.kind, recipe, int((~missing).sum()))
    if guess.bad and kind is not TaskKind.REGRESSION:  # a word among classes is one of them
        guess, numbers = Guess(format=WORDS), None
        missing = _missing_cells(evidence, WORDS, None)
        kind, reason = _choose_kind(None, evidence.kind, recipe, int((~missing).sum()))
    if kind is TaskKind.REGRESSION:
        assert numbers is not None
        task, target, notices = _regression(evidence, numbers, guess, reason)
    else:
        task, target, notices = _classification(evidence, numbers, guess, missing, recipe, reason)
    marks = _mark_notices(evidence, guess.format, among="numbers" if numbers is not None else "words")
    return dataclasses.replace(task, format=guess.format), target, marks + notices


def _as_numbers(evidence: Evidence, *, comma: bool) -> tuple[Guess, Array | None]:
    """How the target's cells are written, and its numbers (n,) if it is numeric."""
    if evidence.kind in ("bool", "date", "category"):
        return Guess(format=CellFormat(missing=MISSING)), None
    if evidence.values is not None:
        guess = guess_grouped(evidence, comma=comma)
        if guess.reason:
            return guess, cells.parse_numbers(evidence.series, guess.format)
        coded = evidence.any_match(r"^[+-]?0\d+$")
        return guess, None if coded else evidence.values
    texts, counts = evidence.without(NO_VALUE)
    found = guess_numbers(texts, counts, comma=comma) if texts else None
    if found is None:
        return Guess(format=WORDS), None
    marks = NO_VALUE
    guess = dataclasses.replace(found, format=dataclasses.replace(found.format, missing=marks))
    return guess, cells.parse_numbers(evidence.series, guess.format)


def _missing_cells(evidence: Evidence, cell_format: CellFormat, numbers: Array | None) -> Array:
    if numbers is not None:
        return np.asarray(np.isnan(numbers))
    return np.array([text is None for text in cells.to_text(evidence.series, cell_format.missing)])


def _choose_kind(numbers: Array | None, written: Kind, recipe: Recipe, rows: int) -> tuple[TaskKind, str]:
    if recipe.task == "regression":
        return TaskKind.REGRESSION, "as asked"
    if recipe.task != "auto":
        return TaskKind(recipe.task), "as asked"
    if numbers is None:
        what = {"bool": "true or false", "category": "categories"}.get(written, "words")
        return TaskKind.MULTICLASS, f"the target is {what}"
    good = numbers[~np.isnan(numbers)]
    values = np.unique(good)
    if len(values) == 2:
        return TaskKind.MULTICLASS, "the target has two values"
    if np.any(values != np.floor(values)):
        return TaskKind.REGRESSION, "the target has fractions"
    spread = len(values) > 10 and np.ptp(values) > 3 * len(values)
    if len(values) <= MAX_WHOLE_CLASSES and rows >= ROWS_A_CLASS * len(values) and not spread:
        return TaskKind.MULTICLASS, f"the target has {len(values)} whole values over {rows} rows"
    return TaskKind.REGRESSION, f"the target has {len(values)} different numbers"


def _read_numbers(evidence: Evidence, cell_format: CellFormat) -> Array:
    """The numbers (n,) of cells that are none by themselves, such as True or 05.

    Raises:
        DataError: naming the first cell that cannot be read.
    """
    numbers = cells.parse_numbers(evidence.series, cell_format)
    texts = cells.to_text(evidence.series, cell_format.missing)
    there = np.array([text is not None for text in texts], dtype=bool)
    bad = np.flatnonzero(there & np.isnan(numbers))
    if not len(bad):
        return numbers
    hint = "--task multiclass, or leave --task out"
    if 2 * len(bad) < there.sum():
        hint = f"Mend or empty the {len(bad):,} of {int(there.sum()):,} cells that are no numbers"
    row = int(bad[0])
    raise DataError(f"The target {evidence.name!r} is not a number: row {row + 1} holds {texts[row][:40]!r}", hint=hint)


def _regression(evidence: Evidence, values: Array, guess: Guess, reason: str) -> tuple[Task, Array, list[Notice]]:
    name = evidence.name
    row = _first_infinite(evidence)
    if row is not None:
        raise DataError(
            f"The target {name!r} is infinite in row {row + 1}",
            hint="Mend or delete that row: no error is finite there",
        )
    good = values[~np.isnan(values)]
    if len(np.unique(good)) == 1:
        raise _constant(name, cells.number_text(good[0]))
    notices = _number_notices(name, good, guess)
    whole = bool(np.all(good == np.floor(good)))
    if whole and len(np.unique(good)) <= 50 and reason != "as asked":
        notices.append(
            Notice(
                topic="task",
                text=f"{name!r} is predicted as a number; --task multiclass would take its values as classes",
                reason=reason,
            )
        )
    task = Task(kind=TaskKind.REGRESSION, target=name, label_type="float", reason=reason, skewed=is_skewed(good))
    return task, values, notices


def _mark_notices(evidence: Evidence, cell_format: CellFormat, *, among: str) -> list[Notice]:
    """What counts as missing and is not so everywhere: it may be meant as a class."""
    found = [(mark, evidence.count(mark)) for mark in cell_format.missing if mark not in MISSING]
    return [
        Notice(
            topic="target",
            text=f"{count:,} cell(s) that hold {mark!r} count as missing",
            reason=f"so it is read among {among}; write it otherwise if it is a value",
        )
        for mark, count in found
        if count
    ]


def _number_notices(name: str, good: Array, guess: Guess) -> list[Notice]:
    notices = []
    if guess.bad:
        listed = ", ".join(repr(text[:40]) for text in guess.bad[:5])
        text = f"unreadable target cells count as missing: {listed}"
        notices.append(Notice(topic="target", text=text, reason="all others are numbers"))
    if guess.reason:
        text = f"{name!r} is read as numbers with {guess.reason}"
        notices.append(Notice(topic="target", text=text, reason=guess.doubt or "all rows agree"))
    for mark, count in find_far_marks(good):
        text = f"{count} cells of {name!r} are {cells.number_text(mark)}, far from all others, and stay numbers"
        notices.append(Notice(topic="target", text=text, reason="empty the cells if they mean missing"))
    step = float(np.spacing(np.float32(np.abs(good).max())))
    if step > COARSE_SHARE * good.std():
        text = f"{name!r} is so far from 0 that answers come in steps of {cells.number_text(step)}"
        reason = "they have the seven digits of a float32; subtract a constant from the target to have finer ones"
        notices.append(Notice(topic="target", text=text, reason=reason))
    return notices


def is_skewed(values: Array) -> bool:
    """Whether values (n,) are none below zero and lean to the right, their logarithms clearly less so."""
    if len(values) < LEAST_SKEWED_ROWS or values.min() < 0 or np.mean(values == 0) > FEW_ZEROS:
        return False
    unit = np.median(values[values > 0])
    with np.errstate(all="ignore"):  # of numbers at the ends of their range nothing is learned
        plain, logged = measure_skewness(values), measure_skewness(np.log1p(values / unit))
    return plain > LEAST_SKEWNESS and abs(logged) < LOGGED_SHARE * plain


def measure_skewness(values: Array) -> float:
    """Third standardised moment of (n,) values; 0 where they do not vary."""
    centred = values - values.mean()
    deviation = centred.std()
    return float(np.mean((centred / deviation) ** 3)) if deviation > 0 and np.isfinite(deviation) else 0.0


def _first_infinite(evidence: Evidence) -> int | None:
    if not evidence.infinite and evidence.arrow is None:
        return None
    if evidence.arrow is not None:
        found = (
            [
                row
                for row, text in enumerate(evidence.arrow.to_pylist())
                if text is not None and re.fullmatch(r"[+-]?inf(inity)?", text, re.IGNORECASE)
            ]
            if evidence.infinite or any(text.lower().lstrip("+-").startswith("inf") for text in evidence.texts)
            else []
        )
        if not found and evidence.infinite:
            numbers = cells.parse_numbers(evidence.series)
            found = [row for row, text in enumerate(evidence.arrow.to_pylist()) if text and np.isnan(numbers[row])]
        return found[0] if found else None
    return int(np.flatnonzero(np.abs(evidence.series.to_numpy(dtype=np.float64, na_value=np.nan)) > cells.LARGEST)[0])


def _classification(
    evidence: Evidence, numbers: Array | None, guess: Guess, missing: Array, recipe: Recipe, reason: str
) -> tuple[Task, Array, list[Notice]]:
    name = evidence.name
    # "5,000", "10%": such classes are called as the file calls them
    label_type = _label_type(evidence, None if guess.reason else numbers)
    labels = cells.to_labels(evidence.series, label_type)
    labels = [None if gone else label for label, gone in zip(labels, missing, strict=True)]
    counts = Counter(label for label in labels if label is not None)
    if len(counts) == 1:
        raise _constant(name, next(iter(counts)))
    _refuse_too_many(evidence, counts, recipe)
    numeric = label_type in ("int", "float")
    order = sorted(counts, key=float) if numeric else sorted(counts)
    if guess.reason:
        order = sorted(counts, key=lambda label: cells.read_number(label, guess.format))
    kind = TaskKind.BINARY if len(order) == 2 else TaskKind.MULTICLASS
    if recipe.task == "binary" and kind is not TaskKind.BINARY:
        raise DataError(
            f"The target {name!r} has {len(order)} classes, not two: {_list_labels(order)}",
            hint="--task multiclass, or leave --task out",
        )
    order = _put_positive_last(order, kind, recipe.data.positive, label_type, name)
    notices = _label_notices(evidence, counts, order, kind, reason, numeric)
    index = {label: number for number, label in enumerate(order)}
    target = np.array([-1 if label is None else index[label] for label in labels], dtype=np.int64)
    task = Task(kind=kind, target=name, classes=tuple(order), label_type=label_type, reason=reason)
    return task, target, notices


def _label_type(evidence: Evidence, numbers: Array | None) -> str:
    """What labels were in the data; text that says "1" is an int, "1.0" a float, "True" a bool."""
    if evidence.kind == "bool":
        return "bool"
    if evidence.kind == "category" and _are_whole(evidence.series.cat.categories):
        return "int"
    if evidence.texts and set(evidence.texts) <= {"True", "False", *MISSING} and evidence.kind == "text":
        return "bool"
    if numbers is None or np.nanmax(np.abs(numbers), initial=0.0) >= cells.EXACT:  # ids, which a float would change
        return "str"
    if evidence.kind in ("int", "float"):
        return evidence.kind
    written_as_floats = evidence.any_match(r"[.,eE]")
    return "float" if written_as_floats else "int"


def _are_whole(categories: pd.Index[Any]) -> bool:
    """Whether categories are integers that a float holds exactly."""
    values = categories.to_numpy()
    return values.dtype.kind in "iu" and bool(np.abs(values).max(initial=0) < cells.EXACT)


def _refuse_too_many(evidence: Evidence, counts: Counter[str], recipe: Recipe) -> None:
    rows = sum(counts.values())
    if len(counts) <= max(rows // 2, 2) and len(counts) <= MAX_CLASSES:
        return
    text = f"The target {evidence.name!r} has {len(counts)} different values in {rows} rows"
    labels = pd.Series(list(counts), dtype=object)
    others = list(labels[np.isnan(cells.parse_numbers(labels))])
    strange = sum(counts[label] for label in others)
    if others and 2 * strange < rows:
        hint = f"Most are numbers: mend or empty the {strange:,} cells that are none, such as {others[0][:40]!r}"
        raise DataError(text, hint=hint)
    numeric = "; numbers are asked for with --task regression" if recipe.task != "auto" else ""
    raise DataError(text, hint=f"It looks like an identifier or a text: name another column with --target{numeric}")


def _constant(name: str, value: str) -> DataError:
    return DataError(
        f"The target {name!r} has one value, {value[:40]!r}, in every row",
        hint="There is nothing to learn; add other rows",
    )


def _put_positive_last(order: list[str], kind: TaskKind, positive: str | None, label_type: str, name: str) -> list[str]:
    if positive is None:
        return order
    if kind is not TaskKind.BINARY:
        raise DataError(
            f"A positive class needs two classes, and {name!r} has {len(order)}", hint="Leave --positive out"
        )
    wanted = cells.to_labels(pd.Series([positive], dtype=object), label_type)[0]
    if wanted not in order:
        raise DataError(f"The target {name!r} has no class {positive!r}", hint=did_you_mean(positive, order))
    return [label for label in order if label != wanted] + [str(wanted)]


def _label_notices(
    evidence: Evidence, counts: Counter[str], order: list[str], kind: TaskKind, reason: str, numeric: bool
) -> list[Notice]:
    notices = []
    if numeric and kind is TaskKind.MULTICLASS and reason != "as asked":
        notices.append(
            Notice(
                topic="task",
                text="whole numbers are taken as classes; --task regression predicts a number",
                reason=reason,
            )
        )
    if kind is TaskKind.BINARY:
        notices.append(
            Notice(
                topic="task",
                text=f"the positive class is {order[-1]!r}",
                reason="the last of the two; --positive changes it",
            )
        )
    unsaid = [label for label in order if label in NO_NUMBER] if len(order) > 2 else []
    if unsaid:
        text = f"{_list_labels(unsaid)} counts as a class, of {sum(counts[label] for label in unsaid):,} rows"
        notices.append(Notice(topic="target", text=text, reason="empty the cells if it means that nothing is known"))
    single = [label for label in order if counts[label] == 1]
    if single:
        notices.append(
            Notice(
                topic="target", text=f"{len(single)} class(es) with one row are kept: {_list_labels(single)}", reason=""
            )
        )
    alike: dict[str, list[str]] = {}
    for label in order:
        alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    for group in alike.values():
        if len(group) > 1:
            text = "classes differ only in case or space: " + ", ".join(
                f"{label!r} ({counts[label]})" for label in group
            )
            notices.append(
                Notice(topic="target", text=text, reason="they are kept apart; make them one in the file if they are")
            )
    spaced = _merged_by_space(evidence)
    if spaced:
        notices.append(Notice(topic="target", text="space around class labels is cut off", reason=f"e.g. {spaced!r}"))
    return notices


def _merged_by_space(evidence: Evidence) -> str:
    if evidence.kind != "text":
        return ""
    cells_seen = pd.unique(evidence.series.dropna())
    return next((cell for cell in cells_seen if isinstance(cell, str) and cell != cell.strip() and cell.strip()), "")


def _list_labels(labels: list[str]) -> str:
    return ", ".join(repr(label[:40]) for label in labels[:8]) + (" …" if len(labels) > 8 else "")
