"""automl predict: rows in, predictions out, in the same order and number."""

from __future__ import annotations

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


def predict_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
    proba: Annotated[bool, typer.Option("--proba", help="Add one column proba_CLASS a class.")] = False,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="CSV, JSON lines, Parquet or Feather; - is stdout.")
    ] = "-",
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Predict every row of a table, or file of a folder; a column `prediction` and, with --proba, one a class."""
    from automl.cli.output import print_json
    from automl.cli.tables import check_output, open_writer, read_tables, use_all_cores
    from automl.ensemble.artifact import load_predictor

    check_output(out)
    tables, is_large = read_tables(Path(data), encoding)
    first = next(tables)
    predictor = load_predictor(model)
    if is_large:
        use_all_cores(predictor)
    predicted = predict_tables(predictor, itertools.chain([first], tables), proba=proba, quiet=quiet)
    if as_json:
        records = [record for frame in predicted for record in frame.to_dict(orient="records")]
        print_json({"rows": len(records), "predictions": records})
        return
    with open_writer(out) as write:
        for frame in predicted:
            write(frame)


def predict_tables(
    predictor: Predictor, tables: Iterable[RawTable], *, proba: bool, quiet: bool
) -> Iterator[pd.DataFrame]:
    """Predictions of each table; what is worth telling is told once."""
    from automl.cli.output import print_notices
    from automl.pictures import collect_faults, list_faults
    from automl.schema import Notice

    told: set[Notice] = set()
    for raw in tables:
        notices = [notice for notice in (*raw.notices, *predictor.check(raw.frame)) if notice not in told]
        told.update(notices)
        if not quiet:
            print_notices(notices)
        with collect_faults() as faults:
            frame = make_predictions(predictor, raw.frame, proba=proba)
        if faults:
            frame = blank_faulty(frame, raw.frame, faults)
            text = f"{len(faults)} picture(s) cannot be read and get no prediction: {list_faults(faults)}"
            print_notices([Notice(topic="pictures", text=text)])
        if raw.names:
            frame.insert(0, "path", list(raw.names))
        yield frame


def make_predictions(predictor: Any, frame: pd.DataFrame, *, proba: bool) -> pd.DataFrame:
    """A frame with `prediction` and, if asked and there are classes, `proba_<class>` columns."""
    import pandas as pd

    outputs = predictor.predict_outputs(frame)
    columns: dict[str, Any] = {"prediction": predictor.decide(outputs)}
    if proba and predictor.task.is_classification:
        for place, label in enumerate(predictor.task.classes):
            columns[f"proba_{label}"] = outputs[:, place]
    return pd.DataFrame(columns)


def blank_faulty(predictions: pd.DataFrame, frame: pd.DataFrame, faults: dict[str, str]) -> pd.DataFrame:
    """The predictions without those of rows that have an unreadable picture."""
    import numpy as np

    hit = np.zeros(len(frame), dtype=bool)
    for column in frame.columns:
        if frame[column].dtype.kind in "OU" or str(frame[column].dtype) == "str":
            hit |= frame[column].isin(list(faults)).to_numpy()
    blank = {name: predictions[name].astype(object).where(~hit, None) for name in predictions.columns}
    return predictions.assign(**blank)
