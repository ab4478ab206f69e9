"""A net that learned from millions of photographs, its weights taken from the Keras cache, under a linear model."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._keras import open_keras, start_keras
from automl.candidates._record import (
    check_fact,
    check_int,
    read_archive,
    read_record,
    refuse,
    write_arrays,
    write_record,
)
from automl.candidates._sklearn import fit_quietly
from automl.candidates._targets import TargetScale, encode_classes, softmax, spread_probabilities
from automl.graph import Graph, NoGraphError
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Float, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_backbone"
FILE = "weights.npz"
BATCH_ROWS = 32
FIT_SHARE = 0.6  # of the time left: features of the rows to be scored take time as well
MIN_ROWS = 40
MAX_CLASSES = 2_000
# Nets by name, and the file that keras.applications keeps of each, the smallest first.
FILES = {
    "MobileNetV3Small": "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
    "EfficientNetB0": "efficientnetb0_notop.h5",
    "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
}
SPREADS = (0.229, 0.224, 0.225)  # standard deviations of ImageNet's red, green, blue


def find_weights() -> dict[str, Path]:
    """Net → file of weights in the Keras cache (`~/.keras/models`, or below KERAS_HOME); nothing is downloaded."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    return {name: folder / file for name, file in FILES.items() if (folder / file).is_file()}


