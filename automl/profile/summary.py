"""A table in figures: each column's distribution and its association with the target."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from automl.matrix import Array, IntArray
from automl.profile.association import code_levels, measure_columns, ordered_blocks, sample_rows
from automl.profile.duplicates import find_duplicates
from automl.schema import Column, Role

if TYPE_CHECKING:
    from automl.data import Dataset

MOST_ROWS = 200_000  # of the figures of a column, and fewer if there are many columns
MOST_CELLS = 20_000_000
TOP = 8
BINS = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSummary:
    """One column; what does not apply to its role is None or empty.

    Attributes:
        missing: share of missing cells, of all rows.
        distinct: different values among the rows looked at (see `Profile.sampled_rows`).
        top: up to 8 most frequent values with their counts, of a category or of a number with at most 50 values.
        minimum, q25, median, q75, maximum, mean, std: of a number, or of a date in seconds since the epoch.
        edges, counts: histogram of 12 bins of equal width.
        association: 0..1, how strongly the column alone goes with the target, by `measure`; None if not measured.
    """

    name: str
    role: Role
    reason: str = ""
    missing: float = 0.0
    distinct: int = 0
    top: tuple[tuple[str, int], ...] = ()
    minimum: float | None = None
    q25: float | None = None
    median: float | None = None
    q75: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    association: float | None = None
    measure: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TargetSummary:
    """The target: rows of each class, or the distribution of the value (in `values`)."""

    name: str
    kind: str
    classes: tuple[tuple[str, int], ...] = ()
    values: ColumnSummary | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A table in figures.

    Attributes:
        columns: in the order of the file, those left out included (without figures).
        missing_share: of all cells of the feature columns.
        duplicate_rows: rows whose features equal those of an earlier row.
        sampled_rows: rows that the figures of columns come from; missing shares come from all.
    """

    rows: int
    columns: tuple[ColumnSummary, ...]
    target: TargetSummary
    missing_share: float
    duplicate_rows: int
    sampled_rows: int

    @property
    def undescribed(self) -> int:
        """Feature columns without figures, as the time did not allow them."""
        return sum(column.role is not Role.IGNORE and not column.distinct for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> Profile:
        target = record["target"]
        values = target["values"]
        return Profile(
            **{
                **record,
                "columns": tuple(_column_from_json(column) for column in record["columns"]),
                "target": TargetSummary(
                    name=target["name"],
                    kind=target["kind"],
                    classes=tuple((label, count) for label, count in target["classes"]),
                    values=None if values is None else _column_from_json(values),
                ),
            }
        )


def _column_from_json(record: dict[str, Any]) -> ColumnSummary:
    return ColumnSummary(
        **{
            **record,
            "role": Role(record["role"]),
            "top": tuple((value, count) for value, count in record["top"]),
            "edges": tuple(record["edges"]),
            "counts": tuple(record["counts"]),
        }
    )


def summarize(dataset: Dataset, *, deadline: float = float("inf")) -> Profile:
    """Describe a table: under a second for 40,000 rows of 15 columns, a few seconds for 10,000 columns.

    The figures of columns come from at most 200,000 rows and 20 million cells, associations from at most 5,000 rows.

    Args:
        deadline: `time.monotonic()` from which on columns are only mentioned.
    """
    n, frame = dataset.n_rows, dataset.frame
    rows = sample_rows(n, most=max(min(MOST_ROWS, MOST_CELLS // max(1, frame.shape[1])), min(n, 500)))
    missing = frame.isna().mean()
    found: dict[str, ColumnSummary] = {}
    columns = {column.name: column for column in dataset.schema.columns}
    for names, matrix in ordered_blocks(dataset, rows):
        if time.monotonic() > deadline:
            break
        ordered = np.sort(matrix, axis=0)
        for position, name in enumerate(names):
            found[name] = _summarize_values(columns[name], ordered[:, position])
    for column in dataset.schema.of(Role.CATEGORY, Role.TEXT, Role.IMAGE):
        if time.monotonic() > deadline:
            break
        found[column.name] = _summarize_levels(column, frame[column.name].iloc[rows])
    for association in measure_columns(dataset) if time.monotonic() < deadline else ():
        found[association.column] = dataclasses.replace(
            found[association.column], association=association.strength, measure=association.measure
        )
    for name in found:
        found[name] = dataclasses.replace(found[name], missing=float(missing[name]))
    duplicates = find_duplicates(dataset)
    return Profile(
        rows=n,
        columns=tuple(found.get(column.name) or _mention(column) for column in dataset.schema.columns),
        target=_summarize_target(dataset),
        missing_share=float(missing.mean()) if len(missing) else 0.0,
        duplicate_rows=duplicates.copies if duplicates else 0,
        sampled_rows=len(rows),
    )


def _mention(column: Column) -> ColumnSummary:
    return ColumnSummary(name=column.name, role=column.role, reason=column.reason)


def _summarize_values(column: Column, ordered: Array) -> ColumnSummary:
    """Figures of sorted values (s,), missing ones last."""
    values = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
    if len(values) == 0:
        return _mention(column)
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    q25, median, q75 = (float(values[round((len(values) - 1) * share)]) for share in (0.25, 0.5, 0.75))
    low, high = float(values[0]), float(values[-1])
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308 have no finite square
        mean, std = float(values.mean()), float(values.std())
    edges = np.linspace(low, high, BINS + 1) if np.isfinite(high - low) and high > low else np.array([low, high])
    upper = np.searchsorted(values, edges[1:-1], "left")
    return ColumnSummary(
        name=column.name,
        role=column.role,
        reason=column.reason,
        distinct=len(starts),
        top=_top_values(values, starts) if column.role is Role.NUMBER and len(starts) <= 50 else (),
        minimum=low,
        q25=q25,
        median=median,
        q75=q75,
        maximum=high,
        mean=mean if np.isfinite(mean) else None,
        std=std if np.isfinite(std) else None,
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in np.diff(np.concatenate(([0], upper, [len(values)])))),
    )


def _top_values(values: Array, starts: IntArray) -> tuple[tuple[str, int], ...]:
    counts = np.diff(np.append(starts, len(values)))
    order = np.argsort(-counts, kind="stable")[:TOP]
    return tuple((f"{values[starts[position]]:.15g}", int(counts[position])) for position in order)


def _summarize_levels(column: Column, values: pd.Series) -> ColumnSummary:
    codes = code_levels(values)
    counts = np.bincount(codes)
    first = np.empty(len(counts), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    levels = values.to_numpy(dtype=object)[first]
    present = ~pd.isna(levels)
    top: tuple[tuple[str, int], ...] = ()
    if column.role is Role.CATEGORY:
        ranked = sorted(zip(-counts[present], levels[present].astype(str), strict=True))[:TOP]
        top = tuple((level, int(-count)) for count, level in ranked)
    return ColumnSummary(
        name=column.name, role=column.role, reason=column.reason, distinct=int(np.count_nonzero(present)), top=top
    )


def _summarize_target(dataset: Dataset) -> TargetSummary:
    task = dataset.task
    if task.is_classification:
        counts = np.bincount(dataset.target, minlength=task.n_classes)
        classes = tuple((label, int(count)) for label, count in zip(task.classes, counts, strict=True))
        return TargetSummary(name=task.target, kind=str(task.kind), classes=classes)
    column = Column(name=task.target, role=Role.NUMBER, reason=task.reason)
    return TargetSummary(
        name=task.target, kind=str(task.kind), values=_summarize_values(column, np.sort(dataset.target))
    )
