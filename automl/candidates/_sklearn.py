"""Scikit-learn models behind the estimator's contract: aligned probabilities, float32 out, saved by skops."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._graph_sklearn import linear_to_graph
from automl.candidates._record import check_fact, check_int, read_record, refuse, write_record
from automl.candidates._targets import (
    TargetScale,
    constant_in_graph,
    encode_classes,
    spread_in_graph,
    spread_probabilities,
)
from automl.candidates._time import fit_in_time, limit_threads
from automl.graph import Graph, NoGraphError
from automl.matrix import Array, FloatArray, IntArray

FILE = "model.skops"
MAX_BYTES = 2 * 1024**3
CHUNK_CELLS = 20_000_000

# Beyond what skops trusts by itself; never extended by what a file asks for.
TRUSTED = (
    "numpy.dtype",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.metrics._dist_metrics.EuclideanDistance32",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance32",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.neighbors._kd_tree.KDTree32",
    "sklearn.neighbors._kd_tree.KDTree64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
)


class SklearnEstimator:
    """One scikit-learn model of one fold.

    Args:
        candidate: name of the family that builds it.
        model: unfitted scikit-learn estimator; a classifier must have `predict_proba` unless `decide` is given.
        context: as handed to `Candidate.build`.
        log_target: learn the logarithm of a value target; None: if the metric is one of logarithms.
        margin: by how much of the training range a predicted value may leave it.
        power: how the fit's time grows with the rows.
        most_rows: rows beyond which a sample is used.
    """

    def __init__(
        self,
        candidate: str,
        model: Any,
        context: FitContext,
        *,
        log_target: bool | None = None,
        margin: float = 0.0,
        power: float = 1.0,
        most_rows: int | None = None,
    ) -> None:
        self.candidate = candidate
        self.model = model
        self.context: FitContext | None = context
        self.n_outputs = context.task.n_outputs
        self.classification = context.task.is_classification
        self.log_target = log_target
        self.margin = margin
        self.power = power
        self.most_rows = most_rows
        self.n_features = 0
        self.classes: IntArray = np.zeros(0, dtype=np.int64)
        self.scale: TargetScale | None = None

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        assert self.context is not None, "a loaded model is not fitted again"
        self.n_features = matrix.shape[1]
        with limit_threads(self.context.threads):
            fit_in_time(
                lambda rows: self._fit_rows(matrix, target, weight, rows),
                self.context,
                target,
                power=self.power,
                most=self.most_rows,
            )

    def _fit_rows(self, matrix: FloatArray, target: Array, weight: Array | None, rows: IntArray | None) -> None:
        if rows is not None:
            matrix, target = matrix[rows], target[rows]
            weight = None if weight is None else weight[rows]
        if self.classification:
            self.classes, learned = encode_classes(target)
        else:
            assert self.context is not None
            metric = self.context.task.metric
            self.scale = TargetScale.learn(target, weight, metric=metric, log=self.log_target, margin=self.margin)
            learned = self.scale.apply(target)
        if not self.classification or len(self.classes) > 1:
            self.fit_model(matrix, learned, weight)

    def fit_model(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        """Fit `self.model`; the target is classes without gaps or standardised values."""
        fit_quietly(self.model.fit, matrix, target, **({} if weight is None else {"sample_weight": weight}))

    def predict(self, matrix: FloatArray) -> FloatArray:
        step = max(1, CHUNK_CELLS // max(1, self.n_features * max(1, self.n_outputs)))
        parts = [self._predict_part(matrix[start : start + step]) for start in range(0, len(matrix), step)]
        if not parts:
            return np.zeros((0, self.n_outputs), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        if self.scale is not None:
            return self.scale.invert(self.predict_values(matrix))
        if len(self.classes) == 1:  # nothing to tell apart
            return spread_probabilities(np.ones((len(matrix), 1)), self.classes, self.n_outputs)
        return spread_probabilities(self.predict_classes(matrix), self.classes, self.n_outputs)

    def predict_values(self, matrix: FloatArray) -> Array:
        """Standardised values (n,)."""
        result: Array = self.model.predict(matrix)
        return result

    def predict_classes(self, matrix: FloatArray) -> Array:
        """Probabilities (n, c) of the classes that were in training."""
        result: Array = self.model.predict_proba(matrix)
        return result

    def to_graph(self, graph: Graph, matrix: str) -> str:
        if self.scale is not None:
            return self.scale.to_graph(graph, self.values_to_graph(graph, matrix))
        if len(self.classes) == 1:
            return constant_in_graph(graph, matrix, self.classes, self.n_outputs)
        return spread_in_graph(graph, self.classes_to_graph(graph, matrix), self.classes, self.n_outputs)

    def values_to_graph(self, graph: Graph, matrix: str) -> str:
        """`model.predict` of a value, (n, 1) float64."""
        if hasattr(self.model, "coef_") and hasattr(self.model, "intercept_"):
            return linear_to_graph(graph, matrix, self.model)
        raise NoGraphError(f"{type(self.model).__name__} of {self.candidate!r} has no form as a graph")

    def classes_to_graph(self, graph: Graph, matrix: str) -> str:
        """`predict_classes`, (n, c) float64."""
        raise NoGraphError(f"{type(self.model).__name__} of {self.candidate!r} has no form as a graph")

    def save(self, folder: Path) -> None:
        from automl.candidates._skops import dump

        dump(self.model, folder / FILE)
        write_record(folder, self.candidate, self.facts())

    def facts(self) -> dict[str, Any]:
        """What the record holds beside the model itself."""
        return {
            "n_outputs": self.n_outputs,
            "n_features": self.n_features,
            "classes": self.classes.tolist(),
            "scale": None if self.scale is None else self.scale.to_json(),
        }

    def restore(self, folder: Path, facts: dict[str, Any]) -> None:
        """Take the facts of a saved model over.

        Raises:
            ArtifactError: if they make no sense.
        """
        self.n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        self.n_features = check_int(folder, facts, "n_features", 0, 100_000_000)
        self.classes = check_classes(folder, facts, self.n_outputs)
        self.classification = len(self.classes) > 0
        self.scale = None if self.classification else TargetScale.from_json(folder, facts)

    @classmethod
    def load(cls, candidate: str, folder: Path, kinds: tuple[str, ...]) -> SklearnEstimator:
        """A fitted estimator from a folder.

        Args:
            kinds: class names that the model itself may be of, such as "Ridge".

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, candidate, (FILE,))
        estimator = cls.__new__(cls)
        estimator.candidate, estimator.context = candidate, None
        estimator.restore(folder, facts)
        estimator.model = read_skops(folder / FILE)
        if type(estimator.model).__name__ not in kinds:
            raise refuse(folder, f"{FILE} holds a {type(estimator.model).__name__}")
        return estimator


