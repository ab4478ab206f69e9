"""TabM: many perceptrons in one network, sharing all weights but a scale of the inputs and the last layer."""

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
from automl.candidates._graph_network import tabm_to_graph
from automl.candidates._network import MAX_WIDTH
from automl.candidates._record import check_fact, check_int, refuse
from automl.graph import Graph
from automl.matrix import Feature, FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TabMNetwork:
    """TabM-mini (Gorishniy et al. 2025, arXiv:2410.24210): member i sees x·rᵢ, one perceptron serves all members, and
    each has a last layer of its own. Numbers may pass a piecewise-linear embedding (Gorishniy et al. 2022,
    arXiv:2203.05556): their share of each of `bins` quantile intervals, mapped linearly, beside a linear term.

    Attributes:
        numbers: columns of the matrix that are numbers.
        categories: columns that are codes.
        cardinalities: codes of each category column.
        embedding: numbers that a category with more than `ONE_HOT` codes becomes; fewer codes become one-hot.
        bins: intervals of a number's embedding; 0 for none.
        width: numbers that one embedded number becomes.
        members: networks in one.
        blocks: hidden layers.
        units: width of each.
        outputs: raw scores of a member.
    """

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    cardinalities: tuple[int, ...]
    embedding: int
    bins: int
    width: int
    members: int
    blocks: int
    units: int
    outputs: int

    @staticmethod
    def plan(features: tuple[Feature, ...], **facts: Any) -> TabMNetwork:
        """The architecture for a matrix with these columns."""
        return TabMNetwork(**split_columns(features), **facts)

    @property
    def columns(self) -> int:
        return len(self.numbers) + len(self.categories)

    @property
    def inputs(self) -> int:
        """Numbers that a member sees of a row."""
        return len(self.numbers) * (self.width if self.bins else 1) + code_width(self.cardinalities, self.embedding)

    @property
    def cells_per_row(self) -> int:
        widest = max(self.inputs, self.units, self.outputs)
        return max(self.members * widest, len(self.numbers) * max(1, self.bins))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by name, in the order of the forward pass."""
        m = len(self.numbers)
        shapes: dict[str, tuple[int, ...]] = {}
        if m and self.bins:
            shapes["edges"] = (m, self.bins + 1)
            shapes["steps"] = (m, self.bins, self.width)
            shapes["slope"] = (m, self.width)
            shapes["shift"] = (m, self.width)
        shapes |= embedding_shapes(self.cardinalities, self.embedding)
        shapes["view"] = (self.members, self.inputs)
        width = self.inputs
        for at in range(self.blocks):
            shapes[f"kernel_{at}"] = (width, self.units)
            shapes[f"bias_{at}"] = (self.units,)
            width = self.units
        shapes["head_kernel"] = (self.members, width, self.outputs)
        shapes["head_bias"] = (self.members, self.outputs)
        return shapes

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, folder: Path, facts: Mapping[str, Any]) -> TabMNetwork:
        """Read back what `to_json` gave.

        Raises:
            ArtifactError: if a part is missing, strange or too large.
        """
        record = check_fact(folder, facts, "architecture", dict)
        if set(record) != {field.name for field in dataclasses.fields(TabMNetwork)}:
            raise refuse(folder, "its architecture is not one")
        least = {"embedding": 1, "bins": 0, "width": 1, "members": 1, "blocks": 0, "units": 1, "outputs": 1}
        single: dict[str, Any] = {name: check_int(folder, record, name, low, MAX_WIDTH) for name, low in least.items()}
        return cls(**read_columns(folder, record), **single)

    def forward(self, weights: Mapping[str, FloatArray], matrix: FloatArray) -> FloatArray:
        """Raw scores (n, members, outputs) float32, in numpy."""
        parts = [self._numbers(weights, matrix)] if self.numbers else []
        parts += look_up_codes(self.categories, self.cardinalities, weights, matrix)
        values = np.concatenate(parts, axis=1)
        # members first, so that each layer is one product of matrices
        values = (values[None, :, :] * weights["view"][:, None, :]).reshape(self.members * len(values), -1)
        for at in range(self.blocks):
            values = np.maximum(values @ weights[f"kernel_{at}"] + weights[f"bias_{at}"], np.float32(0.0))
        each = values.reshape(self.members, len(matrix), -1)
        scores = each @ weights["head_kernel"] + weights["head_bias"][:, None, :]
        return np.ascontiguousarray(scores.transpose(1, 0, 2), dtype=np.float32)

    def to_graph(self, graph: Graph, weights: Mapping[str, FloatArray], matrix: str) -> str:
        """`forward`, (n, members, outputs) float32."""
        return tabm_to_graph(graph, self, weights, matrix)

    def _numbers(self, weights: Mapping[str, FloatArray], matrix: FloatArray) -> FloatArray:
        x = clip_smoothly(matrix[:, self.numbers])
        if not self.bins:
            return x
        edges = weights["edges"]
        shares = (x[:, :, None] - edges[:, :-1]) * interval_rates(edges)
        shares = np.clip(shares, np.float32(0.0), np.float32(1.0))
        # (m, n, bins) @ (m, bins, width): one product a column
        steps = (shares.transpose(1, 0, 2) @ weights["steps"]).transpose(1, 0, 2)
        embedded = steps + x[:, :, None] * weights["slope"] + weights["shift"]
        return np.ascontiguousarray(embedded.reshape(len(x), -1), dtype=np.float32)

    def build_keras(self, keras: Any, matrix: FloatArray, options: Mapping[str, float]) -> Any:
        """The same network as a Keras model; the intervals come from the quantiles of `matrix` (n, m).

        Args:
            options: dropout.
        """
        inputs = keras.Input((self.columns,), dtype="float32")
        parts = []
        if self.numbers:
            edges = quantile_edges(clip_smoothly(matrix[:, self.numbers]), self.bins) if self.bins else None
            parts.append(_number_layer(keras, self, edges)(inputs))
        parts += code_layers(keras, inputs, self.categories, self.cardinalities, self.embedding)
        values = parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=1)
        values = _view_layer(keras, self)(values)
        for at in range(self.blocks):
            start = {"activation": "relu", "kernel_initializer": "he_uniform", "name": f"dense_{at}"}
            values = keras.layers.Dense(self.units, **start)(values)
            if options["dropout"] > 0:
                values = keras.layers.Dropout(options["dropout"])(values)
        return keras.Model(inputs, _head_layer(keras, self)(values))

    def start_from(self, model: Any, scores: FloatArray) -> None:
        """Make the unfitted model answer `scores` (outputs,) for every row, give or take the members' own chance."""
        model.get_layer("head").bias.assign(np.tile(scores, (self.members, 1)))

    def read_keras(self, model: Any) -> dict[str, FloatArray]:
        """The weights of a model that `build_keras` made, by the names of `shapes`."""
        found: dict[str, FloatArray] = {}
        for name in self.shapes():
            kind, _, rest = name.partition("_")
            if kind == "head":
                variable = getattr(model.get_layer("head"), rest)
            elif kind in {"kernel", "bias"}:
                variable = getattr(model.get_layer(f"dense_{rest}"), kind)
            elif kind == "embedding":
                variable = model.get_layer(name).embeddings
            elif kind == "view":
                variable = model.get_layer("view").view
            else:
                variable = getattr(model.get_layer("numbers"), name)
            value = variable if kind == "edges" else variable.value.numpy()
            found[name] = np.array(value, dtype=np.float32)
        return found


