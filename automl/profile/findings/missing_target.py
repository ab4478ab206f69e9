"""Rows without a target: they can neither teach nor judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

WORDS = ("missing", "no target", "without a target", "lack")


class MissingTarget:
    """Rows that reading has left out, as its notices tell."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        return [
            Finding(
                kind="missing_target",
                severity="note",
                text=notice.text[:1].upper() + notice.text[1:],
                action="These rows are left out",
                taken=True,
            )
            for notice in dataset.notices
            if notice.topic == "target" and any(word in notice.text.lower() for word in WORDS)
        ]


plugin = MissingTarget()
