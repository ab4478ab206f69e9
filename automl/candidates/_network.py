"""A network trained by Keras and kept as plain arrays: what all Keras families on tables share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from automl.candidates import FitContext, Lead
from automl.candidates._keras import Fitting, Schedule, start_keras
from automl.candidates._record import (
    check_array,
    check_fact,
    read_arrays,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._rounds import make_lead, split_stop_rows
from automl.candidates._targets import TargetScale, class_priors, regression_loss, softmax, spread_probabilities
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Shape

FILE = "weights.npz"
MAX_CELLS = 20_000_000
MAX_OUTPUTS = 1000
MAX_WIDTH = 16_384  # units of a layer that a saved network may have
CHUNK_CELLS = 4_000_000  # numbers that one layer may hold at once while predicting


class Network(Protocol):
    """An architecture: the same function as a Keras model that learns and as a few lines of numpy that predict.

    Attributes:
        outputs: raw scores a member gives.
        members: networks that share most weights and are averaged; 1 for a plain one.
    """

    @property
    def outputs(self) -> int: ...

    @property
    def members(self) -> int: ...

    @property
    def cells_per_row(self) -> int:
        """Numbers that the widest layer holds for one row."""
        ...

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by name."""
        ...

    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, folder: Path, facts: Mapping[str, Any]) -> Self:
        """Read back what `to_json` gave.

        Raises:
            ArtifactError: if a part is missing, strange or too large.
        """
        ...

    def build_keras(self, keras: Any, matrix: FloatArray, options: Mapping[str, float]) -> Any:
        """A Keras model from (n, m) to raw scores (n, members, outputs); `matrix` may be looked at for scales."""
        ...

    def start_from(self, model: Any, scores: FloatArray) -> None:
        """Make the unfitted model answer `scores` (outputs,) for every row."""
        ...

    def read_keras(self, model: Any) -> dict[str, FloatArray]:
        """The weights of a model that `build_keras` made, by the names of `shapes`."""
        ...

    def forward(self, weights: Mapping[str, FloatArray], matrix: FloatArray) -> FloatArray:
        """Raw scores (n, members, outputs) float32."""
        ...

    def to_graph(self, graph: Graph, weights: Mapping[str, FloatArray], matrix: str) -> str:
        """`forward` in a graph."""
        ...


def reason_against(shape: Shape) -> str:
    """Why a table is too large for a network on one processor; empty if it is not."""
    if shape.cells > MAX_CELLS:
        return f"{shape.cells:,} cells are more than {MAX_CELLS:,}"
    if shape.outputs > MAX_OUTPUTS:
        return f"{shape.outputs} classes are more than {MAX_OUTPUTS:,}"
    return ""


def check_weights(folder: Path, network: Network, weights: Mapping[str, FloatArray]) -> None:
    """Demand that the weights are this network's.

    Raises:
        ArtifactError: if one has another shape or dtype, or a number that is not finite.
    """
    for name, shape in network.shapes().items():
        check_array(folder, weights[name], name, "float32", shape)
        if not np.isfinite(weights[name]).all():
            raise refuse(folder, f"{name} is not finite")


