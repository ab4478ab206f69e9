"""automl evaluate: score a model on a labelled table."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.cli import options as opt

if TYPE_CHECKING:
    import pandas as pd

    from automl.data.table import RawTable
    from automl.matrix import Array, FloatArray
    from automl.predictor import Predictor
    from automl.schema import Notice


def evaluate_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
    sensitive: opt.SensitiveOption = None,
    weight: opt.WeightOption = None,
    group: opt.AlikeOption = None,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Score a model on a labelled table: every metric of its task with a 95% interval."""

    from automl.cli.output import open_output, print_json
    from automl.cli.tables import in_order, read_tables
    from automl.data.load import read_row_groups, read_weight
    from automl.ensemble.artifact import load_predictor
    from automl.errors import DataError
    from automl.evaluate.quality import score_all

    predictor = load_predictor(model)
    tables, is_large = read_tables(Path(data), encoding, predictor.schema, part="test")
    first = next(tables)
    named = [name for name in (*(sensitive or ()), weight, group) if name is not None]
    answer = functools.partial(answer_piece, predictor, aside=named)
    tables = itertools.chain([first], tables)
    pieces = in_order(answer, tables, predictor=predictor) if is_large else map(answer, tables)
    answers = join_pieces(pieces, quiet=quiet)
    if not len(answers.target):
        raise DataError(
            f"No row of {data} has a known value in {predictor.task.target!r}",
            hint="Give a table with the target filled in",
        )
    count, skipped = len(answers.target), answers.skipped
    metrics = clip_intervals(
        score_all(
            predictor.task,
            answers.target,
            answers.outputs,
            read_weight(answers.aside, weight),
            threshold=predictor.threshold,
            units=read_row_groups(answers.aside, group),
        )
    )
    compared = [_compare_groups(predictor, answers, name) for name in sensitive or ()]
    if as_json:
        fairness = {"fairness": compared} if sensitive else {}
        print_json({"rows": count, "skipped_rows": skipped, "metrics": metrics, **fairness})
        return
    from automl.report.blocks import Paragraph, Table
    from automl.report.console import print_blocks

    order = sorted(metrics, key=lambda name: (name != predictor.task.metric, name))
    rows = tuple((name, metrics[name]["value"], metrics[name]["low"], metrics[name]["high"]) for name in order)
    left_out = f"; {skipped:,} without a known target left out" if skipped else ""
    weighted = f", weighted by {weight}" if weight else ""
    heading = Paragraph(text=f"{count:,} rows{left_out}{weighted}; 95% intervals")
    table = Table(headings=("metric", "value", "low", "high"), rows=rows, formats=("", ".5g", ".5g", ".5g"))
    print_blocks((heading, table), open_output())
    if compared:
        from automl.report.sections.fairness import fairness_blocks

        once = ", each counted once whatever its weight" if weight else ""
        rows_are = f"Measured on the {count:,} rows of {Path(data).name}{once}."
        print_blocks([block for record in compared for block in fairness_blocks(record, rows_are)], open_output())


def clip_intervals(metrics: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    """Intervals that end where the metric does: they are made symmetrical, and an accuracy cannot be 1.0008."""
    from automl.report.source import metric_facts

    clipped = {}
    for name, entry in metrics.items():
        clip = metric_facts(name).clip
        ends = {end: None if (bound := entry[end]) is None else clip(bound) for end in ("low", "high")}
        clipped[name] = {**entry, **ends}
    return clipped


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """A model on a labelled table: target (n,) and outputs (n, k) of the rows whose target is known.

    Attributes:
        aside: the columns whose groups are compared, of the same rows.
        skipped: rows that were left out.
        notices: what is to be told of the table.
        faults: pictures that cannot be read, with the reason.
    """

    target: Array
    outputs: FloatArray
    aside: pd.DataFrame
    skipped: int
    notices: tuple[Notice, ...] = ()
    faults: dict[str, str] = dataclasses.field(default_factory=dict)


def answer_piece(predictor: Predictor, raw: RawTable, *, aside: list[str]) -> Answers:
    """Predict a table; what is kept of a row is its target, its outputs and what is set aside.

    Raises:
        DataError: if the target or a column that is set aside is not there.
    """
    from automl.pictures import collect_faults
    from automl.strangers import describe_strangers

    _check_columns(raw.frame, aside)
    y = predictor.encode_target(predictor.find_target(raw.frame))
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    frame = raw.frame[known]
    with collect_faults() as faults:
        outputs = predictor.predict_outputs(frame)
    columns = frame[[label for label in frame.columns if str(label) in aside]]
    notices = (*raw.notices, *describe_strangers(raw.frame, predictor.schema.features))
    return Answers(y[known], outputs, columns, int((~known).sum()), notices, dict(faults))


def join_pieces(pieces: Iterable[Answers], *, quiet: bool) -> Answers:
    """The pieces of a table as one; what is worth telling is told."""
    import pandas as pd

    from automl.cli.output import print_notices
    from automl.pictures import list_faults
    from automl.schema import Notice

    found = list(pieces)
    faults = {name: reason for piece in found for name, reason in piece.faults.items()}
    if not quiet:
        print_notices(list(dict.fromkeys(notice for piece in found for notice in piece.notices)))
    if faults:  # scored as they are served: with nothing to see
        text = f"{len(faults)} picture(s) cannot be read and count as missing: {list_faults(faults)}"
        print_notices([Notice(topic="pictures", text=text)])
    return Answers(
        np.concatenate([piece.target for piece in found]),
        np.concatenate([piece.outputs for piece in found]),
        pd.concat([piece.aside for piece in found], ignore_index=True),
        sum(piece.skipped for piece in found),
    )


def _compare_groups(predictor: Predictor, answers: Answers, name: str) -> Any:
    """Figures by group of a column of the table, which the model need not know."""
    from automl.data.sensitive import read_groups
    from automl.evaluate.fairness import describe_fairness

    (label,) = (label for label in answers.aside.columns if str(label) == name)
    groups = read_groups(answers.aside[label], name)
    return describe_fairness(predictor.task, answers.target, answers.outputs, groups, threshold=predictor.threshold)


def _check_columns(frame: pd.DataFrame, names: list[str]) -> None:
    from automl.errors import DataError, did_you_mean

    have = [str(label) for label in frame.columns]
    for name in names:
        if name not in have:
            raise DataError(f"The table has no column {name!r}", hint=did_you_mean(name, have))