class Backbone:
    """The net's last maps, averaged, are frozen features; what is learned on them is a linear model."""

    title = "Keras backbone"
    needs = Needs(pictures="pixels")
    cost = 150.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not shape.pictures:
            return "the table has no pictures"
        if shape.outputs > MAX_CLASSES:
            return f"{shape.outputs:,} classes are more than {MAX_CLASSES:,}"
        if not find_weights():
            return (
                "the Keras cache has no weights of " + ", ".join(FILES) + "; nothing is downloaded: put one of "
                f"{', '.join(FILES.values())} into ~/.keras/models"
            )
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        names = tuple(find_weights()) or tuple(FILES)
        return SearchSpace(
            {
                "net": Choice(names, names[0]),
                "side": Choice((96, 128, 160), 128),
                "C": Float(1e-4, 100.0, 0.1, log=True),
            }
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        return BackboneEstimator(params, context)

    def load(self, folder: Path) -> Estimator:
        return BackboneEstimator.load(folder)


class BackboneEstimator:
    """A frozen net and a linear model over what it sees."""

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = params
        self.context: FitContext | None = context
        self.net = str(params["net"])
        self.side = int(params["side"])
        self.shape: tuple[int, ...] = context.features[0].shape
        self.n_outputs = context.task.n_outputs
        self.classification = context.task.is_classification
        self.scale: TargetScale | None = None
        self.weights: list[Array] = []
        self.head: dict[str, Array] = {}
        self.finalizes = True  # not so in models of earlier versions, whose heads have learned without it
        self._features: Any = None

    def fit(self, matrix: Array, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        path = find_weights().get(self.net)
        if path is None:
            raise FileNotFoundError(f"no weights of {self.net} in the Keras cache")
        keras = start_keras(context.seed, context.threads)
        model = _build(keras, self.net, self.side, weights=str(path))
        _set_scale(model, self.net)
        # half of the size on disk; what is kept is what is used, from here on
        self.weights = [_halve(np.asarray(values)) for values in model.get_weights()]
        order = np.random.default_rng(context.seed).permutation(len(matrix))
        seen = self._see_in_time(matrix, order, context)
        rows = order[: len(seen)]
        self._fit_head(seen, target[rows], None if weight is None else weight[rows], context)

    def _see_in_time(self, matrix: Array, order: Array, context: FitContext) -> FloatArray:
        """Features of as many rows as the time allows, in this order."""
        started, left = time.monotonic(), context.seconds_left()
        parts: list[FloatArray] = []
        for at in range(0, len(order), BATCH_ROWS):
            if at >= MIN_ROWS and not math.isinf(left) and time.monotonic() - started > FIT_SHARE * left:
                break
            parts.append(self._see(matrix[np.sort(order[at : at + BATCH_ROWS])]))
            order[at : at + BATCH_ROWS] = np.sort(order[at : at + BATCH_ROWS])
        return np.concatenate(parts)

    def _fit_head(self, seen: FloatArray, target: Array, weight: Array | None, context: FitContext) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge

        mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-3
        scaled = (seen - mean) / spread
        sample = {} if weight is None else {"sample_weight": weight}
        model: Any
        if self.classification:
            classes, codes = encode_classes(target)
            coefficients, intercept = np.zeros((1, seen.shape[1])), np.zeros(1)
            if len(classes) > 1:
                model = LogisticRegression(C=float(self.params["C"]), max_iter=200, random_state=context.seed)
                fit_quietly(model.fit, scaled, codes, **sample)
                coefficients, intercept = model.coef_, model.intercept_
                if len(classes) == 2:
                    coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
                    intercept = np.concatenate([[0.0], intercept])
        else:
            classes = np.zeros(1, dtype=np.int64)
            self.scale = TargetScale.learn(target, weight)
            model = Ridge(alpha=1.0 / float(self.params["C"]))
            fit_quietly(model.fit, scaled, self.scale.apply(target), **sample)
            coefficients, intercept = model.coef_[None], np.array([model.intercept_])
        self.head = {
            "axes": (coefficients / spread).T.astype(np.float32),
            "offset": (intercept - (coefficients * (mean / spread)).sum(axis=1)).astype(np.float32),
            "classes": classes.astype(np.int64),
        }

    def _see(self, matrix: Array) -> FloatArray:
        """Features (n, d) of pixels (n, h·w·c)."""
        if self._features is None:
            self._features = self._compile()
        pixels = np.ascontiguousarray(np.asarray(matrix).reshape(-1, *self.shape))
        import tensorflow as tf

        seen: FloatArray = self._features(tf.constant(pixels)).numpy()
        return seen

    def _compile(self) -> Any:
        keras = open_keras()
        import tensorflow as tf

        model = _build(keras, self.net, self.side, weights=None)
        model.set_weights([values.astype(np.float32) for values in self.weights])
        for layer in model.layers if self.finalizes else ():
            if hasattr(layer, "finalize_state"):  # it has made copies of the weights that it was built with
                layer.finalize_state()
        factor, classic = (3 if self.shape[2] == 1 else 1), self.net == "ResNet50"

        def forward(pixels: Any) -> Any:
            large = tf.image.resize(tf.cast(pixels, tf.float32), (self.side, self.side))
            colored = tf.repeat(large, factor, axis=3)
            if classic:  # ResNet's weights are of blue, green, red with the mean of ImageNet taken off
                colored = colored[..., ::-1] - tf.constant([103.939, 116.779, 123.68])
            return model(colored, training=False)

        signature = [tf.TensorSpec([None, *self.shape], tf.uint8)]
        # traced here: of several folds', traced by their first call, TensorFlow warns as if one were traced again
        return tf.function(forward, input_signature=signature, autograph=False).get_concrete_function()

    def __getstate__(self) -> dict[str, Any]:
        """Without what TensorFlow has compiled, which is made again when it is needed."""
        return {**self.__dict__, "_features": None}

    def predict(self, matrix: Array) -> FloatArray:
        parts = [self._predict_part(matrix[at : at + BATCH_ROWS]) for at in range(0, len(matrix), BATCH_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs), dtype=np.float32)

    def _predict_part(self, matrix: Array) -> FloatArray:
        scores = self._see(matrix) @ self.head["axes"] + self.head["offset"]
        if self.scale is not None:
            return self.scale.invert(scores)
        return spread_probabilities(softmax(scores.astype(np.float64)), self.head["classes"], self.n_outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        """Never: the layers of Keras' own nets are not written as a graph."""
        raise NoGraphError(f"The net {self.net} that {NAME!r} sees pictures with has no form as a graph")

    def save(self, folder: Path) -> None:
        arrays = {f"w{at}": values for at, values in enumerate(self.weights)}
        write_arrays(folder / FILE, {**arrays, **self.head})
        facts = {
            "net": self.net,
            "side": self.side,
            "shape": list(self.shape),
            "n_outputs": self.n_outputs,
            "classification": self.classification,
            "finalizes": self.finalizes,
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, NAME, facts)

    @classmethod
    def load(cls, folder: Path) -> BackboneEstimator:
        """A fitted estimator; the net is built when it first predicts.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, NAME, (FILE,))
        estimator = cls.__new__(cls)
        estimator.params, estimator.context, estimator._features = {}, None, None
        estimator.net = check_fact(folder, facts, "net", str)
        estimator.side = check_int(folder, facts, "side", 32, 1024)
        estimator.n_outputs = check_int(folder, facts, "n_outputs", 1, 1_000_000)
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.finalizes = facts.get("finalizes") is True
        shape = check_fact(folder, facts, "shape", list)
        if estimator.net not in FILES or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
            raise refuse(folder, "its net or its pictures are of no known kind")
        estimator.shape = tuple(shape)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        arrays = read_archive(folder / FILE)
        if not {"axes", "offset", "classes"} <= set(arrays):
            raise refuse(folder, f"{FILE} has no linear model")
        estimator.head = {name: arrays.pop(name) for name in ("axes", "offset", "classes")}
        if sorted(arrays) != sorted(f"w{at}" for at in range(len(arrays))):
            raise refuse(folder, f"{FILE} holds other arrays than expected")
        estimator.weights = [arrays[f"w{at}"] for at in range(len(arrays))]
        return estimator


def _build(keras: Any, name: str, side: int, weights: str | None) -> Any:
    options = {"include_top": False, "pooling": "avg", "input_shape": (side, side, 3)}
    return getattr(keras.applications, name)(weights=weights, **options)


def _set_scale(model: Any, name: str) -> None:
    """What keras.applications does with weights that it fetched itself and not with those of a file: EfficientNet's
    colours are divided by the root of their spread once more, as in its training; here within the variances."""
    if not name.startswith("EfficientNet"):
        return
    layer = next(layer for layer in model.layers if hasattr(layer, "adapt_variance"))
    layer.adapt_variance.assign(layer.adapt_variance.value.numpy() * np.array(SPREADS, dtype=np.float32))
    layer.finalize_state()


def _halve(values: Array) -> Array:
    """Kernels as float16; what is small, such as the statistics of normalisation, as it is."""
    return values.astype(np.float16) if values.ndim > 1 else values.astype(np.float32)


plugin: Candidate = Backbone()
