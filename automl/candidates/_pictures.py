"""What all nets on pictures share: the choices of a search, the fit within its time, prediction, and the saved form."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Estimator, FitContext
from automl.candidates._graph_keras import layers_to_graph, shrink_in_graph
from automl.candidates._keras import Fitting, Schedule, cosine, open_keras, start_keras
from automl.candidates._mirror import has_mirror_classes
from automl.candidates._nets import Augmentation, Net, count_stages, shrink
from automl.candidates._record import (
    check_fact,
    check_int,
    read_archive,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._targets import TargetScale, class_priors, regression_loss, softmax, spread_probabilities
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Float, Int, Parameter, Params, SearchSpace
from automl.task import Task

FILE = "weights.npz"
STOP_SHARE = 0.03  # rows that choose the best epoch; a net's schedule ends by itself, so that few suffice
MIN_STOP_ROWS = 60
PREDICT_ROWS = 256
MAX_CLASSES = 10_000
LONG_SIDE = 64
SMALL_PIXELS = 1_500  # values of a picture up to which two thirds of the width do
MAX_EPOCHS = 300


class PictureFamily:
    """One kind of net as a model family; files of `automl.candidates` name it and set its defaults.

    Args:
        kind: see `automl.candidates._nets.Net`.
        cost: see `Candidate.cost`.
        epochs: passes over the rows, where no deadline cuts them.
    """

    needs = Needs(pictures="pixels")
    pool = "keras"

    def __init__(
        self, name: str, title: str, kind: str, *, cost: float, width: tuple[int, int, int], blocks: int, rate: float
    ) -> None:
        self.name, self.title, self.kind, self.cost = name, title, kind, cost
        self.width, self.blocks, self.rate = width, blocks, rate

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not shape.pictures:
            return "the table has no pictures"
        if shape.outputs > MAX_CLASSES:
            return f"{shape.outputs:,} classes are more than {MAX_CLASSES:,}"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        color = shape.colored and shape.pixels > 3 * 64
        low, usual, high = self.width
        usual = usual if self.kind == "dense" or shape.pixels > SMALL_PIXELS else max(low, 2 * usual // 3)
        parameters: dict[str, Parameter] = {
            "epochs": Int(5, MAX_EPOCHS, int(np.clip(round(300_000 / max(1, shape.rows)), 20, 100)), log=True),
            "width": Int(low, high, usual, log=True),
            "side": Choice((32, 48, 64, 96), LONG_SIDE),
            "dropout": Float(0.0, 0.6, 0.3),
            "learning_rate": Float(3e-4, 2e-2, self.rate, log=True),
            "weight_decay": Float(1e-5, 0.1, 1e-2, log=True),
            "batch_size": Choice((32, 64, 128), 64 if shape.rows > 1000 else 32),
            "smoothing": Float(0.0, 0.2, 0.02),
        }
        if self.kind != "dense":
            parameters |= {
                "blocks": Int(1, 3, self.blocks),
                "shift": Float(0.0, 0.2, 0.08),
                "rotate": Float(0.0, 30.0, 8.0),
                "zoom": Float(0.0, 0.25, 0.1),
                "flip": Choice((False, True), color),
                "color": Float(0.0, 0.4, 0.2 if color else 0.0),
                "cutout": Float(0.0, 0.5, 0.3 if color else 0.0),
                "mixup": Float(0.0, 1.0, 0.0),
            }
        return SearchSpace(parameters)

    def build(self, params: Params, context: FitContext) -> Estimator:
        return PictureNet(self.name, self.kind, params, context)

    def load(self, folder: Path) -> Estimator:
        return PictureNet.load(self.name, folder)


class PictureNet:
    """The weights of one net on pictures."""

    def __init__(self, name: str, kind: str, params: Params, context: FitContext) -> None:
        self.name, self.params = name, params
        self.context: FitContext | None = context
        self.shape: tuple[int, ...] = context.features[0].shape
        self.factor = max(1, -(-max(self.shape[:2]) // int(params["side"])))
        high, wide = self.shape[0] // self.factor, self.shape[1] // self.factor
        self.net = Net(
            kind=kind,
            shape=(high, wide, self.shape[2]),
            width=int(params["width"]),
            stages=count_stages(high, wide),
            blocks=int(params.get("blocks", 1)),
            outputs=context.task.n_outputs,
            middle=128.0,
            spread=64.0,
        )
        self.flip = bool(params.get("flip", False))
        self.classification = context.task.is_classification
        self.scale: TargetScale | None = None
        self.weights: list[Array] = []
        self._predict: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what TensorFlow has compiled, which is made again when it is needed."""
        return {**self.__dict__, "_predict": None}

    def fit(self, matrix: Array, target: Array, weight: Array | None) -> None:
        context, params = self.context, self.params
        assert context is not None, "a loaded model is not fitted again"
        keras = start_keras(context.seed, context.threads)
        rows, stop_rows = choose_rows(context, len(matrix))
        pixels = shrink(matrix, self.shape, self.factor)
        self.flip = self.flip and not (self.classification and has_mirror_classes(pixels, target, rows))
        sample = pixels[rows[:: max(1, len(rows) // 2000)]].astype(np.float32)
        self.net = dataclasses.replace(
            self.net, middle=round(float(sample.mean()), 3), spread=round(max(1.0, float(sample.std())), 3)
        )
        model = self.net.build_keras(keras, dropout=float(params["dropout"]), augment=self._augmentation())
        learned = self._set_target(model, target, weight, rows)
        fitting = Fitting(model, self._loss(), self._schedule(len(rows)), context)
        fitting.run(pixels, learned, weight, rows, stop_rows)
        self.weights = [np.asarray(variable.value.numpy()) for variable in model.weights]

    def _set_target(self, model: Any, target: Array, weight: Array | None, rows: Array) -> Array:
        part = None if weight is None else weight[rows]
        if not self.classification:
            assert self.context is not None
            self.scale = TargetScale.learn(target[rows], part, metric=self.context.task.metric)
            return self.scale.apply(target).astype(np.float32)
        # start from the class shares: a fit without time is then no worse than a constant
        priors = class_priors(target[rows], part, self.net.outputs)
        model.layers[-1].bias.assign(np.log(np.maximum(priors, 1e-4)).astype(np.float32))
        return np.asarray(target, dtype=np.int32)

    def _augmentation(self) -> Augmentation:
        names = {field.name for field in dataclasses.fields(Augmentation)}
        moves = {name: value for name, value in self.params.items() if name in names}
        return Augmentation(**moves | {"flip": self.flip})

    def _schedule(self, rows: int) -> Schedule:
        return Schedule(
            epochs=int(self.params["epochs"]),
            batch_size=int(min(self.params["batch_size"], max(8, rows // 8))),
            learning_rate=float(self.params["learning_rate"]),
            weight_decay=float(self.params["weight_decay"]),
            patience=MAX_EPOCHS,
            rate=cosine,
            mixup=float(self.params.get("mixup", 0.0)),
            score_rows=PREDICT_ROWS,
        )

    def _loss(self) -> Any:
        import keras

        ops = keras.ops
        assert self.context is not None
        smoothing, outputs = float(self.params["smoothing"]), self.net.outputs
        if self.classification:

            def surprise(target: Any, scores: Any) -> Any:
                exact = ops.one_hot(target, outputs) * (1.0 - smoothing) + smoothing / outputs
                return ops.categorical_crossentropy(exact, scores, from_logits=True)

            return surprise
        if regression_loss(self.context.task.metric) == "absolute":
            return lambda target, scores: ops.abs(target - scores[:, 0])
        return lambda target, scores: ops.square(target - scores[:, 0])

    def predict(self, matrix: Array) -> FloatArray:
        """Predictions of pictures and, where the net knows them so, of their mirror images, averaged."""
        parts = [self._predict_part(matrix[at : at + PREDICT_ROWS]) for at in range(0, len(matrix), PREDICT_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.net.outputs), dtype=np.float32)

    def _predict_part(self, matrix: Array) -> FloatArray:
        pixels = shrink(matrix, self.shape, self.factor)
        views = [pixels, pixels[:, :, ::-1]] if self.flip else [pixels]
        scores = [self._forward(view) for view in views]
        if self.scale is not None:
            return self.scale.invert(np.mean(scores, axis=0))
        mean = np.mean([softmax(part.astype(np.float64)) for part in scores], axis=0)
        return spread_probabilities(mean, np.arange(self.net.outputs), self.net.outputs)

    def _forward(self, pixels: Array) -> Array:
        if self._predict is None:
            self._predict = self._compile()
        import tensorflow as tf

        scores: Array = self._predict(tf.constant(np.ascontiguousarray(pixels))).numpy()
        return scores

    def _compile(self) -> Any:
        keras = open_keras()
        import tensorflow as tf

        model = self.net.build_keras(keras, dropout=0.0, augment=None)
        model.set_weights(self.weights)
        signature = [tf.TensorSpec([None, *self.net.shape], tf.uint8)]
        traced = tf.function(
            lambda pixels: model(tf.cast(pixels, tf.float32), training=False),
            input_signature=signature,
            autograph=False,
        )
        # traced here: of several nets, traced by their first call, TensorFlow warns as if one were traced again
        return traced.get_concrete_function()

    def to_graph(self, graph: Graph, matrix: str) -> str:
        """`predict`; the matrix is (n, h, w, c) uint8."""
        model = self.net.build_keras(open_keras(), dropout=0.0, augment=None)
        model.set_weights(self.weights)
        pixels = graph.cast(matrix, "float32")
        if self.factor > 1:
            pixels = shrink_in_graph(graph, pixels, self.shape, self.factor)
        mirrored = np.arange(self.net.shape[1])[::-1].astype(np.int64)
        views = [pixels, graph.add("Gather", pixels, mirrored, axis=2)] if self.flip else [pixels]
        scores = [graph.cast(layers_to_graph(graph, model, view), "float64") for view in views]
        parts = [graph.add("Softmax", each, axis=1) if self.scale is None else each for each in scores]
        mean = parts[0]
        if self.flip:
            mean = graph.add("Mul", graph.add("Add", parts[0], parts[1]), np.float64(0.5))
        return mean if self.scale is None else self.scale.to_graph(graph, mean)

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, {f"w{at}": array for at, array in enumerate(self.weights)})
        facts = {
            "net": self.net.to_json(),
            "shape": list(self.shape),
            "factor": self.factor,
            "flip": self.flip,
            "classification": self.classification,
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, self.name, facts)

    @classmethod
    def load(cls, name: str, folder: Path) -> PictureNet:
        """A fitted estimator; Keras is imported when it first predicts.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, name, (FILE,))
        estimator = cls.__new__(cls)
        estimator.name, estimator.params, estimator.context = name, {}, None
        estimator.net = Net.from_json(folder, facts)
        estimator.factor = check_int(folder, facts, "factor", 1, 64)
        shape = check_fact(folder, facts, "shape", list)
        sides = tuple(side // estimator.factor for side in shape[:2] if isinstance(side, int))
        if (*sides, *shape[2:]) != estimator.net.shape:
            raise refuse(folder, f"its pictures are {shape}, its net's {estimator.net.shape}")
        estimator.shape = tuple(shape)
        estimator.flip = check_fact(folder, facts, "flip", bool)
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        estimator.weights = _read_weights(folder)
        estimator._predict = None
        return estimator


def _read_weights(folder: Path) -> list[Array]:
    arrays = read_archive(folder / FILE)
    if sorted(arrays) != sorted(f"w{at}" for at in range(len(arrays))):
        raise refuse(folder, f"{FILE} holds other arrays than expected")
    weights = [arrays[f"w{at}"] for at in range(len(arrays))]
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in weights):
        raise refuse(folder, f"{FILE} has strange numbers")
    return weights


def choose_rows(context: FitContext, n: int) -> tuple[Array, Array]:
    """Rows to learn from and the few that choose the best epoch, from those that the caller set apart."""
    wanted = int(STOP_SHARE * n)
    if wanted < MIN_STOP_ROWS or len(context.stop_rows) < wanted:
        return np.arange(n, dtype=np.int64), np.empty(0, dtype=np.int64)
    stop = np.sort(np.random.default_rng(context.seed).choice(context.stop_rows, wanted, replace=False))
    keep = np.ones(n, dtype=bool)
    keep[stop] = False
    return np.flatnonzero(keep).astype(np.int64), stop
