"""Small data sets for the tests of findings and summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from automl.data import Dataset
from automl.schema import Column, Notice, Role, Schema
from automl.task import Task, TaskKind


def make_dataset(
    columns: Mapping[str, Any],
    target: Sequence[Any] | np.ndarray,
    *,
    roles: Mapping[str, Role] | None = None,
    ignored: Mapping[str, str] | None = None,
    notices: tuple[Notice, ...] = (),
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> Dataset:
    """A data set of typed columns: a float target is a regression, whole numbers are classes "a", "b", …

    Args:
        columns: arrays; numbers, objects (categories) and datetimes are given their role unless `roles` says otherwise.
        ignored: columns that reading left out, with the reason.
    """
    frame = pd.DataFrame({name: _typed(values) for name, values in columns.items()})
    schema = [Column(name=name, role=(roles or {}).get(name) or _role(frame[name])) for name in frame]
    schema += [Column(name=name, role=Role.IGNORE, reason=reason) for name, reason in (ignored or {}).items()]
    values = np.asarray(target)
    if values.dtype.kind == "f":
        task = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse")
    else:
        k = int(values.max()) + 1
        kind = TaskKind.BINARY if k == 2 else TaskKind.MULTICLASS
        task = Task(kind=kind, target="y", classes=tuple("abcdefghijklmnopqrstuvwxyz"[:k]), metric="log_loss")
    return Dataset(
        schema=Schema(tuple(schema)),
        task=task,
        frame=frame,
        target=values if values.dtype.kind == "f" else values.astype(np.int64),
        row_ids=np.arange(len(values)),
        fingerprint="0" * 16,
        notices=notices,
        groups=groups,
        times=times,
    )


def clean_dataset(rows: int = 1_000, *, kind: str = "binary", seed: int = 0) -> Dataset:
    """Numbers, categories and a target that depends on some of them with noise: nothing to complain about."""
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.integers(18, 80, rows).astype(float),
        "income": rng.lognormal(10, 0.5, rows),
        "visits": rng.poisson(3, rows).astype(float),
        "height": rng.normal(size=rows),
        "city": rng.choice(["Bern", "Oslo", "Rome", "Wien"], rows).astype(object),
        "paid": rng.choice(["no", "yes"], rows).astype(object),
    }
    columns["height"][rng.random(rows) < 0.1] = np.nan
    signal = (columns["age"] - 50) / 20 + (columns["city"] == "Oslo") + rng.normal(size=rows)
    if kind == "regression":
        return make_dataset(columns, signal)
    if kind == "multiclass":
        return make_dataset(columns, np.digitize(signal, [-0.5, 0.8]))
    return make_dataset(columns, (signal > 0.3).astype(int))


def _typed(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]")
    return pd.Series(array.astype(object), dtype=object) if array.dtype.kind in "OU" else array


def _role(values: pd.Series) -> Role:
    if values.dtype == object:
        return Role.CATEGORY
    return Role.DATE if values.dtype.kind == "M" else Role.NUMBER
