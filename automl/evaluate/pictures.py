"""Pictures that the model is most surely wrong about, and where in them it looks; made only if asked for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.bag import BagModel, load_fold
from automl.evaluate.evidence import read_evidence
from automl.evaluate.examples import list_most_wrong
from automl.evaluate.occlusion import FIELDS, map_occlusion
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.pictures import encode_uri
from automl.run import Run
from automl.schema import Schema
from automl.search.oof import Oofs


def show_examples(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """A worker's job: payload run (path), seconds.

    Returns:
        The rows that the ensemble, on pictures that its models had not seen, was most sure of and wrong: true and
        predicted label, their probabilities, the picture and, as far as the time goes, an occlusion map, both as data
        URIs. For values: the largest errors.
    """
    deadline = time.monotonic() + payload["seconds"]
    run = Run(Path(payload["run"]))
    evidence = read_evidence(payload["run"])
    data, task = evidence.data, evidence.data.task
    scored = Oofs(run, data).scored
    places, facts = list_most_wrong(evidence.y, evidence.blend, task.classes, evidence.threshold)
    schema = Schema.from_json(read_json(run.model / "schema.json"))
    record = read_json(run.model / "ensemble.json")
    models: dict[int, BagModel] = {}
    examples = []
    for place, fact in zip(places, facts, strict=True):
        row = int(scored[place])
        table = data.table.take(np.array([row]))
        example = {**fact, "row": row, "picture": encode_uri(np.asarray(table.pictures[0][0]))}
        if time.monotonic() < deadline:
            fold = next(number for number, rows in enumerate(data.folds) if row in rows)
            if fold not in models:
                models[fold] = load_fold(run.path, record, schema, task, fold)
            column = task.classes.index(fact["predicted"]) if task.is_classification else 0
            example["map"] = encode_uri(
                draw_map(map_occlusion(models[fold].predict_table, table, column), table.pictures[0].shape)
            )
        examples.append(example)
    return examples


def draw_map(falls: FloatArray, shape: tuple[int, ...]) -> Array:
    """A map as a picture (h, w, 3) uint8: the darker red, the more the output needs the place; blue speaks against."""
    strength = falls / max(float(np.abs(falls).max()), 1e-6)
    rows = np.minimum(np.arange(shape[1]) * FIELDS // shape[1], FIELDS - 1)
    columns = np.minimum(np.arange(shape[2]) * FIELDS // shape[2], FIELDS - 1)
    spread = strength[rows][:, columns]
    red, blue = np.maximum(spread, 0), np.maximum(-spread, 0)
    colors = np.stack([1 - blue, 1 - red - blue, 1 - red], axis=2)
    drawn: Array = np.rint(255 * np.clip(colors, 0, 1)).astype(np.uint8)
    return drawn
