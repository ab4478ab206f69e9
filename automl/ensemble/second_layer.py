"""A second layer over an ensemble: its members' answers joined with slopes learned from their out-of-fold outputs.

Stacked generalisation with as few parameters as there are members and classes. Probabilities are joined on the scale of
their logarithms (a logarithmic opinion pool: Genest & Zidek 1986, doi:10.1214/ss/1177013825), with slopes that are not
negative (Breiman 1996, doi:10.1007/BF00117832) and are pulled towards the weights of the greedy selection. It is kept
only where rows that it was not learned from say that it is better than the weighted mean. Numbers have none: what it
gained there was within its error, and a sum with a shift can answer below zero where no member does.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.ensemble.selection import blend_outputs
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric
from automl.search.calibration import Calibrator, fit_calibrator, logs_in_graph, softmax, take_logs
from automl.task import Task

# The pull towards the weights of the selection counts for as much as so many rows.
PULL = 300.0
# Fewer rows cannot tell a second layer from luck.
MIN_ROWS = 100
CHECK_FOLDS, CHECK_ROWS = 5, 100_000
# It must be better by so many standard errors of the difference over the folds of the check.
SURE = 0.5
# A gain of less than this share of the score is not worth a layer.
LEAST_GAIN = 1e-3
# Numbers that a fit goes through at most: rows × members × outputs. More rows are sampled.
MAX_CELLS = 1_500_000
MAX_STEPS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class SecondLayer:
    """What joins the members' probabilities: softmax of the sum of slope × log probability, plus the class's shift.

    Attributes:
        slopes: one a member, in the order of the members.
        shifts: one a class.
    """

    slopes: tuple[float, ...]
    shifts: tuple[float, ...]

    def join(self, outputs: Sequence[FloatArray]) -> FloatArray:
        """Outputs (n, k) float32 from those of the members, each (n, k)."""
        total = np.zeros(outputs[0].shape) + np.array(self.shifts)
        for slope, part in zip(self.slopes, outputs, strict=True):
            total += slope * take_logs(part)
        joined: FloatArray = softmax(total).astype(np.float32)
        return joined

    def to_graph(self, graph: Graph, outputs: Sequence[str]) -> str:
        """`join` of (n, k) float64 values of a graph, as (n, k) float64."""
        logs = [logs_in_graph(graph, part) for part in outputs]
        parts = [graph.add("Mul", part, np.float64(slope)) for slope, part in zip(self.slopes, logs, strict=True)]
        return graph.add("Softmax", graph.add("Add", graph.sum(parts), np.array(self.shifts)), axis=1)

    def to_json(self) -> dict[str, list[float]]:
        return {"slopes": list(self.slopes), "shifts": list(self.shifts)}


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A second layer and the mean scores of the check's folds, without it and with it."""

    layer: SecondLayer
    without: float
    score: float


def read_layer(record: dict[str, Any], task: Task) -> SecondLayer | None:
    """The second layer that an ensemble's record (ensemble.json) holds; None if it holds none.

    Raises:
        ValueError: if it is not one for its members and the task's outputs.
    """
    if "layer" not in record:
        return None
    slopes, shifts = (tuple(map(float, record["layer"][name])) for name in ("slopes", "shifts"))
    if (len(slopes), len(shifts)) != (len(record["members"]), task.n_outputs):
        raise ValueError(f"a second layer of {len(slopes)} slopes and {len(shifts)} shifts does not fit the members")
    return SecondLayer(slopes, shifts)


def join_members(
    outputs: Mapping[int, FloatArray],
    weights: Mapping[int, float],
    calibrator: Calibrator,
    layer: SecondLayer | None,
) -> FloatArray:
    """The ensemble's outputs (n, k) from its members': by its second layer, or else their calibrated mean."""
    if layer is not None:
        return layer.join([outputs[trial] for trial in weights])
    return calibrator.apply(blend_outputs(outputs, weights))


def is_wanted(task: Task, metric: Metric, members: int, rows: int) -> bool:
    """Whether a second layer can gain anything: not by what looks only at ranks or labels, as stored runs showed."""
    return members > 1 and rows >= MIN_ROWS and metric.is_proper and task.is_classification


