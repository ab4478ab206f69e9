"""Describe a table and find what may spoil a model of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

Severity = Literal["risk", "warning", "note"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about the data that a user should know.

    Attributes:
        kind: name of the plug-in that found it.
        severity: "risk" (the score may lie), "warning" (the model may suffer), "note".
        columns: columns concerned; empty if it is about rows or the target.
        text: one sentence with the figures.
        action: what was done or is proposed, one sentence; a proposal holds the option to type.
        taken: True if the action was taken.
        group_duplicates, ...: see `effects`.
        effects: what `flow` does about it: {"drop": [column, …]}, {"group_rows": true}, {"group": column},
            {"time": column}; empty for a proposal.
        skipped: names of the checks that did not look: at `columns`, or at anything if there are none.
    """

    kind: str
    severity: Severity
    text: str
    action: str = ""
    columns: tuple[str, ...] = ()
    taken: bool = False
    effects: dict[str, Any] = dataclasses.field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "columns": list(self.columns), "skipped": list(self.skipped)}

    @staticmethod
    def from_json(record: dict[str, Any]) -> Finding:
        lists = {"columns": tuple(record["columns"]), "skipped": tuple(record.get("skipped", ()))}
        return Finding(**{**record, **lists})


class FindingPlugin(Protocol):
    """One file of `automl.profile.findings`: looks for one kind of trouble.

    A plug-in with `always = True` is asked even where there is no time: what it finds has effects. One that cannot look
    says so in a note whose `skipped` names it, where a reader would take its silence for a good sign.
    """

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        """Findings in `dataset`; `new` is the typed frame of a second file (`--test`, `check DATA NEW`) or None."""
        ...
