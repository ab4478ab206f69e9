"""What the networks over word numbers share: the embedding, the head, the fit, and use without Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from automl.candidates import FitContext
from automl.candidates._keras import Fitting, Schedule, start_keras
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
from automl.candidates._rounds import split_stop_rows
from automl.candidates._targets import TargetScale, class_priors, regression_loss, softmax, spread_probabilities
from automl.candidates._word_noise import FIRST_WORD, SPACE, UNKNOWN, Bigrams, add_noise
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Float, Int, Params, SearchSpace
from automl.task import Task

FILE = "weights.npz"
NEEDS = Needs(scaled=True, text="tokens")
EMBEDDING_SPREAD = 0.1
CHUNK_ROWS, SCORE_ROWS = 512, 4096  # texts that are predicted, and scored while learning, at once at most
CHUNK_CELLS = 20_000_000  # numbers that one layer may hold for them
LEAST_ROWS = 16
MAX_CLASSES = 1000
ROWS_TO_SEE = 150_000  # rows of all epochs together, unless asked otherwise
Weights = dict[str, FloatArray]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What fixes the shapes of a network's weights.

    Attributes:
        vocabulary: word numbers run from 0 (no word) to this, exclusive.
        length: words that are read of each text.
        others: columns beside them.
        outputs: classes, or 1.
        embedding, units, layers: width of a word's vector, of what is made of it, and depth.
    """

    vocabulary: int
    length: int
    others: int
    outputs: int
    embedding: int
    units: int
    layers: int


class Net(Protocol):
    """One architecture: pooled text vectors by Keras, and the same by numpy."""

    def shapes(self, size: Size) -> dict[str, tuple[int, ...]]:
        """Weights between embedding and head, by name, in the order of `Keras` layers' own weights."""
        ...

    def pooled_width(self, size: Size) -> int:
        """Length of the vector that stands for a text."""
        ...

    def cells_per_row(self, size: Size) -> int:
        """Numbers that the widest layer holds for one text."""
        ...

    def build(self, keras: Any, words: Any, mask: Any, size: Size, dropout: float) -> Any:
        """Keras tensors (n, pooled_width) from word vectors (n, length, embedding) and mask (n, length) in 0 and 1.

        Layers that have weights are named as in `shapes`, before the last slash.
        """
        ...

    def forward(self, weights: Weights, words: FloatArray, mask: FloatArray, size: Size) -> FloatArray:
        """The same in numpy."""
        ...

    def to_graph(self, graph: Graph, weights: Weights, words: str, mask: str, size: Size) -> str:
        """The same in a graph, where every text has `size.length` words."""
        ...


def net_space(task: Task, shape: Shape, *, units: int, rate: float = 2e-3) -> SearchSpace:
    """What all of them let be chosen."""
    epochs = int(np.clip(round(ROWS_TO_SEE / max(1, shape.rows)), 4, 60))
    return SearchSpace(
        {
            "epochs": Int(2, 100, epochs, log=True),
            "embedding": Int(16, 128, 64, log=True),
            "units": Int(16, 256, units, log=True),
            "dropout": Float(0.0, 0.6, 0.3),
            **SPACE,
            "learning_rate": Float(3e-4, 2e-2, rate, log=True),
            "weight_decay": Float(1e-6, 0.1, 1e-3, log=True),
        }
    )


def net_unsupported(task: Task, shape: Shape) -> str:
    """Why a network over words cannot be used; empty if it can."""
    if not shape.texts:
        return "the table has no column of texts"
    if shape.outputs > MAX_CLASSES:
        return f"{shape.outputs} classes are more than {MAX_CLASSES}"
    return ""


