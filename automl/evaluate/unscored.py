"""Rows of a labelled table that no score counts: blank targets, and those that the model does not know."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from automl.cells import to_text
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMED = 5


def count_unknown(target: pd.Series, task: Task) -> Counter[str]:
    """Of targets that could not be read, those that are not blank: classes that are new to the model, or no numbers."""
    return Counter(text for text in to_text(target, task.format.missing) if text is not None)


def tell_unknown(place: str, unknown: Counter[str], task: Task) -> str:
    """A model is wrong on every row of a class that it has not learned, and the score does not show it."""
    named = ", ".join(repr(text) for text in list(unknown)[:MOST_NAMED])
    why = "the model has not learned their class" if task.is_classification else f"their {task.target!r} is no number"
    return f"{unknown.total():,} row(s) of {place} are not in its score, as {why}: {named}"
