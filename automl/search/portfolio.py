"""Configurations known to be good, in the order in which they are tried.

For tables the order is learned: `portfolio.json` lists, for small and large tables and each kind of task, the
configurations that lower an ensemble's regret soonest on many tables, with the seconds each takes on one of reference
size. What pictures and texts begin with is listed here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from automl.recipe import Configuration
from automl.search.cost import read_portfolio
from automl.search.families import Families
from automl.search.trial import TrialSpec, candidates
from automl.space import SearchSpace
from automl.task import TaskKind

# The constant model and the linear one: what every other is held against.
BASELINES = {"dummy": "constant", "linear": "linear"}


class Entry(NamedTuple):
    """A family, what the leaderboard calls it, and the parameters that differ from the family's defaults; a parameter
    that the family lacks on some task is left out there.

    Attributes:
        raced: whether its first fold decides if the others are run.
        seconds: of one fold on a table of reference size, if known.
        own: whether the user's recipe names it.
    """

    family: str
    label: str
    params: dict[str, Any]
    origin: str = "portfolio"
    raced: bool = True
    seconds: float | None = None
    own: bool = False


# Choices that make an entry what it is: where the space lacks one, the entry is left out.
ENCODER, RATIO = "preprocess.text_features", "model.ratio"
NEEDED = (ENCODER, RATIO)
# The linear baseline of texts is that of their words; one is enough. What naive Bayes makes of the same words is there
# in a part of its time: with many classes and few seconds it may be all there is.
ON_WORDS = {"preprocess.words": 1, "preprocess.chars": "none", "preprocess.sublinear": False}
COUNTED = Entry("tfidf_naive_bayes", "naive Bayes on words", ON_WORDS, raced=False)
WORDS = Entry("tfidf_linear", "linear on words", {"model.C": 1.0, **ON_WORDS}, origin="baseline", raced=False)
TEXT_ENTRIES: tuple[Entry, ...] = (
    Entry("tfidf_svm", "tfidf_svm", {}, raced=False),
    Entry("svm_rbf", "svm_rbf on sentences", {"model.C": 3.0, ENCODER: "sentences"}),
    Entry("svm_rbf", "svm_rbf on multilingual sentences", {"model.C": 3.0, ENCODER: "multilingual"}),
    Entry("linear", "linear on sentences", {"model.C": 0.01, ENCODER: "sentences"}),
    Entry("linear", "linear on multilingual sentences", {"model.C": 0.01, ENCODER: "multilingual"}),
    Entry("tfidf_svm", "tfidf_svm on ratios", {"model.C": 0.2, RATIO: True}),
    Entry("tfidf_svm", "tfidf_svm across words", {"model.C": 1.0, "preprocess.chars": "across 1-6"}),
    Entry("tfidf_svm", "tfidf_svm words", {"preprocess.words": 3, "preprocess.chars": "none"}),
    Entry("tfidf_naive_bayes", "tfidf_naive_bayes", {}),
    Entry("tfidf_ridge", "tfidf_ridge", {}),
    Entry("keras_text_cnn", "keras_text_cnn", {}),
    Entry("tfidf_linear", "tfidf_linear", {}),
    Entry("keras_text_bag", "keras_text_bag", {}),
    Entry("keras_mlp", "keras_mlp on sentences", {ENCODER: "sentences"}),
    Entry("keras_mlp", "keras_mlp on multilingual sentences", {ENCODER: "multilingual"}),
    Entry("xgboost", "xgboost on sentences", {ENCODER: "sentences"}),
)
# How a family is told to learn the logarithm of a target that is spread over magnitudes.
LOGARITHM = {"model.target_transform": "log"}
# Families for tables that are tried on n-grams reduced to some hundred columns where there is nothing but texts; what
# the others find there costs much and was never as good.
ON_REDUCED = ("linear", "xgboost", "decision_tree")
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
# Where seconds decide whether there is a model at all: no category is learned, no text is read.
QUICKEST = Entry("decision_tree", "quick decision tree", {"preprocess.encode": "ordinal"}, raced=False)
# The first model of pictures is to be there within seconds.
QUICK = {"preprocess.pictures": "gradients", "preprocess.components": 128, "model.C": 0.03}


def list_entries(families: Families, kind: TaskKind) -> list[Entry]:
    """The entries in the order for these families.

    What was made for pictures or texts comes first where there is nothing else, and by turns with what was learned on
    tables where there are other columns. Families that no entry names (plug-ins) follow with their defaults, so that
    each is tried at least once; those that cost less than a linear model follow the baselines.
    """
    listed = list_table_entries(kind, families.shape.rows)
    pictures = any(family.candidate.needs.pictures == "pixels" for family in families.usable.values())
    texts = WORDS.family in families.usable
    special = [*((WORDS, *TEXT_ENTRIES) if texts else ()), *(PICTURE_ENTRIES if pictures else ())]
    named = {entry.family for entry in (*listed, *special)}
    unnamed = [Entry(name, name, {}) for name in families.usable if name not in named]
    quick = [entry for entry in unnamed if families[entry.family].is_quick]
    listed = [*listed[: len(BASELINES)], *quick, *listed[len(BASELINES) :], *(e for e in unnamed if e not in quick)]
    if families.task.skewed:
        listed = list(_add_logarithms(listed, families))
    if not special:
        return listed
    # what was learned on tables says nothing of the time that pictures and texts take
    constant, linear, *rest = (entry._replace(seconds=None) for entry in listed)
    if pictures:
        return [*_begin_quickly(constant, linear), *_add_pictures(rest, families)]
    return [constant, COUNTED, WORDS, *_add_texts([linear._replace(origin="portfolio", raced=True), *rest], families)]


def _add_logarithms(listed: list[Entry], families: Families) -> Iterator[Entry]:
    """After each family's first entry the same on the target's logarithm, where the family has the choice and would not
    learn it in any case."""
    begun: set[str] = set()
    for entry in listed:
        yield entry
        if entry.origin == "baseline" or entry.family in begun or entry.family not in families.usable:
            continue
        begun.add(entry.family)
        space = families[entry.family].space.parameters
        if all(name in space and space[name].default != value for name, value in LOGARITHM.items()):
            yield entry._replace(label=f"{entry.label} log", params=entry.params | LOGARITHM)


def _begin_quickly(*baselines: Entry) -> list[Entry]:
    return [entry._replace(params=entry.params | QUICK) for entry in baselines]


def _add_pictures(rest: list[Entry], families: Families) -> list[Entry]:
    labels = {entry.label for entry in PICTURE_ENTRIES}
    rest = [entry for entry in rest if entry.label not in labels]
    if families.only_pictures:
        return [*PICTURE_ENTRIES, *rest]
    words = [WORDS._replace(origin="portfolio", raced=True), *TEXT_ENTRIES] if WORDS.family in families.usable else []
    return take_turns(rest, words, [entry._replace(raced=True) for entry in PICTURE_ENTRIES])


def _add_texts(rest: list[Entry], families: Families) -> list[Entry]:
    if families.only_texts:
        first = {entry.family: entry._replace(raced=True) for entry in reversed(rest)}
        own = {listing.name for listing in candidates.listings() if listing.origin == "automl"}
        return [*TEXT_ENTRIES, *(first[name] for name in first if name in ON_REDUCED or name not in own)]
    linear, *rest = rest
    return [*take_turns(list(TEXT_ENTRIES), rest), linear]


def take_turns(*lists: list[Entry]) -> list[Entry]:
    """The first of each, then the second of each, and so on."""
    return [entry for turn in itertools.zip_longest(*lists) for entry in turn if entry is not None]


def _put_first(listed: list[Entry], first: Sequence[Configuration]) -> list[Entry]:
    own = [
        Entry(chosen.candidate, chosen.label or chosen.candidate, dict(chosen.params), raced=False, own=True)
        for chosen in first
    ]
    baselines = [entry for entry in listed if entry.origin == "baseline"]
    return [*baselines, *own, *(entry for entry in listed if entry.origin != "baseline")] if own else listed


def list_table_entries(kind: TaskKind, rows: int) -> list[Entry]:
    """The baselines, then what was learned for this kind of task on tables of this size."""
    learned = [
        Entry(entry["family"], entry["name"], entry["params"], seconds=entry["seconds"])
        for entry in read_portfolio(rows)["lists"][str(kind)]
    ]
    plain = {entry.family: entry.seconds for entry in learned if not entry.params}
    first = [
        Entry(family, label, {}, origin="baseline", raced=False, seconds=plain.get(family))
        for family, label in BASELINES.items()
    ]
    return first + [entry for entry in learned if entry.params or entry.family not in BASELINES]


def make_portfolio(
    families: Families, kind: TaskKind, *, use: bool = True, first: Sequence[Configuration] = ()
) -> list[TrialSpec]:
    """The entries whose families can be used, with complete parameters; numbers are given later.

    Args:
        use: False keeps only the baselines and `first`.
        first: configurations of the user's own; they follow the baselines, and are not raced.
    """
    specs: list[TrialSpec] = []
    for entry in _put_first(list_entries(families, kind), first):
        if entry.family not in families.usable or not (use or entry.origin == "baseline" or entry.own):
            continue
        space = families[entry.family].space
        if not all(_is_offered(space, name, entry.params[name]) for name in NEEDED if name in entry.params):
            continue  # what makes the entry is not to be had here
        made = _complete(entry, families)
        if first and any(spec.candidate == entry.family and spec.params == made.params for spec in specs):
            continue  # one of the user's own configurations is what the list would try
        specs.append(made)
    return specs


def _is_offered(space: SearchSpace, name: str, value: Any) -> bool:
    return name in space.parameters and space.parameters[name].contains(value)


def make_quickest(families: Families) -> TrialSpec | None:
    """What can be fitted and scored in the least time; None if the user or the table leaves the family out."""
    return _complete(QUICKEST, families) if QUICKEST.family in families.usable else None


def _complete(entry: Entry, families: Families) -> TrialSpec:
    """The entry with all parameters of its family, of its own as far as they can be chosen here."""
    space = families[entry.family].space
    known = {name: value for name, value in entry.params.items() if name in space.parameters}
    return TrialSpec(
        number=-1,
        candidate=entry.family,
        params=space.complete({name: value for name, value in known.items() if space.parameters[name].contains(value)}),
        origin=entry.origin,
        label=entry.label,
        raced=entry.raced,
        reference_seconds=entry.seconds,
    )
