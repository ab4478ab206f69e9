"""Rows that the model is most surely wrong about, and what stands in their texts; shown only if asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.evaluate.evidence import read_evidence
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import decide_labels
from automl.search.threshold import USUAL, move_threshold

EXAMPLES = 12
SHOWN_CHARACTERS = 400


def show_texts(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """A worker's job: payload run (path).

    Returns:
        The rows that the ensemble, on texts that its models had not seen, was most sure of and wrong: as
        `list_most_wrong` describes them, with `row` and `texts`, column → the beginning of its text.
    """
    evidence = read_evidence(payload["run"])
    table = evidence.data.table
    places, facts = list_most_wrong(evidence.y, evidence.blend, evidence.data.task.classes, evidence.threshold)
    examples = []
    for place, fact in zip(places, facts, strict=True):
        row = int(evidence.rows[place])
        one = table.take(np.array([row]))
        texts = {
            name: text[:SHOWN_CHARACTERS]
            for name, column in zip(table.layout.texts, one.texts, strict=True)
            for text in column
            if text
        }
        examples.append({**fact, "row": row, "texts": texts})
    return examples


def list_most_wrong(
    y: Array, outputs: FloatArray, classes: tuple[str, ...], threshold: float = USUAL
) -> tuple[IntArray, list[dict[str, Any]]]:
    """Places of the worst predictions, and of each: true and predicted label with their probabilities, or values.

    Args:
        y, outputs: of the scored rows, (m,) and (m, k).
        threshold: the probability from which on the second of two classes is named.
    """
    if not classes:
        errors = np.abs(y - outputs[:, 0])
        places = np.argsort(-errors, kind="stable")[:EXAMPLES]
        return places, [{"true": float(y[at]), "predicted": float(outputs[at, 0])} for at in places]
    decided = decide_labels(move_threshold(outputs, threshold))
    sure = outputs[np.arange(len(y)), decided]
    wrong = np.flatnonzero(decided != y)
    places = wrong[np.argsort(-sure[wrong], kind="stable")][:EXAMPLES]
    facts = [
        {
            "true": classes[int(y[at])],
            "predicted": classes[int(decided[at])],
            "probability": float(sure[at]),
            "true_probability": float(outputs[at, int(y[at])]),
        }
        for at in places
    ]
    return places, facts
