"""Classes so unequal that a model which never names the small one looks good."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from automl.matrix import IntArray
from automl.profile import Finding
from automl.task import Task, TaskKind

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

RARER_SHARE = 0.05  # of two classes
LARGEST_SHARE = 0.9  # of more than two
OF_ONE_CLASS = ("average_precision", "f1")  # metrics that ask, of two classes, about the positive one
FAIR = ("balanced_accuracy", "f1_macro", "mcc")  # to classes of unequal size


class Imbalance:
    """Two classes with one below 5%, or several with one above 90%."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        task = dataset.task
        if not task.is_classification:
            return []
        counts = np.bincount(dataset.target, minlength=task.n_classes)
        shares = counts / counts.sum()
        if task.kind is TaskKind.BINARY and shares.min() < RARER_SHARE:
            rarer = int(shares.argmin())
            text = f"Only {counts[rarer]:,} row(s) ({shares[rarer]:.2%}) are {task.classes[rarer]!r}"
        elif task.kind is TaskKind.MULTICLASS and shares.max() > LARGEST_SHARE:
            largest = int(shares.argmax())
            text = f"{shares[largest]:.1%} of the rows are {task.classes[largest]!r}"
        else:
            return []
        folds = "Folds" if dataset.times is None else "Blocks of time need not"
        action = f"{folds} keep the shares of the classes; accuracy would mislead here"
        metric = "" if task.metric in (*OF_ONE_CLASS, *FAIR) else " --metric average_precision"
        # a metric of one class would be of the common one, which nearly every row is of, and so be near to perfect
        positive = _name_positive(task, counts) if metric or task.metric in OF_ONE_CLASS else ""
        if metric or positive:
            action += f". If the rare class matters most, add{metric}{positive}"
        return [Finding(kind="imbalance", severity="warning", text=text, action=action)]


def _name_positive(task: Task, counts: IntArray) -> str:
    """The option that makes the rarer of two classes the positive one, where it is not."""
    rarer = int(counts.argmin())
    return f" --positive {shlex.quote(task.classes[rarer])}" if task.kind is TaskKind.BINARY and rarer != 1 else ""


plugin = Imbalance()
