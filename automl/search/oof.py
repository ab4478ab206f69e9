"""Out-of-fold predictions of complete configurations: one array a trial, rows in the order of the data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.files import write_array
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.run import Run
from automl.search.trial import SearchData, fold_folder


class Oofs:
    """Gathers, stores and scores them.

    Attributes:
        outputs: trial → (n, k) float32; NaN in rows that no fold scores.
        scores: trial → score over the scored rows, in the metric's own units.
        scored: rows that are scored (m,) int64.
    """

    def __init__(self, run: Run, data: SearchData) -> None:
        self._run = run
        self._data = data
        self._metric = get_metric(data.task.metric)
        self.outputs: dict[int, FloatArray] = {}
        self.scores: dict[int, float] = {}
        mask = np.zeros(len(data.target), dtype=bool)
        for rows in data.folds:
            mask[rows] = True
        self.scored: Array = np.nonzero(mask)[0]

    @property
    def best(self) -> int | None:
        """The trial with the best score, the earliest of equals."""
        finite = {trial: score for trial, score in self.scores.items() if np.isfinite(score)}
        sign = -1 if self._metric.maximize else 1
        return min(finite, key=lambda trial: (sign * finite[trial], trial)) if finite else None

    def best_outputs(self, rows: Array) -> FloatArray | None:
        return None if self.best is None else self.outputs[self.best][rows]

    def add(self, trial: int) -> float:
        """Join the folds of a complete configuration, store and score them; rows scored in several repeats are averaged."""
        total = np.zeros((len(self._data.target), self._data.task.n_outputs), dtype=np.float64)
        times = np.zeros(len(self._data.target), dtype=np.int64)
        for fold, rows in enumerate(self._data.folds):
            total[rows] += np.load(fold_folder(self._run.path, trial, fold) / "oof.npy", allow_pickle=False)
            times[rows] += 1
        with np.errstate(invalid="ignore", divide="ignore"):
            joined = (total / times[:, None]).astype(np.float32)
        write_array(self._path(trial), lambda file: np.save(file, joined))
        return self._keep(trial, joined)

    def read(self, trial: int) -> None:
        """Take up what an earlier session stored."""
        path = self._path(trial)
        if path.exists():
            self._keep(trial, np.load(path, allow_pickle=False))
        else:
            self.add(trial)

    def on_scored_rows(self) -> dict[int, FloatArray]:
        """Trial → (m, k) outputs of the scored rows."""
        if len(self.scored) == len(self._data.target):
            return dict(self.outputs)
        return {trial: outputs[self.scored] for trial, outputs in self.outputs.items()}

    def target(self) -> Array:
        return self._data.target[self.scored]

    def weight(self) -> Array | None:
        return None if self._data.weight is None else self._data.weight[self.scored]

    def score(self, outputs: FloatArray) -> float:
        """Score of outputs (m, k) on the scored rows."""
        return float(self._metric.score(self.target(), outputs, self.weight()))

    def _keep(self, trial: int, outputs: FloatArray) -> float:
        self.outputs[trial] = outputs
        self.scores[trial] = self.score(outputs[self.scored])
        return self.scores[trial]

    def _path(self, trial: int) -> Path:
        return self._run.search / "oof" / f"{trial:04d}.npy"
