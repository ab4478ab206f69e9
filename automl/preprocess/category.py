"""Categories as codes, indicator columns or target means: always a look-up by the table's integer code.

A look-up has a row a level, then one for unseen and, last, one for missing: the codes -2 and -1 find them so.
"""

from __future__ import annotations

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import MISSING, UNSEEN, Table, TableNames
from automl.preprocess.target_means import fit_target_means
from automl.space import Choice, Int, Parameter, Params, SearchSpace

FEW_LEVELS = 12
# With more levels a tree can split them by chance until every row is on its own; their target means it cannot.
MAX_NATIVE_LEVELS = 32
MAX_INDICATORS = 100
MAX_TARGET_COLUMNS = 400
MANY_CLASSES = 30  # from which on the target means of all columns together are no more than that
MAX_GRAPH_CELLS = 400_000
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
        encodings = self._choose_all(names, fit)
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

    def _choose_all(self, sizes: tuple[int, ...], fit: FitRows) -> list[str]:
        """An encoding for each column. Target means are a column a class: of many classes only the columns with the
        fewest levels have them, the others ranks."""
        encodings = [self._choose(levels, fit) for levels in sizes]
        if fit.task.n_classes < MANY_CLASSES:
            return encodings
        learned = [place for place, encoding in enumerate(encodings) if encoding == "target"]
        learned.sort(key=lambda place: sizes[place])
        for place in learned[MAX_TARGET_COLUMNS // fit.task.n_classes :]:
            encodings[place] = "ordinal"
        return encodings

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


def _join(blocks: list[FloatArray], rows: int) -> FloatArray:
    return np.hstack(blocks) if blocks else np.empty((rows, 0), dtype=np.float32)
