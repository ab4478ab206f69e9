"""What the deployed model costs its user: time for one row, and size."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from automl.ensemble.artifact import find_model_folder, load_predictor
from automl.ensemble.golden import golden_frame
from automl.files import read_json

REPEATS = 7


def measure_cost(payload: dict[str, Any]) -> dict[str, float]:
    """A worker's job: payload run (path). Loads the model as a user would, which also holds it to its golden rows.

    Returns:
        row_ms: median of a few predictions of one row in a warm process, from a frame to labels; size_mb: of the model
        folder; load_seconds.
    """
    folder = find_model_folder(Path(payload["run"]))
    began = time.perf_counter()
    predictor = load_predictor(folder)
    load_seconds = time.perf_counter() - began
    row = golden_frame(predictor.schema, read_json(folder / "golden.json")["rows"][:1])
    spent = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        predictor.predict_outputs(row)
        spent.append(time.perf_counter() - began)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "row_ms": round(statistics.median(spent) * 1000, 3),
        "size_mb": round(size / 1e6, 3),
        "load_seconds": round(load_seconds, 3),
    }
