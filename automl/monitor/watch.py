"""A model and a file of new rows, or the log of a server: from paths to the record of what has moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.data.identity import begins_with
from automl.data.load import read_table
from automl.data.sheets import find_sheet
from automl.ensemble.artifact import find_model_folder, load_predictor
from automl.monitor.drift import GATE, compare
from automl.monitor.reference import read_reference
from automl.monitor.request_log import is_request_log, read_request_log
from automl.recipe import DataOptions
from automl.run import Run, find_version

if TYPE_CHECKING:
    import pandas as pd


def watch(model: Path, data: Path | pd.DataFrame, *, gate: float = GATE, encoding: str | None = None) -> dict[str, Any]:
    """Hold new rows against what the model learned from; see `automl.monitor.drift.compare` for the record.

    Args:
        data: a file of any format of tables, a frame, or a folder of a server's request log.

    Raises:
        UsageError: if the model holds no training reference.
        DataError: if the rows cannot be read or are too few.
    """
    folder = find_model_folder(model)
    reference = read_reference(folder)
    predictor = load_predictor(folder)
    if isinstance(data, Path) and is_request_log(data):
        log = read_request_log(data)
        record = compare(predictor, reference, log.frame, gate=gate, hidden=log.hidden, outputs=log.outputs(predictor))
        source = f"{len(log.files)} file(s) of the log {data.name}"
        record["notices"] += log.notices
    else:
        sheet = find_sheet(model, data) if isinstance(data, Path) else None
        options = DataOptions.model_validate({"encoding": encoding, "sheet": sheet, "roles": predictor.schema.roles})
        raw = read_table(data, options=options, part="test")
        record = compare(predictor, reference, raw.frame, gate=gate)
        record["notices"] += [notice.text for notice in raw.notices]
        source = data.name if isinstance(data, Path) else "a data frame"
        if isinstance(data, Path) and _has_grown(model, data):
            text = f"{data.name} begins with the rows that the model learned from, which tell that all is as it was"
            record["notices"].append(text)
    return {
        "model": str(model),
        "data": source,
        "target": predictor.task.target,
        "task": str(predictor.task.kind),
        "metric": predictor.task.metric,
        **record,
    }


def _has_grown(model: Path, data: Path) -> bool:
    """Whether the file is the one that the model's run read, or that file with more rows."""
    run = Run(find_version(model))
    facts = run.record.get("source") if run.record_path.is_file() else None
    return facts is not None and data.is_file() and begins_with(data, facts)
