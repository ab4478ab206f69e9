"""A retraining as blocks: what was decided, champion and challenger side by side, and the rule."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Interval, Paragraph, Table, Tone
from automl.report.source import metric_facts
from automl.report.text import format_count, format_figure


def retraining_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """What `automl.retrain.retrain` did, for a reader."""
    if not record["retrained"]:
        return (Paragraph(text=f"Version {record['champion']} stays in use; {record['reason']}.", tone="good"),)
    facts = metric_facts(str(record["metric"]))
    spec = f".{facts.decimals}f"
    tone: Tone = "good" if record["promoted"] else "neutral"
    said = (
        f"Version {record['challenger']} is in use now, in place of version {record['champion']}"
        if record["promoted"]
        else f"Version {record['champion']} stays in use"
    )
    rows = format_count(record["judged_rows"], "row")
    tolerance = format_figure(record["tolerance"], 2)
    row = (
        record["champion_score"],
        record["challenger_score"],
        None
        if record["difference"] is None  # a score that these rows do not define
        else Interval(value=record["difference"], low=record["low"], high=record["high"]),
        record["constant_score"],
        format_figure(record["p_value"], 2),
    )
    return (
        Paragraph(text=f"{said}: the challenger is {record['verdict']}.", tone=tone),
        Table(
            headings=("champion", "challenger", "better by", "constant", "chance"),
            rows=(row,),
            formats=(spec, spec, spec, spec, ""),
            numeric=(True,) * 5,
            caption=f"{facts.title} on {rows} that neither has learned from",
            note=f"Rule: {record['rule']}. That is {tolerance} here. The challenger learned from "
            f"{format_count(record['training_rows'], 'row')}.",
        ),
    )
