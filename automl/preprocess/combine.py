"""Columns made of two: products, ratios, differences and sums of numbers, target means of category pairs, level counts.

Trees cut one column at a time; what lies in the relation of two costs them many cuts, and one here. Everything is
chosen on training rows: pairs of the columns that go with the target, kept where they go with it more than either.
"""

from __future__ import annotations

import itertools

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess.category import count_codes
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import MISSING, UNSEEN, Layout, Table, TableNames
from automl.preprocess.target_means import fit_target_means
from automl.space import Choice, Params, SearchSpace

NUMBERS = 12  # the numbers, strongest first, of which pairs are made: one that is weak alone may be strong in a sum
KEPT_NUMBERS = 10
CATEGORIES = 5
KEPT_CATEGORIES = 6
MAX_PAIR_CODES = 100_000
MAX_CLASSES = 10  # a pair of categories becomes a column a class
MAX_ROWS = 5_000  # rows that associations are measured on
SMOOTHING = 10.0  # rows of the overall mean that a code's own are mixed with
LIMIT = np.float32(1e30)
SIGNS = ("×", "/", "−", "+")
PRODUCT, RATIO, DIFFERENCE, SUM = range(4)
_OPERATORS = {PRODUCT: "Mul", DIFFERENCE: "Sub", SUM: "Add"}


def space(needs: Needs, layout: Layout) -> SearchSpace:
    """Offered to families that cut columns one at a time, where there is something to combine."""
    if needs.scaled or needs.categories == "embed":
        return SearchSpace()
    numbers, categories = len(layout.numbers) >= 2, len(layout.categories) >= 1
    values = ["none"] + ["numbers"] * numbers + ["categories"] * categories + ["both"] * (numbers and categories)
    return SearchSpace({"combine": Choice(tuple(values), "none")}) if len(values) > 1 else SearchSpace()