def quantile_edges(x: FloatArray, bins: int) -> FloatArray:
    """Edges (m, bins + 1) of intervals with equal shares of the rows (n, m); intervals without width are allowed."""
    if len(x) == 0:
        return np.zeros((x.shape[1], bins + 1), dtype=np.float32)
    edges = np.quantile(x, np.linspace(0, 1, bins + 1), axis=0).T
    return np.ascontiguousarray(edges, dtype=np.float32)


def interval_rates(edges: FloatArray) -> FloatArray:
    """1 / width (m, bins) of each interval; 0 for those that have none."""
    widths = np.diff(edges, axis=1)
    return np.divide(np.float32(1.0), widths, out=np.zeros_like(widths), where=widths > 1e-6)


def _number_layer(keras: Any, plan: TabMNetwork, edges: FloatArray | None) -> Any:
    ops = keras.ops
    m, width = len(plan.numbers), plan.width

    class Numbers(keras.layers.Layer):  # type: ignore[misc]
        """Smooth clipping and the piecewise-linear embedding of the number columns."""

        def build(self, shape: Any) -> None:
            if edges is None:
                return
            self.edges = edges
            spread = keras.initializers.RandomUniform(-1.0, 1.0)
            self.steps = self.add_weight(shape=(m, plan.bins, width), initializer="zeros", name="steps_embedding")
            self.slope = self.add_weight(shape=(m, width), initializer=spread, name="slope_embedding")
            self.shift = self.add_weight(shape=(m, width), initializer=spread, name="shift_embedding")

        def call(self, inputs: Any) -> Any:
            x = ops.clip(ops.take(inputs, list(plan.numbers), axis=1), -1e6, 1e6)
            x = x / ops.sqrt(1.0 + ops.square(x / 3.0))
            if edges is None:
                return x
            x = ops.expand_dims(x, 2)
            shares = ops.clip((x - edges[:, :-1]) * interval_rates(edges), 0.0, 1.0)
            embedded = ops.einsum("nmt,mte->nme", shares, self.steps) + x * self.slope + self.shift
            return ops.reshape(embedded, (-1, m * width))

    return Numbers(name="numbers")


