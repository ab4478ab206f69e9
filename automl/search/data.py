"""What a search reads: the run's arrays, which rows each fold has of them, and where what came of a fold lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from automl.files import read_json
from automl.matrix import Array, IntArray
from automl.preprocess.part import FitRows
from automl.preprocess.table import Table
from automl.task import Task

# What a run that an earlier version began is taken to need for reading a row.
READING_SECONDS = 0.005


class SearchData:
    """The run's arrays, memory-mapped: table, target, weight, folds and golden rows. Written by `flow`.

    Args:
        folder: `run.data`.

    Attributes:
        reading_seconds: what one row of the user's takes in a warm process before any model sees it.
    """

    def __init__(self, folder: Path) -> None:
        self.table = Table.load(folder)
        self.golden = Table.load(folder / "golden")
        self.task = Task.from_json(read_json(folder / "task.json"))
        self.target: Array = np.load(folder / "target.npy", allow_pickle=False)
        split = np.load(folder / "split.npz", allow_pickle=False)
        self.folds: tuple[IntArray, ...] = tuple(split[f"score_{i}"] for i in range(int(split["count"])))
        self.trains: tuple[IntArray, ...] = tuple(split[f"train_{i}"] for i in range(int(split["count"])))
        self.repeats = int(split["repeats"])
        self.groups: IntArray | None = split.get("groups", None)
        self.times: Array | None = split.get("times", None)
        weight = folder / "weight.npy"
        self.weight: Array | None = np.load(weight, allow_pickle=False) if weight.exists() else None
        reading = folder / "reading.json"
        self.reading_seconds = float(read_json(reading)["row_seconds"]) if reading.exists() else READING_SECONDS

    @property
    def chief_fold(self) -> int:
        """The fold that stands for all where one must: of models of earlier rows the last, which knows the most."""
        return 0 if self.times is None else len(self.folds) - 1

    @property
    def serving_folds(self) -> tuple[int, ...]:
        """The folds whose models answer new rows, with their mean: all of them; of models of earlier and earlier rows
        the last alone, as the others would pull its answers back to what is past."""
        return tuple(range(len(self.folds))) if self.times is None else (self.chief_fold,)

    @property
    def whole(self) -> int:
        """What stands in a fold's place for all rows: the number after the last fold's."""
        return len(self.folds)

    def rows_of(self, fold: int) -> tuple[IntArray, IntArray]:
        """Rows that a fold trains on and that it scores; `whole` trains on all, so that its score says nothing."""
        if fold == self.whole:
            return np.arange(len(self.target)), np.zeros(1, dtype=np.int64)
        return self.trains[fold], self.folds[fold]

    def fit_rows(self, rows: Array, *, seed: int, shared: Path | None = None) -> FitRows:
        """What preprocessing may look at beside the table when it learns from these rows."""
        return FitRows(
            task=self.task,
            target=self.target[rows],
            seed=seed,
            groups=None if self.groups is None else self.groups[rows],
            weight=None if self.weight is None else self.weight[rows],
            shared=shared,
        )


_opened: dict[tuple[str, int, int], SearchData] = {}


def open_data(run_path: str) -> SearchData:
    """The run's arrays, opened once a process; anew if another run has taken the place of one that is gone."""
    status = (Path(run_path) / "data" / "split.npz").stat()
    key = (run_path, status.st_ino, status.st_mtime_ns)
    if key not in _opened:
        _opened.clear()
        _opened[key] = SearchData(Path(run_path) / "data")
    return _opened[key]


def fold_folder(run_path: Path | str, trial: int, fold: int) -> Path:
    return Path(run_path) / "search" / "models" / f"{trial:04d}-{fold}"


def remove_folds(run_path: Path | str, trial: int, folds: int) -> None:
    """Delete what a configuration's workers kept of so many folds."""
    for fold in range(folds):
        shutil.rmtree(fold_folder(run_path, trial, fold), ignore_errors=True)
