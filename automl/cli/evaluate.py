"""automl evaluate: score a model on a labelled table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.cli import options as opt


def evaluate_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
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
    from automl.recipe import DataOptions

    raw = read_table(Path(data), options=DataOptions(encoding=encoding))
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
    outputs = predictor.predict_outputs(frame)
    metrics = score_all(predictor.task, y[known], outputs, threshold=predictor.threshold)
    skipped = int((~known).sum())
    if as_json:
        print_json({"rows": int(known.sum()), "skipped_rows": skipped, "metrics": metrics})
        return
    from automl.report.blocks import Paragraph, Table
    from automl.report.console import print_blocks

    order = sorted(metrics, key=lambda name: (name != predictor.task.metric, name))
    rows = tuple((name, metrics[name]["value"], metrics[name]["low"], metrics[name]["high"]) for name in order)
    left_out = f"; {skipped:,} without a known target left out" if skipped else ""
    heading = Paragraph(text=f"{int(known.sum()):,} rows{left_out}; 95% intervals")
    table = Table(headings=("metric", "value", "low", "high"), rows=rows, formats=("", ".5g", ".5g", ".5g"))
    print_blocks((heading, table), open_output())
