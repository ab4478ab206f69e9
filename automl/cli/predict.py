"""automl predict: rows in, predictions out, in the same order and number."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    import pandas as pd


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
    from automl.cli.output import print_json, print_notices
    from automl.data.load import read_table
    from automl.ensemble.artifact import load_predictor
    from automl.pictures import collect_faults, list_faults
    from automl.recipe import DataOptions
    from automl.schema import Notice

    writer = find_writer(out)
    raw = read_table(Path(data), options=DataOptions(encoding=encoding))
    predictor = load_predictor(model)
    notices = [*raw.notices, *predictor.check(raw.frame)]
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
    if as_json:
        print_json({"rows": len(frame), "predictions": frame.to_dict(orient="records")})
    else:
        writer(frame, out)


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


def find_writer(out: str) -> Any:
    """The function that writes to `out`, by its ending; chosen before any work is done.

    Raises:
        UsageError: for an ending that is not known, or a folder that is not there.
    """
    from automl.errors import UsageError

    if out == "-":
        return lambda frame, _: frame.to_csv(sys.stdout, index=False)
    path = Path(out)
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    writers = {
        ".csv": lambda frame, file: frame.to_csv(file, index=False),
        ".tsv": lambda frame, file: frame.to_csv(file, index=False, sep="\t"),
        ".jsonl": lambda frame, file: frame.to_json(file, orient="records", lines=True, force_ascii=False),
        ".parquet": lambda frame, file: frame.to_parquet(file, index=False),
        ".feather": lambda frame, file: frame.to_feather(file),
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"No format ends with {path.suffix!r}", hint="Choose one of: " + ", ".join(writers))

    def write_whole(frame: pd.DataFrame, target: str) -> None:
        from automl.files import replacing

        with replacing(Path(target), "wb") as file:
            write(frame, file)

    return write_whole
