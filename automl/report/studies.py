"""What sections read of studies.json: records that may be missing or damaged, and what to say of those not done."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Paragraph
from automl.report.source import RunSource
from automl.report.text import is_figure, join_words


def record_of(studies: dict[str, Any], name: str) -> dict[str, Any]:
    """A study's record; empty if it is missing or is none."""
    record = studies.get(name)
    return record if isinstance(record, dict) else {}


def entries_of(record: dict[str, Any], name: str, *needed: str) -> list[dict[str, Any]]:
    """The records of a list that have all of the figures `needed`."""
    found = record.get(name)
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    return [entry for entry in entries if all(is_figure(entry.get(key)) for key in needed)]


def skipped_blocks(studies: dict[str, Any], titles: dict[str, str], source: RunSource) -> list[Block]:
    """What is missing and what to type for it."""
    skipped = record_of(studies, "skipped")
    missing = [titles[name] for name in titles if name in skipped]
    if not missing:
        return []
    text = (
        f"Not measured, as the time did not allow it: {join_words(missing)}. automl explain {source.shown_path} does."
    )
    return [Paragraph(text=text)]
