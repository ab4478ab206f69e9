"""Columns that name rows instead of describing them: left out, for what they teach is true of no new row."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.schema import Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

WORDS = ("identifier", "row number")


class Identifier:
    """Columns that reading has set aside as identifiers."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        return [
            Finding(
                kind="identifier",
                severity="note",
                columns=(column.name,),
                text=f"{column.name!r} was taken for {column.reason}",
                action=f"Left out; to use it, set its role, such as --role {shlex.quote(f'{column.name}=category')}",
                taken=True,
            )
            for column in dataset.schema.of(Role.IGNORE)
            if any(word in column.reason.lower() for word in WORDS)
        ]


plugin = Identifier()
