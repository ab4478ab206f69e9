"""Tables of what a harness saw, made by the harness: one JSON line a case as it ends, a Markdown table at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

MAX_CELL = 160


class Outcomes:
    """The cases of one harness in one folder; what is there already is not run again.

    Args:
        folder: made if it is not there.
        name: of the files, `<name>.jsonl` and `<name>.md`.
        columns: of the Markdown table, keys of the records.
    """

    def __init__(self, folder: Path, name: str, columns: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lines_path, self.table_path = folder / f"{name}.jsonl", folder / f"{name}.md"
        self.columns = tuple(columns)
        self.records: list[dict[str, Any]] = []
        if self.lines_path.exists():
            whole = self.lines_path.read_bytes()
            whole = whole[: whole.rfind(b"\n") + 1]
            self.lines_path.write_bytes(whole)  # an ended harness may have left half a line
            self.records = [json.loads(line) for line in whole.splitlines()]

    def has(self, case: str) -> bool:
        return any(record["case"] == case for record in self.records)

    def add(self, case: str, verdict: str, **facts: Any) -> dict[str, Any]:
        """Keep one case: `verdict` is "as promised", or what was wrong."""
        record = {"case": case, "verdict": verdict, **facts}
        self.records.append(record)
        with self.lines_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        return record

    def broken(self) -> list[dict[str, Any]]:
        return [record for record in self.records if record["verdict"] != AS_PROMISED]

    def write_table(self, title: str, remarks: Iterable[str] = ()) -> str:
        """Write and return the Markdown table, the broken promises first."""
        counts = Counter("as promised" if r["verdict"] == AS_PROMISED else "broken" for r in self.records)
        lines = [f"# {title}", "", ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) + "."]
        lines += ["", *remarks] if remarks else []
        keys = ("case", *self.columns, "verdict")
        lines += ["", "| " + " | ".join(keys) + " |", "|" + " --- |" * len(keys)]
        ordered = sorted(self.records, key=lambda record: record["verdict"] == AS_PROMISED)
        lines += ["| " + " | ".join(_cell(record.get(key, "")) for key in keys) + " |" for record in ordered]
        text = "\n".join(lines) + "\n"
        self.table_path.write_text(text, encoding="utf-8")
        return text


AS_PROMISED = "as promised"


def _cell(value: Any) -> str:
    text = f"{value:.2f}" if isinstance(value, float) else " ".join(str(value).split())
    text = "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text).replace("|", "\\|")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
