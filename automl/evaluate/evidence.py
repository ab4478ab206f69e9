"""What an evaluation looks at: out-of-fold outputs of complete configurations and of the deployed ensemble."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from automl.ensemble.second_layer import SecondLayer, join_members, read_layer
from automl.files import read_json
from automl.matrix import Array, FloatArray, IntArray
from automl.metrics import Metric, get_metric
from automl.run import Run
from automl.search.calibration import Calibrator
from automl.search.contenders import choose_contenders
from automl.search.data import SearchData
from automl.search.oof import Oofs, telling_cleared
from automl.search.records import read_results
from automl.search.threshold import USUAL, find_threshold, move_threshold
from automl.search.trial import TrialResult


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything on the scored rows (m,) alone.

    Attributes:
        outputs: trial → (m, k) of the configurations that can matter (`automl.search.contenders`); `choices` are those
            of them that an ensemble may be made of.
        blend: (m, k) of the deployed ensemble.
        threshold: the probability from which on it names the second class; 0.5 for all but tuned binary models.
        units: group number (m,) of rows that are resampled together.
        rows: the scored rows (m,) int64 themselves, as positions in the run's table.
    """

    data: SearchData
    metric: Metric
    results: dict[int, TrialResult]
    outputs: dict[int, FloatArray]
    choices: dict[int, FloatArray]
    weights: dict[int, float]
    blend: FloatArray
    y: Array
    weight: Array | None
    units: IntArray | None
    rows: Array
    threshold: float = USUAL
    layer: SecondLayer | None = None

    @property
    def judged(self) -> FloatArray:
        """The ensemble's outputs as the metric is to see them: the threshold moved to 0.5 where labels are judged."""
        return move_threshold(self.blend, self.threshold) if self.metric.needs_labels else self.blend

    def linear_baseline(self) -> FloatArray | None:
        """Outputs of the baseline that is no constant: the linear model of the table, or of its texts."""
        for trial in sorted(self.outputs):
            if self.results[trial].origin == "baseline" and self.results[trial].candidate != "dummy":
                return self.as_judged(trial)
        return self.first_of("linear")

    def first_of(self, candidate: str) -> FloatArray | None:
        """Outputs of a family's first complete configuration, such as the baselines."""
        for trial in sorted(self.outputs):
            if self.results[trial].candidate == candidate:
                return self.as_judged(trial)
        return None

    def as_judged(self, trial: int) -> FloatArray:
        """Outputs of one configuration at the threshold that it was held against others with."""
        outputs = self.outputs[trial]
        return move_threshold(outputs, find_threshold(self.metric, self.y, outputs, self.weight))


def read_evidence(run_path: str) -> Evidence:
    """From the run folder; used inside workers.

    Raises:
        UsageError: if the predictions of the folds do not stand there any more.
    """
    run = Run(Path(run_path))
    data = SearchData(run.data)
    oofs = Oofs(run, data)
    results = {result.trial: result for result in read_results(run.search)}
    ensemble = read_json(run.ensemble_path)
    members = ensemble["members"]
    total = sum(member["weight"] for member in members)
    weights = {member["trial"]: member["weight"] / total for member in members}
    with telling_cleared(Path(run_path)):
        for trial in choose_contenders(results, weights, maximize=data.task.maximize):
            oofs.read_outputs(trial)
    outputs = oofs.on_scored_rows()
    layer = read_layer(ensemble, data.task)
    return Evidence(
        data=data,
        metric=get_metric(data.task.metric),
        results=results,
        outputs=outputs,
        choices=oofs.candidates(),
        weights=weights,
        blend=join_members(outputs, weights, Calibrator.from_json(ensemble["calibrator"]), layer),
        layer=layer,
        threshold=float(ensemble.get("threshold", USUAL)),
        y=oofs.target(),
        weight=oofs.weight(),
        units=oofs.units(),
        rows=oofs.scored,
    )


def read_row_ids(run: Run, rows: int) -> Array:
    """Row numbers in the user's file (n,) int64, counted from 0, of the rows a run learned from."""
    path = run.data / "row_ids.npy"
    return np.load(path, allow_pickle=False) if path.exists() else np.arange(rows)


class Bootstrap:
    """Draws samples of row numbers; whole groups where rows belong together.

    Args:
        units: group number (rows,), or None.
    """

    def __init__(self, rows: int, units: IntArray | None) -> None:
        pieces = [] if units is None else split_units(units)
        self._rows = rows
        self._pieces = pieces if len(pieces) < rows else []

    def draw(self, rng: np.random.Generator) -> Array:
        """One sample."""
        if not self._pieces:
            return rng.integers(0, self._rows, self._rows)
        drawn = rng.integers(0, len(self._pieces), len(self._pieces))
        return np.concatenate([self._pieces[place] for place in drawn])


def resample(rng: np.random.Generator, rows: int, units: IntArray | None) -> Array:
    """One bootstrap sample of row numbers; whole groups where rows belong together."""
    return Bootstrap(rows, units).draw(rng)


def split_units(units: IntArray) -> list[Array]:
    """Row numbers of each group."""
    order = np.argsort(units, kind="stable")
    _, starts = np.unique(units[order], return_index=True)
    return np.split(order, starts[1:])


def count_effective(values: Array, units: IntArray | None) -> float:
    """How many independent rows would tell the mean of `values` (n,) as surely: their number over the design effect
    (Kish 1965, "Survey Sampling"), and never more than there are.

    Args:
        units: group number (n,), from 0: rows of one group count together, as one draw of its sum. Where all values are
            alike, nothing tells by how much the sums vary: each group then counts as one.
    """
    if units is None:
        return float(len(values))
    values = np.asarray(values, dtype=np.float64)
    rows, count = len(values), int(np.count_nonzero(np.bincount(units)))
    if count < 2 or np.ptp(values) == 0:
        return float(count)
    residuals = values - np.mean(values)
    together = float((np.bincount(units, weights=residuals) ** 2).sum()) * count / (count - 1)
    alone = float((residuals**2).sum()) * rows / (rows - 1)
    return rows * min(1.0, alone / together) if together > 0 else float(rows)
