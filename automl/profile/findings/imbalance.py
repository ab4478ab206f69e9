"""Classes so unequal that a model which never names the small one looks good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.profile import Finding
from automl.task import TaskKind

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

RARER_SHARE = 0.05  # of two classes
LARGEST_SHARE = 0.9  # of more than two


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
        action = "Folds keep the shares of the classes; accuracy would mislead here"
        if task.metric not in ("average_precision", "balanced_accuracy", "f1", "mcc"):
            action += ". If the rare class matters most, add --metric average_precision"
        return [Finding(kind="imbalance", severity="warning", text=text, action=action)]


plugin = Imbalance()