class CombinePart:
    """See the module. Numbers are combined as they are, before any imputation; a hole in one is a hole in the pair."""

    kind = "combine"

    def __init__(self, params: Params) -> None:
        wanted = str(params.get("combine", "none"))
        self.numbers = wanted in ("numbers", "both")
        self.categories = wanted in ("categories", "both")
        self.state: State = {}

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        rng = np.random.default_rng([fit.seed, 17])
        rows = np.arange(len(table))
        if len(rows) > MAX_ROWS:
            rows = np.sort(rng.choice(rows, MAX_ROWS, replace=False))
        nothing = np.zeros((0, 3), dtype=np.int64)
        self.state = {"triples": nothing, "pairs": nothing[:, :2], "counts": [], "means": []}
        if self.numbers:
            weight = None if fit.weight is None else fit.weight[rows]
            self.state["triples"] = choose_numbers(
                table.numbers[rows], fit.target[rows], fit.task.is_classification, weight
            )
        blocks = [self._numbers(table)]
        if self.categories:
            self._fit_categories(table, fit, rows, blocks)
        return np.hstack(blocks).astype(np.float32, copy=False)

    def _fit_categories(self, table: Table, fit: FitRows, rows: Array, blocks: list[FloatArray]) -> None:
        levels = table.layout.levels
        for place, size in enumerate(levels):
            counts = np.log1p(count_codes(table.categories[:, place], size)).astype(np.float32)
            self.state["counts"].append(counts)
            blocks.append(counts[table.categories[:, place]][:, None])
        if fit.task.n_classes > MAX_CLASSES:
            return
        pairs = choose_pairs(levels, table.categories[rows], fit.target[rows], fit.task.is_classification)
        crossed = [cross(table.categories, one, other, levels) for one, other in pairs]
        for lookup, block in fit_target_means([codes for codes, _ in crossed], [size for _, size in crossed], fit):
            self.state["means"].append(lookup)
            blocks.append(block)
        if pairs:
            self.state["pairs"] = np.array(pairs, dtype=np.int64)

    def transform(self, table: Table) -> FloatArray:
        blocks = [self._numbers(table)]
        blocks += [
            counts[table.categories[:, place]][:, None] for place, counts in enumerate(self.state.get("counts", []))
        ]
        for (one, other), lookup in zip(self.state["pairs"], self.state.get("means", []), strict=True):
            codes, _ = cross(table.categories, int(one), int(other), table.layout.levels)
            blocks.append(lookup[codes])
        return np.hstack(blocks).astype(np.float32, copy=False)

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        """The columns' name; "" where none was worth making."""
        blocks = [self._pair_to_graph(graph, table, *map(int, triple)) for triple in self.state["triples"]]
        counts = self.state.get("counts", [])
        blocks += [
            graph.add("Gather", known[:, None], _code_in_graph(graph, table, place), axis=0)
            for place, known in enumerate(counts)
        ]
        for (one, other), lookup in zip(self.state["pairs"].tolist(), self.state.get("means", []), strict=True):
            first = _shift_in_graph(graph, table, one, len(counts[one]))
            second = _shift_in_graph(graph, table, other, len(counts[other]))
            crossed = graph.add("Add", graph.add("Mul", first, np.int64(len(counts[other]))), second)
            blocks.append(graph.add("Gather", lookup, crossed, axis=0))
        return graph.concat(blocks) if blocks else ""

    def _pair_to_graph(self, graph: Graph, table: TableNames, one: int, other: int, sign: int) -> str:
        a, b = graph.columns(table.numbers, [one]), graph.columns(table.numbers, [other])
        if sign == RATIO:
            nothing = graph.add("Equal", b, np.float32(0))
            ratio = graph.add("Div", a, graph.add("Where", nothing, np.float32(1), b))
            made = graph.add("Where", nothing, np.float32(np.nan), ratio)
        else:
            made = graph.add(_OPERATORS[sign], a, b)
        return graph.clip(made, -LIMIT, LIMIT)

    def _numbers(self, table: Table) -> FloatArray:
        made = [combine(table.numbers, *(int(part) for part in triple)) for triple in self.state["triples"]]
        return np.column_stack(made) if made else np.empty((len(table), 0), dtype=np.float32)

    def features(self, table: Table) -> tuple[Feature, ...]:
        layout = table.layout
        names = layout.numbers
        named = [
            Feature(name=f"{names[a]} {SIGNS[sign]} {names[b]}", source=layout.source(names[a]))
            for a, b, sign in self.state["triples"]
        ]
        named += [
            Feature(name=f"count of {name}", source=name)
            for name, _ in zip(layout.categories, self.state.get("counts", []), strict=False)
        ]
        for (one, other), lookup in zip(self.state["pairs"], self.state.get("means", []), strict=True):
            label = f"{layout.categories[one]} & {layout.categories[other]}"
            width = lookup.shape[1]
            labels = [label] if width == 1 else [f"{label} [{place}]" for place in range(width)]
            named += [Feature(name=each, source=layout.categories[one]) for each in labels]
        return tuple(named)


def combine(numbers: FloatArray, one: int, other: int, sign: int) -> FloatArray:
    """Product, ratio, difference or sum (n,) float32 of two columns; NaN where it has no value, clipped to ±1e30."""
    a, b = numbers[:, one], numbers[:, other]
    with np.errstate(all="ignore"):
        if sign == RATIO:
            made = np.where(b != 0, a / np.where(b != 0, b, np.float32(1)), np.nan)
        else:
            made = a * b if sign == PRODUCT else a - b if sign == DIFFERENCE else a + b
        clipped = np.clip(made, -LIMIT, LIMIT)
    return np.asarray(clipped, dtype=np.float32)


def choose_numbers(numbers: FloatArray, target: Array, classes: bool, weight: Array | None = None) -> Array:
    """(k, 3) int64 of column, column and operation, the strongest first.

    Kept are pairs whose rank goes with the target more than that of either column alone.
    """
    ranks = None if classes else _rank(target)  # once for all pairs
    with np.errstate(all="ignore"):
        alone = np.array([association(column, target, classes, weight, ranks) for column in numbers.T])
    strongest = np.argsort(-alone, kind="stable")[:NUMBERS]
    found = []
    for one, other in itertools.permutations(sorted(int(place) for place in strongest), 2):
        for sign in range(len(SIGNS)):
            if sign != RATIO and one > other:  # only a ratio differs when turned round
                continue
            together = association(combine(numbers, one, other, sign), target, classes, weight, ranks)
            gain = together - max(alone[one], alone[other])
            if gain > 0.01:
                found.append((-gain, one, other, sign))
    chosen = [triple[1:] for triple in sorted(found)[:KEPT_NUMBERS]]
    return np.array(chosen, dtype=np.int64).reshape(-1, 3)