def score_linearly(model: Any, matrix: FloatArray) -> Array:
    """Scores (n, c) of a linear model, as its own `decision_function` or `predict` makes them, but without their look
    at the matrix, which takes most of the time of one row."""
    scores: Array = matrix @ model.coef_.T + model.intercept_
    return scores[:, None] if scores.ndim == 1 else scores


def check_classes(folder: Path, facts: dict[str, Any], n_outputs: int) -> IntArray:
    """The classes that a saved model was trained on; empty for values.

    Raises:
        ArtifactError: if they are not ascending whole numbers below `n_outputs`.
    """
    classes = check_fact(folder, facts, "classes", list)
    plain = all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item < n_outputs for item in classes)
    if not plain or any(later <= earlier for earlier, later in itertools.pairwise(classes)):
        raise refuse(folder, "its classes are not ascending whole numbers")
    return np.asarray(classes, dtype=np.int64)


def read_skops(path: Path) -> Any:
    """A scikit-learn model, if it is made of types on our own list only.

    Raises:
        ArtifactError: for anything else; the foreign types are named.
    """
    from automl.candidates._skops import get_untrusted_types, load

    if path.stat().st_size > MAX_BYTES:
        raise refuse(path.parent, f"{path.name} is larger than {MAX_BYTES >> 30} GiB")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:1] == b"\x80" or magic != b"PK\x03\x04":
        kind = "a pickle" if magic[:1] == b"\x80" else "no skops file"
        raise refuse(path.parent, f"{path.name} is {kind}")
    try:
        if sum(entry.file_size for entry in zipfile.ZipFile(path).infolist()) > 2 * MAX_BYTES:
            raise refuse(path.parent, f"{path.name} unpacks to more than {MAX_BYTES >> 29} GiB")
        foreign = sorted(set(get_untrusted_types(file=path)) - set(TRUSTED))
        if foreign:
            raise refuse(path.parent, f"{path.name} asks for {', '.join(foreign[:3])}")
        return load(path, trusted=list(TRUSTED))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        raise refuse(path.parent, f"{path.name} cannot be read ({type(error).__name__})") from error


def fit_quietly(fit: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Run a fit whose end before convergence, or rounding on constant columns, is no news to anyone."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        warnings.filterwarnings("ignore", category=Warning, message="Ill-conditioned matrix")
        fit(*args, **kwargs)
