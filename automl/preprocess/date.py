"""Dates as numbers that models can split on: the day since 1970, and the parts of calendar and clock that vary."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess._graph_numbers import split_dates_in_graph
from automl.preprocess.number import NumberPart
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import Layout, Table, TableNames
from automl.space import Params

PARTS = ("day", "year", "month", "day of month", "weekday", "hour", "minute")


class DatePart:
    """Splits dates and hands the parts to a `NumberPart`; a part that never varies in training is left out."""

    kind = "date"

    def __init__(self, needs: Needs, params: Params) -> None:
        self.numbers = NumberPart(needs, params)
        self._state: State = {}

    @property
    def state(self) -> State:
        return {"keep": self._state["keep"], **self.numbers.state}

    @state.setter
    def state(self, state: State) -> None:
        self._state = {"keep": state["keep"]}
        self.numbers.state = {name: value for name, value in state.items() if name != "keep"}

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        parts = split_dates(table.dates)
        with np.errstate(all="ignore"):
            low = np.where(np.isnan(parts), np.inf, parts).min(axis=0, initial=np.inf)
            high = np.where(np.isnan(parts), -np.inf, parts).max(axis=0, initial=-np.inf)
        self._state = {"keep": high > low}
        return self.numbers.fit(self._as_numbers(table), fit)

    def transform(self, table: Table) -> FloatArray:
        return self.numbers.transform(self._as_numbers(table))

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        parts = split_dates_in_graph(graph, table.dates, len(self._state["keep"]) // len(PARTS))
        kept = graph.columns(parts, np.nonzero(self._state["keep"])[0])
        return self.numbers.to_graph(graph, dataclasses.replace(table, numbers=kept))

    def features(self, table: Table) -> tuple[Feature, ...]:
        return tuple(self.numbers.features(self._as_numbers(table.take(slice(0, 0)))))

    def _as_numbers(self, table: Table) -> Table:
        keep = self._state["keep"]
        named = [(f"{name} {part}", name) for name in table.layout.dates for part in PARTS]
        kept = [pair for pair, is_kept in zip(named, keep, strict=True) if is_kept]
        layout = Layout(numbers=tuple(name for name, _ in kept), categories=(), levels=(), dates=(), sources=dict(kept))
        numbers = split_dates(table.dates)[:, keep]
        return Table(layout=layout, numbers=numbers, categories=table.categories[:, :0], dates=table.dates[:, :0])


def split_dates(seconds: Array) -> FloatArray:
    """(n, r) float64 seconds since the epoch to (n, 7 r) float32 `PARTS`; NaN stays NaN."""
    absent = np.isnan(seconds)
    stamps = np.where(absent, 0, seconds).astype("datetime64[s]")
    days = stamps.astype("datetime64[D]")
    months = stamps.astype("datetime64[M]")
    years = stamps.astype("datetime64[Y]")
    day = days.astype(np.int64)
    clock = (stamps - days).astype(np.int64)
    columns = (
        day,
        years.astype(np.int64) + 1970,
        (months - years).astype(np.int64) + 1,
        (days - months).astype(np.int64) + 1,
        (day + 3) % 7,
        clock // 3600,
        clock // 60 % 60,
    )
    parts = np.stack([np.where(absent, np.nan, column) for column in columns], axis=2)
    return parts.reshape(len(seconds), seconds.shape[1] * len(PARTS)).astype(np.float32)
