"""TabM, an ensemble of perceptrons inside one network, trained by Keras and run in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.candidates import Candidate, Estimator, FitContext
from automl.candidates._keras import Schedule, flat_cosine
from automl.candidates._network import NetworkEstimator, reason_against
from automl.candidates._tabm import TabMNetwork
from automl.matrix import Needs, Shape
from automl.space import Choice, Float, Int, Params, SearchSpace
from automl.task import Task

REQUIRES = ("keras", "tensorflow")
NAME = "keras_tabm"
ROWS_TO_SEE = 300_000  # rows of all epochs together, unless asked otherwise
MAX_EMBEDDED = 2_000  # numbers that all embedded columns may become together
PICTURE_COLUMNS = 560  # that a picture becomes by default at most: of filters, gradients and colours


class KerasTabM:
    """TabM-mini with piecewise-linear embeddings (Gorishniy et al. 2025, arXiv:2410.24210), sized for one processor:
    the paper's 32 members of 512 units cost seconds an epoch there."""

    title = "Keras TabM"
    needs = Needs(scaled=True, categories="embed")
    cost = 60.0
    pool = "keras"

    def unsupported(self, task: Task, shape: Shape) -> str:
        return reason_against(shape)

    def space(self, task: Task, shape: Shape) -> SearchSpace:
        numbers = max(1, shape.numbers + PICTURE_COLUMNS * shape.pictures)
        width = int(np.clip(MAX_EMBEDDED // numbers, 1, 8))
        few = shape.rows <= 3_000
        return SearchSpace(
            {
                "epochs": Int(5, 256, int(np.clip(round(ROWS_TO_SEE / max(1, shape.rows)), 10, 100)), log=True),
                "members": Choice((8, 16, 32), 16),
                "blocks": Int(1, 4, 2),
                "units": Int(32, 512, 128, log=True),
                "dropout": Float(0.0, 0.5, 0.1),
                "learning_rate": Float(3e-4, 1e-2, 2e-3, log=True),
                "weight_decay": Float(1e-6, 0.1, 3e-4, log=True),
                "batch_size": Choice((32, 64, 128, 256), 32 if few else 128),
                "embedding": Int(2, 32, 8, log=True),
                "bins": Choice((0, 16, 48), 0 if numbers * 2 > MAX_EMBEDDED else 16),
                "width": Int(1, 16, width),
            }
        )

    def build(self, params: Params, context: FitContext) -> Estimator:
        network = TabMNetwork.plan(
            context.features,
            embedding=params["embedding"],
            bins=params["bins"],
            width=params["width"],
            members=params["members"],
            blocks=params["blocks"],
            units=params["units"],
            outputs=context.task.n_outputs,
        )
        schedule = Schedule(
            epochs=params["epochs"],
            batch_size=params["batch_size"],
            learning_rate=params["learning_rate"],
            weight_decay=params["weight_decay"],
            patience=16,
            rate=flat_cosine,
            beta_2=0.999,
        )
        return NetworkEstimator(NAME, network, schedule, context, {"dropout": params["dropout"]})

    def load(self, folder: Path) -> Estimator:
        return NetworkEstimator.load(NAME, folder, TabMNetwork)


plugin: Candidate = KerasTabM()