def _view_layer(keras: Any, plan: TabMNetwork) -> Any:
    class View(keras.layers.Layer):  # type: ignore[misc]
        """(n, d) → (n · members, d): each member's own scale of the inputs, as rows of one matrix."""

        def build(self, shape: Any) -> None:
            rng = np.random.default_rng(int(keras.random.randint((), 0, 2**31 - 1)))
            if plan.bins:
                # the numbers that one column becomes share their scale: members differ in what they look at
                column = rng.normal(size=(plan.members, len(plan.numbers)))
                start = np.repeat(column, plan.width, axis=1)
                rest = shape[-1] - start.shape[1]
                start = np.concatenate([start, rng.normal(size=(plan.members, rest))], axis=1)
            else:
                start = rng.choice([-1.0, 1.0], size=(plan.members, shape[-1]))
            self.view = self.add_weight(shape=start.shape, initializer="zeros", name="view_bias")
            self.view.assign(start.astype(np.float32))

        def call(self, inputs: Any) -> Any:
            each = keras.ops.expand_dims(inputs, 1) * self.view
            return keras.ops.reshape(each, (-1, inputs.shape[-1]))

    return View(name="view")


def _head_layer(keras: Any, plan: TabMNetwork) -> Any:
    class Head(keras.layers.Layer):  # type: ignore[misc]
        """(n · members, d) → (n, members, outputs), a linear layer a member."""

        def build(self, shape: Any) -> None:
            bound = shape[-1] ** -0.5
            start = keras.initializers.RandomUniform(-bound, bound)
            size = (plan.members, shape[-1], plan.outputs)
            self.kernel = self.add_weight(shape=size, initializer=start, name="kernel")
            self.bias = self.add_weight(shape=(plan.members, plan.outputs), initializer="zeros", name="bias")

        def call(self, inputs: Any) -> Any:
            each = keras.ops.reshape(inputs, (-1, plan.members, inputs.shape[-1]))
            return keras.ops.einsum("nkd,kdo->nko", each, self.kernel) + self.bias

    return Head(name="head")
