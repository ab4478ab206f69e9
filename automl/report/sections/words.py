"""The words: which words and chains of words speak for each class, or for a high value."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import AutoMLError
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.report.blocks import Block, Paragraph, Section, Table
from automl.report.source import RunSource
from automl.task import Task

FOLDS = 2  # models of so many folds are asked
SHOWN = 12
MAX_CLASSES = 40
LEAST_TEXTS = 3  # what stands in fewer texts may be chance


class Words:
    order = 55
    title = "Words that speak for each class"

    def build(self, source: RunSource) -> Section | None:
        task = source.task
        if task is None:
            return None
        for member in _list_members(source):
            try:
                weights = _weigh_terms(source.run.model, source.run.data, member, task.n_outputs)
            except (OSError, ValueError, KeyError, TypeError, IndexError, AutoMLError) as error:
                source.problems.append(f"the words of {member.get('name')} cannot be read: {error}")
                continue
            if rows := _list_rows(weights, list(task.classes)):
                return self._show(source, task, member, rows)
        return None

    def _show(self, source: RunSource, task: Task, member: dict[str, Any], rows: list[tuple[str, str]]) -> Section:
        if task.is_classification:
            headings, title = (task.target, "speak for it"), self.title
            shown = f" The first {MAX_CLASSES} of {len(task.classes)} classes." if len(rows) == MAX_CLASSES else ""
        else:
            headings, title, shown = (task.target, "words"), "Words that raise or lower the value", ""
        note = (
            f"From {member.get('name')}, a linear model of the ensemble: its coefficient, times the root of the share "
            f"of texts that hold the words.{shown}"
        )
        blocks: list[Block] = [Table(headings=headings, rows=tuple(rows), note=note)]
        blocks.append(
            Paragraph(text="They go with the class in this data; whether they are its cause, nobody has asked.")
        )
        return Section(name="words", title=title, blocks=tuple(blocks))


def _list_members(source: RunSource) -> list[dict[str, Any]]:
    """The ensemble's linear models over n-grams, the heaviest first: one may read characters alone."""
    try:
        members = read_json(source.run.model / "ensemble.json")["members"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    found = [member for member in members if str(member.get("candidate")).startswith("tfidf_")]
    return sorted(found, key=lambda member: -float(member.get("weight", 0)))


def _weigh_terms(model: Path, data: Path, member: dict[str, Any], outputs: int) -> dict[str, Any]:
    """N-gram → mean weight (c,) for each class, c being 1 for two classes or a value.

    Args:
        outputs: of the task; a fold's rows may lack a class, and its model has no column for it.
    """
    from automl.preprocess.plan import Transformer
    from automl.preprocess.table import Layout
    from automl.search.trial import candidates

    layout = Layout.from_json(read_json(data / "layout.json"))
    total: dict[str, Any] = defaultdict(float)
    folds = member["folds"][:FOLDS]
    for fold in folds:
        transformer = Transformer.load(model / str(fold["transform"]), layout)
        estimator: Any = candidates.get(str(member["candidate"])).load(model / str(fold["model"]))
        coefficients = estimator.coefficients
        assert transformer.text is not None, "a model of n-grams has a part for texts"
        terms, shares = transformer.text.terms(), transformer.text.shares()
        if len(estimator.classes) == 1 or len(coefficients) < len(terms):
            continue
        speaking = coefficients[len(coefficients) - len(terms) :] * np.sqrt(shares)[:, None]
        if outputs > 2:
            speaking = spread_classes(speaking, estimator.classes, outputs)
        enough = shares * transformer.text.rows >= LEAST_TEXTS
        for place in np.flatnonzero(enough):
            _, kind, term = terms[place]
            if kind == "word":
                total[term] = total[term] + speaking[place] / len(folds)
    return dict(total)


def spread_classes(speaking: FloatArray, classes: Array, outputs: int) -> FloatArray:
    """Weights (t, outputs) of all classes from those of the classes (c,) that a model knows; one column tells two."""
    if speaking.shape[1] == 1:
        speaking = np.hstack([-speaking, speaking])
    spread = np.zeros((len(speaking), outputs), dtype=speaking.dtype)
    spread[:, classes] = speaking
    return spread


def _list_rows(weights: dict[str, Any], classes: list[str]) -> list[tuple[str, str]]:
    if not weights:
        return []
    terms = np.array(list(weights), dtype=object)
    table = np.stack([np.atleast_1d(weight) for weight in weights.values()])
    if table.shape[1] == 1:
        table = np.column_stack([-table[:, 0], table[:, 0]])
    names = classes if len(classes) == table.shape[1] else ["lower", "higher"]
    rows = []
    for place, name in enumerate(names[:MAX_CLASSES]):
        best = np.argsort(-table[:, place], kind="stable")[:SHOWN]
        listed = ", ".join(str(terms[at]) for at in best if table[at, place] > 0)
        rows.append((name, listed or "no word of its own"))
    return rows


plugin = Words()
