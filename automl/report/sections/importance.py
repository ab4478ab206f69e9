"""The importance: how much worse the score gets when a column's values are shuffled."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Chart, Paragraph, Section, Series
from automl.report.source import RunSource
from automl.report.text import format_count, is_figure, join_words

LIMIT = 25


class Importance:
    order = 50
    title = "What matters most"

    def build(self, source: RunSource) -> Section | None:
        entries = [
            entry
            for entry in source.evaluation.get("importance") or []
            if isinstance(entry, dict) and is_figure(entry.get("importance"))
        ]
        if not entries:
            return None
        entries.sort(key=lambda entry: -float(entry["importance"]))
        blocks: list[Block] = [_chart(entries, source)]
        silent = [str(entry.get("column")) for entry in entries if not _matters(entry)]
        if silent:
            noun = format_count(len(silent), "column")
            text = f"{noun} changed the score by nothing that can be told from chance: {join_words(silent, 12)}."
            blocks.append(Paragraph(text=text))
        return Section(name="importance", title=self.title, blocks=tuple(blocks))


def _matters(entry: dict[str, Any]) -> bool:
    low = entry.get("low")
    return float(low) > 0 if is_figure(low) else float(entry["importance"]) > 0


def _chart(entries: list[dict[str, Any]], source: RunSource) -> Chart:
    shown = entries[:LIMIT]
    ends = [(_end(entry, "low"), _end(entry, "high")) for entry in shown]
    bounded = any(low is not None and high is not None for low, high in ends)
    caption = (
        f"How much worse {source.metric.title} gets when one column's values are shuffled among the rows. "
        "Columns that say the same share their importance."
    )
    columns = source.record.get("columns")
    if is_figure(columns) and len(entries) < columns:
        caption += f" {len(entries):,} of {columns:,} columns were measured within the time."
    if len(entries) > LIMIT:
        caption += f" The first {LIMIT} of {len(entries):,} columns."
    series = Series(
        name="importance",
        x=tuple(str(entry.get("column")) for entry in shown),
        y=tuple(float(entry["importance"]) for entry in shown),
        low=tuple(low for low, _ in ends) if bounded else (),
        high=tuple(high for _, high in ends) if bounded else (),
    )
    return Chart(
        kind="bar",
        title="Permutation importance",
        x_label="column",
        y_label=f"loss of {source.metric.title}",
        series=(series,),
        caption=caption,
    )


def _end(entry: dict[str, Any], name: str) -> Any:
    """An end of the interval; None of a column that time allowed to be shuffled once a fold."""
    return float(entry[name]) if is_figure(entry.get(name)) else None


plugin = Importance()
