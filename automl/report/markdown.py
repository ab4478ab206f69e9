"""Sections as Markdown: the model card."""

from __future__ import annotations

import re

from automl.report.blocks import (
    Alert,
    Block,
    Cell,
    Code,
    Document,
    Facts,
    Gallery,
    Interval,
    Matrix,
    Paragraph,
    Score,
    Spark,
    Table,
    Tag,
)
from automl.report.console import format_cell, format_interval
from automl.report.text import format_score

CARD_SECTIONS = ("verdict", "data", "decisions", "quality", "usage", "reproduce")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")

LIMITS = """\
## Intended use and limits

The model answers for rows that come from where the training rows came from. It says nothing of causes. Score it again
on new rows with known answers before and while it is in use; a score falls when the world changes. Whether it may be
used for decisions about people is not something this file can tell: look at the figures per class, and at who is
missing from the data.
"""


def render_model_card(document: Document) -> str:
    """The parts of a report that belong beside a model, as Markdown in which data is never markup."""
    parts = [f"# Model card: {escape(document.title)}", escape(document.subtitle)]
    for section in document.sections:
        if section.name in CARD_SECTIONS:
            parts.append(f"## {escape(section.title)}")
            parts += [text for block in section.blocks if (text := render_block(block))]
    return "\n\n".join(parts) + "\n\n" + LIMITS


def escape(text: str) -> str:
    """Text in which no sign is Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", text)


def render_block(block: Block) -> str:
    """One block; charts are left to the HTML report."""
    if isinstance(block, Paragraph):
        return escape(block.text)
    if isinstance(block, Alert):
        return f"> **{escape(block.title)}.** {escape(block.text)}"
    if isinstance(block, Facts):
        return "\n".join(f"- {escape(label)}: {escape(' — '.join(filter(None, rest)))}" for label, *rest in block.items)
    if isinstance(block, Code):
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        title = f"{escape(block.title)}:\n\n" if block.title else ""
        return f"{title}{fence}{block.language}\n{block.text}\n{fence}"
    if isinstance(block, Score):
        return _render_score(block)
    if isinstance(block, Table):
        return _render_table(block)
    if isinstance(block, Gallery):
        return "\n".join(f"- {escape(picture.caption)}" for picture in block.pictures)
    if isinstance(block, Matrix):
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (label, *values) for label, values in zip(block.labels, block.values, strict=True)
        )
        headings = (f"{block.row_label} / {block.column_label}", *block.labels)
        return _render_table(Table(headings=headings, rows=rows, caption=block.title))
    return ""


def _render_score(block: Score) -> str:
    text = f"**{escape(block.label)} {format_score(block.value, block.decimals)}**"
    if block.low is not None and block.high is not None:
        ends = [format_score(end, block.decimals, like=block.value) for end in (block.low, block.high)]
        text += f" (95% interval {ends[0]} to {ends[1]})"
    marks = [f"{escape(name)} {format_score(figure, block.decimals, like=block.value)}" for name, figure in block.marks]
    return text + (f"; beside it: {', '.join(marks)}" if marks else "") + ". " + escape(block.caption)


def _render_table(table: Table) -> str:
    """A table; columns of drawings only are left out."""
    kept = [
        index for index in range(len(table.headings)) if not any(isinstance(row[index], Spark) for row in table.rows)
    ]
    lines = [f"**{escape(table.caption)}**\n"] if table.caption else []
    lines.append("| " + " | ".join(escape(table.headings[index]) for index in kept) + " |")
    lines.append("|" + "---|" * len(kept))
    for row in table.rows:
        cells = [_render_cell(row[index], table.formats[index] if index < len(table.formats) else "") for index in kept]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + (f"\n\n{escape(table.note)}" if table.note else "")


def _render_cell(cell: Cell, spec: str) -> str:
    if isinstance(cell, Interval):
        return escape(format_interval(cell, spec))
    if isinstance(cell, Tag):
        return escape(cell.text)
    return "" if isinstance(cell, Spark) else escape(format_cell(cell, spec))
