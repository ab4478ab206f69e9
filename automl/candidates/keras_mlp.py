"""A multilayer perceptron in the manner of RealMLP, trained by Keras and run in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._keras import Schedule
from automl.candidates._mlp import Architecture
from automl.candidates._network import NetworkEstimator, reason_against
from automl.matrix import Needs, Shape
from automl.space import Choice, Condition, Float, Int, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_mlp"
ROWS_TO_SEE = 1_000_000  # rows of all epochs together, unless asked otherwise


class KerasMLP:
    """A perceptron in the manner of RealMLP (Holzmüller et al. 2024, arXiv:2407.04491): robust inputs, periodic
    embeddings of numbers, a waving learning rate, and the best epoch kept."""

    title = "Keras MLP"
    needs = Needs(scaled=True, categories="embed")
    cost = 25.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return reason_against(shape)

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
                "learning_rate": Float(3e-4, 5e-2, 1e-2 if regression else 4e-3, log=True),
                "weight_decay": Float(1e-6, 0.1, 1e-2, log=True),
                "batch_size": Choice((64, 128, 256, 512), 256 if shape.rows > 4000 else 64),
                "embedding": Int(2, 32, 8, log=True),
                "periodic": Choice((False, True), not wide),
                "sigma": Float(0.02, 2.0, 0.1, log=True),
            },
            {"sigma": Condition("periodic", (True,))},
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        network = Architecture.plan(
            context.features,
            embedding=params["embedding"],
            frequencies=16 if params["periodic"] else 0,
            periodic=4,
            hidden=(params["units"],) * params["layers"],
            activation=params["activation"],
            outputs=context.task.n_outputs,
        )
        schedule = Schedule(
            epochs=params["epochs"],
            batch_size=params["batch_size"],
            learning_rate=params["learning_rate"],
            weight_decay=params["weight_decay"],
            patience=max(8, params["epochs"] // 3),
        )
        options = {"dropout": params["dropout"], "sigma": params.get("sigma", 0.1)}
        return NetworkEstimator(NAME, network, schedule, context, options)

    def load(self, folder: Path) -> Estimator:
        return NetworkEstimator.load(NAME, folder, Architecture)


plugin: Candidate = KerasMLP()
