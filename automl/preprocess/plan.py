"""Schema and parameters to a transformer: one matrix out of the parts of all roles, fitted on training rows only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np

from automl.errors import ArtifactError
from automl.files import write_array
from automl.graph import Graph, NoGraphError, SparseNames
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess import category, combine, image, number, reduce, text
from automl.preprocess.category import CategoryPart
from automl.preprocess.combine import CombinePart
from automl.preprocess.date import DatePart
from automl.preprocess.image import ImagePart, PixelPart
from automl.preprocess.number import NumberPart
from automl.preprocess.part import FitRows, Part, State
from automl.preprocess.reduce import Reducer
from automl.preprocess.table import Layout, Table, TableNames
from automl.preprocess.text import TextPart
from automl.space import Params, SearchSpace

FORMAT_VERSION = 1
# Entry of a list's kinds and lengths.
PLACES = "places"


def plan_space(needs: Needs, layout: Layout, rows: int = 0) -> SearchSpace:
    """What can be chosen about the matrix of a family on such a table of so many rows."""
    space = SearchSpace()
    if needs.pictures == "pixels":
        return space
    if layout.numbers or layout.dates:
        space = space | number.space(needs, len(layout.numbers))
    if layout.categories:
        space = space | category.space(needs)
    if layout.texts and needs.text != "none":
        space = space | text.space(needs, layout)
    if layout.pictures:
        space = space | image.space(needs, max(layout.picture_shapes, key=math.prod), rows)
    return space | combine.space(needs, layout) | reduce.space(needs)


def plan_key(needs: Needs, params: Params) -> str:
    """A name for a preprocessing choice; equal choices share a fold's matrices."""
    text = json.dumps([dataclasses.asdict(needs), params], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Transformer:
    """A plan, unfitted until `fit`. On disk it is one .npz of plain arrays.

    Args:
        layout: the table's columns.
        params: complete parameters of `plan_space`.
    """

    def __init__(self, needs: Needs, params: Params, layout: Layout) -> None:
        self.needs = needs
        self.params = params
        self.layout = layout
        self.parts: list[Part] = []
        if needs.pictures == "pixels":
            self.parts.append(PixelPart())
            self.reducer = None
            return
        if layout.numbers:
            self.parts.append(NumberPart(needs, params))
        if layout.dates:
            self.parts.append(DatePart(needs, params))
        if layout.categories:
            self.parts.append(CategoryPart(needs, params))
        if params.get("combine", "none") != "none":
            self.parts.append(CombinePart(params))
        if layout.pictures:
            self.parts.append(ImagePart(needs, params))
        if layout.texts and needs.text != "none":  # the last one: n-grams stand at the end of a sparse matrix
            self.parts.append(TextPart(needs, params, layout))
        method = str(params.get("reduce", "none"))
        self.reducer = Reducer(method, float(params.get("keep", 0.5))) if method != "none" else None

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        """Learn from training rows and return their matrix (n, m) float32: C-contiguous, or CSR (see `Needs.text`)."""
        blocks = [part.fit(table, fit) for part in self.parts]
        matrix = self._join(blocks, len(table))
        return self.reducer.fit(matrix, fit) if self.reducer else matrix

    def transform(self, table: Table) -> FloatArray:
        """The matrix (n, m) float32 of any rows."""
        matrix = self._join([part.transform(table) for part in self.parts], len(table))
        return self.reducer.transform(matrix) if self.reducer else matrix

    def to_graph(self, graph: Graph, table: TableNames) -> Any:
        """`transform`: the name of the matrix (n, m) float32; `SparseNames` for families that take n-grams.

        Raises:
            NoGraphError: if a part has no form as a graph.
        """
        blocks = []
        for part in self.parts:
            if not hasattr(part, "to_graph"):
                raise NoGraphError(f"The {part.kind} columns are prepared in a way that has no form as a graph")
            blocks.append(part.to_graph(graph, table))
        blocks = [block for block in blocks if block != ""]  # a part may give no column at all
        if blocks and isinstance(blocks[-1], SparseNames):
            return self._join_in_graph(graph, blocks[:-1], blocks[-1])
        matrix = graph.concat(blocks) if blocks else table.numbers
        return self.reducer.to_graph(graph, matrix) if self.reducer else matrix

    def _join_in_graph(self, graph: Graph, others: list[str], ngrams: SparseNames) -> SparseNames:
        """`_join` of a sparse matrix."""
        if not others:
            return ngrams
        share = np.float32(self.params.get("others", 1.0))
        return dataclasses.replace(ngrams, front=graph.add("Mul", graph.concat(others), share))

    def _join(self, blocks: list[Any], rows: int) -> FloatArray:
        """One matrix; beside n-grams, other columns count for as much as was chosen."""
        if self.needs.text != "sparse" or not self.layout.texts:
            return _hstack(blocks, rows)
        from scipy.sparse import csr_matrix, hstack

        share = np.float32(self.params.get("others", 1.0))
        others = csr_matrix(_hstack(blocks[:-1], rows) * share)
        return cast(FloatArray, hstack([others, blocks[-1]], format="csr", dtype=np.float32))

    @property
    def text(self) -> TextPart | None:
        """The part that reads texts, if there is one."""
        return next((part for part in self.parts if isinstance(part, TextPart)), None)

    def features(self) -> tuple[Feature, ...]:
        """What the m columns are."""
        layout = self.layout
        empty = Table(
            layout=layout,
            numbers=np.empty((0, len(layout.numbers)), np.float32),
            categories=np.empty((0, len(layout.categories)), np.int32),
            dates=np.empty((0, len(layout.dates))),
            pictures=tuple(np.empty((0, *shape), np.uint8) for shape in layout.picture_shapes),
        )
        features = tuple(feature for part in self.parts for feature in part.features(empty))
        return self.reducer.features(features) if self.reducer else features

    def save(self, path: Path) -> None:
        """Write an .npz; nothing in it can execute."""
        arrays: dict[str, Array] = {}
        for part in self.parts:
            _flatten(part.kind, part.state, arrays)
        if self.reducer:
            _flatten("reduce", self.reducer.state, arrays)
        head = {"format_version": FORMAT_VERSION, "needs": dataclasses.asdict(self.needs), "params": self.params}
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        write_array(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    @staticmethod
    def load(path: Path, layout: Layout) -> Transformer:
        """Read what `save` wrote.

        Raises:
            ArtifactError: if the file is damaged or foreign.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            head: dict[str, Any] = json.loads(arrays.pop("head").tobytes())
            transformer = Transformer(Needs(**head["needs"]), head["params"], layout)
            for part in transformer.parts:
                part.state = _unflatten(part.kind, arrays)
            if transformer.reducer:
                transformer.reducer.state = _unflatten("reduce", arrays)
            transformer.features()
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            raise ArtifactError(
                f"{path} is not a preprocessing plan: {error}", hint="Export or train the model again"
            ) from error
        return transformer


def _hstack(blocks: list[FloatArray], rows: int) -> FloatArray:
    if len(blocks) == 1 and blocks[0].dtype == np.uint8:  # pixels stay bytes: a quarter of the memory
        return blocks[0]
    if len(blocks) == 1:
        return np.ascontiguousarray(blocks[0], dtype=np.float32)
    return np.hstack(blocks).astype(np.float32, copy=False) if blocks else np.empty((rows, 0), dtype=np.float32)


def _flatten(prefix: str, state: State, arrays: dict[str, Array]) -> None:
    for name, value in state.items():
        if isinstance(value, list):
            arrays |= _pack(f"{prefix}/{name}", value)
        else:
            arrays[f"{prefix}/{name}"] = value


def _pack(key: str, items: list[Array]) -> dict[str, Array]:
    """A list in few entries, as an entry takes longer to read than what is in it: arrays of one kind lie one below the
    other, and `PLACES` (m, 2) tells the kind and the length of each."""
    numbers: dict[tuple[Any, ...], int] = {}
    kinds: list[list[Array]] = []
    places = []
    for item in items:
        kind = numbers.setdefault((item.dtype.str, *item.shape[1:]), len(kinds))
        if kind == len(kinds):
            kinds.append([])
        kinds[kind].append(item)
        places.append((kind, len(item)))
    packed = {f"{key}/{kind}": np.concatenate(own) for kind, own in enumerate(kinds)}
    return {f"{key}/{PLACES}": np.array(places, dtype=np.int64).reshape(-1, 2), **packed}


def _unpack(packed: dict[str, Array]) -> list[Array]:
    """The list that `_pack` was given."""
    ends: dict[int, int] = {}
    items = []
    for kind, length in packed[PLACES].tolist():
        start = ends.get(kind, 0)
        ends[kind] = start + length
        items.append(packed[str(kind)][start : start + length])
    if any(ends[kind] != len(packed[str(kind)]) for kind in ends):
        raise ValueError("the arrays of a list do not have the lengths that it tells")
    return items


def _unflatten(prefix: str, arrays: dict[str, Array]) -> State:
    state: State = {"lookups": []} if prefix == "category" else {}
    lists: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        place = key.split("/")
        if place[0] != prefix:
            continue
        if len(place) == 3:
            lists.setdefault(place[1], {})[place[2]] = array
        else:
            state[place[1]] = array
    for name, packed in lists.items():  # a model of before has an entry an array
        state[name] = _unpack(packed) if PLACES in packed else list(packed.values())
    return state