def find_layer(
    task: Task,
    metric: Metric,
    outputs: Mapping[int, FloatArray],
    y: Array,
    weights: Mapping[int, float],
    *,
    weight: Array | None = None,
    units: IntArray | None = None,
    seed: int = 0,
    deadline: float = float("inf"),
) -> Found | None:
    """A second layer for these members, or None where the check does not say that it is better than their mean.

    In each of five parts of the rows it is scored after it was fitted to the other four, beside the mean that was
    calibrated there. The weights have seen all rows, which favours the mean: the check errs on the careful side.

    Args:
        outputs: trial → out-of-fold outputs (n, k), of the members at least.
        weights: trial → share in the ensemble.
        units: group of each row (n,); a group is not divided.
        deadline: `time.monotonic()` after which no further part is begun, so that there is none.
    """
    rows = _spread(len(y), CHECK_ROWS)
    places = _deal(len(rows), None if units is None else units[rows], seed)
    without, with_it = [], []
    for part in range(CHECK_FOLDS):
        inside, outside = rows[places != part], rows[places == part]
        if not len(inside) or not len(outside) or time.monotonic() > deadline:
            return None
        near = {trial: outputs[trial][inside] for trial in weights}
        far = {trial: outputs[trial][outside] for trial in weights}
        weight_in = None if weight is None else weight[inside]
        weight_out = None if weight is None else weight[outside]
        calibrator = fit_calibrator(task, blend_outputs(near, weights), y[inside], weight_in)
        layer = fit_layer(near, y[inside], weights, weight=weight_in)
        without.append(float(metric.score(y[outside], join_members(far, weights, calibrator, None), weight_out)))
        with_it.append(float(metric.score(y[outside], join_members(far, weights, calibrator, layer), weight_out)))
    gains = np.array(with_it) - np.array(without)
    gains = gains if metric.maximize else -gains
    least = max(SURE * gains.std(ddof=1) / np.sqrt(len(gains)), LEAST_GAIN * abs(np.mean(without)))
    if not np.isfinite(gains).all() or gains.mean() <= least:
        return None
    layer = fit_layer(outputs, y, weights, weight=weight)
    return Found(layer, float(np.mean(without)), float(np.mean(with_it)))


def fit_layer(
    outputs: Mapping[int, FloatArray],
    y: Array,
    weights: Mapping[int, float],
    *,
    weight: Array | None = None,
    max_cells: int = MAX_CELLS,
) -> SecondLayer:
    """Slopes and shifts that lower the log loss of out-of-fold outputs (n, k), by L-BFGS-B."""
    width = next(iter(outputs.values())).shape[1]
    rows = _spread(len(y), max_cells // (len(weights) * width))
    own = np.ones(len(rows)) if weight is None else weight[rows] / weight[rows].mean()
    parts = np.stack([outputs[trial][rows] for trial in weights]).astype(np.float64)
    start = np.array(list(weights.values()), dtype=np.float64)
    return _fit(take_logs(parts), y[rows].astype(np.int64), start, own)


def _fit(logs: Array, y: IntArray, start: Array, weight: Array) -> SecondLayer:
    """Over logs (m, n, k): m slopes from 0 on, k shifts."""
    from scipy.optimize import minimize

    members, n, width = logs.shape
    own = weight / n
    happened = np.zeros((n, width))
    happened[np.arange(n), y] = 1
    flat = logs.reshape(members, -1)
    pull = PULL / n

    def loss(point: Array) -> tuple[float, Array]:
        away, shifts = point[:members] - start, point[members:]
        chances = softmax((point[:members] @ flat).reshape(n, width) + shifts)
        chosen = np.maximum(chances[np.arange(n), y], 1e-300)
        value = -(own @ np.log(chosen)) + pull * (away @ away + shifts @ shifts)
        error = (chances - happened) * own[:, None]
        slope = np.concatenate([flat @ error.ravel() + 2 * pull * away, error.sum(axis=0) + 2 * pull * shifts])
        return float(value), slope

    begin = np.concatenate([start, np.zeros(width)])
    bounds = [(0.0, None)] * members + [(None, None)] * width
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": MAX_STEPS}).x
    return SecondLayer(tuple(found[:members].tolist()), tuple(found[members:].tolist()))


def _deal(n: int, units: IntArray | None, seed: int) -> IntArray:
    """Part of the check (n,) that each row is in; rows of a group are in one."""
    known = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
    count = int(known.max()) + 1
    dealt: IntArray = np.random.default_rng([seed, 29]).permutation(np.arange(count) % CHECK_FOLDS)[known]
    return dealt


def _spread(n: int, limit: int) -> IntArray:
    return np.arange(n) if n <= limit else np.linspace(0, n - 1, max(limit, MIN_ROWS)).astype(np.int64)
