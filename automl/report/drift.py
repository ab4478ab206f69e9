"""What a look at new rows found, as blocks: the verdict, the columns in the order of their weight, and charts."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import (
    Alert,
    Block,
    Cell,
    Chart,
    Document,
    Gallery,
    Interval,
    Paragraph,
    Section,
    Series,
    Table,
    Tag,
    Tone,
)
from automl.report.source import metric_facts
from automl.report.text import clean, format_count, format_figure, is_figure

MOST_CHARTS = 12
TONES: dict[str, Tone] = {"drifted": "warn", "broken": "bad", "stable": "good"}
# A column counts for half of a test's weight by itself and for half by importance; see `automl.monitor.drift`.


def drift_document(record: dict[str, Any]) -> Document:
    """A whole page of what `automl.monitor.watch` found."""
    sections = [
        Section(name="verdict", title="Verdict", blocks=verdict_blocks(record)),
        Section(name="columns", title="Columns", blocks=(*column_blocks(record), *chart_blocks(record))),
        Section(name="predictions", title="Predictions and score", blocks=whole_blocks(record)),
    ]
    title = f"{record['target']}: drift of {record['data']}" if record.get("target") else f"drift of {record['data']}"
    said = "over the gate" if record["over_gate"] else "under the gate"
    return clean(
        Document(
            title=title,
            subtitle=f"{record['rows']:,} new rows beside {record['training_rows']:,} of training · {said}",
            sections=tuple(section for section in sections if section.blocks),
            meta={"kind": "drift", **{key: record[key] for key in ("drift", "gate", "over_gate", "rows")}},
        )
    )


def drift_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """The same for a terminal, without charts."""
    blocks = (*verdict_blocks(record), *column_blocks(record), *whole_blocks(record))
    return tuple(clean(Section(name="drift", title="", blocks=blocks)).blocks)


def verdict_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """One sentence, what it rests on, and each reason."""
    head, tone = _headline(record)
    figures = f"Drift {record['drift']:.2f} (the most important column alone is 1), gate {record['gate']:g}."
    if _moved_beside_columns(record):
        figures += " The gate is for columns: predictions and score always count."
    blocks: list[Block] = [Paragraph(text=f"{head} {figures}", tone=tone)]
    blocks += [Alert(tone="warn", title="drift", text=reason) for reason in record["reasons"]]
    blocks += [Alert(tone="neutral", title="note", text=notice) for notice in record["notices"]]
    return tuple(blocks)


def _headline(record: dict[str, Any]) -> tuple[str, Tone]:
    """What has moved, and whether it is over the gate."""
    has_moved = any(entry["status"] != "stable" for entry in record["columns"])
    rows = format_count(record["rows"], "new row")
    if not record["over_gate"]:
        if has_moved:
            return f"Something has moved, but by less than the gate: {rows}.", "warn"
        return f"No drift in {rows}.", "good"
    if has_moved and record["drift"] >= record["gate"]:
        return f"The data has moved: {rows} differ from what the model learned from.", "bad"
    beside = "the columns have moved by less than the gate" if has_moved else "no column is seen to have moved"
    said = " and ".join(_moved_beside_columns(record))
    return f"{said[:1].upper()}{said[1:]} in {rows}, though {beside}.", "bad"


def _moved_beside_columns(record: dict[str, Any]) -> list[str]:
    said = {"predictions": "the predictions have moved", "score": "the score has decayed"}
    return [text for part, text in said.items() if (record[part] or {}).get("drifted")]


def column_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """A table of all columns, those that moved first."""
    rows: list[tuple[Cell, ...]] = []
    for entry in record["columns"]:
        test = _telling(entry)
        text = entry["text"] or (test["text"] if test else "nothing to compare")
        rows.append(
            (
                entry["column"],
                Tag(text=entry["status"], tone=TONES[entry["status"]]),
                entry["importance"],
                None if test is None else test["q_value"],
                text,
                entry["role"],
            )
        )
    weighed = "" if record["importance_known"] else " The importance was not measured, so that all columns count alike."
    return (
        Table(
            headings=("column", "status", "importance", "chance", "what", "role"),
            rows=tuple(rows),
            formats=("", "", ".2f", ".2g", "", ""),
            numeric=(False, False, True, True, False, False),
            note="Importance: the most important column is 1. Chance: p values of all tests together, adjusted so that "
            f"undrifted data is called drifted at most {record['false_alarm_rate']:.0%} of the time; a column is "
            f"called drifted if the difference is large as well.{weighed}",
        ),
    )


def _telling(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The test that a column's line shows: one that found a drift, or the least likely."""
    tests = entry["tests"]
    return min(tests, key=lambda test: (not test["drifted"], test["q_value"]), default=None)


def chart_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """Training beside now, for the columns that moved, or else the most important ones."""
    chosen = [entry for entry in record["columns"] if entry["status"] == "drifted"] or record["columns"][:4]
    charts = []
    for entry in chosen[:MOST_CHARTS]:
        test = next((test for test in entry["tests"] if test["bars"]), None)
        if test is not None:
            charts.append(_chart(entry["column"], test["bars"]))
    return (Gallery(title="Training and now", charts=tuple(charts)),) if charts else ()


def _chart(title: str, bars: Any) -> Chart:
    names = tuple(str(bar[0]) for bar in bars)
    return Chart(
        kind="bar",
        title=title,
        x_label="share of rows",
        y_label="",
        series=(
            Series(name="training", x=names, y=tuple(float(bar[1]) for bar in bars)),
            Series(name="now", x=names, y=tuple(float(bar[2]) for bar in bars)),
        ),
    )


def whole_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """What became of the predictions and, where labels are known, of the score."""
    blocks: list[Block] = []
    said = record["predictions"]
    if said is not None:
        tone: Tone = "warn" if said["drifted"] else "good"
        blocks.append(Paragraph(text=f"Predictions: {said['text']}; chance {said['q_value']:.2g}.", tone=tone))
    score = record["score"]
    if score is not None and is_figure(score["decay"]):
        decimals = metric_facts(str(score["metric"])).decimals
        spec = f".{decimals}f"
        row = (
            str(score["metric"]),
            Tag(text="decayed" if score["drifted"] else "holds", tone="bad" if score["drifted"] else "good"),
            Interval(value=score["now"], low=score["now_low"], high=score["now_high"]),
            Interval(value=score["decay"], low=score["low"], high=score["high"]),
            score["before"],
            format_figure(score["p_value"], 2),
        )
        blocks.append(
            Table(
                headings=("metric", "verdict", "now", "worse by", "promised", "chance"),
                rows=(row,),
                formats=("", "", spec, spec, spec, ""),
                numeric=(False, False, True, True, True, True),
                caption="The score",
                note=f"On {score['rows']:,} labelled rows, beside the corrected score of training; 95% intervals.",
            )
        )
    return tuple(blocks)
