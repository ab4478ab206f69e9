"""A net that learned from millions of photographs, its weights from a file or the Keras cache, under a linear model."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._backbone_nets import NETS, find_weights, load_net, look, restore_net
from automl.candidates._backbone_tuning import Pictures, tune, tuning_space
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
from automl.errors import AutoMLError
from automl.graph import Graph, NoGraphError
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Float, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_backbone"
FILE = "weights.npz"
BATCH_ROWS = 32
FIT_SHARE = 0.6  # of the time left: features of the rows to be scored take time as well
SCORED_SHARE = 0.5  # of the time that the features took, kept for those of the rows to be scored
TUNE_START = 5.0  # what compiling a step of fine-tuning takes, as a multiple of what compiling the features took
MIN_ROWS = 40
MAX_STOP_ROWS = 400
MAX_CLASSES = 2_000


class Backbone:
    """The net's last maps, averaged, are features under a linear model; then the net's last blocks may learn along."""

    title = "Keras backbone"
    needs = Needs(pictures="pixels")
    cost = 150.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if not shape.pictures:
            return "the table has no pictures"
        if shape.outputs > MAX_CLASSES:
            return f"{shape.outputs:,} classes are more than {MAX_CLASSES:,}"
        try:
            has_weights = bool(find_weights(shape.backbone_file))
        except AutoMLError as refusal:
            return f"{refusal}: {refusal.hint}"
        if not has_weights:
            files = ", ".join(net.cached for net in NETS.values())
            return (
                f"the Keras cache has no weights of {', '.join(NETS)}; nothing is downloaded: name a file of them with "
                f"--backbone, or put one of {files} into ~/.keras/models"
            )
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        names = tuple(find_weights(shape.backbone_file)) or tuple(NETS)
        frozen = SearchSpace(
            {
                "net": Choice(names, names[0]),
                "side": Choice((96, 128, 160), 128),
                "C": Float(1e-4, 100.0, 0.1, log=True),
            }
        )
        return frozen | tuning_space(shape.rows)

    def build(self, params: Params, context: FitContext) -> Estimator:
        return BackboneEstimator(params, context)

    def load(self, folder: Path) -> Estimator:
        return BackboneEstimator.load(folder)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the frozen net took on this machine: to be compiled, and to see all pictures."""

    compile_seconds: float
    see_seconds: float


class BackboneEstimator:
    """A net and a linear model over what it sees."""

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
        file = find_weights(context.backbone_file).get(self.net)
        if file is None:
            raise FileNotFoundError(f"no weights of {self.net} in the file that was named or the Keras cache")
        self._keep_weights(load_net(start_keras(context.seed, context.threads), file, self.side))
        order = np.random.default_rng(context.seed).permutation(len(matrix))
        began = time.monotonic()
        self._see(matrix[:1])
        compiled = time.monotonic()
        seen = self._see_in_time(matrix, order, context)
        rows = order[: len(seen)]
        times = Times(compile_seconds=compiled - began, see_seconds=time.monotonic() - compiled)
        if self._tune(matrix, target, weight, rows=rows, seen=seen, times=times):
            return
        self._fit_head(seen, target[rows], None if weight is None else weight[rows], context)

    def _keep_weights(self, model: Any) -> None:
        """Half of the size on disk; what is kept is what is used, from here on."""
        self.weights = [_halve(np.asarray(values)) for values in model.get_weights()]
        self._features = None

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

    def _tune(
        self, matrix: Array, target: Array, weight: Array | None, *, rows: Array, seen: FloatArray, times: Times
    ) -> bool:
        """Fine-tune the net if that is wanted, if the time allows, and if there are rows to tell what it is good for.

        Args:
            rows: of the matrix, in the order of `seen`, their features.
            times: what the frozen net took, from which follows what the tuning will take.

        Returns:
            Whether net and linear model are now the tuned ones; if not, the net is as it was.
        """
        context = self.context
        assert context is not None
        stop_rows = context.stop_rows[:: max(1, -(-len(context.stop_rows) // MAX_STOP_ROWS))]
        scoring = (SCORED_SHARE + 2.0 * len(stop_rows) / len(rows)) * times.see_seconds
        least_seconds = TUNE_START * times.compile_seconds
        is_wanted = self.params.get("tune") and len(stop_rows) > 0 and len(rows) == len(matrix)
        if not is_wanted or context.seconds_left() - scoring < least_seconds:
            return False
        began = time.monotonic()
        learned = ~np.isin(rows, context.stop_rows)
        kept = rows[learned]
        self._fit_head(seen[learned], target[kept], None if weight is None else weight[kept], context)
        # the linear model may have to be learned once more, from all rows
        deadline = context.deadline - scoring - (time.monotonic() - began)
        has_one_class = self.classification and len(self.head["classes"]) < 2
        if has_one_class or deadline - time.monotonic() < least_seconds:
            return False
        pictures = self._make_pictures(matrix, target, weight, kept, stop_rows, seen)
        net = restore_net(open_keras(), self.net, self.side, self.weights)
        late = dataclasses.replace(context, deadline=deadline)
        tuned = tune(net, self.net, self.head["axes"], self.head["offset"], pictures, self.params, late)
        if tuned is None:
            return False
        self._keep_weights(net)
        self.head |= {"axes": tuned[0], "offset": tuned[1]}
        return True

    def _make_pictures(
        self, matrix: Array, target: Array, weight: Array | None, rows: Array, stop_rows: Array, seen: FloatArray
    ) -> Pictures:
        classes = self.head["classes"]
        if self.scale is not None:
            learned = self.scale.apply(target).astype(np.float32)
        else:  # of a class that the linear model has not seen, no row can be scored
            learned = np.minimum(np.searchsorted(classes, target), len(classes) - 1).astype(np.int32)
            stop_rows = stop_rows[np.isin(target[stop_rows], classes)]
        pixels = np.asarray(matrix).reshape(-1, *self.shape)
        return Pictures(
            pixels=pixels, target=learned, weight=weight, rows=np.sort(rows), stop_rows=stop_rows, seen=seen
        )

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
            self.scale = TargetScale.learn(target, weight, metric=context.task.metric)
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

        model = restore_net(keras, self.net, self.side, self.weights, finalizes=self.finalizes)

        def forward(pixels: Any) -> Any:
            return model(look(pixels, self.net, self.side), training=False)

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
        if estimator.net not in NETS or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
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


def _halve(values: Array) -> Array:
    """Kernels as float16; what is small, such as the statistics of normalisation, as it is."""
    return values.astype(np.float16) if values.ndim > 1 else values.astype(np.float32)


plugin: Candidate = Backbone()
