"""Targets as a model likes them: classes without gaps, values on one scale, and predictions back in the task's form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl.candidates._record import check_fact, check_numbers, refuse
from automl.graph import Graph
from automl.matrix import Array, FloatArray, IntArray
from automl.space import Choice, Parameter, Params
from automl.task import Task

ABSOLUTE_METRICS = frozenset({"mae", "mape", "smape", "medae", "median_absolute_error", "mean_absolute_error"})
# Errors of log(1 + value): what is learned for them is that, as a squared error.
LOGARITHMIC_METRICS = frozenset({"rmsle"})
LOGARITHM = "target_transform"
CAPPED_SHARE = 0.01  # of the rows at one end of the values, from which on the end is one that values were cut at


def target_space(task: Task) -> dict[str, Parameter]:
    """The choice of learning the logarithm of a target that is spread over magnitudes, or measured by logarithms;
    nothing to choose of others."""
    return {LOGARITHM: target_choice(task)} if task.skewed or task.metric in LOGARITHMIC_METRICS else {}


def target_choice(task: Task) -> Choice:
    """Whether to learn the logarithm: by default where the metric is one of logarithms."""
    return Choice(("none", "log"), "log" if task.metric in LOGARITHMIC_METRICS else "none")


def learns_logarithm(params: Params) -> bool:
    return params.get(LOGARITHM) == "log"


def without_transform(params: Params) -> Params:
    """What the model itself is told: how its target is prepared is not its concern."""
    return {name: value for name, value in params.items() if name != LOGARITHM}


def encode_classes(target: Array) -> tuple[IntArray, IntArray]:
    """Classes that occur, ascending, and the target as positions among them."""
    classes, codes = np.unique(np.asarray(target, dtype=np.int64), return_inverse=True)
    return classes.astype(np.int64), codes.astype(np.int64)


def spread_probabilities(probabilities: Array, classes: Array, n_classes: int) -> FloatArray:
    """Probabilities (n, len(classes)) into (n, n_classes) float32 whose rows sum to 1; absent classes get 0.

    A row that holds no finite probability mass becomes uniform, so that a model's overflow is never passed on.
    """
    full = np.zeros((len(probabilities), n_classes), dtype=np.float64)
    full[:, np.asarray(classes, dtype=np.int64)] = np.clip(np.nan_to_num(probabilities, nan=0.0, posinf=0.0), 0.0, None)
    total = full.sum(axis=1, keepdims=True)
    np.divide(full, total, out=full, where=total > 0)
    full[total[:, 0] <= 0] = 1.0 / n_classes
    return full.astype(np.float32)


def softmax(scores: Array) -> Array:
    """Rows of scores (n, k) into probabilities."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def sigmoid_columns(scores: Array) -> Array:
    """Log-odds (n,) of the second class into probabilities (n, 2)."""
    return softmax(np.column_stack([np.zeros(len(scores), dtype=np.float64), np.asarray(scores, dtype=np.float64)]))


def spread_in_graph(graph: Graph, probabilities: str, classes: Array, n_classes: int) -> str:
    """`spread_probabilities` of (n, len(classes)) float64 whose rows sum to 1, as (n, n_classes) float64."""
    if len(classes) == n_classes:
        return probabilities
    places = np.zeros((len(classes), n_classes), dtype=np.float64)
    places[np.arange(len(classes)), classes] = 1.0
    return graph.add("MatMul", probabilities, places)


def constant_in_graph(graph: Graph, matrix: str, classes: Array, n_classes: int) -> str:
    """What a model that saw one class only says of every row of `matrix`: (n, n_classes) float64."""
    return graph.rows_like(matrix, np.eye(n_classes, dtype=np.float64)[int(classes[0])])


def sigmoid_in_graph(graph: Graph, scores: str) -> str:
    """`sigmoid_columns` of (n, 1) float64, as (n, 2) float64."""
    return graph.add("Softmax", graph.concat([graph.add("Mul", scores, np.float64(0)), scores]), axis=1)