class NetworkEstimator:
    """The weights of one network; Keras is only there while it learns.

    Args:
        family: the family's name, which its files carry.
        network: the architecture.
        schedule: how long and how fast to learn.
        options: what `build_keras` is told beside the data.
    """

    is_thread_safe = True

    def __init__(
        self, family: str, network: Network, schedule: Schedule, context: FitContext, options: Mapping[str, float]
    ) -> None:
        self.family = family
        self.network = network
        self.schedule = schedule
        self.options = options
        self.context: FitContext | None = context
        self.classification = context.task.is_classification
        self.scale: TargetScale | None = None
        self.weights: dict[str, FloatArray] = {}
        self.lead: Lead | None = None

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        keras = start_keras(context.seed, context.threads)
        rows, stop_rows = split_stop_rows(context, len(matrix))
        rows = np.arange(len(matrix), dtype=np.int64) if rows is None else rows
        if self.classification:
            learned = np.asarray(target, dtype=np.int32)
        else:
            part = None if weight is None else weight[rows]
            self.scale = TargetScale.learn(target[rows], part, metric=context.task.metric)
            learned = self.scale.apply(target).astype(np.float32)
        inputs = np.ascontiguousarray(np.nan_to_num(matrix, nan=0.0))
        model = self.network.build_keras(keras, inputs[rows], self.options)
        if self.classification:  # start from the class shares: a fit without time is then no worse than a constant
            priors = class_priors(target[rows], None if weight is None else weight[rows], self.network.outputs)
            self.network.start_from(model, np.log(np.maximum(priors, 1e-4)).astype(np.float32))
        batch = int(min(self.schedule.batch_size, max(16, len(rows) // 8)))
        schedule = dataclasses.replace(self.schedule, batch_size=batch)
        fitting = Fitting(model, self._loss(), schedule, context, stop_loss=self._stop_loss())
        fitting.run(inputs, learned, weight, rows, stop_rows, epochs=context.lead.rounds if context.lead else None)
        whole = not self.classification or len(np.unique(target[rows])) == self.network.outputs
        self.lead = make_lead(fitting, len(rows), len(stop_rows), self.schedule.learning_rate, whole=whole)
        self.weights = self.network.read_keras(model)

    def _loss(self) -> Any:
        """Loss of each row: the mean of the members' own losses, so that each learns for itself."""
        import keras

        ops, members = keras.ops, self.network.members
        if self.classification:

            def cross_entropy(target: Any, scores: Any) -> Any:
                each = ops.repeat(ops.expand_dims(target, 1), members, axis=1)
                return ops.mean(ops.sparse_categorical_crossentropy(each, scores, from_logits=True), axis=1)

            return cross_entropy
        power = ops.abs if self._is_absolute() else ops.square
        return lambda target, scores: ops.mean(power(ops.expand_dims(target, 1) - scores[:, :, 0]), axis=1)

    def _stop_loss(self) -> Any:
        """Loss of each row of what is deployed: the members' mean."""
        import keras

        ops = keras.ops
        if self.classification:

            def surprise(target: Any, scores: Any) -> Any:
                shares = ops.mean(ops.softmax(scores, axis=2), axis=1)
                return ops.sparse_categorical_crossentropy(target, shares, from_logits=False)

            return surprise
        power = ops.abs if self._is_absolute() else ops.square
        return lambda target, scores: power(target - ops.mean(scores[:, :, 0], axis=1))

    def _is_absolute(self) -> bool:
        assert self.context is not None
        return regression_loss(self.context.task.metric) == "absolute"

    def predict(self, matrix: FloatArray) -> FloatArray:
        step = max(1, CHUNK_CELLS // max(1, self.network.cells_per_row))
        parts = [self._predict_part(matrix[at : at + step]) for at in range(0, len(matrix), step)]
        return np.concatenate(parts) if parts else np.zeros((0, self.network.outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        scores = self.network.forward(self.weights, matrix)
        if self.scale is not None:
            return self.scale.invert(scores.mean(axis=1))
        n, members, outputs = scores.shape
        shares = softmax(scores.astype(np.float64).reshape(n * members, outputs)).reshape(n, members, outputs)
        return spread_probabilities(shares.mean(axis=1), np.arange(outputs), outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        scores = graph.cast(self.network.to_graph(graph, self.weights, matrix), "float64")
        shares = scores if self.scale is not None else graph.add("Softmax", scores, axis=2)
        mean = graph.add("Div", graph.total(shares, 1, keep=False), np.float64(self.network.members))
        return mean if self.scale is None else self.scale.to_graph(graph, mean)

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, self.weights)
        facts = {
            "architecture": self.network.to_json(),
            "classification": self.classification,
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, self.family, facts)

    @classmethod
    def load(cls, family: str, folder: Path, kind: type[Network]) -> NetworkEstimator:
        """A fitted estimator; needs neither Keras nor TensorFlow.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, family, (FILE,))
        estimator = cls.__new__(cls)
        estimator.family, estimator.context = family, None
        estimator.network = kind.from_json(folder, facts)
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        if estimator.scale is not None and estimator.network.outputs != 1:
            raise refuse(folder, "a value has one output")
        estimator.weights = read_arrays(folder / FILE, tuple(estimator.network.shapes()))
        check_weights(folder, estimator.network, estimator.weights)
        return estimator
