"""Classes with fewer rows than it takes to learn and to score them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

FEWEST = 8  # rows: one a fold of a small table


class RareClasses:
    """Classes below 8 rows."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        task = dataset.task
        if not task.is_classification:
            return []
        counts = np.bincount(dataset.target, minlength=task.n_classes)
        rare = [label for label in np.argsort(counts, kind="stable") if 0 < counts[label] < FEWEST]
        if not rare:
            return []
        listed = ", ".join(f"{task.classes[label]!r} ({counts[label]})" for label in rare[:8])
        single = int((counts == 1).sum())
        action = "Kept: their rows are spread over the folds"
        if dataset.times is not None:
            action = "Kept: a block of time is scored by models of the rows before it, which may have none of them"
        elif single:
            action += f"; the only row of {single} class(es) trains every model and is never scored"
        return [
            Finding(
                kind="rare_classes",
                severity="warning",
                text=f"{len(rare)} class(es) have fewer than {FEWEST} rows: {listed}" + (" …" if len(rare) > 8 else ""),
                action=action,
                taken=True,
            )
        ]


plugin = RareClasses()
