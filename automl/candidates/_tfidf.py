"""Linear models over sparse n-grams: fitted by scikit-learn, kept and used as one array of coefficients."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._margin import FEWEST_HELD, MarginEstimator, fit_probabilities
from automl.candidates._record import (
    check_array,
    check_int,
    read_arrays,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._rounds import split_stop_rows
from automl.candidates._sklearn import SklearnEstimator, fit_quietly
from automl.candidates._targets import constant_in_graph, spread_probabilities
from automl.candidates._time import limit_threads
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray, Needs, Shape

FILE = "coefficients.npz"
NEEDS = Needs(scaled=True, text="sparse")
# Coefficients below this share of the largest change no answer, and are most of what a model would weigh.
PRUNE_SHARE = 1e-4
CHUNK_CELLS = 40_000_000
MANY_CELLS = 300_000  # rows × classes beyond which a second fit would be dear
PROBE_SHARE, PROBE_SAFETY = 6, 0.8
FEW_GROWTH, MANY_GROWTH = 1.1, 0.9
# With many classes a pass costs as much for the coefficients as for the rows: half the rows, more than half the time.
MANY_CLASSES, MANY_POWER = 20, 0.6


def needs_text(shape: Shape) -> str:
    """Why a family of n-grams cannot be used; empty if it can."""
    return "" if shape.texts else "the table has no column of texts"


class TfidfEstimator(MarginEstimator):
    """A linear model of one fold: margins are matrix · coefficients + intercepts.

    Probabilities come from margins as in `MarginEstimator`; with `exact` they are the margins' own softmax.

    Args:
        exact: the model's own loss is the softmax's, so that nothing is calibrated.
        others: whether columns beside the n-grams are used.
    """

    exact = False
    others = True

    def __init__(self, candidate: str, model: Any, context: FitContext, **options: Any) -> None:
        power = MANY_POWER if context.task.n_outputs > MANY_CLASSES else 1.0
        super().__init__(candidate, model, context, power=power, **options)
        self.coefficients: FloatArray = np.zeros((0, 0), dtype=np.float32)
        self.intercepts: Array = np.zeros(0, dtype=np.float64)
        # the n-grams are the last feature of the matrix
        self.skip = 0 if self.others else sum(feature.width for feature in context.features[:-1])

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        if self.exact and self.classification:
            SklearnEstimator.fit(self, matrix, target, weight)
            self.offsets = np.zeros(len(self.classes), dtype=np.float64)
        elif self.classification and matrix.shape[0] * self.n_outputs > MANY_CELLS and self.context is not None:
            self._fit_many(matrix, target, weight)
        else:
            super().fit(matrix, target, weight)

    def to_graph(self, graph: Graph, matrix: Any) -> str:
        """See `SklearnEstimator.to_graph`; the matrix is `SparseNames`."""
        if self.scale is None and len(self.classes) == 1:
            return constant_in_graph(graph, matrix.rows, self.classes, self.n_outputs)
        return super().to_graph(graph, matrix)

    def values_to_graph(self, graph: Graph, matrix: Any) -> str:
        """`_margins`, (n, c) float64."""
        margins = matrix.multiply(graph, self.coefficients, front=self.skip == 0)
        return graph.add("Add", graph.cast(margins, "float64"), np.asarray(self.intercepts, dtype=np.float64))

    def _fit_many(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        """Where a fit is dear: one on a sixth of the rows tells the slope of the probabilities, and what all cost."""
        context = self.context
        assert context is not None
        self.n_features = matrix.shape[1]
        keep, held = split_stop_rows(context, matrix.shape[0])
        if keep is None:
            keep, held = self._hold_back(target)
        order = np.random.default_rng(context.seed).permutation(keep)
        few = np.sort(order[: max(1, len(keep) // PROBE_SHARE)])
        with limit_threads(context.threads):
            started = time.monotonic()
            self._fit_rows(matrix, target, weight, few)
            seconds = time.monotonic() - started
            slope = self._measure_slope(matrix, target, weight, held)
            # liblinear's passes grow a little with the rows; of many classes the coefficients cost as much as the rows
            growth = MANY_GROWTH if len(self.classes) > MANY_CLASSES else FEW_GROWTH
            possible = len(few) * max(PROBE_SAFETY * context.seconds_left() / max(seconds, 1e-4), 0.0) ** (1 / growth)
            if possible >= matrix.shape[0]:
                self._fit_rows(matrix, target, weight, None)
            elif possible > 1.3 * len(few):
                self._fit_rows(matrix, target, weight, np.sort(order[: int(possible)]))
        self.slope, self.offsets = slope, np.zeros(len(self.classes), dtype=np.float64)

    def _measure_slope(self, matrix: FloatArray, target: Array, weight: Array | None, held: IntArray) -> float:
        held = held[np.isin(target[held], self.classes)]
        if len(self.classes) < 2 or len(held) < FEWEST_HELD:
            return 1.0
        codes = np.searchsorted(self.classes, target[held])
        return fit_probabilities(self.decide(matrix[held]), codes, None if weight is None else weight[held])[0]

    def fit_model(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        used = matrix[:, self.skip :] if self.skip else matrix
        if used.shape[1] == 0:  # no n-gram is common enough, and there is nothing else
            used = np.zeros((used.shape[0], 1), dtype=np.float32)
        self.fit_linear(used, target, weight)
        coefficients, intercepts = self.read_linear()
        coefficients = np.asarray(coefficients, dtype=np.float32).reshape(len(intercepts), -1)
        coefficients[np.abs(coefficients) < PRUNE_SHARE * np.abs(coefficients).max(initial=0.0)] = 0.0
        self.coefficients = np.ascontiguousarray(coefficients[:, : matrix.shape[1] - self.skip].T)
        self.intercepts = np.asarray(intercepts, dtype=np.float64)

    def fit_linear(self, matrix: Any, target: Array, weight: Array | None) -> None:
        """Fit `self.model`."""
        fit_quietly(self.model.fit, matrix, target, sample_weight=weight)

    def read_linear(self) -> tuple[Array, Array]:
        """Coefficients (c, m) and intercepts (c,) of the fitted model, c being 1 for two classes or a value."""
        coefficients = np.atleast_2d(self.model.coef_)
        return coefficients, np.broadcast_to(np.atleast_1d(self.model.intercept_), (len(coefficients),))

    def predict(self, matrix: FloatArray) -> FloatArray:
        rows = matrix.shape[0]
        step = max(64, CHUNK_CELLS // max(1, self.n_outputs * 64))
        parts = [self._predict_part(matrix[start : start + step]) for start in range(0, rows, step)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        if self.scale is not None:
            return self.scale.invert(self._margins(matrix)[:, 0])
        if len(self.classes) == 1:
            return spread_probabilities(np.ones((matrix.shape[0], 1)), self.classes, self.n_outputs)
        return spread_probabilities(self.predict_classes(matrix), self.classes, self.n_outputs)

    def _margins(self, matrix: Any) -> Array:
        used = matrix[:, self.skip :] if self.skip else matrix
        return np.asarray(used @ self.coefficients, dtype=np.float64) + self.intercepts

    def decide(self, matrix: FloatArray) -> Array:
        margins = self._margins(matrix)
        return np.column_stack([np.zeros(len(margins)), margins[:, 0]]) if margins.shape[1] == 1 else margins

    def save(self, folder: Path) -> None:
        from scipy.sparse import csr_matrix

        packed = csr_matrix(self.coefficients)
        arrays = {
            "data": packed.data,
            "indices": packed.indices,
            "indptr": packed.indptr.astype(np.int64),
            "intercepts": self.intercepts,
        }
        write_arrays(folder / FILE, arrays)
        facts = {"skip": self.skip, "rows": self.coefficients.shape[0], "columns": self.coefficients.shape[1]}
        write_record(folder, self.candidate, {**self.facts(), **facts})

    @classmethod
    def load_linear(cls, candidate: str, folder: Path) -> TfidfEstimator:
        """A fitted estimator from a folder.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, candidate, (FILE,))
        estimator = cls.__new__(cls)
        estimator.candidate, estimator.context, estimator.model = candidate, None, None
        estimator.restore(folder, facts)
        estimator.skip = check_int(folder, facts, "skip", 0, 100_000_000)
        arrays = read_arrays(folder / FILE, ("data", "indices", "indptr", "intercepts"))
        rows = check_int(folder, facts, "rows", 0, 100_000_000)
        columns = check_int(folder, facts, "columns", 0, 1_000_000)
        estimator.coefficients = _unpack(folder, arrays, rows, columns)
        check_array(folder, arrays["intercepts"], "intercepts", "float64", (columns,))
        estimator.intercepts = arrays["intercepts"]
        wanted = 1 if not estimator.classification or len(estimator.classes) == 2 else len(estimator.classes)
        if columns != wanted and not (columns == 0 and len(estimator.classes) == 1):
            raise refuse(folder, f"it has {columns} columns of coefficients, not {wanted}")
        return estimator


def _unpack(folder: Path, arrays: dict[str, Array], rows: int, columns: int) -> FloatArray:
    from scipy.sparse import csr_matrix

    check_array(folder, arrays["indptr"], "indptr", "int64", (rows + 1,))
    check_array(folder, arrays["data"], "data", "float32", (-1,))
    count = len(arrays["data"])
    check_array(folder, arrays["indices"], "indices", "int32", (count,))
    indptr, indices = arrays["indptr"], arrays["indices"]
    ordered = indptr[0] == 0 and indptr[-1] == count and bool((np.diff(indptr) >= 0).all())
    if not ordered or (count and (indices.min() < 0 or indices.max() >= columns)):
        raise refuse(folder, "its coefficients have no place")
    if rows * columns > 500_000_000 or not np.isfinite(arrays["data"]).all():
        raise refuse(folder, "its coefficients are too many or not finite")
    dense = csr_matrix((arrays["data"], indices, indptr), shape=(rows, columns)).toarray()
    return np.asarray(dense, dtype=np.float32)
