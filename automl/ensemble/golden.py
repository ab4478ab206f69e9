"""Golden rows: a few rows that travel with a model, and what it answered for them when it was saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.candidates._time import limit_threads
from automl.errors import ArtifactError
from automl.predictor import Predictor
from automl.schema import Role, Schema

if TYPE_CHECKING:
    import pandas as pd

GOLDEN_TOLERANCE = 1e-4
# What linear algebra makes of pictures and texts differs in its last bit from one processor to the next, and a tree
# that splits at such a number answers otherwise: so many of the rows may, by so much.
MOVED_SHARE, MOVED_TOLERANCE = 0.25, 0.05


def check_golden(folder: Path, predictor: Predictor, golden: dict[str, Any]) -> None:
    """The model must answer its golden rows as it did when it was saved.

    Raises:
        ArtifactError: if an answer is off by more than 1e-4 (of the largest answer, for values). Where pictures or
            texts are read a quarter of the answers may be off by more, but none by more than .05.
    """
    frame = golden_frame(predictor.schema, golden["rows"])
    expected = np.array(golden["outputs"], dtype=np.float64).reshape(len(frame), predictor.task.n_outputs)
    with limit_threads(1):  # as the workers did it: sums of more threads differ in their last bit
        found = predictor.model.predict(frame)
    scale = 1.0 if predictor.task.is_classification else max(1.0, float(np.abs(expected).max(initial=0)))
    apart = np.abs(found - expected).max(axis=1, initial=0) / scale
    worst, moved = float(apart.max(initial=0)), float(np.mean(apart > GOLDEN_TOLERANCE)) if len(apart) else 0.0
    is_computed = bool(predictor.schema.of(Role.IMAGE, Role.TEXT))
    if not worst <= GOLDEN_TOLERANCE and not (is_computed and moved <= MOVED_SHARE and worst <= MOVED_TOLERANCE):
        raise ArtifactError(
            f"{folder} answers its own test rows differently than when it was saved (by {worst:.1e})",
            hint="automl doctor shows the installed versions; manifest.json those it was made with",
        )


def golden_records(frame: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """Rows of a typed frame as JSON: numbers, texts, ISO times, None for missing."""
    import pandas as pd

    records: list[dict[str, Any]] = []
    for _, row in frame.iterrows():
        record: dict[str, Any] = {}
        for column in schema.features:
            value = row[column.name]
            if value is None or pd.isna(value):
                record[column.name] = None
            elif column.role is Role.NUMBER:
                record[column.name] = float(value)
            elif column.role is Role.DATE:
                record[column.name] = pd.Timestamp(value).isoformat()
            else:
                record[column.name] = str(value)
        records.append(record)
    return records


def golden_frame(schema: Schema, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The typed frame that `golden_records` was made from."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for column in schema.features:
        values = [row[column.name] for row in rows]
        if column.role is Role.NUMBER:
            columns[column.name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        elif column.role is Role.DATE:
            columns[column.name] = np.array(
                ["NaT" if value is None else value for value in values], dtype="datetime64[us]"
            )
        else:
            columns[column.name] = np.array(values, dtype=object)
    return pd.DataFrame(columns, index=range(len(rows)))
