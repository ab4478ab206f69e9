"""Smaller forms of an ensemble: fewer members, fewer folds; what each weighs, how long a row takes, what it scores."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from automl.ensemble.bag import BagModel, Member
from automl.ensemble.second_layer import join_members
from automl.errors import ConstraintError, UsageError
from automl.export import Source
from automl.export._model import build_model
from automl.export._prepare import Prepare
from automl.export.onnx import build_graph
from automl.files import read_json
from automl.graph import NoGraphError
from automl.matrix import FloatArray
from automl.metrics import get_metric
from automl.predictor import Predictor
from automl.search.data import SearchData

REPEATS = 5
WARM_ROWS = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut:
    """One form of the ensemble.

    Attributes:
        name: what was kept.
        predictor: the model of it.
        score: out-of-fold, in the metric's units; None without a run. Of a single fold's model it is that model's own
            score; of a bag of folds, whose mean is better than each, a careful estimate.
        bytes: of its ONNX graph.
        row_ms: median milliseconds of one row in ONNX Runtime, one thread, on this machine.
    """

    name: str
    predictor: Predictor
    score: float | None
    bytes: int
    row_ms: float

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "score": self.score, "bytes": self.bytes, "row_ms": self.row_ms}


def choose_cut(source: Source, *, max_mb: float | None, max_ms: float | None) -> tuple[Source, list[Cut], Cut]:
    """The best-scoring form that keeps the limits.

    Args:
        max_mb: megabytes of the ONNX graph.
        max_ms: milliseconds of one row.

    Returns:
        the source of that form, all forms that were measured, and the one that was taken.

    Raises:
        ConstraintError: if none keeps them; the smallest is described.
    """
    cuts = list(measure_cuts(source))
    kept = [c for c in cuts if (max_mb is None or c.bytes <= max_mb * 1e6) and (max_ms is None or c.row_ms <= max_ms)]
    if not kept:
        least, quickest = min(cuts, key=lambda cut: cut.bytes), min(cuts, key=lambda cut: cut.row_ms)
        raise ConstraintError(
            f"No form of the model keeps the limits: the smallest is {least.name!r} with {least.bytes / 1e6:.2f} MB, "
            f"the quickest {quickest.name!r} with {quickest.row_ms:.2f} ms a row",
            hint="automl distill RUN --to xgboost makes one small model",
        )
    maximize = get_metric(source.predictor.task.metric).maximize
    best = max(kept, key=lambda cut: 0.0 if cut.score is None else cut.score if maximize else -cut.score)
    return dataclasses.replace(source, predictor=best.predictor), cuts, best


def measure_cuts(source: Source) -> Iterator[Cut]:
    """The whole, then fewer and fewer of it."""
    model = source.predictor.model
    if not isinstance(model, BagModel):
        raise UsageError("Only an ensemble of bags can be cut", hint="Leave --max-size and --max-latency out")
    order = np.argsort([-member.weight for member in model.members], kind="stable").tolist()
    count, folds = len(order), max(len(member.folds) for member in model.members)
    plans = [(count, folds), *((n, folds) for n in ((count + 1) // 2, 2, 1)), *((n, 1) for n in (2, 1))]
    for members, kept in dict.fromkeys((min(n, count), f) for n, f in plans):
        chosen = order[:members]
        predictor = dataclasses.replace(source.predictor, model=_cut(model, chosen, kept))
        name = f"{members} of {count} models, {'all folds' if kept == folds else 'one model each'}"
        size, row_ms = _measure(predictor, source)
        yield Cut(name=name, predictor=predictor, score=_score(source, chosen), bytes=size, row_ms=row_ms)


def leave_out(source: Source) -> tuple[Source, list[str], float | None]:
    """The same ensemble without the members that have no form as a graph, the weights of the others raised.

    Returns:
        the source, a sentence for each member that was left out, and the out-of-fold score of the rest (see `Cut`).

    Raises:
        NoGraphError: if no member has one; the heaviest one's reason is told.
    """
    model = source.predictor.model
    if not isinstance(model, BagModel):
        raise UsageError("Only an ensemble of bags has members to leave out", hint="Leave --refit out")
    order = np.argsort([-member.weight for member in model.members], kind="stable").tolist()
    kept, told, first = list[int](), list[str](), None
    for place in order:
        alone = dataclasses.replace(source.predictor, model=_cut(model, [place], len(model.members[place].folds)))
        try:
            build_graph(alone)
            kept.append(place)
        except NoGraphError as error:
            first = first or error
            told.append(f"{model.members[place].name!r} ({model.members[place].weight:.0%}): {error.message}")
    if not kept:
        assert first is not None
        raise first
    if not told:
        return source, [], None
    chosen = sorted(kept)
    folds = max(len(model.members[place].folds) for place in chosen)
    rest = dataclasses.replace(source.predictor, model=_cut(model, chosen, folds))
    return dataclasses.replace(source, predictor=rest), told, _score(source, chosen)


def _cut(model: BagModel, places: list[int], folds: int) -> BagModel:
    chosen = [model.members[place] for place in sorted(places)]
    total = sum(member.weight for member in chosen)
    kept = (dataclasses.replace(_cut_member(member, folds), weight=member.weight / total) for member in chosen)
    # a second layer was fitted to all members; fewer are joined by their weights
    layer = model.layer if len(chosen) == len(model.members) else None
    return dataclasses.replace(model, members=tuple(kept), layer=layer)


def _cut_member(member: Member, folds: int) -> Member:
    """Where one model is to answer, the one that has learned from all rows, if there is one."""
    if folds == 1 < len(member.folds) and member.whole is not None:
        return dataclasses.replace(member, folds=(member.whole,), whole=None)
    return dataclasses.replace(member, folds=member.folds[:folds])


def _measure(predictor: Predictor, source: Source) -> tuple[int, float]:
    import onnxruntime

    graph, signature = build_graph(predictor)
    content = build_model(graph, name="automl", facts={}).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    rows = read_json(source.folder / "golden.json")["rows"]
    prepare, names = Prepare(signature), [entry.name for entry in session.get_inputs()]
    feeds = [{name: array for name, array in prepare([row]).items() if name in names} for row in rows]
    seconds = []
    for feed in [*feeds[:WARM_ROWS], *(feeds * REPEATS)]:
        started = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - started)
    return len(content), float(np.median(seconds[WARM_ROWS:])) * 1000


def _score(source: Source, places: list[int]) -> float | None:
    if source.run is None:
        return None
    data, model = SearchData(source.run.data), source.predictor.model
    assert isinstance(model, BagModel)
    chosen = {model.members[place].trial: model.members[place].weight for place in sorted(places)}
    total = sum(chosen.values())
    outputs: dict[int, FloatArray] = {
        trial: np.load(source.run.search / "oof" / f"{trial:04d}.npy", allow_pickle=False) for trial in chosen
    }
    rows = ~np.isnan(next(iter(outputs.values()))[:, 0])
    found = join_members(
        {trial: found[rows] for trial, found in outputs.items()},
        {trial: weight / total for trial, weight in chosen.items()},
        model.calibrator,
        model.layer if len(chosen) == len(model.members) else None,
    )
    weight = None if data.weight is None else data.weight[rows]
    return float(get_metric(data.task.metric).score(data.target[rows], found, weight))
