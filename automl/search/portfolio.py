"""Configurations known to be good, in the order in which they are tried.

For tables the order is learned: `portfolio.json` lists, for each kind of task, the configurations that lower an
ensemble's regret soonest on many tables, with the seconds each takes on a table of reference size. What pictures
begin with is listed here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from automl.search.cost import read_portfolio_file
from automl.search.families import Families
from automl.search.trial import TrialSpec
from automl.task import TaskKind

# The constant model and the linear one: what every other is held against.
BASELINES = {"dummy": "constant", "linear": "linear"}


class Entry(NamedTuple):
    """A family, what the leaderboard calls it, and the parameters that differ from the family's defaults; a parameter
    that the family lacks on some task is left out there.

    Attributes:
        raced: whether its first fold decides if the others are run.
        seconds: of one fold on a table of reference size, if known.
    """

    family: str
    label: str
    params: dict[str, Any]
    origin: str = "portfolio"
    raced: bool = True
    seconds: float | None = None


# What comes after the baselines where there are pictures; the entries for tables follow.
PICTURE_ENTRIES: tuple[Entry, ...] = (
    Entry("linear", "linear on filters", {"model.C": 0.03}, raced=False),
    Entry("keras_backbone", "keras_backbone", {}, raced=False),
    Entry("keras_cnn", "keras_cnn", {}, raced=False),
    Entry("svm_rbf", "svm_rbf", {"model.C": 10.0, "model.gamma": 0.5}),
    Entry("keras_resnet", "keras_resnet", {}),
    Entry("nearest_neighbors", "nearest_neighbors", {"model.n_neighbors": 3}),
    Entry("keras_separable", "keras_separable", {}),
    Entry("keras_dense", "keras_dense", {}),
)
# The first model of pictures is to be there within seconds.
QUICK = {"preprocess.pictures": "gradients", "preprocess.components": 128}


def list_entries(families: Families, kind: TaskKind) -> list[Entry]:
    """The entries in the order for these families; pictures, where nets on them can be used, come first.

    Families that no entry names (plug-ins) follow with their defaults, so that each is tried at least once.
    """
    listed = list_table_entries(kind)
    named = {entry.family for entry in (*listed, *PICTURE_ENTRIES)}
    listed += [Entry(name, name, {}) for name in families.usable if name not in named]
    if not any(family.candidate.needs.pictures == "pixels" for family in families.usable.values()):
        return listed
    labels = {entry.label for entry in PICTURE_ENTRIES}
    # what was learned on tables says nothing of the time that pictures take
    listed = [entry._replace(seconds=None) for entry in listed]
    first = [entry._replace(params=entry.params | QUICK) for entry in listed if entry.origin == "baseline"]
    rest = [entry for entry in listed if entry.origin != "baseline" and entry.label not in labels]
    return [*first, *PICTURE_ENTRIES, *rest]


def list_table_entries(kind: TaskKind) -> list[Entry]:
    """The baselines, then what was learned for this kind of task."""
    learned = [
        Entry(entry["family"], entry["name"], entry["params"], seconds=entry["seconds"])
        for entry in read_portfolio_file()["lists"][str(kind)]
    ]
    plain = {entry.family: entry.seconds for entry in learned if not entry.params}
    first = [
        Entry(family, label, {}, origin="baseline", raced=False, seconds=plain.get(family))
        for family, label in BASELINES.items()
    ]
    return first + [entry for entry in learned if entry.params or entry.family not in BASELINES]


def make_portfolio(families: Families, kind: TaskKind, *, use: bool = True) -> list[TrialSpec]:
    """The entries whose families can be used, with complete parameters; numbers are given later.

    Args:
        use: False keeps only the baselines.
    """
    specs = []
    for entry in list_entries(families, kind):
        if entry.family not in families.usable or (not use and entry.origin != "baseline"):
            continue
        space = families[entry.family].space
        known = {name: value for name, value in entry.params.items() if name in space.parameters}
        allowed = {name: value for name, value in known.items() if space.parameters[name].contains(value)}
        specs.append(
            TrialSpec(
                number=-1,
                candidate=entry.family,
                params=space.complete(allowed),
                origin=entry.origin,
                label=entry.label,
                raced=entry.raced,
                reference_seconds=entry.seconds,
            )
        )
    return specs
