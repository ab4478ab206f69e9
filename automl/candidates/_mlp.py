"""A multilayer perceptron over numbers and category embeddings: its architecture, in Keras and in plain numpy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates._columns import (
    clip_smoothly,
    code_layers,
    code_width,
    embedding_shapes,
    look_up_codes,
    read_columns,
    split_columns,
)
from automl.candidates._graph_network import perceptron_to_graph
from automl.candidates._network import MAX_WIDTH
from automl.candidates._record import check_fact, check_int, check_numbers, refuse
from automl.graph import Graph
from automl.matrix import Feature, FloatArray

ACTIVATIONS = ("relu", "selu", "silu", "mish")
SCALE_RATE = 6.0  # how much faster than the rest the scale of the inputs learns


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that the forward pass needs beside the weights.

    After RealMLP (Holzmüller et al. 2024, arXiv:2407.04491): numbers are clipped smoothly, x / √(1 + (x/3)²); each may
    be widened by a small periodic embedding, w·cos(2πfx + b) + c, beside x itself; a learned scale a column weighs
    them (folded into the first kernel once learned); and each hidden unit learns how far it bends, x + a·(act(x) − x).

    Attributes:
        numbers: columns of the matrix that are numbers.
        categories: columns that are codes.
        cardinalities: codes of each category column.
        embedding: numbers that a category with more than `ONE_HOT` codes becomes; fewer codes become one-hot.
        frequencies: cosines a number has; 0 for no periodic embedding.
        periodic: numbers that the cosines of one column are brought down to.
        hidden: width of each hidden layer.
        activation: of the hidden layers.
        outputs: raw scores.
    """

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    cardinalities: tuple[int, ...]
    embedding: int
    frequencies: int
    periodic: int
    hidden: tuple[int, ...]
    activation: str
    outputs: int

    @staticmethod
    def plan(features: tuple[Feature, ...], **facts: Any) -> Architecture:
        """The architecture for a matrix with these columns."""
        return Architecture(**split_columns(features), **facts)

    @property
    def columns(self) -> int:
        return len(self.numbers) + len(self.categories)

    @property
    def members(self) -> int:
        return 1

    @property
    def cells_per_row(self) -> int:
        return max(len(self.numbers) * max(1, self.frequencies), *self.hidden, self.outputs)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by name, in the order of the forward pass."""
        m = len(self.numbers)
        shapes: dict[str, tuple[int, ...]] = {}
        if m and self.frequencies:
            shapes["frequency"] = (m, self.frequencies)
            shapes["phase"] = (m, self.frequencies)
            shapes["mix"] = (m, self.frequencies, self.periodic)
            shapes["shift"] = (m, self.periodic)
        shapes |= embedding_shapes(self.cardinalities, self.embedding)
        width = m * (1 + (self.periodic if self.frequencies else 0)) + code_width(self.cardinalities, self.embedding)
        for at, units in enumerate((*self.hidden, self.outputs)):
            shapes[f"kernel_{at}"] = (width, units)
            shapes[f"bias_{at}"] = (units,)
            if at < len(self.hidden):
                shapes[f"bend_{at}"] = (units,)
            width = units
        return shapes

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, folder: Path, facts: Mapping[str, Any]) -> Architecture:
        """Read back what `to_json` gave.

        Raises:
            ArtifactError: if a part is missing, strange or too large.
        """
        record = check_fact(folder, facts, "architecture", dict)
        names = {field.name for field in dataclasses.fields(Architecture)}
        if set(record) != names or record["activation"] not in ACTIVATIONS:
            raise refuse(folder, "its architecture is not one")
        hidden = tuple(int(value) for value in check_numbers(folder, record, "hidden"))
        single: dict[str, Any] = {
            name: check_int(folder, record, name, 0, MAX_WIDTH)
            for name in ("embedding", "frequencies", "periodic", "outputs")
        }
        columns = read_columns(folder, record)
        found = cls(**columns, hidden=hidden, **single, activation=record["activation"])
        if not all(0 < units <= MAX_WIDTH for units in (*found.hidden, found.outputs)):
            raise refuse(folder, "its architecture is not one")
        return found

    def forward(self, weights: Mapping[str, FloatArray], matrix: FloatArray) -> FloatArray:
        """Raw scores (n, 1, outputs) float32, in numpy: a prediction needs no TensorFlow."""
        parts = [self._numbers(weights, matrix)] if self.numbers else []
        parts += look_up_codes(self.categories, self.cardinalities, weights, matrix)
        values = np.concatenate(parts, axis=1)
        for at in range(len(self.hidden)):
            values = values @ weights[f"kernel_{at}"] + weights[f"bias_{at}"]
            values = values + weights[f"bend_{at}"] * (activate(self.activation, values) - values)
        last = len(self.hidden)
        scores: FloatArray = values @ weights[f"kernel_{last}"] + weights[f"bias_{last}"]
        return scores[:, None, :]

    def to_graph(self, graph: Graph, weights: Mapping[str, FloatArray], matrix: str) -> str:
        """`forward`, (n, 1, outputs) float32."""
        scores = perceptron_to_graph(graph, self, weights, matrix)
        return graph.add("Unsqueeze", scores, np.array([1], dtype=np.int64))

    def _numbers(self, weights: Mapping[str, FloatArray], matrix: FloatArray) -> FloatArray:
        x = clip_smoothly(matrix[:, self.numbers])
        if not self.frequencies:
            return x
        waves = np.cos(np.float32(2 * np.pi) * (x[:, :, None] * weights["frequency"] + weights["phase"]))
        mixed = np.einsum("nmf,mfp->nmp", waves, weights["mix"], optimize=True) + weights["shift"]
        return np.concatenate([x, mixed.reshape(len(x), -1).astype(np.float32)], axis=1)

    def build_keras(self, keras: Any, matrix: FloatArray, options: Mapping[str, float]) -> Any:
        """The same network as a Keras model over the float32 matrix, with scores (n, 1, outputs).

        Args:
            options: dropout, and sigma, the spread of the periodic embedding's frequencies.
        """
        inputs = keras.Input((self.columns,), dtype="float32")
        parts = [_number_layer(keras, self, options["sigma"])(inputs)] if self.numbers else []
        parts += code_layers(keras, inputs, self.categories, self.cardinalities, self.embedding)
        values = parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=1)
        values = _scale_layer(keras)(values)
        start = "he_normal" if self.activation == "relu" else "lecun_normal"
        for at, units in enumerate(self.hidden):
            values = keras.layers.Dense(units, kernel_initializer=start, name=f"dense_{at}")(values)
            values = _bend_layer(keras, self.activation, f"bend_{at}")(values)
            if options["dropout"] > 0:
                values = keras.layers.Dropout(options["dropout"])(values)
        last = keras.layers.Dense(self.outputs, kernel_initializer="zeros", name=f"dense_{len(self.hidden)}")
        return keras.Model(inputs, keras.ops.expand_dims(last(values), 1))

    def start_from(self, model: Any, scores: FloatArray) -> None:
        """Make the unfitted model answer `scores` (outputs,) for every row."""
        model.get_layer(f"dense_{len(self.hidden)}").bias.assign(scores)

    def read_keras(self, model: Any) -> dict[str, FloatArray]:
        """Weights of a model that `build_keras` made, by name."""
        found: dict[str, FloatArray] = {}
        for name in self.shapes():
            kind, _, at = name.partition("_")
            if kind in {"kernel", "bias"}:
                variable = getattr(model.get_layer(f"dense_{at}"), kind)
            elif kind == "embedding":
                variable = model.get_layer(name).embeddings
            elif kind == "bend":
                variable = model.get_layer(name).bend
            else:
                variable = getattr(model.get_layer("numbers"), name)
            found[name] = np.array(variable.value.numpy(), dtype=np.float32)
        scale = SCALE_RATE * model.get_layer("scale").scale.value.numpy()
        found["kernel_0"] = (scale[:, None] * found["kernel_0"]).astype(np.float32)
        return found


def activate(name: str, values: FloatArray) -> FloatArray:
    """An activation as Keras computes it."""
    with np.errstate(over="ignore"):
        if name == "relu":
            return np.maximum(values, np.float32(0.0))
        if name == "silu":
            return np.asarray(values / (np.float32(1.0) + np.exp(-values)), dtype=np.float32)
        if name == "mish":
            return np.asarray(values * np.tanh(np.logaddexp(np.float32(0.0), values)), dtype=np.float32)
        alpha, scale = np.float32(1.6732632423543772), np.float32(1.0507009873554805)
        low = alpha * np.expm1(np.minimum(values, np.float32(0.0)))
        return (scale * np.where(values > 0, values, low)).astype(np.float32, copy=False)


def _scale_layer(keras: Any) -> Any:
    class Scale(keras.layers.Layer):  # type: ignore[misc]
        """A learned factor a column; under Adam a variable that stands for a SCALE_RATE-th part learns faster."""

        def build(self, shape: Any) -> None:
            start = keras.initializers.Constant(1.0 / SCALE_RATE)
            self.scale = self.add_weight(shape=(shape[-1],), initializer=start, name="scale_bias")

        def call(self, inputs: Any) -> Any:
            return inputs * (SCALE_RATE * self.scale)

    return Scale(name="scale")


def _bend_layer(keras: Any, activation: str, name: str) -> Any:
    bent = keras.activations.get(activation)

    class Bend(keras.layers.Layer):  # type: ignore[misc]
        """x + a·(act(x) − x), with a learned a unit."""

        def build(self, shape: Any) -> None:
            self.bend = self.add_weight(shape=(shape[-1],), initializer="ones", name="bend_bias")

        def call(self, inputs: Any) -> Any:
            return inputs + self.bend * (bent(inputs) - inputs)

    return Bend(name=name)


def _number_layer(keras: Any, plan: Architecture, sigma: float) -> Any:
    ops = keras.ops

    class Numbers(keras.layers.Layer):  # type: ignore[misc]
        """Smooth clipping and the periodic embedding of the number columns."""

        def build(self, shape: Any) -> None:
            m, f, p = len(plan.numbers), plan.frequencies, plan.periodic
            if f:
                normal, uniform = keras.initializers.RandomNormal, keras.initializers.RandomUniform
                self.frequency = self.add_weight(shape=(m, f), initializer=normal(stddev=sigma), name="frequency_bias")
                self.phase = self.add_weight(shape=(m, f), initializer=uniform(-0.5, 0.5), name="phase_bias")
                self.mix = self.add_weight(shape=(m, f, p), initializer=normal(stddev=f**-0.5), name="mix")
                self.shift = self.add_weight(shape=(m, p), initializer="zeros", name="shift_bias")

        def call(self, inputs: Any) -> Any:
            x = ops.clip(ops.take(inputs, list(plan.numbers), axis=1), -1e6, 1e6)
            x = x / ops.sqrt(1.0 + ops.square(x / 3.0))
            if not plan.frequencies:
                return x
            waves = ops.cos(2 * np.pi * (ops.expand_dims(x, 2) * self.frequency + self.phase))
            mixed = ops.einsum("nmf,mfp->nmp", waves, self.mix) + self.shift
            return ops.concatenate([x, ops.reshape(mixed, (-1, len(plan.numbers) * plan.periodic))], axis=1)

    return Numbers(name="numbers")
