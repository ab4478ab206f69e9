"""Scaling of numbers and splitting of dates in a graph, step for step as `number` and `date` do them in numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl.graph import Graph
from automl.matrix import Array


def scale_in_graph(graph: Graph, x: str, state: Mapping[str, Array], limit: float) -> str:
    """What `NumberPart` makes of (n, p) float32 before it fills in what is missing."""
    scaled = _scale_all_in_graph(graph, x, state, limit)
    return graph.add("Mul", scaled, np.asarray(state["varies"], dtype=np.float32)) if "varies" in state else scaled


def _scale_all_in_graph(graph: Graph, x: str, state: Mapping[str, Array], limit: float) -> str:
    if "low" in state:
        x = graph.clip(x, state["low"], state["high"])
    if "quantiles" in state:
        return to_normal_in_graph(graph, x, state["quantiles"])
    if "lambdas" in state:
        x = graph.cast(x, "float64")
        if "origin" in state:
            x = graph.add("Div", graph.add("Sub", x, state["origin"]), state["unit"])
        x = yeo_johnson_in_graph(graph, x, state["lambdas"])
        center, spread = (np.asarray(state[name], dtype=np.float64) for name in ("center", "spread"))
        x = graph.add("Div", graph.add("Sub", x, center), spread)
        return graph.cast(graph.clip(x, np.float64(-limit), np.float64(limit)), "float32")
    if "center" in state:
        x = graph.add("Div", graph.add("Sub", x, state["center"]), state["spread"])
        x = graph.clip(x, np.float32(-limit), np.float32(limit))
    return x


def to_normal_in_graph(graph: Graph, x: str, quantiles: Array) -> str:
    """`number.to_normal`: in each column the last quantile at or below the value, and the slope from there."""
    from scipy.special import ndtri

    steps, columns = quantiles.shape
    edge = 1e-3
    grid = ndtri(np.clip(np.linspace(0, 1, steps), edge, 1 - edge))
    knots = quantiles.T.astype(np.float64)  # (p, g)
    rise = np.diff(knots, axis=1)
    slopes = np.zeros_like(knots)
    np.divide(np.diff(grid)[None, :], rise, out=slopes[:, :-1], where=rise > 0)
    wide = graph.add("Unsqueeze", x, np.array([2], dtype=np.int64))
    passed = graph.cast(graph.add("LessOrEqual", np.ascontiguousarray(quantiles.T), wide), "int64")
    count = graph.total(passed, 2, keep=False)  # (n, p); NaN passes none
    at = graph.add("Max", graph.add("Sub", count, np.int64(1)), np.int64(0))
    flat = graph.add("Add", at, np.arange(columns, dtype=np.int64) * steps)
    values = graph.cast(x, "float64")
    away = graph.add("Sub", values, graph.add("Gather", knots.reshape(-1), flat, axis=0))
    away = graph.add("Where", graph.add("Less", away, np.float64(0)), np.float64(0), away)  # below the first
    moved = graph.add("Mul", graph.add("Gather", slopes.reshape(-1), flat, axis=0), away)
    mapped = graph.add("Add", graph.add("Gather", np.tile(grid, columns), flat, axis=0), moved)
    return graph.cast(mapped, "float32")


def yeo_johnson_in_graph(graph: Graph, x: str, lambdas: Array) -> str:
    """`number.yeo_johnson` of (n, p) float64, float64."""
    one = np.float64(1)
    up = graph.add("Add", graph.clip(x, np.float64(0), np.float64(np.inf)), one)
    down = graph.add("Sub", one, graph.clip(x, np.float64(-np.inf), np.float64(0)))
    high = _box_cox(graph, up, np.asarray(lambdas, dtype=np.float64))
    low = graph.add("Neg", _box_cox(graph, down, 2.0 - np.asarray(lambdas, dtype=np.float64)))
    result = graph.add("Where", graph.add("Less", x, np.float64(0)), low, high)
    return graph.clip(result, np.float64(-1e30), np.float64(1e30))


def _box_cox(graph: Graph, x: str, powers: Array) -> str:
    is_log = np.abs(powers) < 1e-9
    safe = np.where(is_log, 1.0, powers)
    raised = graph.add("Div", graph.add("Sub", graph.add("Pow", x, safe), np.float64(1)), safe)
    return graph.add("Where", is_log, graph.add("Log", x), raised) if is_log.any() else raised


def split_dates_in_graph(graph: Graph, seconds: str, columns: int) -> str:
    """`date.split_dates` of (n, r) float64, as (n, 7 r) float32; whole numbers stay exact in float64.

    The civil calendar counted from March, as in Hinnant, "chrono-compatible low-level date algorithms" (2014).
    """
    whole = graph.add("Floor", seconds)
    day = _floor_div(graph, whole, 86400)
    clock = _rest(graph, whole, day, 86400)
    shifted = graph.add("Add", day, np.float64(719468))  # days since 1 March of the year 0
    era = _floor_div(graph, shifted, 146097)
    of_era = _rest(graph, shifted, era, 146097)
    leap = graph.add("Add", graph.add("Sub", of_era, _floor_div(graph, of_era, 1460)), _floor_div(graph, of_era, 36524))
    year = _floor_div(graph, graph.add("Sub", leap, _floor_div(graph, of_era, 146096)), 365)
    before = graph.add("Sub", _times(graph, year, 365), _floor_div(graph, year, 100))
    of_year = graph.add("Sub", of_era, graph.add("Add", before, _floor_div(graph, year, 4)))
    march = _floor_div(graph, graph.add("Add", _times(graph, of_year, 5), np.float64(2)), 153)
    first = _floor_div(graph, graph.add("Add", _times(graph, march, 153), np.float64(2)), 5)
    of_month = graph.add("Add", graph.add("Sub", of_year, first), np.float64(1))
    late = graph.add("GreaterOrEqual", march, np.float64(10))  # January and February belong to the next year
    month = graph.add("Add", march, graph.add("Where", late, np.float64(-9), np.float64(3)))
    civil = graph.add("Add", graph.add("Add", year, _times(graph, era, 400)), graph.cast(late, "float64"))
    monday = graph.add("Add", day, np.float64(3))
    hour = _floor_div(graph, clock, 3600)
    minute = _floor_div(graph, _rest(graph, clock, hour, 3600), 60)
    parts = (day, civil, month, of_month, _rest(graph, monday, _floor_div(graph, monday, 7), 7), hour, minute)
    axis = np.array([2], dtype=np.int64)
    stacked = graph.add("Concat", *(graph.add("Unsqueeze", part, axis) for part in parts), axis=2)
    flat = graph.add("Reshape", stacked, np.array([-1, columns * len(parts)], dtype=np.int64))
    return graph.cast(flat, "float32")


def _times(graph: Graph, value: str, by: int) -> str:
    return graph.add("Mul", value, np.float64(by))


def _floor_div(graph: Graph, value: str, by: int) -> str:
    return graph.add("Floor", graph.add("Div", value, np.float64(by)))


def _rest(graph: Graph, value: str, quotient: str, by: int) -> str:
    return graph.add("Sub", value, _times(graph, quotient, by))
