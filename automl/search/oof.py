"""Out-of-fold predictions of complete configurations: one array a trial, rows in the order of the data set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl.errors import EngineError, UsageError
from automl.files import write_array
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import get_metric
from automl.run import Run
from automl.search.calibration import IDENTITY, Calibrator, fit_calibrator
from automl.search.data import SearchData, fold_folder
from automl.search.threshold import find_threshold, move_threshold

# With fewer rows a parameter for each model would flatter it by more than it tells.
MIN_CALIBRATED_ROWS = 300
# Outputs of a fold that differ by no more are one constant.
LEAST_SPREAD = 1e-7
# Arrays above this are mapped from their files.
MAPPED_BYTES = 4_000_000


@contextlib.contextmanager
def telling_cleared(run: Path) -> Iterator[None]:
    """Tell a missing file of a run as what it is: its search/ was cleared away to save space."""
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(
            f"{run} no longer holds what the models of its folds said of the rows they left out",
            hint="Put search/ back; predict, serve and export to onnx do without it",
        ) from error


def read_oof(run: Run, trial: int) -> FloatArray:
    """Stored predictions (n, k) of one configuration, as they were calibrated; NaN in rows that no fold scores.

    Raises:
        UsageError: if they were cleared away.
    """
    with telling_cleared(run.path):
        outputs: FloatArray = np.load(run.search / "oof" / f"{trial:04d}.npy", allow_pickle=False)
        return outputs


class Oofs:
    """Gathers, stores and scores them.

    Attributes:
        outputs: trial → (n, k) float32, calibrated; NaN in rows that no fold scores.
        scores: trial → score over the scored rows, in the metric's own units, at the trial's threshold.
        thresholds: trial → from which probability on the second class is named, where the metric hangs on that.
        scored: rows that are scored (m,) int64.
        calibrators: trial → what makes its probabilities mean what they say. Only a metric that judges probabilities
            asks for it: models are then compared and mixed by what they know, not by how boldly they say it.
    """

    def __init__(self, run: Run, data: SearchData) -> None:
        self._run = run
        self._data = data
        self._metric = get_metric(data.task.metric)
        self.outputs: dict[int, FloatArray] = {}
        self.scores: dict[int, float] = {}
        self.calibrators: dict[int, Calibrator] = {}
        self.thresholds: dict[int, float] = {}
        self._constant: set[int] = set()
        self._known: dict[int, FloatArray] = {}  # the scored rows of `outputs`
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

    def add(self, trial: int) -> float:
        """Join the folds of a complete configuration, store and score them."""
        score = self._keep(trial, self._join(trial))
        write_array(self._path(trial), lambda file: np.save(file, self.outputs[trial]))
        self._map(trial)
        return score

    def read(self, trial: int) -> None:
        """Take up what is stored, as the folds hold it."""
        self._keep(trial, self._join(trial))
        self._map(trial)

    def read_outputs(self, trial: int) -> None:
        """Take up what is stored as it was calibrated then: `outputs` alone, which takes a fraction of the time."""
        try:
            self.outputs[trial] = np.load(self._path(trial), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            self.read(trial)
            return
        self._note_known(trial)
        if not any(np.ptp(outputs, axis=0).max(initial=0.0) > LEAST_SPREAD for outputs in self._load_folds(trial)):
            self._constant.add(trial)

    def _join(self, trial: int) -> FloatArray:
        """Folds side by side; rows scored in several repeats are averaged, rows scored in none are NaN."""
        total = np.zeros((len(self._data.target), self._data.task.n_outputs), dtype=np.float64)
        times = np.zeros(len(self._data.target), dtype=np.int64)
        varies = False
        for rows, outputs in zip(self._data.folds, self._load_folds(trial), strict=True):
            varies = varies or bool(np.ptp(outputs, axis=0).max(initial=0.0) > LEAST_SPREAD)
            total[rows] += outputs
            times[rows] += 1
        if not varies:
            self._constant.add(trial)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total / times[:, None], dtype=np.float32)

    def _load_folds(self, trial: int) -> Iterator[FloatArray]:
        for fold in range(len(self._data.folds)):
            yield np.load(fold_folder(self._run.path, trial, fold) / "oof.npy", allow_pickle=False)

    def _map(self, trial: int) -> None:
        """Leave large outputs on the disk, from where they are read as they are needed: a long search has hundreds."""
        if self.outputs[trial].nbytes <= MAPPED_BYTES:
            return
        # a power cut may have taken the file, and a full disk may not take another: what is in memory does as well
        with contextlib.suppress(OSError, ValueError, EOFError, EngineError):
            self.outputs[trial] = np.load(self._path(trial), mmap_mode="r", allow_pickle=False)
            self._note_known(trial)
            if self._known[trial] is not self.outputs[trial]:
                write_array(self._path_of_known(trial), lambda file: np.save(file, self._known[trial]))
                self._known[trial] = np.load(self._path_of_known(trial), mmap_mode="r", allow_pickle=False)

    def _note_known(self, trial: int) -> None:
        is_part = len(self.scored) < len(self._data.target)
        self._known[trial] = self.outputs[trial][self.scored] if is_part else self.outputs[trial]

    def on_scored_rows(self) -> dict[int, FloatArray]:
        """Trial → (m, k) outputs of the scored rows."""
        return dict(self._known)

    def on_scored_rows_as_judged(self) -> dict[int, FloatArray]:
        """The same as the metric is to see them."""
        return {t: move_threshold(outputs, self.thresholds[t]) for t, outputs in self.on_scored_rows().items()}

    def candidates(self) -> dict[int, FloatArray]:
        """What an ensemble may be made of: `on_scored_rows` without models that are constant in each fold.

        A constant moves all rows of a fold alike; a metric of ranks hardly sees it, so that it would enter by accident.
        If there is nothing else, the constants remain.
        """
        scored = self.on_scored_rows()
        return {trial: outputs for trial, outputs in scored.items() if trial not in self._constant} or scored

    def target(self) -> Array:
        return self._data.target[self.scored]

    def weight(self) -> Array | None:
        return None if self._data.weight is None else self._data.weight[self.scored]

    def units(self) -> IntArray | None:
        """Group number of each scored row, where rows have groups."""
        return None if self._data.groups is None else self._data.groups[self.scored]

    def score(self, outputs: FloatArray) -> float:
        """Score of outputs (m, k) on the scored rows."""
        return float(self._metric.score(self.target(), outputs, self.weight()))

    def calibrate(self, outputs: FloatArray, rows: Array) -> Calibrator:
        """What makes outputs (m, k) on these rows mean what they say, if the metric asks for it and rows are enough."""
        if not self._metric.is_proper or len(self.scored) < MIN_CALIBRATED_ROWS:
            return IDENTITY
        weight = None if self._data.weight is None else self._data.weight[rows]
        return fit_calibrator(self._data.task, outputs, self._data.target[rows], weight)

    def _keep(self, trial: int, outputs: FloatArray) -> float:
        self.calibrators[trial] = self.calibrate(outputs[self.scored], self.scored)
        self.outputs[trial] = self.calibrators[trial].apply(outputs)
        self._note_known(trial)
        known = self._known[trial]
        self.thresholds[trial] = find_threshold(self._metric, self.target(), known, self.weight())
        self.scores[trial] = self.score(move_threshold(known, self.thresholds[trial]))
        return self.scores[trial]

    def judged(self, trial: int, rows: Array) -> FloatArray:
        """Outputs (m, k) of these rows as the metric is to see them: with the trial's threshold at 0.5."""
        return move_threshold(self.outputs[trial][rows], self.thresholds[trial])

    def _path(self, trial: int) -> Path:
        return self._run.search / "oof" / f"{trial:04d}.npy"

    def _path_of_known(self, trial: int) -> Path:
        return self._path(trial).with_suffix(".scored.npy")
