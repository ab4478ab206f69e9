"""The texts that the model is most surely wrong about, if they were asked for."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Paragraph, Section, Table
from automl.report.source import RunSource
from automl.report.text import format_figure, format_share, is_figure


class Texts:
    order = 66
    title = "Texts"

    def build(self, source: RunSource) -> Section | None:
        examples = source.evaluation.get("texts")
        if not isinstance(examples, list):
            return None
        rows = [row for entry in examples if isinstance(entry, dict) for row in _list_texts(entry)]
        if not examples:
            return Section(
                name="texts", title=self.title, blocks=(Paragraph(text="No text was predicted wrong.", tone="good"),)
            )
        if not rows:  # all of them are empty
            return None
        several = len({row[-1] for row in rows}) > 1
        headings = ("text", "is", "taken for", "sure", "column")
        width = len(headings) if several else len(headings) - 1
        note = "The beginning of each text. The models that judge them had not seen them."
        shown = tuple(row[:width] for row in rows)
        table = Table(headings=headings[:width], rows=shown, caption="Most surely wrong", note=note)
        return Section(name="texts", title=self.title, blocks=(table,))


def _list_texts(entry: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """A row a text of one example: its beginning, what it is, what it was taken for, how surely, its column."""
    true, said = entry.get("true"), entry.get("predicted")
    sure = format_share(entry["probability"]) if is_figure(entry.get("probability")) else ""
    if not sure and is_figure(true) and is_figure(said):
        true, said = format_figure(true), format_figure(said)
    texts = entry.get("texts")
    return [
        (str(text), str(true), str(said), sure, str(column))
        for column, text in (texts.items() if isinstance(texts, dict) else ())
    ]


plugin = Texts()
