"""A model without files, for tests of what stands around one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.schema import Column, Schema
from automl.serve.model import ServedModel
from automl.task import Task, TaskKind

PRICE = Task(kind=TaskKind.REGRESSION, target="price")


def make_model(
    *columns: Column, task: Task = PRICE, run: Callable[[Any], FloatArray] = lambda _: np.zeros((1, 1), np.float32)
) -> ServedModel:
    """A model of these columns that answers columns of cells by `run`."""
    return ServedModel(
        name="shop",
        version="1",
        runtime="automl",
        predictor=Predictor(Schema(columns), task, None),  # type: ignore[arg-type]
        prepare=lambda given, _: given,
        run=run,
        golden=(),
        folder=Path(),
    )
