"""Forms of one ONNX graph beside each other: what each weighs, how long a row takes, what it scores on unseen rows."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from automl.ensemble.bag import BagModel, load_fold
from automl.errors import UsageError
from automl.evaluate.evidence import read_row_ids
from automl.export import Source, rows_to_json
from automl.export._model import build_model
from automl.export._predict import most_rows
from automl.export._prepare import Prepare
from automl.export._rows import can_be_read, carry_pictures, read_own_rows
from automl.export.onnx import build_graph
from automl.files import read_json
from automl.graph import Graph
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.predictor import Predictor
from automl.run import Run
from automl.search.data import SearchData

KEEP = 0.99  # of the gain over a constant answer that a smaller form must have left
FOLD_ROWS = 2_000
REPEATS = 5
TARGETS, WEIGHTS = " targets", " weights"  # beside the names of forms
Build = Callable[[Predictor], bytes]  # a model's graph in one form, as the content of its file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """One form of the graph.

    Attributes:
        packed_bytes: what is left when it is packed (deflate), as an archive or an image's layer is.
        row_ms: median milliseconds of one row in ONNX Runtime, one thread.
        score: out-of-fold: each fold's models, in this form, on rows that they have not seen.
        kept: share of the first form's gain over a constant answer that is left.
    """

    name: str
    bytes: int
    packed_bytes: int
    row_ms: float
    score: float
    kept: float


def build_plain(predictor: Predictor, change: Callable[[Graph], None] = lambda graph: None) -> bytes:
    """The graph as it is, or as `change` leaves it."""
    graph, _ = build_graph(predictor)
    change(graph)
    content: bytes = build_model(graph, name="automl", facts={}).SerializeToString()
    return content


def measure_forms(source: Source, builds: Mapping[str, Build]) -> list[Form]:
    """Every form, in the order given; the first is what the others are held against.

    Raises:
        UsageError: if the rows that the model learned from are not at hand.
    """
    found = _score_folds(source, builds)
    metric = get_metric(source.predictor.task.metric)
    y, weight = found.pop(TARGETS), found.pop(WEIGHTS, None)
    scores = {name: float(metric.score(y, outputs, weight)) for name, outputs in found.items()}
    first = next(iter(scores.values()))
    gain = abs(first - float(metric.score(y, _constant(source.predictor, y), weight)))
    forms = []
    for name, build in builds.items():
        content = build(source.predictor)
        lost = (first - scores[name]) * (1 if metric.maximize else -1)
        forms.append(
            Form(
                name=name,
                bytes=len(content),
                packed_bytes=len(zlib.compress(content, 6)),
                row_ms=_time_row(source, content),
                score=scores[name],
                kept=1 - lost / gain if gain > 0 else 1.0,
            )
        )
    return forms


def _score_folds(source: Source, builds: Mapping[str, Build]) -> dict[str, Array]:
    """Outputs of every form for rows of each fold, by models that have not seen them; their labels, and weights
    where rows have some, stand beside."""
    model, run = source.predictor.model, source.run
    if run is None or not isinstance(model, BagModel):
        raise UsageError(
            "Whether a smaller form is good enough is judged on the run's rows, and this model has none",
            hint="Export from the run folder: automl export RUN --format onnx_int8",
        )
    data, frame = SearchData(run.data), read_own_rows(source)
    ids = read_row_ids(run, len(data.target))
    rng = np.random.default_rng(5)
    beside = {TARGETS: data.target} | ({} if data.weight is None else {WEIGHTS: data.weight})
    found: dict[str, list[Array]] = {name: [] for name in (*beside, *builds)}
    for fold in data.serving_folds:
        rows = data.folds[fold]
        chosen = np.sort(rng.choice(rows, min(FOLD_ROWS, len(rows)), replace=False))
        chosen = chosen[can_be_read(frame.iloc[ids[chosen]], source.predictor.schema)]
        predictor = dataclasses.replace(source.predictor, model=_ask_fold(source, run, model, fold))
        _, signature = build_graph(predictor)
        given = rows_to_json(carry_pictures(frame.iloc[ids[chosen]].copy(), predictor.schema))
        for name, values in beside.items():
            found[name].append(values[chosen])
        sessions = {name: _open(build(predictor)) for name, build in builds.items()}
        for name, outputs in _run(sessions, signature, given).items():
            found[name].append(outputs)
    if not sum(map(len, found[TARGETS])):
        raise UsageError("The pictures that the model learned from cannot be read any more", hint="Put them back")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _ask_fold(source: Source, run: Run, model: BagModel, fold: int) -> BagModel:
    """The same members, as they were loaded, each with its model of this fold alone."""
    listed = [
        {"trial": m.trial, "name": m.name, "candidate": m.candidate, "weight": m.weight,
         "calibrator": m.calibrator.to_json(), "folds": [{"transform": m.folds[0].key}]}
        for m in model.members
    ]  # fmt: skip
    record = {"members": listed, "calibrator": model.calibrator.to_json()}
    own = load_fold(run.path, record, source.predictor.schema, source.predictor.task, fold)
    return dataclasses.replace(own, layer=model.layer)


def _run(sessions: dict[str, Any], signature: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Array]:
    step = most_rows(signature)
    prepare, parts = Prepare(signature), dict[str, list[Array]]()
    for at in range(0, len(rows), step):
        arrays = prepare(rows[at : at + step])
        for name, session in sessions.items():
            feeds = {entry.name: arrays[entry.name] for entry in session.get_inputs()}
            parts.setdefault(name, []).append(session.run(None, feeds)[-1])
    return {name: np.concatenate(each) for name, each in parts.items()}


def _constant(predictor: Predictor, y: Array) -> FloatArray:
    if not predictor.task.is_classification:
        return np.full((len(y), 1), float(y.mean()), dtype=np.float32)
    shares = np.bincount(y, minlength=predictor.task.n_classes) / len(y)
    return np.tile(shares.astype(np.float32), (len(y), 1))


def _time_row(source: Source, content: bytes) -> float:
    _, signature = build_graph(source.predictor)
    session, prepare = _open(content), Prepare(signature)
    names = [entry.name for entry in session.get_inputs()]
    rows = read_json(source.folder / "golden.json")["rows"]
    feeds = [{name: array for name, array in prepare([row]).items() if name in names} for row in rows] * REPEATS
    seconds = []
    for feed in feeds:
        started = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)) * 1000


def _open(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
