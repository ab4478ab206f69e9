"""Rows without a target: they can neither teach nor judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

# Not what quotes a class, which may be called missing.
TOLD = re.compile(r"(?:left out )?\d+ row\(s\) without a target|.* count as missing")


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
            if notice.topic == "target" and TOLD.match(notice.text)
        ]


plugin = MissingTarget()