class TextNetEstimator:
    """The weights of one network; Keras is only there while it learns."""

    def __init__(self, name: str, net: Net, params: Params, context: FitContext) -> None:
        self.name, self.net, self.params = name, net, params
        self.context: FitContext | None = context
        self.classification = context.task.is_classification
        tokens = [feature for feature in context.features if feature.token]
        vectors = context.word_vectors
        self.size = Size(
            vocabulary=tokens[0].cardinality if tokens else 4,
            length=len(tokens),
            others=len(context.features) - len(tokens),
            outputs=context.task.n_outputs,
            embedding=int(params["embedding"]) if vectors is None else vectors.shape[1],
            units=int(params["units"]),
            layers=int(params.get("layers", 1)),
        )
        self.scale: TargetScale | None = None
        self.weights: Weights = {}

    # ---- learning ------------------------------------------------------------------------------------------------

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        keras = start_keras(context.seed, context.threads)
        rows, stop_rows = split_stop_rows(context, len(matrix))
        rows = np.arange(len(matrix), dtype=np.int64) if rows is None else rows
        if self.classification:
            learned: Array = np.asarray(target, dtype=np.int32)
        else:
            part = None if weight is None else weight[rows]
            self.scale = TargetScale.learn(target[rows], part, metric=context.task.metric)
            learned = self.scale.apply(target).astype(np.float32)
        model = self._build(keras, self._count_bigrams(matrix, rows))
        if self.classification:  # start from the class shares: a fit without time is then no worse than a constant
            priors = class_priors(target[rows], None if weight is None else weight[rows], self.size.outputs)
            model.get_layer("head").bias.assign(np.log(np.maximum(priors, 1e-4)).astype(np.float32))
        self._start_from_vectors(model, context.word_vectors)
        fitting = Fitting(model, self._loss(keras), self._schedule(len(rows)), context)
        fitting.run(np.ascontiguousarray(matrix, dtype=np.float32), learned, weight, rows, stop_rows)
        self.weights = self._read(model)

    def _build(self, keras: Any, bigrams: Bigrams | None = None) -> Any:
        ops, size = keras.ops, self.size
        inputs = keras.Input((size.others + size.length,))
        tokens = ops.cast(inputs[:, size.others :], "int32")
        mask = ops.cast(tokens > 0, "float32")
        noised = add_noise(keras, tokens, self.params, bigrams, self.context.seed if self.context else 0)
        words = keras.layers.Embedding(size.vocabulary, size.embedding, name="embedding")(noised)
        words = keras.layers.SpatialDropout1D(0.5 * self.params["dropout"])(words) * ops.expand_dims(mask, -1)
        pooled = self.net.build(keras, words, mask, size, self.params["dropout"])
        if size.others:
            pooled = keras.layers.Concatenate()([pooled, inputs[:, : size.others]])
        pooled = keras.layers.Dropout(self.params["dropout"])(pooled)
        return keras.Model(inputs, keras.layers.Dense(size.outputs, name="head")(pooled))

    def _count_bigrams(self, matrix: FloatArray, rows: Array) -> Bigrams | None:
        """Of the words of training rows, where some are to be replaced."""
        if float(self.params.get("word_backoff", 0.0)) <= 0:
            return None
        return Bigrams.count(matrix[rows, self.size.others :], self.size.vocabulary)

    def _start_from_vectors(self, model: Any, vectors: FloatArray | None) -> None:
        """Put given word vectors, brought to the size of Keras' own, in the place of random ones."""
        if vectors is None:
            return
        layer = model.get_layer("embedding")
        start = np.array(layer.get_weights()[0])
        known = np.isfinite(vectors).all(axis=1)
        if known.any():
            spread = float(np.std(vectors[known])) or 1.0
            start[FIRST_WORD:][known] = vectors[known] * (EMBEDDING_SPREAD / spread)
            layer.set_weights([start])

    def _read(self, model: Any) -> Weights:
        found = {}
        for layer in model.layers:
            for place, variable in enumerate(layer.weights):
                found[f"{layer.name}/{place}"] = np.asarray(variable.value.numpy(), dtype=np.float32)
        return {name: found[name] for name in self._shapes()}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        size = self.size
        width = self.net.pooled_width(size) + size.others
        return {
            "embedding/0": (size.vocabulary, size.embedding),
            **self.net.shapes(size),
            "head/0": (width, size.outputs),
            "head/1": (size.outputs,),
        }

    def _schedule(self, rows: int) -> Schedule:
        return Schedule(
            epochs=self.params["epochs"],
            batch_size=int(min(64, max(16, rows // 16))),
            learning_rate=self.params["learning_rate"],
            weight_decay=self.params["weight_decay"],
            patience=max(4, self.params["epochs"] // 3),
            score_rows=self._rows_at_once(SCORE_ROWS),
        )

    def _rows_at_once(self, most: int) -> int:
        """Fewer of long texts: attention holds a number for each pair of words."""
        return int(np.clip(CHUNK_CELLS // max(1, self.net.cells_per_row(self.size)), LEAST_ROWS, most))

    def _loss(self, keras: Any) -> Callable[[Any, Any], Any]:
        ops = keras.ops
        assert self.context is not None
        if self.classification:
            return lambda target, scores: ops.sparse_categorical_crossentropy(target, scores, from_logits=True)
        if regression_loss(self.context.task.metric) == "absolute":
            return lambda target, scores: ops.abs(target - scores[:, 0])
        return lambda target, scores: ops.square(target - scores[:, 0])

    # ---- using ---------------------------------------------------------------------------------------------------

    def predict(self, matrix: FloatArray) -> FloatArray:
        step = self._rows_at_once(CHUNK_ROWS)
        parts = [self._predict_part(matrix[at : at + step]) for at in range(0, len(matrix), step)]
        return np.concatenate(parts) if parts else np.zeros((0, self.size.outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        scores = self.forward(np.asarray(matrix))
        if self.scale is not None:
            return self.scale.invert(scores[:, 0])
        outputs = self.size.outputs
        return spread_probabilities(softmax(scores.astype(np.float64)), np.arange(outputs), outputs)

    def forward(self, matrix: FloatArray) -> FloatArray:
        """Raw scores (n, outputs) in numpy; a word number beyond the vocabulary counts as unknown."""
        size, weights = self.size, self.weights
        tokens = matrix[:, size.others :].astype(np.int64)
        tokens = np.where((tokens < 0) | (tokens >= size.vocabulary), UNKNOWN, tokens)
        longest = max(int((tokens > 0).sum(axis=1).max(initial=0)), min(size.length, 4))
        tokens = tokens[:, :longest]  # what stands behind the longest text changes nothing
        mask = (tokens > 0).astype(np.float32)
        words = weights["embedding/0"][tokens] * mask[:, :, None]
        pooled = self.net.forward(weights, words, mask, size)
        if size.others:
            pooled = np.concatenate([pooled, matrix[:, : size.others]], axis=1)
        return np.asarray(pooled @ weights["head/0"] + weights["head/1"], dtype=np.float32)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        """`predict`, all `size.length` words of a text at once."""
        size, weights = self.size, self.weights
        tokens = graph.cast(graph.columns(matrix, np.arange(size.others, size.others + size.length)), "int64")
        beyond = graph.add("GreaterOrEqual", tokens, np.int64(size.vocabulary))
        tokens = graph.add("Where", beyond, np.int64(UNKNOWN), tokens)
        mask = graph.cast(graph.add("Greater", tokens, np.int64(0)), "float32")
        wide = graph.add("Unsqueeze", mask, np.array([2], dtype=np.int64))
        words = graph.add("Mul", graph.add("Gather", weights["embedding/0"], tokens, axis=0), wide)
        pooled = self.net.to_graph(graph, weights, words, mask, size)
        if size.others:
            pooled = graph.concat([pooled, graph.columns(matrix, np.arange(size.others))])
        scores = graph.add("Add", graph.add("MatMul", pooled, weights["head/0"]), weights["head/1"])
        scores = graph.cast(scores, "float64")
        return graph.add("Softmax", scores, axis=1) if self.scale is None else self.scale.to_graph(graph, scores)

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, {name.replace("/", "."): array for name, array in self.weights.items()})
        facts = {
            "size": dataclasses.asdict(self.size),
            "classification": self.classification,
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, self.name, facts)

    @classmethod
    def load(cls, name: str, net: Net, folder: Path) -> TextNetEstimator:
        """A fitted estimator; needs neither Keras nor TensorFlow.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, name, (FILE,))
        estimator = cls.__new__(cls)
        estimator.name, estimator.net, estimator.params, estimator.context = name, net, {}, None
        sizes = check_fact(folder, facts, "size", dict)
        fields = [field.name for field in dataclasses.fields(Size)]
        estimator.size = Size(**{field: check_int(folder, sizes, field, 0, 10_000_000) for field in fields})
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        if estimator.size.length < 1 or (estimator.scale is not None and estimator.size.outputs != 1):
            raise refuse(folder, "its sizes make no sense")
        shapes = estimator._shapes()
        arrays = read_arrays(folder / FILE, tuple(key.replace("/", ".") for key in shapes))
        estimator.weights = {}
        for key, shape in shapes.items():
            array = arrays[key.replace("/", ".")]
            check_array(folder, array, key, "float32", shape)
            if not np.isfinite(array).all():
                raise refuse(folder, f"{key} has numbers that are not finite")
            estimator.weights[key] = array
        return estimator


def sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), dtype=np.float32)
