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
    (
        "tfidf_linear",
        "linear on words",
        "baseline",
        False,
        {
            "model.C": 1.0,
            "preprocess.words": 1,
            "preprocess.chars": "none",
            "preprocess.sublinear": False,
        },
    ),
    ("linear", "linear", "baseline", False, {}),
    ("tfidf_svm", "tfidf_svm", "portfolio", False, {}),
    ("svm_rbf", "svm_rbf on sentences", "portfolio", True, {"model.C": 3.0, "preprocess.text_features": "sentences"}),
    ("linear", "linear on sentences", "portfolio", True, {"model.C": 0.01, "preprocess.text_features": "sentences"}),
    ("tfidf_svm", "tfidf_svm on ratios", "portfolio", True, {"model.C": 0.2, "model.ratio": True}),
    ("tfidf_naive_bayes", "tfidf_naive_bayes", "portfolio", True, {}),
    ("tfidf_ridge", "tfidf_ridge", "portfolio", True, {}),
    ("tfidf_svm", "tfidf_svm words", "portfolio", True, {"preprocess.words": 3, "preprocess.chars": "none"}),
    ("tfidf_svm", "tfidf_svm across words", "portfolio", True, {"model.C": 1.0, "preprocess.chars": "across 1-6"}),
    ("keras_text_cnn", "keras_text_cnn", "portfolio", True, {}),
    ("tfidf_linear", "tfidf_linear", "portfolio", True, {}),
    ("keras_text_bag", "keras_text_bag", "portfolio", True, {}),
    ("keras_mlp", "keras_mlp on sentences", "portfolio", True, {"preprocess.text_features": "sentences"}),
    ("xgboost", "xgboost on sentences", "portfolio", True, {"preprocess.text_features": "sentences"}),
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

# The choice that embeddings of sentences stand for texts; it is there only if their encoder is installed.
ENCODER = "preprocess.text_features"
RATIO = "model.ratio"
# Without these an entry that names them would be another one again.
ESSENTIAL = (ENCODER, RATIO)
# Forms of `Needs.text` that only families made for texts ask for.
TEXT_FORMS = ("sparse", "tokens")
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
QUICK = {"preprocess.pictures": "gradients", "preprocess.components": 128}


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
    for family, label, origin, raced, given in _arrange(list_entries(families), families):
        if family not in families.usable or (not use and origin != "baseline"):
            continue
        space = families[family].space
        if any(name in given and name not in space.parameters for name in ESSENTIAL):
            continue  # what makes the entry is not to be had here
        params = space.complete({name: value for name, value in given.items() if name in space.parameters})
        specs.append(TrialSpec(number=-1, candidate=family, params=params, origin=origin, label=label, raced=raced))
    return specs


def _arrange(listed: list[Entry], families: Families) -> list[Entry]:
    """The entries for a table with texts; any other keeps them as they are."""
    if "tfidf_linear" not in families.usable:
        return listed
    # one linear baseline is enough, and for texts it is that of their words
    listed = [_as_portfolio(entry) if entry[:3] == ("linear", "linear", "baseline") else entry for entry in listed]
    if families.only_texts:  # what was made for texts comes first, and nothing else is run without a race
        made = {name for name, family in families.usable.items() if family.candidate.needs.text in TEXT_FORMS}
        early = {entry[1] for entry in listed if entry[0] in made or ENCODER in entry[4] or entry[2] == "baseline"}
        listed = [entry if entry[1] in early else _as_portfolio(entry) for entry in listed]
        return sorted(listed, key=lambda entry: (entry[2] != "baseline", entry[1] not in early))
    return sorted(listed, key=lambda entry: entry[1] == "linear")


def _as_portfolio(entry: Entry) -> Entry:
    family, label, _, _, given = entry
    return family, label, "portfolio", True, given
