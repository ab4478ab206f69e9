"""Nearest neighbours: the shares, or the mean, of the most similar training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._graph_sklearn import squared_distances
from automl.candidates._record import (
    check_array,
    check_fact,
    check_int,
    read_arrays,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._targets import spread_probabilities
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Int, Params, SearchSpace
from automl.task import Task

NAME = "nearest_neighbors"
FILE = "rows.npz"
ARRAYS = ("matrix", "target", "weight")
MAX_ROWS = 50_000
MAX_COLUMNS = 200
CHUNK_ROWS = 512
SPARE = 8  # neighbours looked at beyond those asked for, to see where ties end
TWIN = 1e-10  # squared distance up to which two rows are the same
TIED_CELLS = 4_000_000
VOTES = ("uniform", "distance")


class NearestNeighbors:
    """k nearest neighbours by exact Euclidean search; the model is the training rows."""

    title = "Nearest neighbours"
    needs = Needs(scaled=True)
    cost = 4.0
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if shape.rows > MAX_ROWS:
            return f"{shape.rows:,} rows are more than the {MAX_ROWS:,} it can search quickly"
        columns = shape.numbers + shape.categories  # what pictures become is made for distances
        if columns > MAX_COLUMNS:
            return f"{columns} columns are more than {MAX_COLUMNS}: all rows are equally far apart"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"n_neighbors": Int(1, 100, 15, log=True), "weights": Choice(VOTES, "distance")})

    def build(self, params: Params, context: FitContext) -> Estimator:
        return NearestNeighborsEstimator(params, context.task.n_outputs, context.task.is_classification)

    def load(self, folder: Path) -> Estimator:
        return NearestNeighborsEstimator.load(folder)


class NearestNeighborsEstimator:
    """The training rows `matrix` (n, m), their `target` (n,) and `weight` (n,); all float32."""

    def __init__(self, params: Params, n_outputs: int, classification: bool) -> None:
        self.params = params
        self.n_outputs = n_outputs
        self.classification = classification
        self.arrays: dict[str, Array] = {}
        self._index: Any = None

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        weights = np.ones(len(matrix)) if weight is None else weight
        # Class numbers and float64 values alike: a float32 copy of a value is as exact as a prediction can be.
        self.arrays = {
            "matrix": np.ascontiguousarray(matrix, dtype=np.float32),
            "target": np.asarray(target, dtype=np.float32),
            "weight": np.asarray(weights, dtype=np.float32),
        }
        self._index = None

    def predict(self, matrix: FloatArray) -> FloatArray:
        parts = [self._predict_part(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        squared, rows = self._find(matrix)
        votes = self.arrays["weight"][rows].astype(np.float64)
        if self.params["weights"] == "distance":
            # A row that stands in the training data takes the answer of its twins alone.
            with np.errstate(divide="ignore"):
                closeness = 1.0 / np.sqrt(squared.astype(np.float64))
            twins = np.isinf(closeness)
            votes *= np.where(twins.any(axis=1, keepdims=True), twins, closeness)
        votes[votes.sum(axis=1) <= 0] = 1.0
        values = self.arrays["target"][rows]
        if not self.classification:
            mean = (votes * values).sum(axis=1) / votes.sum(axis=1)
            return np.asarray(mean, dtype=np.float32).reshape(-1, 1)
        shares = np.zeros((len(matrix), self.n_outputs), dtype=np.float64)
        np.add.at(shares, (np.arange(len(matrix))[:, None], values.astype(np.int64)), votes)
        return spread_probabilities(shares, np.arange(self.n_outputs), self.n_outputs)

    @property
    def _count(self) -> int:
        return min(int(self.params["n_neighbors"]), len(self.arrays["matrix"]))

    def _find(self, matrix: FloatArray) -> tuple[FloatArray, Array]:
        """Squared distances (n, k) float32, ascending, and training rows (n, k); of equally far rows the first.

        Which of several equally far rows are taken decides a prediction, so it must not hang on the last bit of a
        product of matrices: distances are compared as float32, and rows whose ties go beyond the spare neighbours
        are held against every training row.
        """
        known, k = self.arrays["matrix"], self._count
        near = np.sort(self._build_index().kneighbors(matrix, return_distance=False), axis=1)
        away = known[near].astype(np.float64) - matrix[:, None, :].astype(np.float64)
        squared = _as_compared(np.einsum("nkm,nkm->nk", away, away))
        order = np.argsort(squared, axis=1, kind="stable")
        squared, near = np.take_along_axis(squared, order, axis=1), np.take_along_axis(near, order, axis=1)
        ends_open = (squared[:, -1] <= squared[:, k - 1]) & (near.shape[1] < len(known))
        open_ties = np.nonzero(ends_open)[0]
        squared, near = squared[:, :k].copy(), near[:, :k].copy()
        step = max(1, TIED_CELLS // len(known))
        for at in range(0, len(open_ties), step):
            rows = open_ties[at : at + step]
            squared[rows], near[rows] = _find_among_all(known, matrix[rows], k)
        return squared, near

    def to_graph(self, graph: Graph, matrix: str) -> str:
        rows = self.arrays["matrix"].astype(np.float64)
        squared = squared_distances(graph, matrix, rows)
        twin = graph.add("Less", squared, np.float64(TWIN))
        compared = graph.cast(graph.add("Where", twin, np.float64(0), squared), "float32")
        nearest, places = graph.add_many(
            "TopK", compared, np.array([self._count], dtype=np.int64), outputs=2, axis=1, largest=0, sorted=1
        )
        votes = graph.add("Gather", self.arrays["weight"].astype(np.float64), places, axis=0)
        if self.params["weights"] == "distance":
            votes = _closeness_to_graph(graph, votes, graph.cast(nearest, "float64"))
        total = graph.total(votes, 1)
        nobody = graph.add("Not", graph.add("Greater", total, np.float64(0)))
        votes = graph.add("Where", nobody, np.float64(1), votes)
        shares = graph.add("Div", votes, graph.total(votes, 1))
        target = self.arrays["target"].astype(np.float64)[:, None]
        if self.classification:
            target = np.eye(self.n_outputs, dtype=np.float64)[self.arrays["target"].astype(np.int64)]
        answers = graph.add("Gather", target, places, axis=0)  # (n, k, outputs)
        wide = graph.add("Unsqueeze", shares, np.array([2], dtype=np.int64))
        return graph.total(graph.add("Mul", wide, answers), 1, keep=False)

    def _build_index(self) -> Any:
        if self._index is None:
            from sklearn.neighbors import NearestNeighbors as Index

            count = min(self._count + SPARE, len(self.arrays["matrix"]))
            index = Index(n_neighbors=count, metric="euclidean", algorithm="brute", n_jobs=1)
            self._index = index.fit(self.arrays["matrix"])
        return self._index

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, self.arrays)
        facts = {**self.params, "n_outputs": self.n_outputs, "classification": self.classification}
        write_record(folder, NAME, facts)

    @classmethod
    def load(cls, folder: Path) -> NearestNeighborsEstimator:
        """A fitted estimator.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, NAME, (FILE,))
        if facts.get("weights") not in VOTES:
            raise refuse(folder, "its weights are unknown")
        params = {"weights": facts["weights"]}
        params["n_neighbors"] = check_int(folder, facts, "n_neighbors", 1, 1_000_000)
        n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        estimator = cls(params, n_outputs, check_fact(folder, facts, "classification", bool))
        arrays = read_arrays(folder / FILE, ARRAYS)
        check_array(folder, arrays["matrix"], "matrix", "float32", (-1, -1))
        for name in ("target", "weight"):
            check_array(folder, arrays[name], name, "float32", (len(arrays["matrix"]),))
        finite = all(np.isfinite(arrays[name]).all() for name in ARRAYS)
        target = arrays["target"]
        if (
            len(target) == 0
            or not finite
            or (estimator.classification and not (0 <= target.min() <= target.max() < n_outputs))
        ):
            raise refuse(folder, "its rows or classes are not sound")
        estimator.arrays = arrays
        return estimator