def class_priors(target: Array, weight: Array | None, n_classes: int) -> Array:
    """Weighted share (n_classes,) of each class; uniform if nothing has weight."""
    counts = np.bincount(np.asarray(target, dtype=np.int64), weights=weight, minlength=n_classes).astype(np.float64)
    total = counts.sum()
    return counts / total if total > 0 else np.full(n_classes, 1.0 / n_classes)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TargetScale:
    """A value target brought to mean 0 and deviation 1, optionally through a logarithm, and back.

    Attributes:
        log: the logarithm is sign(y)·log1p(|y| / unit), so that negative values have one too.
        unit: typical size of |y|, in the target's unit; 1 for metrics of log(1 + value).
        mean, deviation: of the (logged) target.
        low, high: where predictions are clamped, in the target's unit.
    """

    log: bool
    unit: float
    mean: float
    deviation: float
    low: float
    high: float

    @staticmethod
    def learn(
        target: Array, weight: Array | None, *, metric: str = "", log: bool | None = None, margin: float = 0.0
    ) -> TargetScale:
        """Learn from training rows; predictions may leave the training range by `margin` times its width, but not at
        an end that many rows share: there the values were capped.

        Args:
            metric: the task's; one of logarithms says which logarithm is learned.
            log: whether the logarithm is learned; None: if the metric is one of logarithms.
        """
        is_logarithmic = metric in LOGARITHMIC_METRICS
        log = is_logarithmic if log is None else log
        values = np.asarray(target, dtype=np.float64)
        sizes = np.abs(values)
        unit = 1.0 if is_logarithmic or not (sizes > 0).any() else float(np.median(sizes[sizes > 0]))
        inner = np.sign(values) * np.log1p(sizes / unit) if log else values
        mean = float(np.average(inner, weights=weight))
        deviation = float(np.sqrt(np.average((inner - mean) ** 2, weights=weight)))
        low, high = float(values.min()), float(values.max())
        slack = margin * (high - low)
        capped = max(2.0, CAPPED_SHARE * len(values))
        below, above = (slack * float(np.sum(values == end) < capped) for end in (low, high))
        scale = deviation if np.isfinite(deviation) and deviation > 1e-12 * abs(mean) else 1.0
        return TargetScale(
            log=log,
            unit=unit,
            mean=mean,
            deviation=scale,
            low=low - below,
            high=high + above,
        )

    def apply(self, target: Array) -> Array:
        """The target (n,) as the model learns it, float64."""
        values = np.asarray(target, dtype=np.float64)
        if self.log:
            values = np.sign(values) * np.log1p(np.abs(values) / self.unit)
        result: Array = (values - self.mean) / self.deviation
        return result

    def invert(self, predictions: Array) -> FloatArray:
        """Predictions (n,) or (n, 1) as (n, 1) float32 in the target's unit, clamped."""
        values = np.asarray(predictions, dtype=np.float64).reshape(-1) * self.deviation + self.mean
        if self.log:
            values = np.sign(values) * np.expm1(np.minimum(np.abs(values), 700.0)) * self.unit
        values = np.nan_to_num(values, nan=self.mean if not self.log else 0.0, posinf=self.high, neginf=self.low)
        return np.clip(values, self.low, self.high).astype(np.float32).reshape(-1, 1)

    def to_graph(self, graph: Graph, predictions: str) -> str:
        """`invert` of (n, 1) float64, as (n, 1) float64."""
        scaled = graph.add("Mul", predictions, np.float64(self.deviation))
        values = graph.add("Add", scaled, np.float64(self.mean))
        if self.log:
            sign, size = graph.add("Sign", values), graph.add("Abs", values)
            size = graph.clip(size, np.float64(0), np.float64(700))
            raised = graph.add("Sub", graph.add("Exp", size), np.float64(1))
            values = graph.add("Mul", graph.add("Mul", sign, raised), np.float64(self.unit))
        values = graph.replace_nan(values, np.float64(self.mean if not self.log else 0.0))
        return graph.clip(values, np.float64(self.low), np.float64(self.high))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(folder: Path, facts: Mapping[str, Any]) -> TargetScale:
        """Read back what `to_json` gave, from the facts of the model saved in `folder`.

        Raises:
            ArtifactError: if a part is missing or no finite number.
        """
        record = check_fact(folder, facts, "scale", dict)
        names = ("unit", "mean", "deviation", "low", "high")
        numbers = check_numbers(folder, {"scale": [record.get(name) for name in names]}, "scale", len(names))
        log = record.get("log")
        if not isinstance(log, bool) or set(record) != {*names, "log"}:
            raise refuse(folder, "its target scale is not one")
        return TargetScale(log=log, **dict(zip(names, numbers.tolist(), strict=True)))


def regression_loss(metric: str) -> Literal["absolute", "squared"]:
    """The loss that suits a metric of a value target."""
    return "absolute" if metric in ABSOLUTE_METRICS else "squared"
