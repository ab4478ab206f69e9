"""Configurations known to be good, in the order in which they are tried: strong and unlike each other first."""

from __future__ import annotations

from typing import Any

from automl.search.families import Families
from automl.search.trial import TrialSpec

# family, label, origin, whether its first fold decides, parameters that differ from the family's defaults.
# A parameter that a family lacks on some task is left out there.
ENTRIES: tuple[tuple[str, str, str, bool, dict[str, Any]], ...] = (
    ("dummy", "constant", "baseline", False, {}),
    ("linear", "linear", "baseline", False, {}),
    ("xgboost", "xgboost", "portfolio", False, {}),
    ("extra_trees", "extra_trees", "portfolio", False, {}),
    ("keras_mlp", "keras_mlp", "portfolio", True, {}),
    ("hist_gradient_boosting", "hist_gradient_boosting", "portfolio", True, {}),
    ("svm_rbf", "svm_rbf", "portfolio", True, {}),
    ("random_forest", "random_forest", "portfolio", True, {}),
    ("nearest_neighbors", "nearest_neighbors", "portfolio", True, {}),
    ("svm_linear", "svm_linear", "portfolio", True, {}),
    ("naive_bayes", "naive_bayes", "portfolio", True, {}),
)


def make_portfolio(families: Families, *, use: bool = True) -> list[TrialSpec]:
    """The entries whose families can be used, with complete parameters; numbers are given later.

    Families that no entry names (plug-ins) follow with their defaults, so that each is tried at least once.

    Args:
        use: False keeps only the baselines.
    """
    named = {entry[0] for entry in ENTRIES}
    others = tuple((name, name, "portfolio", True, {}) for name in families.usable if name not in named)
    specs = []
    for family, label, origin, raced, given in (*ENTRIES, *others):
        if family not in families.usable or (not use and origin != "baseline"):
            continue
        space = families[family].space
        params = space.complete({name: value for name, value in given.items() if name in space.parameters})
        specs.append(
            TrialSpec(number=-1, candidate=family, params=params, origin=origin, label=label, raced=raced)
        )
    return specs
