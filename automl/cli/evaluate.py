"""automl evaluate: score a model on a labelled table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.cli import options as opt

if TYPE_CHECKING:
    import pandas as pd

    from automl.matrix import Array, FloatArray
    from automl.predictor import Predictor


def evaluate_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
    sensitive: opt.SensitiveOption = None,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Score a model on a labelled table: every metric of its task with a 95% interval."""

    from automl.cli.output import open_output, print_json, print_notices
    from automl.data.load import read_table
    from automl.ensemble.artifact import load_predictor
    from automl.errors import DataError
    from automl.evaluate.quality import score_all
    from automl.pictures import collect_faults, list_faults
    from automl.recipe import DataOptions
    from automl.schema import Notice

    raw = read_table(Path(data), options=DataOptions(encoding=encoding), part="test")
    predictor = load_predictor(model)
    y = predictor.encode_target(predictor.find_target(raw.frame))
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    if not known.any():
        raise DataError(
            f"No row of {data} has a known value in {predictor.task.target!r}",
            hint="Give a table with the target filled in",
        )
    frame = raw.frame[known]
    if not quiet:
        print_notices(raw.notices)
    with collect_faults() as faults:
        outputs = predictor.predict_outputs(frame)
    if faults:  # scored as they are served: with nothing to see
        text = f"{len(faults)} picture(s) cannot be read and count as missing: {list_faults(faults)}"
        print_notices([Notice(topic="pictures", text=text)])
    metrics = score_all(predictor.task, y[known], outputs, threshold=predictor.threshold)
    skipped = int((~known).sum())
    compared = [_compare_groups(predictor, y[known], outputs, frame, name) for name in sensitive or ()]
    if as_json:
        fairness = {"fairness": compared} if sensitive else {}
        print_json({"rows": int(known.sum()), "skipped_rows": skipped, "metrics": metrics, **fairness})
        return
    from automl.report.blocks import Paragraph, Table
    from automl.report.console import print_blocks

    order = sorted(metrics, key=lambda name: (name != predictor.task.metric, name))
    rows = tuple((name, metrics[name]["value"], metrics[name]["low"], metrics[name]["high"]) for name in order)
    left_out = f"; {skipped:,} without a known target left out" if skipped else ""
    heading = Paragraph(text=f"{int(known.sum()):,} rows{left_out}; 95% intervals")
    table = Table(headings=("metric", "value", "low", "high"), rows=rows, formats=("", ".5g", ".5g", ".5g"))
    print_blocks((heading, table), open_output())
    if compared:
        from automl.report.sections.fairness import fairness_blocks

        rows_are = f"Measured on the {int(known.sum()):,} rows of {Path(data).name}."
        print_blocks([block for record in compared for block in fairness_blocks(record, rows_are)], open_output())


def _compare_groups(predictor: Predictor, y: Array, outputs: FloatArray, frame: pd.DataFrame, name: str) -> Any:
    """Figures by group of a column of the table, which the model need not know."""
    from automl.data.sensitive import read_groups
    from automl.errors import DataError, did_you_mean
    from automl.evaluate.fairness import describe_fairness

    labels = {str(label): label for label in frame.columns}
    if name not in labels:
        raise DataError(f"The table has no column {name!r} (--sensitive)", hint=did_you_mean(name, labels))
    groups = read_groups(frame[labels[name]].reset_index(drop=True), name)
    return describe_fairness(predictor.task, y, outputs, groups, threshold=predictor.threshold)
