"""Columns that tell the target almost perfectly, as a copy, a code or a consequence of it would."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.profile.association import Association, measure_columns
from automl.schema import Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

FEWEST_ROWS = 30
AREA = 0.995  # of one column alone, in a binary task
CLASS_SKILL = 0.98  # see `Association.skill`
VALUE_SKILL = 0.995
SPEARMAN = 0.999


class TargetLeak:
    """One column alone is never that good in honest data, or then the rest is not needed; the user must judge."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        if not dataset.task.target:
            return []
        if dataset.n_rows < FEWEST_ROWS:
            return [_tell_skipped(f"Leaks were not looked for in {dataset.n_rows} rows: {FEWEST_ROWS} are needed")]
        roles = {column.name: column.role for column in dataset.schema.features}
        pictures = tuple(column.name for column in dataset.schema.of(Role.IMAGE))
        named = pictures if len(pictures) < len(roles) else ()  # none are, where it is all of them
        findings = [_tell_skipped("Leaks were not looked for in pictures", named)] if pictures else []
        for association in measure_columns(dataset):
            measured = _judge(association, roles[association.column], dataset.task.is_classification)
            if measured:
                name, target = association.column, dataset.task.target
                text = f"{name!r} alone tells {target!r} almost perfectly ({measured})"
                action = f"Kept; if it is not known when predictions are made, add --drop {shlex.quote(name)}"
                findings.append(Finding(kind="target_leak", severity="risk", columns=(name,), text=text, action=action))
        return findings


def _tell_skipped(text: str, columns: tuple[str, ...] = ()) -> Finding:
    return Finding(kind="target_leak", severity="note", text=text, columns=columns, skipped=("target_leak",))


def _judge(association: Association, role: Role, by_class: bool) -> str:
    """The figure that gives the column away, or ""."""
    area = max(association.auc, 1 - association.auc)
    if area >= AREA:
        return f"ROC AUC {area:.4f}"
    if association.measure == "|Spearman|" and association.strength >= SPEARMAN:
        return f"Spearman {association.strength:.4f}"
    if role is Role.DATE and not by_class:
        return ""  # what changes slowly is told by its date: a matter of the split, not a leak
    if association.skill >= (CLASS_SKILL if by_class else VALUE_SKILL):
        return f"it saves {association.skill:.1%} of a blind guess's error"
    return ""


plugin = TargetLeak()
