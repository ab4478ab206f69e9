"""automl evaluate: score a model on a labelled table."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    import pandas as pd

    from automl.data.table import RawTable
    from automl.matrix import Array, FloatArray
    from automl.predictor import Predictor
    from automl.report.blocks import Block
    from automl.schema import Notice


def evaluate_command(
    model: opt.ModelArgument,
    data: opt.DataArgument,
    sensitive: opt.SensitiveOption = None,
    weight: opt.WeightOption = None,
    group: opt.AlikeOption = None,
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval",
            metavar="SHARE",
            help="Of numbers: also count how many lie between low and high of predict --interval, as 0.9.",
            show_default=False,
        ),
    ] = None,
    encoding: opt.EncodingOption = None,
    as_json: opt.JsonOption = False,
    quiet: opt.QuietOption = False,
) -> None:
    """Score a model on a labelled table: every metric of its task with a 95% interval."""
    from automl.cli.output import open_output, print_json
    from automl.cli.predict import check_interval
    from automl.data.sheets import find_sheet
    from automl.ensemble.artifact import load_predictor
    from automl.report.console import print_blocks

    predictor = load_predictor(model)
    check_interval(predictor, interval)
    named = [name for name in (*(sensitive or ()), weight, group) if name is not None]
    sheet = find_sheet(model, Path(data))
    answers = answer_table(predictor, Path(data), named, encoding=encoding, sheet=sheet, quiet=quiet)
    record = score_answers(predictor, answers, weight=weight, group=group, interval=interval)
    compared = [_compare_groups(predictor, answers, name, group) for name in sensitive or ()]
    if as_json:
        print_json({**record, **({"fairness": compared} if sensitive else {})})
        return
    print_blocks(_describe(record, predictor.task.metric, weight), open_output())
    if compared:
        from automl.report.sections.fairness import fairness_blocks

        once = ", each counted once whatever its weight" if weight else ""
        rows_are = f"Measured on the {record['rows']:,} rows of {Path(data).name}{once}."
        print_blocks([block for entry in compared for block in fairness_blocks(entry, rows_are)], open_output())


def answer_table(
    predictor: Predictor, data: Path, aside: list[str], *, encoding: str | None, sheet: str | None, quiet: bool
) -> Answers:
    """Predict a labelled table, in pieces if it is large; what is worth telling is told.

    Raises:
        DataError: if it cannot be read, lacks a column that is set aside, or has no row with a known target.
    """
    from automl.cli.output import print_notices
    from automl.cli.tables import in_order, read_tables
    from automl.errors import DataError
    from automl.evaluate.unscored import tell_unknown
    from automl.schema import Notice

    tables, is_large = read_tables(data, encoding, predictor.schema, part="test", sheet=sheet)
    tables = itertools.chain([next(tables)], tables)
    answer = functools.partial(answer_piece, predictor, aside=aside)
    pieces = in_order(answer, tables, predictor=predictor) if is_large else map(answer, tables)
    answers = join_pieces(pieces, quiet=quiet)
    target = predictor.task.target
    if not len(answers.target):
        raise DataError(
            f"No row of {data} has a known value in {target!r}", hint="Give a table with the target filled in"
        )
    if answers.unknown:
        print_notices([Notice(topic=target, text=tell_unknown(str(data), answers.unknown, predictor.task))])
    return answers


def score_answers(
    predictor: Predictor, answers: Answers, *, weight: str | None, group: str | None, interval: float | None
) -> dict[str, Any]:
    """Every metric with its interval, what was left out, and, if asked, how often intervals of values hold.

    Args:
        weight, group: columns that were set aside.
        interval: the share of the values that they are to hold.
    """
    from automl.data.load import read_row_groups, read_weight
    from automl.evaluate.coverage import measure_coverage
    from automl.evaluate.quality import score_all

    y, outputs, threshold = answers.target, answers.outputs, predictor.threshold
    weights, units = read_weight(answers.aside, weight), read_row_groups(answers.aside, group)
    scores = score_all(predictor.task, y, outputs, weights, threshold=threshold, units=units)
    unknown = answers.unknown.total()
    record = {
        "rows": len(y),
        "skipped_rows": answers.skipped,
        "blank_rows": answers.skipped - unknown,
        "unknown_rows": unknown,
        "metrics": clip_intervals(scores),
    }
    if interval is None:
        return record
    known = predictor.find_intervals()
    return {**record, "interval": measure_coverage(known, y, outputs[:, 0], interval, weight=weights, units=units)}


def _describe(record: dict[str, Any], metric: str, weight: str | None) -> list[Block]:
    """The record of `score_answers` as a table, the task's own metric first."""
    from automl.report.blocks import Paragraph, Table

    metrics = record["metrics"]
    order = sorted(metrics, key=lambda name: (name != metric, name))
    rows = tuple((name, metrics[name]["value"], metrics[name]["low"], metrics[name]["high"]) for name in order)
    left_out = f"; {record['skipped_rows']:,} without a known target left out" if record["skipped_rows"] else ""
    weighted = f", weighted by {weight}" if weight else ""
    blocks: list[Block] = [
        Paragraph(text=f"{record['rows']:,} rows{left_out}{weighted}; 95% intervals"),
        Table(headings=("metric", "value", "low", "high"), rows=rows, formats=("", ".5g", ".5g", ".5g")),
    ]
    if held := record.get("interval"):
        text = (
            f"{held['covered']:.1%} of the values lie in their {100 * held['level']:g}% interval "
            f"(95% interval {held['low']:.1%} to {held['high']:.1%}), {held['mean_width']:.5g} wide on average"
        )
        blocks.append(Paragraph(text=text))
    return blocks


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
        unknown: of those left out, the targets that the model does not know, with their numbers.
    """

    target: Array
    outputs: FloatArray
    aside: pd.DataFrame
    skipped: int
    notices: tuple[Notice, ...] = ()
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    unknown: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def answer_piece(predictor: Predictor, raw: RawTable, *, aside: list[str]) -> Answers:
    """Predict a table; what is kept of a row is its target, its outputs and what is set aside.

    Raises:
        DataError: if the target or a column that is set aside is not there.
    """
    from automl.evaluate.unscored import count_unknown
    from automl.pictures import collect_faults
    from automl.strangers import describe_strangers

    _check_columns(raw.frame, aside)
    target = predictor.find_target(raw.frame)
    y = predictor.encode_target(target)
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    frame = raw.frame[known]
    with collect_faults() as faults:
        outputs = predictor.predict_outputs(frame)
    columns = frame[[label for label in frame.columns if str(label) in aside]]
    notices = (*raw.notices, *describe_strangers(raw.frame, predictor.schema.features))
    unknown = count_unknown(target[~known], predictor.task)
    return Answers(y[known], outputs, columns, int((~known).sum()), notices, dict(faults), unknown)


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
        unknown=sum((piece.unknown for piece in found), collections.Counter()),
    )


def _compare_groups(predictor: Predictor, answers: Answers, name: str, group: str | None) -> Any:
    """Figures by group of a column of the table, which the model need not know."""
    from automl.data.load import read_row_groups
    from automl.data.sensitive import read_groups
    from automl.evaluate.fairness import describe_fairness

    (label,) = (label for label in answers.aside.columns if str(label) == name)
    groups = read_groups(answers.aside[label], name)
    return describe_fairness(
        predictor.task,
        answers.target,
        answers.outputs,
        groups,
        threshold=predictor.threshold,
        units=read_row_groups(answers.aside, group),
    )


def _check_columns(frame: pd.DataFrame, names: list[str]) -> None:
    from automl.errors import DataError, did_you_mean

    have = [str(label) for label in frame.columns]
    for name in names:
        if name not in have:
            raise DataError(f"The table has no column {name!r}", hint=did_you_mean(name, have))
