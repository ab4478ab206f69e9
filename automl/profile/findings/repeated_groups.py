"""Identifiers that repeat: rows of one customer or patient on both sides of a split are learned by heart."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import IntArray
from automl.profile import Finding
from automl.profile.association import code_levels, measure_columns, sample_rows, to_float
from automl.schema import Column, Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

ENTITIES = (
    "account|client|customer|device|group|household|member|participant|patient|person|player|session|speaker|store|"
    "student|subject|user|visitor"
)
NAMES = re.compile(
    rf"^(?:.*[_\W])?id$|^(?:.*[_\W])?(?:{ENTITIES})(?:[_\W]?(?:id|no|nr|num|number|code|key|name))?$",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
FEWEST_GROUPS = 20
FEWEST_PER_GROUP = 1.5  # rows, on average
SKILL = 0.9  # see `Association.skill`: the target hardly differs within a group
MOST_ROWS = 200_000


class RepeatedGroups:
    """Columns named like an identifier whose values repeat, and categories within which the target hardly differs."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        if dataset.groups is not None:
            return []
        rows = sample_rows(dataset.n_rows, most=MOST_ROWS)
        findings = []
        skills: dict[str, float] | None = None
        for column in dataset.schema.of(Role.CATEGORY, Role.NUMBER, Role.TEXT):
            is_named = bool(NAMES.match(CAMEL.sub("_", column.name)))
            if not is_named and column.role is not Role.CATEGORY:
                continue
            groups = _count_groups(dataset, column, rows)
            if groups < FEWEST_GROUPS or len(rows) / groups < FEWEST_PER_GROUP:
                continue
            if is_named:
                why = "its name is that of an identifier"
            else:
                skills = skills or {found.column: found.skill for found in measure_columns(dataset)}
                if skills.get(column.name, 0.0) < SKILL:
                    continue
                why = f"{dataset.task.target!r} hardly differs within one of them"
            findings.append(_tell(column.name, groups, len(rows) / groups, why))
        return findings


def _tell(name: str, groups: int, rows_each: float, why: str) -> Finding:
    return Finding(
        kind="repeated_groups",
        severity="risk",
        columns=(name,),
        text=f"{name!r} repeats: {groups:,} values with {rows_each:.1f} rows each, and {why}",
        action=f"Rows were shuffled; if new rows come from new ones of them, add --group {shlex.quote(name)}",
    )


def _count_groups(dataset: Dataset, column: Column, rows: IntArray) -> int:
    """Distinct values, or 0 if they cannot name anything (a number with a fraction)."""
    values = dataset.frame[column.name].iloc[rows]
    if column.role is not Role.NUMBER:
        return int(code_levels(values).max()) + 1
    numbers = to_float(values)
    numbers = numbers[~np.isnan(numbers)]
    return len(np.unique(numbers)) if (numbers == np.round(numbers)).all() else 0


plugin = RepeatedGroups()
