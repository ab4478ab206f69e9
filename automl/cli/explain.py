"""automl explain: what a run's model goes by, for all rows or for one."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from automl.cli import options as opt

# What a report says of why, in its order.
SECTIONS = ("importance", "explanation", "robustness", "fairness")

if TYPE_CHECKING:
    import pandas as pd

    from automl.evaluate.rows import RowExplanation
    from automl.preprocess.table import Table
    from automl.report.blocks import Block
    from automl.run import Run
    from automl.search.data import SearchData


def explain_command(
    run: opt.RunArgument,
    row: Annotated[
        int | None, typer.Option("--row", metavar="N", help="Explain this row of the data; the first one is 0.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Take the row from this file.", show_default=False)
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="LABEL", help="Explain the probability of this class.")
    ] = None,
    time: Annotated[str, typer.Option("--time", metavar="10s", help="Time for the computation.")] = "10s",
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Why the model predicts what it predicts: for one row with --row N, else what it goes by on the whole."""
    from automl.errors import UsageError
    from automl.run import Run

    seconds = opt.parse_duration(time)
    opened = Run.open(run)
    if row is None:
        if data is not None or label is not None:
            raise UsageError(
                "--data and --class explain one row", hint=f"automl explain {shlex.quote(str(run))} --row 0"
            )
        _explain_run(opened, seconds, as_json)
        return
    if encoding is not None and data is None:
        raise UsageError("--encoding is that of --data, which is not given", hint="Leave it out, or name --data FILE")
    _explain_one(opened, row, data, label, seconds, encoding, as_json)


def _explain_one(
    run: Run, number: int, path: Path | None, label: str | None, seconds: float, encoding: str | None, as_json: bool
) -> None:
    from automl.cli.output import open_output, print_json
    from automl.ensemble.artifact import load_predictor
    from automl.ensemble.bag import BagModel
    from automl.evaluate.rows import check_class, draw_background, explain_row
    from automl.search.data import SearchData

    _require_model(run)
    stored = SearchData(run.data)
    if label is not None:
        check_class(stored.task, label)
    row = _find_row(run, stored, number) if path is None else _read_row(run, path, number, encoding)
    predictor = load_predictor(run.path)  # takes seconds: what can be refused was refused before
    model = predictor.model
    assert isinstance(model, BagModel)
    table, known = row if isinstance(row, tuple) else (model.encoder.encode(predictor.schema.parse(row)), {})
    rng = np.random.default_rng([int(run.record["seed"]), 43])
    background = draw_background(stored.table, np.arange(len(stored.table)), rng)
    found = explain_row(predictor, model.predict_table, table, background, label=label, seconds=seconds)
    outputs = known.pop("out_of_fold", None)
    if outputs is not None:
        place = predictor.task.classes.index(found.label) if found.label else 0
        known["out_of_fold_output"] = outputs[place]
    if as_json:
        print_json(
            {"run": str(run.path), "row": number, "file": str(path) if path else None, **known, **found.to_json()}
        )
        return
    from automl.report.console import print_blocks

    print_blocks(_row_blocks(found, number, predictor.task.target, known), open_output())


def _require_model(run: Run, *, evaluated: bool = False) -> None:
    from automl.errors import UsageError

    if not run.model.exists() or (evaluated and not run.evaluation_path.exists()):
        raise UsageError(f"{run.path} has no model to explain yet", hint=f"automl status {shlex.quote(str(run.path))}")


def _find_row(run: Run, data: SearchData, number: int) -> tuple[Table, dict[str, Any]]:
    """A row of the training file with what is known of it: its truth and what models that had not seen it said."""
    from automl.errors import UsageError
    from automl.evaluate.evidence import read_evidence, read_row_ids

    ids = read_row_ids(run, len(data.target))
    places = np.flatnonzero(ids == number)
    if not len(places):
        rows = f"{len(ids):,} rows" if len(ids) and ids[-1] == len(ids) - 1 else f"rows 0 to {int(ids.max()):,}"
        raise UsageError(
            f"There is no row {number} among the {rows} this run learned from",
            hint=f"The first row is 0, the last {int(ids.max())}; a row without a target was left out",
        )
    place = int(places[0])
    known: dict[str, Any] = {"truth": _label(data, data.target[place])}
    with contextlib.suppress(OSError, UsageError):  # the search's arrays may have been cleared away
        evidence = read_evidence(str(run.path))
        scored = np.flatnonzero(evidence.rows == place)
        if len(scored):
            known["out_of_fold"] = [float(value) for value in evidence.blend[scored[0]]]
    return data.table.take(np.array([place])), known


def _label(data: SearchData, value: Any) -> Any:
    task = data.task
    return task.convert_label(task.classes[int(value)]) if task.is_classification else float(value)


def _read_row(run: Run, path: Path, number: int, encoding: str | None) -> pd.DataFrame:
    from automl.data.load import read_table
    from automl.data.sheets import find_sheet
    from automl.errors import UsageError
    from automl.files import read_json
    from automl.recipe import DataOptions
    from automl.schema import Schema

    schema = Schema.from_json(read_json(run.data / "schema.json"))
    record = {"encoding": encoding, "sheet": find_sheet(run.path, path), "roles": schema.roles}
    options = DataOptions.model_validate(record)
    frame = read_table(path, options=options).frame
    if not 0 <= number < len(frame):
        raise UsageError(f"{path} has no row {number}", hint=f"The first row is 0, the last {len(frame) - 1}")
    return frame.iloc[[number]]


def _row_blocks(found: RowExplanation, number: int, target: str, known: dict[str, Any]) -> tuple[Block, ...]:
    from automl.report.row import row_blocks

    return row_blocks(found.to_json(), number=number, target=target, known=known)


def _explain_run(run: Run, seconds: float, as_json: bool) -> None:
    """What the studies found; those that are missing are done now, for at most `seconds`."""
    from automl.cli.output import open_output, print_json, print_notices
    from automl.errors import EngineError
    from automl.evaluate.studies import missing_studies, read_studies, run_studies
    from automl.schema import Notice

    _require_model(run, evaluated=True)
    if missing_studies(run):
        try:
            with run.locked():
                run_studies(run, seconds=seconds, seed=int(run.record["seed"]))
        except EngineError as error:  # a folder that may only be read
            if not read_studies(run):
                raise
            print_notices([Notice(topic="explain", text="not everything is measured", reason=error.message)])
    if as_json:
        print_json({"run": str(run.path), "importance": _importance(run), **read_studies(run)})
        return
    from automl.report.console import print_section
    from automl.report.document import build_section
    from automl.report.source import RunSource

    source, console = RunSource(run), open_output()
    for name in SECTIONS:
        section = build_section(name, source)
        if section is not None:
            print_section(section, console)


def _importance(run: Run) -> Any:
    from automl.files import read_json

    return read_json(run.evaluation_path).get("importance") or []
