"""Predictions as an answer: JSON, CSV or an Arrow stream, as the client asks."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray
from automl.serve.call import JSON
from automl.serve.model import ServedModel
from automl.serve.rows import Rows

CSV, ARROW = "text/csv; charset=utf-8", "application/vnd.apache.arrow.stream"
DIGITS = 6  # of a probability: more would say nothing of the case, and something of the training rows


def round_outputs(outputs: FloatArray) -> Array:
    """Probabilities (n, k) to six digits; what is not finite is 0."""
    rounded: Array = np.round(np.nan_to_num(outputs.astype(np.float64)), DIGITS)
    return rounded


def make_answer(
    model: ServedModel, rows: Rows, outputs: FloatArray, *, accept: str = "", labels_only: bool = False
) -> tuple[bytes, str]:
    """Body and content type.

    Args:
        accept: the header; CSV or Arrow if it names one, JSON otherwise.
    """
    labels = model.decide(outputs)
    shown = None if labels_only or not model.task.is_classification else round_outputs(outputs)
    if "text/csv" in accept:
        return _to_csv(model, labels, shown), CSV
    if "arrow" in accept:
        return _to_arrow(model, labels, shown), ARROW
    return _to_json(model, rows, labels, shown), JSON


def _to_json(model: ServedModel, rows: Rows, labels: list[Any], shown: Array | None) -> bytes:
    predictions: list[dict[str, Any]]
    if shown is None:
        predictions = [{"prediction": label} for label in labels]
    else:
        classes = model.task.classes
        predictions = [
            {"prediction": label, "probabilities": dict(zip(classes, line, strict=True))}
            for label, line in zip(labels, shown.tolist(), strict=True)
        ]
    record: dict[str, Any] = {"predictions": predictions, "model": model.name, "version": model.version}
    if rows.warnings:
        record["warnings"] = rows.warnings
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode()


def _to_csv(model: ServedModel, labels: list[Any], shown: Array | None) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    classes = model.task.classes if shown is not None else ()
    writer.writerow(["prediction", *(f"proba_{label}" for label in classes)])
    lines = shown.tolist() if shown is not None else [[]] * len(labels)
    writer.writerows([label, *line] for label, line in zip(labels, lines, strict=True))
    return out.getvalue().encode()


def _to_arrow(model: ServedModel, labels: list[Any], shown: Array | None) -> bytes:
    import pyarrow as pa

    columns = {"prediction": pa.array(labels)}
    for place, label in enumerate(model.task.classes if shown is not None else ()):
        columns[f"proba_{label}"] = pa.array(shown[:, place])  # type: ignore[index]
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body
