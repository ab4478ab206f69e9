"""Regularised discriminant analysis: a normal cloud a class, with a shape of its own as far as the rows allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._record import (
    check_array,
    check_int,
    read_arrays,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._sklearn import check_classes
from automl.candidates._targets import constant_in_graph, encode_classes, softmax, spread_in_graph, spread_probabilities
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray, Needs, Shape
from automl.space import Float, Params, SearchSpace
from automl.task import Task

NAME = "discriminant"
FILE = "clouds.npz"
MAX_COLUMNS = 200
MAX_CELLS = 1_000_000  # of all classes' shapes together, as the table's columns tell
MAX_FITTED_CELLS = 25_000_000  # the same of the matrix, where a category may be many columns
CHUNK_CELLS = 20_000_000
# Scaled values beyond this are pulled in: squares of one strange cell would rule, and lose the digits of all others.
EDGE = 8.0
LEAST_VARIANCE = 1e-6


class Discriminant:
    """Between linear and quadratic discriminant analysis (Friedman 1989, doi:10.1080/01621459.1989.10478752): each
    class' covariance is drawn towards the common one, and both towards a sphere. It costs next to nothing, and where
    classes differ in shape more than in place nothing else on few rows comes near."""

    title = "Discriminant analysis"
    needs = Needs(scaled=True)
    cost = 0.3
    pool = "core"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not task.is_classification:
            return "discriminant analysis tells classes apart; this target is a number"
        if shape.texts or shape.pictures:
            return "what texts and pictures become is not shaped like a cloud"
        columns = shape.numbers + shape.categories
        if columns > MAX_COLUMNS or shape.outputs * columns**2 > MAX_CELLS:
            return f"{columns} columns and {shape.outputs} classes have more covariances than rows could tell"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        return SearchSpace({"pooled": Float(0.0, 1.0, 0.3), "shrunk": Float(1e-4, 1.0, 0.01, log=True)})

    def build(self, params: Params, context: FitContext) -> Estimator:
        return DiscriminantEstimator(params, context.task.n_outputs)

    def load(self, folder: Path) -> Estimator:
        return DiscriminantEstimator.load(folder)


class DiscriminantEstimator:
    """Of each of c classes that were in training: `means` (c, m), `turns` (c, m, m), which make its cloud a sphere of
    unit variance, and `offsets` (c,), its log share less half the log volume; all float64."""

    def __init__(self, params: Params, n_outputs: int) -> None:
        self.params = params
        self.n_outputs = n_outputs
        self.classes: IntArray = np.zeros(0, dtype=np.int64)
        self.arrays: dict[str, Array] = {}

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        self.classes, learned = encode_classes(target)
        if len(self.classes) * matrix.shape[1] ** 2 > MAX_FITTED_CELLS:
            raise ValueError(
                f"{matrix.shape[1]:,} columns and {len(self.classes)} classes have covariances that fill the memory"
            )
        x = _pull_in(matrix)
        weight = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64)
        masses = np.bincount(learned, weights=weight, minlength=len(self.classes))
        means, covariances = [], []
        for label in range(len(self.classes)):
            rows = learned == label
            share = weight[rows] / masses[label] if masses[label] > 0 else np.full(rows.sum(), 1.0 / rows.sum())
            means.append(share @ x[rows])
            away = x[rows] - means[-1]
            covariances.append((away * share[:, None]).T @ away)
        shares = np.maximum(masses / masses.sum(), 1e-12)
        common = np.tensordot(shares, covariances, axes=1)
        turns, offsets = [], []
        for share, own in zip(shares, covariances, strict=True):
            turn, log_volume = self._make_round(own, common)
            turns.append(turn)
            offsets.append(np.log(share) - 0.5 * log_volume)
        self.arrays = {"means": np.array(means), "turns": np.array(turns), "offsets": np.array(offsets)}

    def _make_round(self, own: Array, common: Array) -> tuple[Array, float]:
        """What turns a cloud into a sphere of unit variance, and the logarithm of its squared volume."""
        mixed = (1 - self.params["pooled"]) * own + self.params["pooled"] * common
        usual = max(float(np.trace(mixed)) / max(1, len(mixed)), LEAST_VARIANCE)
        mixed = (1 - self.params["shrunk"]) * mixed + self.params["shrunk"] * usual * np.eye(len(mixed))
        variances, axes = np.linalg.eigh(mixed)
        variances = np.maximum(variances, LEAST_VARIANCE)
        return axes / np.sqrt(variances), float(np.log(variances).sum())

    def predict(self, matrix: FloatArray) -> FloatArray:
        step = max(1, CHUNK_CELLS // max(1, matrix.shape[1] * 4))
        parts = [self._predict_part(matrix[at : at + step]) for at in range(0, len(matrix), step)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        x = _pull_in(matrix)
        scores = [
            offset - 0.5 * (((x - mean) @ turn) ** 2).sum(axis=1)
            for mean, turn, offset in zip(*(self.arrays[name] for name in ("means", "turns", "offsets")), strict=True)
        ]
        return spread_probabilities(softmax(np.stack(scores, axis=1)), self.classes, self.n_outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        if len(self.classes) == 1:
            return constant_in_graph(graph, matrix, self.classes, self.n_outputs)
        x = graph.clip(graph.cast(matrix, "float64"), np.float64(-EDGE), np.float64(EDGE))
        scores = []
        for mean, turn, offset in zip(*(self.arrays[name] for name in ("means", "turns", "offsets")), strict=True):
            away = graph.add("MatMul", graph.add("Sub", x, mean), turn)
            squares = graph.total(graph.add("Mul", away, away), 1)
            scores.append(graph.add("Sub", np.float64(offset), graph.add("Mul", np.float64(0.5), squares)))
        return spread_in_graph(graph, graph.add("Softmax", graph.concat(scores), axis=1), self.classes, self.n_outputs)

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, self.arrays)
        write_record(folder, NAME, {"n_outputs": self.n_outputs, "classes": self.classes.tolist()})

    @classmethod
    def load(cls, folder: Path) -> DiscriminantEstimator:
        """A fitted estimator.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, NAME, (FILE,))
        estimator = cls({}, check_int(folder, facts, "n_outputs", 1, 1_000_000))
        estimator.classes = check_classes(folder, facts, estimator.n_outputs)
        arrays = read_arrays(folder / FILE, ("means", "turns", "offsets"))
        count = len(estimator.classes)
        check_array(folder, arrays["means"], "means", "float64", (count, -1))
        columns = arrays["means"].shape[1]
        check_array(folder, arrays["turns"], "turns", "float64", (count, columns, columns))
        check_array(folder, arrays["offsets"], "offsets", "float64", (count,))
        if count == 0 or not all(np.isfinite(array).all() for array in arrays.values()):
            raise refuse(folder, "its classes or their clouds are not sound")
        estimator.arrays = arrays
        return estimator


def _pull_in(matrix: FloatArray) -> Array:
    pulled: Array = np.clip(np.asarray(matrix, dtype=np.float64), -EDGE, EDGE)
    return pulled


plugin: Candidate = Discriminant()