def _as_compared(squared: Array) -> FloatArray:
    return np.where(squared < TWIN, 0.0, squared).astype(np.float32)


def _find_among_all(known: FloatArray, matrix: FloatArray, k: int) -> tuple[FloatArray, Array]:
    """The k smallest of (squared distance, row), each pair as one whole number: float32 above 0 sort as their bits."""
    x, y = matrix.astype(np.float64), known.astype(np.float64)
    every = (x**2).sum(axis=1)[:, None] - 2.0 * (x @ y.T) + (y**2).sum(axis=1)
    keys = (_as_compared(every).view(np.int32).astype(np.int64) << 32) | np.arange(len(known))
    first = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1)
    return (first >> 32).astype(np.int32).view(np.float32), first & 0xFFFFFFFF


def _closeness_to_graph(graph: Graph, votes: str, squared: str) -> str:
    twins = graph.cast(graph.add("Equal", squared, np.float64(0)), "float64")
    any_twin = graph.add("Greater", graph.total(twins, 1), np.float64(0))
    distance = graph.add("Sqrt", graph.add("Add", squared, twins))  # a twin's 0 would be divided by
    closeness = graph.add("Div", np.float64(1), distance)
    return graph.add("Mul", votes, graph.add("Where", any_twin, twins, closeness))


plugin: Candidate = NearestNeighbors()
