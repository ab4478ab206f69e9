"""Columns that never change, or hold nothing at all: left out, for nothing can be learned from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.schema import Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

WORDS = ("constant", "one value", "cell is missing", "all missing")


class Constant:
    """Columns that reading has set aside because they hold one value or none."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        found = [
            column for column in dataset.schema.of(Role.IGNORE) if any(word in column.reason.lower() for word in WORDS)
        ]
        if not found:
            return []
        listed = ", ".join(repr(column.name) for column in found[:8]) + (" …" if len(found) > 8 else "")
        return [
            Finding(
                kind="constant",
                severity="note",
                columns=tuple(column.name for column in found),
                text=f"{len(found)} column(s) hold one value or none: {listed}",
                action="Left out",
                taken=True,
            )
        ]


plugin = Constant()
