"""Tables with more columns than rows, in which some column goes with the target by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset


class WideTable:
    """More feature columns than rows."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        rows, columns = dataset.frame.shape
        if columns <= rows:
            return []
        return [
            Finding(
                kind="wide_table",
                severity="warning",
                text=f"{columns:,} columns for {rows:,} rows: some will go with {dataset.task.target!r} by chance",
                action="Columns are only ever chosen inside the folds; mind the width of the score's interval",
                taken=True,
            )
        ]


plugin = WideTable()
