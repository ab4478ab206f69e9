"""Categories with so many levels that most of them were hardly seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.schema import Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

MOST_LEVELS = 1_000
MOST_SHARE = 0.2  # levels per row, from 50 levels on
FEWEST_LEVELS = 50


class HighCardinality:
    """Categories above 1,000 levels, or with fewer than five rows a level."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        findings = []
        for column in dataset.schema.of(Role.CATEGORY):
            levels = len(column.levels) or int(dataset.frame[column.name].nunique())
            per_row = levels / max(1, dataset.n_rows)
            if levels > MOST_LEVELS or (levels >= FEWEST_LEVELS and per_row > MOST_SHARE):
                findings.append(
                    Finding(
                        kind="high_cardinality",
                        severity="note",
                        columns=(column.name,),
                        text=f"{column.name!r} has {levels:,} levels in {dataset.n_rows:,} rows",
                        action="Encodings are learned inside the folds; the search may pool rare levels",
                        taken=True,
                    )
                )
        return findings


plugin = HighCardinality()
