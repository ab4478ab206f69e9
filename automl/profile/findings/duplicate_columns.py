"""Columns that hold the same values as another one."""

from __future__ import annotations

import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.profile.association import sample_rows, to_float
from automl.schema import Column, Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset


REPEATS = "repeats the column"  # as reading gives its reason


class DuplicateColumns:
    """Equal columns: their weight is counted twice and their importance is shared."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        rows = sample_rows(dataset.n_rows, dataset.frame.shape[1], most=1_000)
        alike: dict[int, list[str]] = defaultdict(list)
        sample = dataset.frame.iloc[rows]
        for column in dataset.schema.features:
            alike[_fingerprint(sample[column.name])].append(column.name)
        findings = [_tell_left_out(column) for column in dataset.schema.of(Role.IGNORE) if REPEATS in column.reason]
        for names in alike.values():
            first = dataset.frame[names[0]]
            copies = tuple(name for name in names[1:] if dataset.frame[name].equals(first))
            if copies:
                listed = ", ".join(repr(name) for name in copies[:8]) + (" …" if len(copies) > 8 else "")
                findings.append(
                    Finding(
                        kind="duplicate_columns",
                        severity="note",
                        columns=(names[0], *copies),
                        text=f"{len(copies)} column(s) hold the same values as {names[0]!r}: {listed}",
                        action=f"Kept; to leave one out, add --drop {shlex.quote(copies[0])}",
                    )
                )
        return findings


def _tell_left_out(column: Column) -> Finding:
    return Finding(
        kind="duplicate_columns",
        severity="note",
        columns=(column.name,),
        text=f"{column.name!r} {column.reason}",
        action="Left out; it can tell a model nothing more",
        taken=True,
    )


def _fingerprint(values: pd.Series) -> int:
    if values.dtype == object:
        return hash(tuple(None if cell is None or cell != cell else cell for cell in values))
    return hash(to_float(values).tobytes())


plugin = DuplicateColumns()
