"""Pictures as columns that any model can use: descriptors, brought down to a few principal components."""

from __future__ import annotations

import hashlib
import math
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess._graph_pictures import describe_in_graph
from automl.preprocess.descriptors import (
    PATCH,
    WORKING_SIDE,
    apply_filters,
    describe_colors,
    describe_gradients,
    learn_filters,
)
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import Table, TableNames
from automl.space import Choice, Int, Params, SearchSpace

KINDS = ("filters", "gradients", "filters and gradients", "pixels")
COLOR_COLUMNS = 48
SMALL_PIXELS = 1_000  # values of a picture up to which fewer filters over a finer grid tell more
MOST_MULTIPLICATIONS = 2e11
MEMO_BYTES = 256 << 20
FIRM = 1e-5  # of the longest principal component's spread: what is shorter has no direction
LARGEST = float(np.finfo(np.float16).max)
CHUNK_ROWS = 10_000  # pictures described at once; principal components need no more to be found


def space(needs: Needs, shape: tuple[int, int, int], rows: int) -> SearchSpace:
    """How pictures may be described; nothing for families that take them as they are.

    Filters are left out by default where they would take minutes: above 2·10¹¹ multiplications for all rows.

    Args:
        shape: (h, w, c) of a picture.
    """
    if needs.pictures == "pixels":
        return SearchSpace()
    is_small = math.prod(shape) <= SMALL_PIXELS
    count = 200 if is_small else 400
    shrunk = -(-max(shape[:2]) // WORKING_SIDE)
    places = max(1, shape[0] // shrunk - PATCH + 1) * max(1, shape[1] // shrunk - PATCH + 1)
    is_dear = rows * places * count * PATCH**2 * shape[2] > MOST_MULTIPLICATIONS
    return SearchSpace(
        {
            "pictures": Choice(KINDS, "gradients" if is_dear else "filters and gradients"),
            "filters": Choice((200, 400, 800), count),
            "grid": Choice((2, 4), 4 if is_small else 2),
            "components": Int(32, 512, 256, log=True),
        }
    )


class ImagePart:
    """Fitted on training rows; filters and components are learned from them alone.

    Components are half whitened (divided by the square root of their spread), which serves kernels and distances best.
    What is dear is kept in `FitRows.shared` for other plans of the same fold.
    """

    kind = "image"

    def __init__(self, needs: Needs, params: Params) -> None:
        self.needs = needs
        self.params = params
        self.state: State = {}
        self._memo = Memo(None)

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        self._memo = Memo(fit.shared)
        for place, pictures in enumerate(table.pictures):
            self.state |= self._fit_one(place, pictures, fit)
        return self.transform(table)

    def _fit_one(self, place: int, pictures: Array, fit: FitRows) -> State:
        choice = str(self.params.get("pictures", KINDS[2]))
        count = int(self.params.get("filters", 0))
        facts = (choice, count, *(int(self.params.get(name, 0)) for name in ("grid", "components")), fit.seed)
        key = digest(pictures, repr(facts))
        sample = pictures
        if len(pictures) > CHUNK_ROWS:  # enough for components; the descriptors of all rows would fill the memory
            rows = np.random.default_rng(fit.seed).choice(len(pictures), CHUNK_ROWS, replace=False)
            sample = np.asarray(pictures[np.sort(rows)])
        state: State = {"key": np.frombuffer(key.encode(), dtype=np.uint8)}
        if "filters" in choice:
            name = f"learned-{digest(pictures, repr((count, fit.seed)))}"
            state |= self._memo.get_all(name, lambda: learn_filters(pictures, count, fit.seed))
        for kind in _kinds(choice):
            raw = self._describe(kind, sample, state)
            components = int(self.params["components"]) if kind != "colors" else COLOR_COLUMNS
            solved = self._memo.get_all(f"axes-{kind}-{key}", lambda r=raw, m=components: _fit_axes(r, m, fit.seed))  # type: ignore[misc]
            state |= {f"{kind}.{name}": values for name, values in solved.items()}
        return {f"{place}.{name}": values for name, values in state.items()}

    def _describe(self, kind: str, pictures: Array, state: State) -> FloatArray:
        if kind == "filters":
            grid = int(self.params["grid"])
            key = digest(pictures, digest(state["weights"], str(grid)))
            filters = {"weights": state["weights"], "bias": state["bias"]}
            return self._memo.get(f"filters-{key}", lambda: apply_filters(pictures, filters, grid))
        if kind == "gradients":
            return self._memo.get(f"gradients-{digest(pictures, '')}", lambda: describe_gradients(pictures))
        if kind == "colors":
            return describe_colors(pictures)
        return np.asarray(pictures.reshape(len(pictures), -1), dtype=np.float32) / np.float32(255)

    def transform(self, table: Table) -> FloatArray:
        blocks = []
        for place, pictures in enumerate(table.pictures):
            start = f"{place}."
            state = {name[len(start) :]: values for name, values in self.state.items() if name.startswith(start)}
            for kind in _kinds(str(self.params.get("pictures", KINDS[2]))):
                parts = [
                    _project(self._describe(kind, pictures[at : at + CHUNK_ROWS], state), state, kind)
                    for at in range(0, max(1, len(pictures)), CHUNK_ROWS)
                ]
                blocks.append(parts[0] if len(parts) == 1 else np.concatenate(parts))
        return np.hstack(blocks) if blocks else np.empty((len(table), 0), dtype=np.float32)

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        """`transform` in a graph."""
        blocks = []
        for place, (pictures, shape) in enumerate(table.pictures):
            start = f"{place}."
            state = {name[len(start) :]: values for name, values in self.state.items() if name.startswith(start)}
            for kind in _kinds(str(self.params.get("pictures", KINDS[2]))):
                raw = describe_in_graph(graph, kind, pictures, shape, state, int(self.params.get("grid", 0)))
                centred = graph.add("Sub", raw, np.asarray(state[f"{kind}.mean"], dtype=np.float32))
                blocks.append(graph.add("MatMul", centred, state[f"{kind}.axes"].astype(np.float32)))
        return graph.concat(blocks)

    def features(self, table: Table) -> tuple[Feature, ...]:
        named = []
        for place, name in enumerate(table.layout.pictures):
            for kind in _kinds(str(self.params.get("pictures", KINDS[2]))):
                width = self.state[f"{place}.{kind}.axes"].shape[1]
                named += [Feature(name=f"{name} {kind} {at}", source=name, computed=True) for at in range(width)]
        return tuple(named)


class PixelPart:
    """The first picture column itself; nothing is learned."""

    kind = "pixels"

    def __init__(self) -> None:
        self.state: State = {}

    def fit(self, table: Table, fit: FitRows) -> Array:
        return self.transform(table)

    def transform(self, table: Table) -> Array:
        """(n, h·w·c) uint8."""
        pictures = table.pictures[0]
        return np.ascontiguousarray(pictures.reshape(len(pictures), -1))

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        """The pictures as they are, (n, h, w, c) uint8: who takes pixels takes them in this shape in a graph."""
        return table.pictures[0][0]

    def features(self, table: Table) -> tuple[Feature, ...]:
        name, shape = table.layout.pictures[0], table.layout.picture_shapes[0]
        return (Feature(name=name, source=name, shape=shape),)


class Memo:
    """What was computed before, in this process or, with a folder, by any worker of this run; found by its content."""

    recent: ClassVar[OrderedDict[str, dict[str, Array]]] = OrderedDict()

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, name: str, compute: Callable[[], FloatArray]) -> FloatArray:
        """One array."""
        return self.get_all(name, lambda: {"array": compute()})["array"]

    def get_all(self, name: str, compute: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """Arrays by name."""
        if name in Memo.recent:
            Memo.recent.move_to_end(name)
            return Memo.recent[name]
        path = self.folder / f"{name}.npz" if self.folder is not None else None
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        else:
            arrays = compute()
            if path is not None and _size(arrays) <= MEMO_BYTES:
                _write(path, arrays)
        Memo.recent[name] = arrays
        while sum(map(_size, Memo.recent.values())) > MEMO_BYTES and len(Memo.recent) > 1:
            Memo.recent.popitem(last=False)
        return arrays


def _write(path: Path, arrays: dict[str, Array]) -> None:
    """Write under a name of one's own, then rename: two workers may compute the same at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.stem}.tmp-{os.getpid()}.npz")
    try:
        np.savez(own, allow_pickle=False, **arrays)
        own.replace(path)
    finally:
        own.unlink(missing_ok=True)


def _size(arrays: dict[str, Array]) -> int:
    return sum(array.nbytes for array in arrays.values())


def digest(array: Array, facts: str) -> str:
    """16 hex digits that change with any value, the shape or the facts."""
    state = hashlib.blake2b(facts.encode(), digest_size=8)
    state.update(str((array.dtype, array.shape)).encode())
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def _kinds(choice: str) -> tuple[str, ...]:
    return {
        "filters": ("filters", "colors"),
        "gradients": ("gradients", "colors"),
        "filters and gradients": ("filters", "gradients", "colors"),
        "pixels": ("pixels",),
    }[choice]


def _fit_axes(raw: FloatArray, components: int, seed: int) -> dict[str, Array]:
    """Centre, scale and principal axes; kept as float16, and used as such from the beginning."""
    from sklearn.decomposition import PCA

    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    scale = np.where(spread > 0, 1.0 / (spread + 1e-2 * max(float(spread.mean()), 1e-6)), 0.0).astype(np.float32)
    width = max(1, min(components, raw.shape[1], len(raw) - 1))
    solver = PCA(width, svd_solver="randomized" if width < 0.5 * min(raw.shape) else "full", random_state=seed)
    projected = solver.fit_transform((raw - mean) * scale)
    length = projected.std(axis=0)
    firm = length >= FIRM * length[0]  # the others are rounding: of columns that are alike, or of too few rows
    projected, strength = projected[:, firm], np.sqrt(np.maximum(length[firm], 1e-6))
    total = float(np.sqrt(((projected / strength) ** 2).sum(axis=1).mean() / len(strength)))
    axes = (solver.components_[firm].T * scale[:, None]) / strength / max(total, 1e-6)
    exact = np.clip(axes, -LARGEST, LARGEST).astype(np.float16)
    return {"mean": mean.astype(np.float32), "axes": exact}


def _project(raw: FloatArray, state: State, kind: str) -> FloatArray:
    axes = state[f"{kind}.axes"].astype(np.float32)
    return np.asarray((raw - state[f"{kind}.mean"]) @ axes, dtype=np.float32)
