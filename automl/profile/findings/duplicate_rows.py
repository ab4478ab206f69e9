"""Rows whose features are equal: split between training and scoring they would be learned by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.profile.duplicates import MOST_TWINS, find_duplicates

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset


class DuplicateRows:
    """Exact duplicates; those that few distinct values make by chance are only mentioned."""

    always = True  # the split goes by it

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        duplicates = find_duplicates(dataset)
        if duplicates is None:
            return []
        share = duplicates.copies / dataset.n_rows
        text = f"{duplicates.copies:,} row(s) ({share:.1%}) repeat the features of another row"
        if duplicates.conflicting:
            text += (
                f"; {duplicates.conflicting:,} of the rows involved contradict each other in {dataset.task.target!r}"
            )
        if duplicates.by_chance:
            action = "Left as they are: columns of so few values repeat by chance, and so will new rows"
            return [Finding(kind="duplicate_rows", severity="note", text=text, action=action)]
        action = "Equal rows are kept in one fold, so that no model is scored on a row it was trained on"
        if duplicates.common:
            action += f"; but for {duplicates.common:,} that have over {MOST_TWINS} twins: new rows will be so too"
        return [
            Finding(
                kind="duplicate_rows",
                severity="warning" if share >= 0.05 else "note",
                text=text,
                action=action,
                taken=True,
                effects={"group_rows": True},
            )
        ]


plugin = DuplicateRows()
