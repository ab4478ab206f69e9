"""Fewer columns for models that suffer from many: principal components, or the columns that tell most by themselves."""

from __future__ import annotations

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess.part import FitRows, State
from automl.space import Choice, Condition, Float, SearchSpace

MAX_ROWS = 20_000


def space(needs: Needs) -> SearchSpace:
    """Only families on scaled matrices are offered a reduction; trees choose columns by themselves."""
    if not needs.scaled or needs.categories == "embed" or needs.text in ("sparse", "tokens"):
        return SearchSpace()
    return SearchSpace(
        {"reduce": Choice(("none", "pca", "select"), "none"), "keep": Float(0.1, 0.9, 0.5)},
        {"keep": Condition("reduce", ("pca", "select"))},
    )


class Reducer:
    """Fitted on a training matrix (n, m); gives (n, max(1, keep * m))."""

    def __init__(self, method: str, keep: float) -> None:
        self.method = method
        self.keep = keep
        self.state: State = {}

    def fit(self, matrix: FloatArray, fit: FitRows) -> FloatArray:
        rng = np.random.default_rng(fit.seed)
        rows = np.arange(len(matrix))
        if len(rows) > MAX_ROWS:
            rows = np.sort(rng.choice(rows, MAX_ROWS, replace=False))
        width = max(1, min(round(self.keep * matrix.shape[1]), len(rows) - 1))
        if self.method == "pca":
            from sklearn.decomposition import PCA

            solver = PCA(n_components=width, svd_solver="covariance_eigh").fit(matrix[rows].astype(np.float64))
            self.state = {
                "mean": solver.mean_.astype(np.float32),
                "axes": np.ascontiguousarray(solver.components_.T.astype(np.float32)),
            }
        else:
            self.state = {"columns": self._select(matrix[rows], fit, rows, width)}
        return self.transform(matrix)

    def _select(self, matrix: FloatArray, fit: FitRows, rows: np.ndarray, width: int) -> np.ndarray:
        from sklearn.feature_selection import f_classif, f_regression

        if fit.weight is not None:
            scores = explained_shares(matrix, fit.target[rows], fit.task.is_classification, fit.weight[rows])
            return np.sort(np.argsort(-scores, kind="stable")[:width])
        rank = f_classif if fit.task.is_classification else f_regression
        with np.errstate(all="ignore"):
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # constant columns: their score is NaN and they go last
                scores = np.nan_to_num(rank(matrix, fit.target[rows])[0], nan=-1.0, posinf=np.finfo(np.float64).max)
        return np.sort(np.argsort(-scores, kind="stable")[:width])

    def transform(self, matrix: FloatArray) -> FloatArray:
        if "columns" in self.state:
            return np.ascontiguousarray(matrix[:, self.state["columns"]])
        return np.asarray((matrix - self.state["mean"]) @ self.state["axes"], dtype=np.float32)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        if "columns" in self.state:
            return graph.columns(matrix, self.state["columns"])
        return graph.add("MatMul", graph.add("Sub", matrix, self.state["mean"]), self.state["axes"])

    def features(self, before: tuple[Feature, ...]) -> tuple[Feature, ...]:
        if "columns" in self.state:
            return tuple(before[place] for place in self.state["columns"])
        return tuple(
            Feature(name=f"component {number}", source="(all)") for number in range(self.state["axes"].shape[1])
        )


def explained_shares(matrix: FloatArray, target: Array, classes: bool, weight: Array) -> Array:
    """Share (m,) of each column's weighted spread that goes with the target, -1 for one value: the order of columns is
    that of scikit-learn's F statistics, which know no weights."""
    share, columns = weight / max(weight.sum(), 1e-300), matrix.astype(np.float64)
    away = columns - share @ columns
    spread = share @ away**2
    varies = spread > 1e-24 * (share @ columns**2)  # more than rounding
    if classes:
        sums = np.stack([share[target == label] @ away[target == label] for label in np.unique(target)])
        sizes = np.array([share[target == label].sum() for label in np.unique(target)])
        told = (sums[sizes > 0] ** 2 / sizes[sizes > 0, None]).sum(axis=0)
    else:
        other = target - share @ target
        told = (share * other @ away) ** 2 / max(share @ other**2, 1e-300)
    scores: Array = np.divide(told, spread, out=np.full(len(spread), -1.0), where=varies)
    return scores
