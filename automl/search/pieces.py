"""One fold trained on all rows of a file: a pass turns them into a matrix on disk, which the fit reads in pieces."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.candidates import Estimator, FitContext
from automl.candidates._rounds import split_stop_rows, take
from automl.data.stream import stream_table
from automl.files import read_json
from automl.matrix import Array, FloatArray, IntArray
from automl.predictor import encode_target
from automl.preprocess.cache import FoldMatrices
from automl.preprocess.plan import Transformer
from automl.preprocess.table import TableEncoder
from automl.recipe import DataOptions
from automl.schema import Schema
from automl.search.data import SearchData, fold_folder, open_data
from automl.search.trial import candidates, keep_fold, make_context, make_matrices
from automl.space import split_params
from automl.task import Task

PIECE_ROWS = 1 << 18
# Of the time of the fit, what the pass over the file may take; what is not read by then is not learned from.
READ_SHARE = 0.5


@dataclasses.dataclass
class StoredPieces:
    """See `automl.candidates.Pieces`: rows of the sample, then those of the file."""

    first: FloatArray
    path: Path
    target: Array
    sampled: int
    memory_bytes: float
    scratch: Path

    def __iter__(self) -> Iterator[FloatArray]:
        columns = self.first.shape[1]
        for start in range(0, len(self.first), PIECE_ROWS):
            yield self.first[start : start + PIECE_ROWS]
        with self.path.open("rb") as file:
            while (cells := np.fromfile(file, dtype=np.float32, count=PIECE_ROWS * columns)).size:
                yield cells.reshape(-1, columns)


def run_all_rows(payload: dict[str, Any]) -> dict[str, Any]:
    """As `automl.search.trial.run_fold`, on all rows but those that score and stop.

    Args:
        payload: besides what `run_fold` is told: file, file_rows, options (of the recipe's data), memory_mb,
            base (trial whose model, fitted on the sample, is the beginning; None if there is none).

    Raises:
        Exception: whatever the family raises; ValueError if the file is another than the one that was sampled.
    """
    began = time.monotonic()
    begun = begin_fit(payload, began)
    context = begun.context
    scratch = fold_folder(payload["run"], payload["trial"], 0).with_name(f".all-rows.tmp-{payload['trial']}")
    deadline = began + READ_SHARE * (context.deadline - began)
    with _scratch_folder(scratch):
        labels = write_rows(scratch / "rows.f32", begun.reader, begun.known, threads=context.threads, deadline=deadline)
        pieces = StoredPieces(
            first=begun.sample,
            path=scratch / "rows.f32",
            sampled=len(begun.sample),
            target=np.concatenate([begun.sample_target, labels]),
            memory_bytes=payload["memory_mb"] * 2**20,
            scratch=scratch,
        )
        prepared = time.monotonic()
        begun.estimator.fit_pieces(pieces, begun.stop_matrix, begun.stop_target, begun.start)
    return begun.keep(payload, len(pieces.target), began=began, prepared=prepared)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BegunFit:
    """What a fit on the rows of a file begins with.

    Attributes:
        reader, known: of the file's rows, and hashes of those that must not be learned from (`hash_rows`).
        sample, sample_target: rows of the sample to learn from.
        stop_matrix, stop_target: rows of the sample that end the fit early.
        estimator: not fitted yet; start: the same as it was fitted on the sample, to go on from, or None.
    """

    data: SearchData
    matrices: FoldMatrices
    context: FitContext
    reader: FileReader
    known: Array
    sample: FloatArray
    sample_target: Array
    stop_matrix: FloatArray
    stop_target: Array
    estimator: Any
    start: Estimator | None

    def keep(self, payload: dict[str, Any], rows: int, *, began: float, prepared: float) -> dict[str, Any]:
        """Store the fitted estimator as `keep_fold` does; `rows` is told to this session alone."""
        record = keep_fold(payload, self.data, self.matrices, self.estimator, began=began, prepared=prepared)
        return {**record, "rows": rows}


def begin_fit(payload: dict[str, Any], began: float) -> BegunFit:
    """The payload is that of `run_all_rows`; `began` the `time.monotonic()` from which its seconds count."""
    data = open_data(payload["run"])
    matrices = make_matrices(payload, data)
    context = make_context(payload, data, matrices, began)
    keep, stop = split_stop_rows(context, len(matrices.train))
    target = data.target[data.trains[0]]
    return BegunFit(
        data=data,
        matrices=matrices,
        context=context,
        reader=FileReader(payload, data, Transformer.load(matrices.transformer_path, data.table.layout)),
        known=hash_rows(matrices.score),
        sample=np.asarray(take(matrices.train, keep)),
        sample_target=take(target, keep),
        stop_matrix=np.asarray(matrices.train[stop]),
        stop_target=target[stop],
        estimator=candidates.get(payload["candidate"]).build(split_params(payload["params"], "model"), context),
        # a model that was fitted again on all of the sample knows the rows that are to stop its successor
        start=None if context.refit else _load_start(payload),
    )


def _load_start(payload: dict[str, Any]) -> Estimator | None:
    """The same configuration as it was fitted on the sample."""
    if payload["base"] is None:
        return None
    return candidates.get(payload["candidate"]).load(fold_folder(payload["run"], payload["base"], 0) / "model")


@contextlib.contextmanager
def _scratch_folder(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class FileReader:
    """Turns the file's tables into matrices and targets, without the rows that the sample holds."""

    def __init__(self, payload: dict[str, Any], data: SearchData, transformer: Transformer) -> None:
        folder = Path(payload["run"]) / "data"
        self.path, self.total = Path(payload["file"]), int(payload["file_rows"])
        self.options = DataOptions(**payload["options"])
        self.schema = Schema.from_json(read_json(folder / "schema.json"))
        self.task: Task = data.task
        self.encoder, self.transformer = TableEncoder(self.schema), transformer
        self.drawn: IntArray = np.sort(np.load(folder / "row_ids.npy", allow_pickle=False))

    def tables(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Number of the first row, and the table."""
        tables = stream_table(self.path, options=self.options, least_bytes=0)
        if tables is None:
            raise ValueError(f"{self.path} cannot be read in pieces any more")
        start = 0
        for table in tables:
            yield start, table.frame
            start += len(table.frame)
        if start != self.total:
            raise ValueError(f"{self.path} had {self.total:,} rows, and has {start:,} now")

    def prepare(self, start: int, frame: pd.DataFrame) -> tuple[FloatArray, Array]:
        """Matrix (m, features) and target (m,) of a table's rows that have a target and are not in the sample."""
        wanted = np.ones(len(frame), dtype=bool)
        low, high = np.searchsorted(self.drawn, (start, start + len(frame)))
        wanted[self.drawn[low:high] - start] = False
        names = [str(name) for name in frame.columns]
        y = encode_target(frame.iloc[:, names.index(self.task.target)], self.task)
        wanted &= y >= 0 if self.task.is_classification else np.isfinite(y)
        kept = frame if wanted.all() else frame[wanted]
        table = self.encoder.encode(self.schema.parse(kept, coded=True))
        return np.ascontiguousarray(self.transformer.transform(table), dtype=np.float32), y[wanted]


def write_rows(path: Path, reader: FileReader, known: Array, *, threads: int, deadline: float) -> Array:
    """Write the matrix of the file's rows to `path`, row after row, without those that repeat one of `known`; after
    the deadline no more of them.

    Args:
        known: hashes of rows (`hash_rows`), sorted, that must not be learned from.

    Returns:
        their targets.
    """
    labels = []
    with path.open("wb") as file:
        for matrix, y in in_order(lambda table: reader.prepare(*table), reader.tables(), threads):
            fresh = find_fresh(matrix, known)
            file.write((matrix if fresh.all() else matrix[fresh]).tobytes())
            labels.append(y[fresh])
            if time.monotonic() > deadline:
                break
    return np.concatenate(labels)


def find_fresh(matrix: FloatArray, known: Array) -> Array:
    """Which rows (n,) bool have a hash that is not one of `known`, sorted."""
    hashes = hash_rows(matrix, sort=False)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    fresh: Array = known[place] != hashes
    return fresh


def hash_rows(matrix: FloatArray, *, sort: bool = True) -> Array:
    """A number (n,) uint64 a row, equal for rows of equal cells."""
    bits = np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
    factors = np.asarray(np.random.default_rng(53).integers(1, 2**63, matrix.shape[1], dtype=np.uint64)) * 2 + 1
    total = np.zeros(len(matrix), dtype=np.uint64)
    for place, factor in enumerate(factors):
        total += (bits[:, place].astype(np.uint64) + np.uint64(place + 1)) * factor
    return np.sort(total) if sort else total


def in_order(work: Callable[[Any], Any], items: Iterable[Any], threads: int) -> Iterator[Any]:
    """`work` of each item, in order, a few items ahead on other threads."""
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
