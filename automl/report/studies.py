"""What sections read of studies.json: records that may be missing or damaged, and what to say of those not done."""

from __future__ import annotations

import shlex
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
    from automl.evaluate.studies import NO_TIME, is_late

    skipped = record_of(studies, "skipped")
    late: list[str] = []
    failed: list[str] = []
    for name in titles:
        if name in skipped:
            reason = str(skipped[name])
            told = titles[name] if reason == NO_TIME else f"{titles[name]} ({reason})"
            (late if is_late(reason) else failed).append(told)
    texts = [f"Not measured: {join_words(failed)}."] if failed else []
    if late:
        command = f"automl explain {shlex.quote(source.shown_path)} --time 60s"
        texts.append(f"Not measured, as the time did not allow it: {join_words(late)}. {command} does.")
    return [Paragraph(text=text) for text in texts]
