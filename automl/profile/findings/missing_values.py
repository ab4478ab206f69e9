"""Columns that are mostly missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

SHARE = 0.5


class MissingValues:
    """Columns of which more than half is missing; told in one line."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        shares = dataset.frame.isna().mean()
        mostly = shares[shares > SHARE].sort_values(ascending=False, kind="stable")
        if mostly.empty:
            return []
        listed = ", ".join(f"{name!r} ({share:.0%})" for name, share in mostly.head(8).items())
        return [
            Finding(
                kind="missing_values",
                severity="note",
                columns=tuple(str(name) for name in mostly.index),
                text=f"{len(mostly)} column(s) are mostly missing: {listed}" + (" …" if len(mostly) > 8 else ""),
                action="Kept: that a value is missing may itself tell something",
            )
        ]


plugin = MissingValues()
