"""Configurations known to be good, in the order in which they are tried.

The order is learned: `portfolio.json` lists, for each kind of task, the configurations that lower an ensemble's regret
soonest on many tables, with the seconds each takes on a table of reference size.
"""

from __future__ import annotations

from typing import Any

from automl.search.cost import read_portfolio_file
from automl.search.families import Families
from automl.search.trial import TrialSpec
from automl.task import TaskKind

# The constant model and the linear one: what every other is held against.
BASELINES = {"dummy": "constant", "linear": "linear"}


def make_portfolio(families: Families, kind: TaskKind, *, use: bool = True) -> list[TrialSpec]:
    """The entries whose families can be used, with complete parameters; numbers are given later.

    Families that no entry names (plug-ins) follow with their defaults, so that each is tried at least once.

    Args:
        use: False keeps only the baselines.
    """
    listed: list[dict[str, Any]] = read_portfolio_file()["lists"][str(kind)]
    specs: list[TrialSpec] = []
    for family, label in BASELINES.items():
        given = next((entry["seconds"] for entry in listed if entry["family"] == family and not entry["params"]), None)
        specs += _make(families, family, label, "baseline", {}, given)
    if not use:
        return specs
    for entry in listed:
        if entry["family"] not in BASELINES or entry["params"]:
            specs += _make(families, entry["family"], entry["name"], "portfolio", entry["params"], entry["seconds"])
    named = {spec.candidate for spec in specs}
    for name in families.usable:
        if name not in named:
            specs += _make(families, name, name, "portfolio", {}, None)
    return specs


def _make(
    families: Families, family: str, label: str, origin: str, given: dict[str, Any], seconds: float | None
) -> list[TrialSpec]:
    """One spec, or none where the family cannot be used; what its space does not know or allow here is left out."""
    if family not in families.usable:
        return []
    space = families[family].space
    params = space.complete(
        {
            name: value
            for name, value in given.items()
            if name in space.parameters and space.parameters[name].contains(value)
        }
    )
    return [
        TrialSpec(
            number=-1, candidate=family, params=params, origin=origin, label=label,
            raced=origin != "baseline", reference_seconds=seconds,
        )
    ]  # fmt: skip
