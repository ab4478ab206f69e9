"""A multilayer perceptron with embeddings, trained by Keras and run in plain numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._graph_network import perceptron_to_graph
from automl.candidates._keras import Fitting, Schedule, start_keras
from automl.candidates._mlp import Architecture
from automl.candidates._record import check_fact, read_arrays, read_record, refuse, write_arrays, write_record
from automl.candidates._rounds import split_stop_rows
from automl.candidates._targets import TargetScale, class_priors, regression_loss, softmax, spread_probabilities
from automl.graph import Graph
from automl.matrix import Array, FloatArray, Needs, Shape
from automl.space import Choice, Condition, Float, Int, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_mlp"
FILE = "weights.npz"
MAX_CELLS = 20_000_000
CHUNK_ROWS = 4096
ROWS_TO_SEE = 1_000_000  # rows of all epochs together, unless asked otherwise


class KerasMLP:
    """A perceptron in the manner of RealMLP (Holzmüller et al. 2024, arXiv:2407.04491): robust inputs, periodic
    embeddings of numbers, a waving learning rate, and the best epoch kept."""

    title = "Keras MLP"
    needs = Needs(scaled=True, categories="embed")
    cost = 25.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        if shape.cells > MAX_CELLS:
            return f"{shape.cells:,} cells are more than {MAX_CELLS:,}"
        if shape.outputs > 1000:
            return f"{shape.outputs} classes are more than 1,000"
        return ""

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        wide = shape.columns > 200
        regression = not task.is_classification
        return SearchSpace(
            {
                "epochs": Int(5, 256, int(np.clip(round(ROWS_TO_SEE / max(1, shape.rows)), 8, 150)), log=True),
                "layers": Int(1, 4, 3),
                "units": Int(32, 512, 128, log=True),
                "activation": Choice(("relu", "selu", "silu", "mish"), "mish" if regression else "selu"),
                "dropout": Float(0.0, 0.5, 0.0 if regression else 0.1),
                "learning_rate": Float(3e-4, 3e-2, 4e-3, log=True),
                "weight_decay": Float(1e-6, 0.1, 1e-2, log=True),
                "batch_size": Choice((64, 128, 256, 512), 256 if shape.rows > 4000 else 64),
                "embedding": Int(2, 32, 8, log=True),
                "periodic": Choice((False, True), not wide),
                "sigma": Float(0.02, 2.0, 0.1, log=True),
            },
            {"sigma": Condition("periodic", (True,))},
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        return KerasMLPEstimator(params, context)

    def load(self, folder: Path) -> Estimator:
        return KerasMLPEstimator.load(folder)


class KerasMLPEstimator:
    """The weights of one network; Keras is only there while it learns."""

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = params
        self.context: FitContext | None = context
        self.classification = context.task.is_classification
        self.architecture = Architecture.plan(
            context.features,
            embedding=params["embedding"],
            frequencies=16 if params["periodic"] else 0,
            periodic=4,
            hidden=(params["units"],) * params["layers"],
            activation=params["activation"],
            outputs=context.task.n_outputs,
        )
        self.scale: TargetScale | None = None
        self.weights: dict[str, FloatArray] = {}

    def fit(self, matrix: FloatArray, target: Array, weight: Array | None) -> None:
        context = self.context
        assert context is not None, "a loaded model is not fitted again"
        keras = start_keras(context.seed, context.threads)
        rows, stop_rows = split_stop_rows(context, len(matrix))
        rows = np.arange(len(matrix), dtype=np.int64) if rows is None else rows
        if self.classification:
            learned = np.asarray(target, dtype=np.int32)
        else:
            self.scale = TargetScale.learn(target[rows], None if weight is None else weight[rows])
            learned = self.scale.apply(target).astype(np.float32)
        model = self.architecture.build_keras(
            keras, dropout=self.params["dropout"], sigma=self.params.get("sigma", 0.1)
        )
        if self.classification:  # start from the class shares: a fit without time is then no worse than a constant
            priors = class_priors(target[rows], None if weight is None else weight[rows], self.architecture.outputs)
            model.layers[-1].bias.assign(np.log(np.maximum(priors, 1e-4)).astype(np.float32))
        fitting = Fitting(model, self._loss(), self._schedule(len(rows)), context)
        inputs = np.ascontiguousarray(np.nan_to_num(matrix, nan=0.0))
        fitting.run(inputs, learned, weight, rows, stop_rows)
        self.weights = self.architecture.read_keras(model)

    def _schedule(self, rows: int) -> Schedule:
        return Schedule(
            epochs=self.params["epochs"],
            batch_size=int(min(self.params["batch_size"], max(16, rows // 8))),
            learning_rate=self.params["learning_rate"],
            weight_decay=self.params["weight_decay"],
            patience=max(8, self.params["epochs"] // 3),
        )

    def _loss(self) -> Any:
        import keras

        ops = keras.ops
        assert self.context is not None
        if self.classification:
            return lambda target, scores: ops.sparse_categorical_crossentropy(target, scores, from_logits=True)
        if regression_loss(self.context.task.metric) == "absolute":
            return lambda target, scores: ops.abs(target - scores[:, 0])
        return lambda target, scores: ops.square(target - scores[:, 0])

    def predict(self, matrix: FloatArray) -> FloatArray:
        parts = [self._predict_part(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.architecture.outputs), dtype=np.float32)

    def _predict_part(self, matrix: FloatArray) -> FloatArray:
        scores = self.architecture.forward(self.weights, matrix)
        if self.scale is not None:
            return self.scale.invert(scores)
        outputs = self.architecture.outputs
        return spread_probabilities(softmax(scores.astype(np.float64)), np.arange(outputs), outputs)

    def to_graph(self, graph: Graph, matrix: str) -> str:
        scores = graph.cast(perceptron_to_graph(graph, self.architecture, self.weights, matrix), "float64")
        if self.scale is not None:
            return self.scale.to_graph(graph, scores)
        return graph.add("Softmax", scores, axis=1)

    def save(self, folder: Path) -> None:
        write_arrays(folder / FILE, self.weights)
        facts = {
            "architecture": self.architecture.to_json(),
            "classification": self.classification,
            "scale": None if self.scale is None else self.scale.to_json(),
        }
        write_record(folder, NAME, facts)

    @classmethod
    def load(cls, folder: Path) -> KerasMLPEstimator:
        """A fitted estimator; needs neither Keras nor TensorFlow.

        Raises:
            ArtifactError: if the folder holds anything else.
        """
        facts = read_record(folder, NAME, (FILE,))
        estimator = cls.__new__(cls)
        estimator.params, estimator.context = {}, None
        estimator.architecture = Architecture.from_json(folder, facts)
        estimator.classification = check_fact(folder, facts, "classification", bool)
        estimator.scale = None if estimator.classification else TargetScale.from_json(folder, facts)
        if estimator.scale is not None and estimator.architecture.outputs != 1:
            raise refuse(folder, "a value has one output")
        estimator.weights = read_arrays(folder / FILE, tuple(estimator.architecture.shapes()))
        estimator.architecture.check_weights(folder, estimator.weights)
        return estimator


plugin: Candidate = KerasMLP()
