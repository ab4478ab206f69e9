"""The ONNX graph with the weights of its networks and linear models as 8-bit integers; kept if it scores as well."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.bag import BagModel
from automl.errors import ConstraintError, UsageError
from automl.evaluate.evidence import read_row_ids
from automl.export import Facts, Format, Source, rows_to_json
from automl.export._model import build_model
from automl.export._prepare import Prepare
from automl.export._rows import read_own_rows
from automl.export.onnx import FILE, build_graph, predict_rows
from automl.export.onnx import plugin as onnx_format
from automl.files import read_json, write_bytes
from automl.matrix import Array, FloatArray
from automl.metrics import get_metric
from automl.predictor import Predictor
from automl.search.trial import SearchData

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
KEEP = 0.99  # of the gain over a constant answer that must be left
FOLD_ROWS = 2_000
REPEATS = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """One form of the graph.

    Attributes:
        score: out-of-fold: each fold's models, in this form, on rows that they have not seen.
        row_ms: median milliseconds of one row in ONNX Runtime, one thread.
    """

    name: str
    bytes: int
    row_ms: float
    score: float


class OnnxInt8:
    """Dynamic quantisation: weights are stored as int8 with a scale, activations are rounded as they come
    (Jacob et al. 2018, arXiv:1712.05877). Trees have no weights and stay as they are."""

    title = "an ONNX graph of 8-bit weights"
    executes = False
    from_graph = True
    proof = "score"

    def write(self, source: Source, folder: Path) -> Facts:
        facts = onnx_format.write(source, folder)
        plain = (folder / FILE).read_bytes()
        small = quantise(plain)
        if len(small) >= len(plain):
            raise ConstraintError(
                f"8-bit weights save nothing here: {len(plain) / 1e6:.2f} MB become {len(small) / 1e6:.2f} MB, for the "
                "model is made of trees or is small",
                hint="automl export RUN --format onnx --max-size 500KB cuts the ensemble",
            )
        before, after, constant = measure_forms(source, plain, small)
        gain = abs(before.score - constant)
        maximize = get_metric(source.predictor.task.metric).maximize
        lost = (before.score - after.score) * (1 if maximize else -1)
        kept = 1 - lost / gain if gain > 0 else 1.0
        if kept < KEEP:
            raise ConstraintError(
                f"With 8-bit weights {kept:.1%} of the gain over a constant answer is left ({after.score:.4g} in place "
                f"of {before.score:.4g}), and {KEEP:.0%} are demanded",
                hint="automl export RUN --format onnx keeps the weights as they are",
            )
        write_bytes(folder / FILE, small)
        return dataclasses.replace(
            facts,
            summary="One ONNX graph that takes the raw columns, its weights rounded to 8 bits.",
            limits=(*facts.limits, f"Rounding keeps {kept:.1%} of the gain; single answers differ, see manifest.json."),
            proof=f"Its out-of-fold score is {after.score:.5g}, {before.score:.5g} before the rounding.",
            notes={**facts.notes, "forms": [dataclasses.asdict(form) for form in (before, after)], "kept": kept},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return predict_rows(folder, rows, FILE)


def quantise(model: bytes) -> bytes:
    """The graph with the constant matrices of its products as int8."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises on a preparation that these graphs do not need
    try:
        with tempfile.TemporaryDirectory() as place:
            one, other = Path(place) / "in.onnx", Path(place) / "out.onnx"
            one.write_bytes(model)
            quantize_dynamic(one, other, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)
            return other.read_bytes()
    finally:
        logger.setLevel(level)


def measure_forms(source: Source, plain: bytes, small: bytes) -> tuple[Form, Form, float]:
    """Both forms with size, latency and honest score, and the score of a constant answer.

    Raises:
        UsageError: if the rows that the model learned from are not at hand.
    """
    scored = _score_folds(source)
    metric = get_metric(source.predictor.task.metric)
    y = scored["y"]
    forms = [
        Form(name=name, bytes=len(model), row_ms=_time_row(source, model), score=float(metric.score(y, scored[name])))
        for name, model in (("float32", plain), ("int8", small))
    ]
    return forms[0], forms[1], float(metric.score(y, _constant(source.predictor, y)))


def _score_folds(source: Source) -> dict[str, Array]:
    """Labels and both forms' outputs for rows of each fold, by models that have not seen them."""
    model, run = source.predictor.model, source.run
    if run is None or not isinstance(model, BagModel):
        raise UsageError(
            "Whether 8-bit weights are good enough is judged on the run's rows, and this model has none",
            hint="Export from the run folder: automl export RUN --format onnx_int8",
        )
    data, frame = SearchData(run.data), read_own_rows(source)
    ids = read_row_ids(run, len(data.target))
    rng = np.random.default_rng(5)
    found: dict[str, list[Array]] = {"y": [], "float32": [], "int8": []}
    for fold, rows in enumerate(data.folds):
        chosen = np.sort(rng.choice(rows, min(FOLD_ROWS, len(rows)), replace=False))
        members = tuple(dataclasses.replace(m, folds=(m.folds[fold],)) for m in model.members)
        predictor = dataclasses.replace(source.predictor, model=dataclasses.replace(model, members=members))
        graph, signature = build_graph(predictor)
        plain = build_model(graph, name="automl", facts={}).SerializeToString()
        arrays = Prepare(signature)(rows_to_json(frame.iloc[ids[chosen]]))
        found["y"].append(data.target[chosen])
        for name, content in (("float32", plain), ("int8", quantise(plain))):
            session = _open(content)
            names = [entry.name for entry in session.get_inputs()]
            found[name].append(session.run(None, {each: arrays[each] for each in names})[-1])
    return {name: np.concatenate(parts) for name, parts in found.items()}


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


plugin: Format = OnnxInt8()
