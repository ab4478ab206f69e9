"""Everything that may spoil a model of a table, found by the plug-ins of `automl.profile.findings`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import IntArray
from automl.profile import Finding, FindingPlugin
from automl.profile.duplicates import find_duplicates
from automl.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

registry: Registry[FindingPlugin] = Registry("automl.profile.findings", noun="finding")

SEVERITIES = ("risk", "warning", "note")


def find_all(dataset: Dataset, new: pd.DataFrame | None = None, *, deadline: float = float("inf")) -> list[Finding]:
    """All findings, the gravest first; a plug-in that fails becomes a note with its reason.

    Args:
        new: typed frame of a second file (`--test`, `automl check DATA NEW`), or None.
        deadline: `time.monotonic()` from which on only what has effects is looked for; a note says what was not.
    """
    findings: list[Finding] = []
    left_out: list[str] = []
    for name in registry.names():
        try:
            plugin = registry.get(name)
            if time.monotonic() > deadline and not getattr(plugin, "always", False):
                left_out.append(name)
                continue
            with np.errstate(over="ignore", invalid="ignore"):  # squares of values near 1e308
                findings += plugin.find(dataset, new)
        except Exception as error:  # one check must not cost the run
            reason = f"{type(error).__name__}: {error}"[:300]
            text = f"The check {name!r} failed: {reason}"
            findings.append(Finding(kind=name, severity="note", text=text, skipped=(name,)))
    if left_out:
        text = f"The time did not allow to look for {', '.join(left_out)}"
        action = "automl check DATA looks for everything"
        findings.append(Finding(kind="time", severity="note", text=text, action=action, skipped=tuple(left_out)))
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def group_rows(dataset: Dataset) -> IntArray | None:
    """Group numbers (n,) int64 that keep rows with equal features together.

    Where the table has groups of its own, both are merged: rows are together if a chain of twins and group mates
    joins them.

    Returns:
        None if no two rows are equal, or if they repeat by chance (see `Duplicates.by_chance`).
    """
    duplicates = find_duplicates(dataset)
    if duplicates is None or duplicates.by_chance:
        return None
    if dataset.groups is None:
        return duplicates.group
    return _merge(duplicates.group, dataset.groups)


def _merge(first: IntArray, second: IntArray) -> IntArray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left = np.unique(first, return_inverse=True)[1]
    right = np.unique(second, return_inverse=True)[1] + int(left.max()) + 1
    size = int(right.max()) + 1
    links = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    component = connected_components(links, directed=False)[1]
    return np.asarray(component[left], dtype=np.int64)
