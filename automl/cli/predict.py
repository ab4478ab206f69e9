"""automl predict: rows in, predictions out, in the same order and number."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    import pandas as pd

    from automl.data.table import RawTable
    from automl.predictor import Predictor
    from automl.schema import Notice


def predict_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
    proba: Annotated[bool, typer.Option("--proba", help="Add one column proba_CLASS a class.")] = False,
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval",
            metavar="SHARE",
            help="Of numbers: add low and high, between which this share of the values lies, as 0.9.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="CSV, JSON lines, Parquet or Feather; - is stdout.")
    ] = "-",
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Predict every row of a table, or file of a folder: `prediction`, and how sure with --proba or --interval."""
    from automl.cli.output import print_json
    from automl.cli.tables import check_output, in_order, open_writer, read_tables
    from automl.data.sheets import find_sheet
    from automl.ensemble.artifact import load_predictor

    check_output(out)
    predictor = load_predictor(model)
    check_interval(predictor, interval)
    tables, is_large = read_tables(Path(data), encoding, predictor.schema, sheet=find_sheet(model, Path(data)))
    first = next(tables)
    answer = functools.partial(answer_table, predictor, proba=proba, interval=interval)
    tables = itertools.chain([first], tables)
    answers = in_order(answer, tables, predictor=predictor) if is_large else map(answer, tables)
    predicted = tell_notices(answers, quiet=quiet)
    if as_json and out == "-":
        records = [record for frame in predicted for record in frame.to_dict(orient="records")]
        print_json({"rows": len(records), "predictions": records})
        return
    rows = 0
    with open_writer(out) as write:
        for frame in predicted:
            write(frame)
            rows += len(frame)
    if as_json:
        print_json({"rows": rows, "out": out})


def check_interval(predictor: Predictor, interval: float | None) -> None:
    """Refuse intervals that the model cannot give, before a table is read.

    Raises:
        UsageError: see `Predictor.predict_interval`.
    """
    import numpy as np

    if interval is not None:
        predictor.find_intervals().around(np.zeros(0), interval)


def answer_table(
    predictor: Predictor, raw: RawTable, *, proba: bool, interval: float | None = None
) -> tuple[list[Notice], pd.DataFrame, str]:
    """What is to be told of a table, its predictions, and what is wrong with its pictures."""
    from automl.pictures import collect_faults, list_faults

    notices = [*raw.notices, *predictor.check(raw.frame)]
    with collect_faults() as faults:
        frame = make_predictions(predictor, raw.frame, proba=proba, interval=interval)
    trouble = ""
    if faults:
        frame = blank_faulty(frame, raw.frame, faults)
        trouble = f"{len(faults)} picture(s) cannot be read and get no prediction: {list_faults(faults)}"
    if raw.names:
        frame.insert(0, "path", list(raw.names))
    return notices, frame, trouble


def tell_notices(answers: Iterable[tuple[list[Notice], pd.DataFrame, str]], *, quiet: bool) -> Iterator[pd.DataFrame]:
    """The predictions; what is worth telling is told on the way, once."""
    from automl.cli.output import print_notices
    from automl.schema import Notice

    told: set[Notice] = set()
    for notices, frame, trouble in answers:
        new = [notice for notice in notices if notice not in told]
        told.update(new)
        if not quiet:
            print_notices(new)
        if trouble:
            print_notices([Notice(topic="pictures", text=trouble)])
        yield frame


def make_predictions(
    predictor: Any, frame: pd.DataFrame, *, proba: bool, interval: float | None = None
) -> pd.DataFrame:
    """A frame with `prediction` and, if asked, `low` and `high`, or, where there are classes, `proba_<class>`."""
    import pandas as pd

    outputs = predictor.predict_outputs(frame)
    columns: dict[str, Any] = {"prediction": predictor.decide(outputs)}
    if proba and predictor.task.is_classification:
        for place, label in enumerate(predictor.task.classes):
            columns[f"proba_{label}"] = outputs[:, place]
    if interval is not None:
        columns["low"], columns["high"] = predictor.find_intervals().around(outputs[:, 0], interval)
    return pd.DataFrame(columns)


def blank_faulty(predictions: pd.DataFrame, frame: pd.DataFrame, faults: dict[str, str]) -> pd.DataFrame:
    """The predictions without those of rows that have an unreadable picture."""
    from automl.pictures import find_faulty

    hit = find_faulty(frame, faults)
    blank = {name: predictions[name].astype(object).where(~hit, None) for name in predictions.columns}
    return predictions.assign(**blank)
