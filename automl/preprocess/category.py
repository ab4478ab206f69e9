"""Categories as codes, indicator columns or target means: always a look-up by the table's integer code.

A look-up has a row a level, then one for unseen and, last, one for missing: the codes -2 and -1 find them so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import MISSING, UNSEEN, Table, TableNames
from automl.space import Choice, Int, Parameter, Params, SearchSpace
from automl.task import TaskKind

FEW_LEVELS = 12
# With more levels a tree can split them by chance until every row is on its own; their target means it cannot.
MAX_NATIVE_LEVELS = 32
MAX_INDICATORS = 100
MAX_TARGET_COLUMNS = 400
TARGET_FOLDS = 5
# Target means of levels with so many rows, on average and at least, are not cross-fitted.
ROWS_A_LEVEL, LEAST_ROWS_A_LEVEL = 100, 20
# Numbers that encoding several columns at once may make.
MAX_CELLS_AT_ONCE = 4_000_000
MAX_GRAPH_CELLS = 400_000
# What scikit-learn's TargetEncoder calls them; left to guess, it takes whole numbers for classes.
TARGET_TYPES = {TaskKind.BINARY: "binary", TaskKind.MULTICLASS: "multiclass", TaskKind.REGRESSION: "continuous"}
# Encodings on a scale of their own: the target's, or a rank. Beside scaled numbers it is all that a distance sees.
MEASURED = ("target", "ordinal")


def space(needs: Needs) -> SearchSpace:
    """How categories may be encoded.

    "auto" means indicators up to 12 levels and target means above; "native" codes up to 32 levels, target means above.
    """
    parameters: dict[str, Parameter] = {}
    if needs.categories == "native":
        parameters["encode"] = Choice(("native", "auto", "target"), "native")
    elif needs.categories == "numeric":
        parameters["encode"] = Choice(("auto", "one_hot", "target", "ordinal"), "auto")
    parameters["rare"] = Int(1, 50, 2 if needs.categories == "embed" else 1, log=True)
    return SearchSpace(parameters)


class CategoryPart:
    """Fitted on training rows; levels rarer than `rare` there are taken together with unseen ones."""

    kind = "category"

    def __init__(self, needs: Needs, params: Params) -> None:
        self.needs = needs
        self.params = params
        self.state: State = {}

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        codes, names = table.categories, table.layout.levels
        encodings = [self._choose(levels, fit) for levels in names]
        merged = [
            merge_rare(codes[:, place], levels, int(self.params.get("rare", 1))) for place, levels in enumerate(names)
        ]
        learned = [place for place, encoding in enumerate(encodings) if encoding == "target"]
        means = fit_target_means([merged[place] for place in learned], [names[place] for place in learned], fit)
        lookups, widths, blocks = [], [], []
        for place, (levels, encoding) in enumerate(zip(names, encodings, strict=True)):
            counts = count_codes(merged[place], levels)
            if encoding == "target":
                lookup, block = next(means)
            else:
                lookup = _LOOKUPS[encoding](counts)
                block = None
            # rows of rare levels look up the row of unseen ones, at training and ever after
            lookup[:levels][counts[:levels] == 0] = lookup[UNSEEN]
            block = apply_lookup(lookup, codes[:, place]) if block is None else block
            if self.needs.scaled and encoding in MEASURED:
                lookup, block = rescale(lookup, block, block if encoding == "ordinal" else as_values(fit))
            lookups.append(lookup)
            widths.append(lookup_width(lookup))
            blocks.append(block)
        self.state = {
            "lookups": lookups,
            "widths": np.array(widths, dtype=np.int64),
            "encodings": np.array(encodings, dtype="U8"),
        }
        return _join(blocks, len(codes))

    def _choose(self, levels: int, fit: FitRows) -> str:
        if self.needs.categories == "embed":
            return "embed"
        encoding = str(self.params.get("encode", "auto"))
        if encoding == "auto":
            encoding = "one_hot" if levels <= FEW_LEVELS else "target"
        if encoding == "native" and levels > MAX_NATIVE_LEVELS:
            encoding = "target"
        if encoding == "target" and fit.task.n_classes * 4 > MAX_TARGET_COLUMNS:
            return "ordinal"
        return encoding

    def transform(self, table: Table) -> FloatArray:
        blocks = [
            apply_lookup(lookup, table.categories[:, place]) for place, lookup in enumerate(self.state["lookups"])
        ]
        return _join(blocks, len(table))

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        """A look-up of whole rows: each code of each column has a row that is zero outside the column's own place.

        One look-up and one sum do for all columns together, which is what a single row waits for; where that table
        would be large, each column has its own.
        """
        dense = [as_dense(lookup) for lookup in self.state["lookups"]]
        width, codes = sum(block.shape[1] for block in dense), sum(len(block) for block in dense)
        if width * codes > MAX_GRAPH_CELLS:
            blocks = [
                graph.add("Gather", block, graph.add("Gather", table.categories, np.int64(at), axis=1), axis=0)
                for at, block in enumerate(dense)
            ]
            return graph.concat(blocks)
        whole = np.zeros((codes, width), dtype=np.float32)
        ends, start, left = [], 0, 0
        for block in dense:
            whole[start : start + len(block), left : left + block.shape[1]] = block
            start, left = start + len(block), left + block.shape[1]
            ends.append(start)
        below = graph.add("Less", table.categories, np.int64(0))  # counted from the end of the column's own rows
        first = np.array([0, *ends[:-1]], dtype=np.int64)
        shift = graph.add("Where", below, np.array(ends, dtype=np.int64), first)
        rows = graph.add("Gather", whole, graph.add("Add", table.categories, shift), axis=0)
        return graph.total(rows, 1, keep=False)

    def features(self, table: Table) -> tuple[Feature, ...]:
        named: list[Feature] = []
        for name, lookup, width, encoding in zip(
            table.layout.categories, self.state["lookups"], self.state["widths"], self.state["encodings"], strict=True
        ):
            if encoding in ("native", "embed"):
                cardinality = int(np.nanmax(lookup, initial=0)) + 1
                named.append(Feature(name=name, source=name, cardinality=cardinality))
            else:
                labels = [name] if width == 1 else [f"{name} [{number}]" for number in range(width)]
                named += [Feature(name=label, source=name) for label in labels]
        return tuple(named)


def merge_rare(column: Array, levels: int, rare: int) -> Array:
    """Codes with levels seen fewer than `rare` times turned into UNSEEN; missing stays missing."""
    if rare <= 1:
        return column
    counts = np.bincount(column[column >= 0], minlength=levels)
    merged: Array = np.where((column >= 0) & (counts[np.maximum(column, 0)] < rare), UNSEEN, column)
    return merged


def count_codes(column: Array, levels: int) -> Array:
    """(levels + 2,) counts: levels, then unseen, then missing."""
    shifted = np.where(column == MISSING, levels + 1, np.where(column == UNSEEN, levels, column))
    return np.bincount(shifted, minlength=levels + 2)


def apply_lookup(lookup: Array, codes: Array) -> FloatArray:
    """(n, m) float32 of codes (n,).

    A two-dimensional look-up (levels + 2, m) holds the values; a one-dimensional integer one (levels + 2,) holds the
    place of the indicator that is set, -1 for none.
    """
    if lookup.ndim == 2:
        values: FloatArray = lookup[codes]
        return values
    places = lookup[codes]
    block = np.zeros((len(codes), lookup_width(lookup)), dtype=np.float32)
    has_place = places >= 0
    block[np.nonzero(has_place)[0], places[has_place]] = 1
    return block


def rescale(lookup: FloatArray, block: FloatArray, like: Array) -> tuple[FloatArray, FloatArray]:
    """Look-up (levels + 2, m) and training rows (n, m) less the rows' means, in units of the standard deviation of
    `like` (n, m). In units of the target, means that tell little of it stay small, and noise with them."""
    mean, deviation = block.mean(axis=0, dtype=np.float64), like.std(axis=0, dtype=np.float64)
    deviation[deviation <= 1e-7 * np.abs(like.mean(axis=0, dtype=np.float64))] = 1.0  # one value, but for rounding
    scaled, rows = ((part - mean) / deviation for part in (lookup, block))
    return scaled.astype(np.float32), rows.astype(np.float32)


def as_values(fit: FitRows) -> Array:
    """The targets (n, k) that the k columns of target means are means of: values, or whether a row is of a class."""
    if not fit.task.is_classification:
        return fit.target[:, None]
    classes = np.arange(fit.task.n_classes) if fit.task.n_classes > 2 else np.array([1])
    return np.asarray(fit.target[:, None] == classes, dtype=np.float64)


def as_dense(lookup: Array) -> FloatArray:
    """A look-up (levels + 2, m) of values, whatever form it is kept in."""
    return np.asarray(lookup if lookup.ndim == 2 else apply_lookup(lookup, np.arange(len(lookup))), dtype=np.float32)


def lookup_width(lookup: Array) -> int:
    return int(lookup.shape[1]) if lookup.ndim == 2 else int(lookup.max(initial=-1)) + 1


def _native(counts: Array) -> Array:
    lookup = np.full((len(counts), 1), np.nan, dtype=np.float32)
    lookup[:-2, 0] = np.arange(len(counts) - 2)
    return lookup


def _embed(counts: Array) -> Array:
    """Seen levels from 0, then a code for unseen, then one for missing."""
    seen = np.nonzero(counts[:-2])[0]
    lookup = np.full((len(counts), 1), len(seen), dtype=np.float32)
    lookup[seen, 0] = np.arange(len(seen))
    lookup[MISSING, 0] = len(seen) + 1
    return lookup


def _ordinal(counts: Array) -> Array:
    """Levels by falling frequency, so that neighbours are alike in commonness; unseen and missing below."""
    lookup = np.empty((len(counts), 1), dtype=np.float32)
    lookup[:-2, 0] = np.argsort(np.argsort(-counts[:-2], kind="stable"), kind="stable")
    lookup[UNSEEN, 0], lookup[MISSING, 0] = -1, -2
    return lookup


def _one_hot(counts: Array) -> Array:
    """Places of indicators: the commonest levels, then "other" if training has any, then "missing" if it has any."""
    order = np.argsort(-counts[:-2], kind="stable")[:MAX_INDICATORS]
    common = order[counts[order] > 0]
    lookup = np.full(len(counts), -1, dtype=np.int32)
    lookup[common] = np.arange(len(common))
    width = len(common)
    rest = np.setdiff1d(np.nonzero(counts[:-1])[0], common)
    if len(rest):
        lookup[rest] = width
        lookup[UNSEEN] = width
        width += 1
    if counts[MISSING]:
        lookup[MISSING] = width
    elif width == 2 and len(common) == 2:
        # two levels say the same thing twice; one column is enough
        lookup[common] = [-1, 0]
    return lookup


_LOOKUPS = {"native": _native, "embed": _embed, "ordinal": _ordinal, "one_hot": _one_hot}


def fit_target_means(
    columns: Sequence[Array], levels: Sequence[int], fit: FitRows
) -> Iterator[tuple[Array, FloatArray]]:
    """Smoothed target means a code, and their cross-fitted values for the training rows, of one column after another.

    Each training row is encoded from the other rows' targets, as in Micci-Barreca 2001, doi:10.1145/507533.507538,
    with the empirical-Bayes smoothing of scikit-learn's TargetEncoder, which takes several columns at once in less
    time than one by one.

    Args:
        columns: codes (n,) of each.
        levels: how many codes each has beside those of unseen and missing ones.

    Yields:
        look-up (levels + 2, k) and block (n, k) float32, where k is 1 or, for multiclass, the number of classes.
    """
    kind = TARGET_TYPES[fit.task.kind]
    width = fit.task.n_classes if kind == "multiclass" else 1
    present = np.unique(fit.target) if fit.task.is_classification else np.array([0, 1])
    if kind == "multiclass" and len(present) == 2:
        kind = "binary"
    for start, end in _cut_columns(levels, len(fit.target), width):
        sizes = levels[start:end]
        if len(present) < 2 or len(fit.target) < 10:
            for size in sizes:
                yield np.zeros((size + 2, width), dtype=np.float32), np.zeros((len(fit.target), width), np.float32)
            continue
        group = np.column_stack(columns[start:end])
        fitted, every = _cross_fit(kind, group, max(sizes), fit)
        for place, size in enumerate(sizes):
            known = np.concatenate([np.arange(size), [UNSEEN, MISSING]])
            lookup = np.empty((size + 2, every.shape[2]), dtype=np.float32)
            lookup[known] = every[np.concatenate([np.arange(size), [-2, -1]]), place]
            block = fitted[:, place]
            if _has_many_rows(group[:, place]):  # rows of a level that all have its one mean do not tell their targets
                block = lookup[group[:, place]]
            yield _spread(lookup, present, width), _spread(block.astype(np.float32), present, width)


def _cut_columns(levels: Sequence[int], rows: int, width: int) -> Iterator[tuple[int, int]]:
    """Columns [start, end) that may be encoded at once without taking much memory."""
    start = 0
    for end in range(1, len(levels) + 1):
        height = max(rows, *levels[start : end + 1], 0)
        if end == len(levels) or height * width * (end + 1 - start) > MAX_CELLS_AT_ONCE:
            yield start, end
            start = end


def _cross_fit(kind: str, columns: Array, levels: int, fit: FitRows) -> tuple[Array, Array]:
    """Cross-fitted values (n, c, k) of columns (n, c), and those of codes 0 to `levels`, unseen and missing, as if
    each column had so many: (levels + 2, c, k)."""
    import warnings

    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    is_sparse = kind != "continuous" and int(np.unique(fit.target, return_counts=True)[1].max()) < TARGET_FOLDS
    split = KFold if kind == "continuous" or is_sparse else StratifiedKFold  # the latter wants a class for each fold
    folds = split(TARGET_FOLDS, shuffle=True, random_state=fit.seed)
    encoder = TargetEncoder(target_type=kind, smooth="auto", cv=folds)
    with warnings.catch_warnings():
        # a class with fewer rows than folds is said once, by the split
        warnings.filterwarnings("ignore", message="The least populated class")
        fitted: Array = encoder.fit_transform(columns, fit.target)
    known = np.concatenate([np.arange(levels), [UNSEEN, MISSING]]).astype(columns.dtype)
    every: Array = encoder.transform(np.repeat(known[:, None], columns.shape[1], axis=1))
    return tuple(values.reshape(len(values), columns.shape[1], -1) for values in (fitted, every))  # type: ignore[return-value]


def _has_many_rows(column: Array) -> bool:
    """Whether a level's mean hangs on none of its rows. Means of parts of such a level differ by chance alone, which
    would blur levels that are close to each other, and be another number than the one that new rows get."""
    counts = np.unique(column, return_counts=True)[1]
    return len(column) >= ROWS_A_LEVEL * len(counts) and int(counts.min()) >= LEAST_ROWS_A_LEVEL


def _spread(values: Array, present: Array, width: int) -> FloatArray:
    """Columns of the classes that occur, put in their places among all classes."""
    if values.shape[1] == width:
        return np.asarray(values, dtype=np.float32)
    result = np.zeros((len(values), width), dtype=np.float32)
    if values.shape[1] == 1:
        result[:, present[1]] = values[:, 0]
        result[:, present[0]] = 1 - values[:, 0]
    else:
        result[:, present] = values
    return result


def _join(blocks: list[FloatArray], rows: int) -> FloatArray:
    return np.hstack(blocks) if blocks else np.empty((rows, 0), dtype=np.float32)
