"""A fold's matrices, made once per preprocessing choice and memory-mapped by every worker that needs them."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np

from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess.corpus import read_sparse, write_sparse
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_key
from automl.preprocess.table import Table
from automl.space import Params


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoldMatrices:
    """What a model of one fold is trained on and scored on.

    Attributes:
        train: (n, m) float32, memory-mapped; a CSR matrix where the family asks for n-grams.
        score: (s, m) float32, as `train`.
        transformer_path: the fitted transformer's file.
    """

    train: FloatArray
    score: FloatArray
    features: tuple[Feature, ...]
    transformer_path: Path


def get_fold_matrices(
    folder: Path, *, fold: int, table: Table, train: Array, score: Array, needs: Needs, params: Params, fit: FitRows
) -> FoldMatrices:
    """Matrices from the cache, or made and put there.

    Args:
        folder: the cache; made if absent.
        train, score: rows of `table` that the fold trains on and is scored on.
        fit: task, seed, and the target of the training rows.
    """
    place = folder / f"{plan_key(needs, params)}-{fold}"
    if not place.is_dir():
        table = table.keep_counts(folder)
        fit = dataclasses.replace(fit, fold=fold)
        _make(place, table=table, train=train, score=score, needs=needs, params=params, fit=fit)
    transformer_path = place / "transform.npz"
    return FoldMatrices(
        # copy on write: the pages are shared, yet libraries that refuse read-only buffers take the array
        train=_read(place, "train"),
        score=_read(place, "score"),
        features=Transformer.load(transformer_path, table.layout).features(),
        transformer_path=transformer_path,
    )


def _read(place: Path, name: str) -> FloatArray:
    if (place / f"{name}.npy").exists():
        array: FloatArray = np.load(place / f"{name}.npy", mmap_mode="c", allow_pickle=False)
        return array
    return cast(FloatArray, read_sparse(place, name))


def _write(place: Path, name: str, matrix: Any) -> None:
    if isinstance(matrix, np.ndarray):
        np.save(place / f"{name}.npy", np.ascontiguousarray(matrix))
    else:
        write_sparse(place, name, matrix)


def _make(place: Path, *, table: Table, train: Array, score: Array, needs: Needs, params: Params, fit: FitRows) -> None:
    # two workers may make the same matrices at once: each writes its own folder, the first rename wins
    own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    try:
        transformer = Transformer(needs, params, table.layout)
        _write(own, "train", transformer.fit(table.take(train), fit))
        _write(own, "score", transformer.transform(table.take(score)))
        transformer.save(own / "transform.npz")
        try:
            own.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(own, ignore_errors=True)
