"""The decisions: everything that was dropped, guessed or changed, and every finding, each with its reason."""

from __future__ import annotations

from automl.report.blocks import Block, Paragraph, Section, Table, Tag, Tone
from automl.report.source import RunSource

LIMIT = 200
_TONES: dict[str, Tone] = {"risk": "bad", "warning": "warn", "note": "neutral"}


class Decisions:
    order = 20
    title = "Decisions"

    def build(self, source: RunSource) -> Section | None:
        blocks: list[Block] = []
        if source.findings:
            blocks.append(_findings(source))
        if source.notices:
            blocks.append(_notices(source))
        if not blocks:
            if not source.run.profile_path.exists():
                return None
            blocks.append(
                Paragraph(text="Nothing was dropped or changed, and nothing suspicious was found.", tone="good")
            )
        return Section(name="decisions", title=self.title, blocks=tuple(blocks))


def _findings(source: RunSource) -> Table:
    rows = []
    for finding in source.findings[:LIMIT]:
        severity = str(finding.get("severity") or "note")
        action = str(finding.get("action") or "")
        rows.append(
            (
                Tag(text=severity, tone=_TONES.get(severity, "neutral")),
                str(finding.get("text") or ""),
                ("Done: " if finding.get("taken") else "Proposed: ") + action if action else "",
            )
        )
    return Table(
        headings=("severity", "what was found", "what to do"),
        rows=tuple(rows),
        caption="Findings in the data",
        note=_left_out(len(source.findings)),
    )


def _notices(source: RunSource) -> Table:
    return Table(
        headings=("topic", "what was done", "why"),
        rows=tuple(
            (str(notice.get("topic") or ""), str(notice.get("text") or ""), str(notice.get("reason") or ""))
            for notice in source.notices[:LIMIT]
        ),
        caption="Guessed, changed or dropped",
        note=_left_out(len(source.notices)),
    )


def _left_out(count: int) -> str:
    return f"{count - LIMIT:,} more are in profile.json and events.jsonl." if count > LIMIT else ""


plugin = Decisions()