def association(
    column: FloatArray, target: Array, classes: bool, weight: Array | None = None, target_ranks: Array | None = None
) -> float:
    """Share of the target's spread that goes with the column's ranks, 0 to 1: the squared rank correlation, or for
    classes the correlation ratio of the ranks. A row counts for its weight."""
    from scipy.stats import rankdata

    known = np.isfinite(column)
    if known.sum() < 10:
        return 0.0
    shares = np.ones(len(column)) if weight is None else weight
    inside = shares[known]
    ranks = center(rankdata(column[known]), inside)
    spread = float((inside * ranks**2).sum())
    if spread <= 0:
        return 0.0
    values, coverage = target[known], float(inside.sum() / shares.sum())
    if classes:
        sizes = np.bincount(values, inside)
        sums = np.bincount(values, inside * ranks)
        between = float((sums[sizes > 0] ** 2 / sizes[sizes > 0]).sum())
        return between / spread * coverage
    whole = target_ranks is not None and bool(known.all())
    other = center(target_ranks if whole and target_ranks is not None else rankdata(values), inside)
    product = float((inside * ranks * other).sum())
    size = spread * float((inside * other**2).sum())
    return product**2 / size * coverage if size > 0 else 0.0


def _rank(values: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values))


def center(values: Array, weight: Array) -> Array:
    """Values (n,) less their weighted mean; zeros if nothing has weight."""
    return values - np.average(values, weights=weight) if weight.any() else np.zeros(len(values))


def choose_pairs(levels: tuple[int, ...], categories: Array, target: Array, classes: bool) -> list[tuple[int, int]]:
    """Pairs of the categories with most levels whose crossing stays small enough to be learned; those first of which
    one half of the rows tells most of the other half's target.

    Args:
        levels: of each column.
        categories: codes (n, columns) and target (n,) of some rows.
    """
    largest = sorted(sorted(range(len(levels)), key=lambda place: (-levels[place], place))[:CATEGORIES])
    pairs = [
        (one, other)
        for one, other in itertools.combinations(largest, 2)
        if (levels[one] + 2) * (levels[other] + 2) <= MAX_PAIR_CODES
    ]
    if len(pairs) > KEPT_CATEGORIES:
        told = {pair: tell_by_halves(*cross(categories, *pair, levels), target, classes) for pair in pairs}
        pairs = sorted(sorted(pairs, key=lambda pair: -told[pair])[:KEPT_CATEGORIES])
    return pairs


def tell_by_halves(codes: Array, count: int, target: Array, classes: bool) -> float:
    """Share of the spread of one half's target that goes with the means of the other half's, a code each; at most 1."""
    one_hot = np.eye(int(target.max()) + 1)[target] if classes else target[:, None]
    values = one_hot - one_hot.mean(axis=0)
    spread = float((values**2).sum())
    if spread <= 0:
        return 0.0
    gained = 0.0
    for learned, asked in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        rows = np.bincount(codes[learned], minlength=count)[:, None]
        sums = np.column_stack([np.bincount(codes[learned], column, count) for column in values[learned].T])
        expected = (sums / (rows + SMOOTHING))[codes[asked]]
        gained += spread / 2 - float(((values[asked] - expected) ** 2).sum())
    return gained / spread


def cross(categories: Array, one: int, other: int, levels: tuple[int, ...]) -> tuple[Array, int]:
    """Codes (n,) of two columns together, and how many there are; unseen and missing are levels like others here."""
    width = levels[other] + 2
    codes = shift(categories[:, one], levels[one]) * width + shift(categories[:, other], levels[other])
    return codes, (levels[one] + 2) * width


def shift(column: Array, levels: int) -> Array:
    """Codes from 0: levels, then unseen, then missing."""
    return np.where(column == MISSING, levels + 1, np.where(column == UNSEEN, levels, column)).astype(np.int64)


def _code_in_graph(graph: Graph, table: TableNames, place: int) -> str:
    return graph.add("Gather", table.categories, np.int64(place), axis=1)


def _shift_in_graph(graph: Graph, table: TableNames, place: int, codes: int) -> str:
    """`shift`, a look-up whose last two places are unseen and missing: (n,) int64."""
    return graph.add("Gather", np.arange(codes, dtype=np.int64), _code_in_graph(graph, table, place), axis=0)
