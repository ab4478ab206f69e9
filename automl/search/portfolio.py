"""Configurations known to be good, in the order in which they are tried: strong and unlike each other first."""

from __future__ import annotations

from typing import Any

from automl.search.families import Families
from automl.search.trial import TrialSpec

# family, label, origin, whether its first fold decides, parameters that differ from the family's defaults.
# A parameter that a family lacks on some task is left out there.
Entry = tuple[str, str, str, bool, dict[str, Any]]
ENTRIES: tuple[Entry, ...] = (
    ("dummy", "constant", "baseline", False, {}),
    ("linear", "linear", "baseline", False, {}),
    ("xgboost", "xgboost", "portfolio", False, {}),
    ("keras_mlp", "keras_mlp", "portfolio", True, {}),
    ("extra_trees", "extra_trees", "portfolio", True, {}),
    (
        "xgboost",
        "xgboost shallow",
        "portfolio",
        True,
        {
            "model.learning_rate": 0.04,
            "model.max_depth": 4,
            "model.min_child_weight": 8.0,
            "model.subsample": 0.8,
            "model.colsample_bylevel": 0.5,
            "model.reg_lambda": 1.0,
        },
    ),
    ("hist_gradient_boosting", "hist_gradient_boosting", "portfolio", True, {}),
    ("svm_rbf", "svm_rbf", "portfolio", True, {}),
    (
        "xgboost",
        "xgboost target means",
        "portfolio",
        True,
        {
            "model.learning_rate": 0.05,
            "model.max_depth": 8,
            "model.min_child_weight": 3.0,
            "model.subsample": 0.7,
            "model.colsample_bylevel": 0.4,
            "model.reg_lambda": 3.0,
            "preprocess.encode": "target",
        },
    ),
    (
        "keras_mlp",
        "keras_mlp wide",
        "portfolio",
        True,
        {"model.units": 256, "model.dropout": 0.2, "model.sigma": 0.4, "model.learning_rate": 0.003},
    ),
    ("random_forest", "random_forest", "portfolio", True, {}),
    ("nearest_neighbors", "nearest_neighbors", "portfolio", True, {}),
    (
        "linear",
        "linear on quantiles",
        "portfolio",
        True,
        {"preprocess.scale": "quantile", "preprocess.encode": "target"},
    ),
    ("extra_trees", "extra_trees all columns", "portfolio", True, {"model.max_features": 1.0}),
    ("svm_linear", "svm_linear", "portfolio", True, {}),
    ("naive_bayes", "naive_bayes", "portfolio", True, {}),
)

# What comes after the baselines where there are pictures; the entries above follow.
PICTURE_ENTRIES: tuple[Entry, ...] = (
    ("linear", "linear on filters", "portfolio", False, {"model.C": 0.03}),
    ("keras_backbone", "keras_backbone", "portfolio", False, {}),
    ("keras_cnn", "keras_cnn", "portfolio", False, {}),
    ("svm_rbf", "svm_rbf", "portfolio", True, {"model.C": 10.0, "model.gamma": 0.5}),
    ("keras_resnet", "keras_resnet", "portfolio", True, {}),
    ("nearest_neighbors", "nearest_neighbors", "portfolio", True, {"model.n_neighbors": 3}),
    ("keras_separable", "keras_separable", "portfolio", True, {}),
    ("keras_dense", "keras_dense", "portfolio", True, {}),
)
# The first model of pictures is to be there within seconds.
QUICK = {"preprocess.pictures": "gradients", "preprocess.components": 128, "model.C": 0.03}


def list_entries(families: Families) -> list[Entry]:
    """The entries in the order for these families; pictures, where nets on them can be used, come first."""
    named = {entry[0] for entry in (*ENTRIES, *PICTURE_ENTRIES)}
    others: list[Entry] = [(name, name, "portfolio", True, {}) for name in families.usable if name not in named]
    if not any(family.candidate.needs.pictures == "pixels" for family in families.usable.values()):
        return [*ENTRIES, *others]
    labels = {entry[1] for entry in PICTURE_ENTRIES}
    baselines = [(*entry[:4], {**entry[4], **QUICK}) for entry in ENTRIES if entry[2] == "baseline"]
    rest = [entry for entry in ENTRIES if entry[2] != "baseline" and entry[1] not in labels]
    return [*baselines, *PICTURE_ENTRIES, *rest, *others]


def make_portfolio(families: Families, *, use: bool = True) -> list[TrialSpec]:
    """The entries whose families can be used, with complete parameters; numbers are given later.

    Families that no entry names (plug-ins) follow with their defaults, so that each is tried at least once.

    Args:
        use: False keeps only the baselines.
    """
    specs = []
    for family, label, origin, raced, given in list_entries(families):
        if family not in families.usable or (not use and origin != "baseline"):
            continue
        space = families[family].space
        params = space.complete({name: value for name, value in given.items() if name in space.parameters})
        specs.append(TrialSpec(number=-1, candidate=family, params=params, origin=origin, label=label, raced=raced))
    return specs
