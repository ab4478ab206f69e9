"""Probabilities that mean what they say: one or two parameters fitted to out-of-fold predictions.

Two classes: a logistic curve on the log odds, Platt 1999. More: a temperature on the log probabilities, Guo et al.
2017, arXiv:1706.04599. Both keep the order of the probabilities in a binary task, so that metrics of ranks do not move.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, FloatArray
from automl.task import Task, TaskKind

EDGE = 1e-6
MIN_ROWS = 100
MIN_GAIN = 1e-3
MAX_STEPS = 50
MAX_ROWS = 20_000
# One slope for many classes: as many rows as this allows, and never fewer than would tell it.
TEMPERATURE_CELLS, TEMPERATURE_ROWS = 1_000_000, 4_000


@dataclasses.dataclass(frozen=True, slots=True)
class Calibrator:
    """log odds (or log probabilities) times `slope`, plus `shift`; the identity with 1 and 0."""

    slope: float = 1.0
    shift: float = 0.0

    @property
    def is_identity(self) -> bool:
        return self.slope == 1.0 and self.shift == 0.0

    def apply(self, outputs: FloatArray) -> FloatArray:
        """Probabilities (n, k) float32; values (n, 1) pass as they are."""
        if self.is_identity or outputs.shape[1] < 2:
            return outputs
        if outputs.shape[1] == 2:
            positive = 1 / (1 + np.exp(-(self.slope * _log_odds(outputs[:, 1]) + self.shift)))
            both: FloatArray = np.column_stack([1 - positive, positive]).astype(np.float32)
            return both
        scaled: FloatArray = softmax(self.slope * take_logs(outputs)).astype(np.float32)
        return scaled

    def to_graph(self, graph: Graph, outputs: str, columns: int) -> str:
        """`apply` of (n, columns) float64, as (n, columns) float64."""
        if self.is_identity or columns < 2:
            return outputs
        if columns > 2:
            return graph.add("Softmax", graph.add("Mul", logs_in_graph(graph, outputs), np.float64(self.slope)), axis=1)
        p = graph.clip(graph.columns(outputs, [1]), np.float64(EDGE), np.float64(1 - EDGE))
        odds = graph.add("Log", graph.add("Div", p, graph.add("Sub", np.float64(1), p)))
        moved = graph.add("Add", graph.add("Mul", odds, np.float64(self.slope)), np.float64(self.shift))
        positive = graph.add("Sigmoid", moved)
        return graph.concat([graph.add("Sub", np.float64(1), positive), positive])

    def to_json(self) -> dict[str, float]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> Calibrator:
        return Calibrator(float(record["slope"]), float(record["shift"]))


IDENTITY = Calibrator()


def fit_calibrator(task: Task, outputs: FloatArray, y: Array, weight: Array | None = None) -> Calibrator:
    """The curve that lowers the log loss of out-of-fold outputs (n, k), or the identity where it gains too little.

    Args:
        y: class index (n,).
    """
    if not task.is_classification or len(y) < MIN_ROWS:
        return IDENTITY
    if len(y) > MAX_ROWS:
        rows = np.linspace(0, len(y) - 1, MAX_ROWS).astype(np.int64)
        outputs, y, weight = outputs[rows], y[rows], None if weight is None else weight[rows]
    w = np.ones(len(y)) if weight is None else weight / weight.mean()
    found = _fit_curve(outputs[:, 1], y == 1, w) if task.kind is TaskKind.BINARY else _fit_temperature(outputs, y, w)
    before, after = _log_loss(outputs, y, w), _log_loss(found.apply(outputs), y, w)
    return found if after < before * (1 - MIN_GAIN) else IDENTITY


def _fit_curve(positive: Array, happened: Array, weight: Array) -> Calibrator:
    """Slope and shift by Newton's method, with a whisper of pull towards the identity."""
    x, slope, shift = _log_odds(positive), 1.0, 0.0
    pull = 1e-3 * len(x) ** 0.5
    for _ in range(MAX_STEPS):
        p = 1 / (1 + np.exp(-(slope * x + shift)))
        error = weight * (p - happened)
        curve = weight * p * (1 - p)
        gradient = np.array([(error * x).sum() + pull * (slope - 1), error.sum() + pull * shift])
        cross = (curve * x).sum()
        hessian = np.array([[(curve * x * x).sum() + pull, cross], [cross, curve.sum() + pull]])
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        slope, shift = slope - step[0], shift - step[1]
        if np.abs(step).max() < 1e-8:
            break
    return Calibrator(float(slope), float(shift)) if 0.05 < slope < 20 else IDENTITY


def _fit_temperature(outputs: FloatArray, y: Array, weight: Array) -> Calibrator:
    """Slope between 0.2 and 5 by golden section on its logarithm."""
    most = max(TEMPERATURE_ROWS, TEMPERATURE_CELLS // outputs.shape[1])
    if len(y) > most:
        rows = np.linspace(0, len(y) - 1, most).astype(np.int64)
        outputs, y, weight = outputs[rows], y[rows], weight[rows]
    logs = np.log(np.clip(outputs.astype(np.float64), EDGE, 1))
    logs -= logs.max(axis=1, keepdims=True)
    chosen = logs[np.arange(len(y)), y]

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        return float(weight @ (np.log(np.exp(slope * logs).sum(axis=1)) - slope * chosen))

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.2), np.log(5.0)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(25):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return Calibrator(float(np.exp((low + high) / 2)))


def take_logs(outputs: Array) -> Array:
    """Logarithms (n, k) float64 of probabilities, none of which counts as smaller than `EDGE`."""
    logs: Array = np.log(np.clip(outputs.astype(np.float64), EDGE, 1))
    return logs


def logs_in_graph(graph: Graph, outputs: str) -> str:
    """`take_logs` of a float64 value of a graph."""
    return graph.add("Log", graph.clip(outputs, np.float64(EDGE), np.float64(1)))


def softmax(scores: Array) -> Array:
    """Rows of scores (n, k) into probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _log_odds(probability: Array) -> Array:
    p = np.clip(probability.astype(np.float64), EDGE, 1 - EDGE)
    odds: Array = np.log(p / (1 - p))
    return odds


def _log_loss(outputs: FloatArray, y: Array, weight: Array) -> float:
    chosen = np.clip(outputs[np.arange(len(y)), y].astype(np.float64), EDGE, 1)
    return float(-(weight * np.log(chosen)).mean())
