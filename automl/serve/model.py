"""A model ready to answer: from a run, a model folder or an export, checked against its own golden rows."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import ArtifactError, AutoMLError, MissingExtraError, UsageError
from automl.export import TOLERANCE, rows_to_json
from automl.export._rows import largest_difference, tolerance
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.predictor import Predictor
from automl.schema import Role, Schema
from automl.serve.version import version_of
from automl.task import Task

RUNTIMES = ("auto", "onnx", "automl")

Prepare = Callable[[dict[str, list[Any]], int], Any]  # columns of equal length, number of rows → what `Run` takes
Run = Callable[[Any], FloatArray]  # → outputs (n, k) float32


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What answers requests; nothing of it changes once it is made.

    Attributes:
        name: what clients call it.
        version: the first 12 digits of its manifest's SHA-256.
        runtime: "onnx" or "automl": what computes the answers.
        predictor: schema, task and threshold; its model is None where the graph answers.
        prepare: what the model takes, from columns; quick, and in Python.
        run: outputs (n, k) of that; it may take long, but lets other threads work.
        golden: rows whose answers are known, as JSON; they are never shown to a client.
        folder: where it was read from.
        size_bytes: of its files.
    """

    name: str
    version: str
    runtime: str
    predictor: Predictor
    prepare: Prepare
    run: Run
    golden: tuple[dict[str, Any], ...]
    folder: Path
    size_bytes: int = 0

    def answer(self, columns: dict[str, list[Any]], count: int) -> FloatArray:
        """Outputs (n, k) of columns."""
        return self.run(self.prepare(columns, count))

    @property
    def schema(self) -> Schema:
        return self.predictor.schema

    @property
    def task(self) -> Task:
        return self.predictor.task

    @functools.cached_property
    def is_even(self) -> bool:
        """Whether each row costs it the same: a graph whose inputs are of one size, no texts and no pictures."""
        sizes = {Role.NUMBER, Role.CATEGORY, Role.DATE}
        return self.runtime == "onnx" and all(column.role in sizes for column in self.schema.features)

    @functools.cached_property
    def labels(self) -> list[Any]:
        """The classes as they were in the data; empty for values."""
        return [self.task.convert_label(label) for label in self.task.classes]

    def decide(self, outputs: FloatArray) -> list[Any]:
        """Labels or values, as Python objects; None for a value that is not finite."""
        if self.task.is_classification:
            labels = self.labels
            return [labels[place] for place in self.decide_index(outputs).tolist()]
        return [value if math.isfinite(value) else None for value in outputs[:, 0].tolist()]

    def decide_index(self, outputs: FloatArray) -> Array:
        """Place of the class (n,)."""
        return self.predictor.decide_index(outputs)


def load_model(path: Path, *, runtime: str = "auto", name: str = "") -> ServedModel:
    """Read and check a model.

    A model's own golden rows must come out as they did when it was written, whatever computes them.

    Args:
        path: a run folder, a model folder, or an export that holds `model.onnx` or a model folder.
        runtime: "onnx" answers by the model's ONNX graph, which takes a fraction of a millisecond a row; "automl" by
            the models themselves; "auto" by the graph where there is one.

    Raises:
        UsageError: if there is no model, or the export is of a format that cannot be served.
        ArtifactError: if a file is missing, changed or foreign, or the golden rows are answered differently.
        NoGraphError: if the graph was asked for and the model has none.
    """
    try:
        manifest = path / "manifest.json"
        record = read_json(manifest) if manifest.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{manifest} cannot be read: {error}", hint="Copy the whole folder again") from error
    if isinstance(record, dict) and record.get("kind") == "automl-export":
        return _load_export(path, runtime, name)
    return _load_folder(path, runtime, name or _name_of(path))


def _name_of(path: Path) -> str:
    folder = path.absolute()
    return folder.parent.name if folder.name == "model" and (folder.parent / "run.json").is_file() else folder.name


def _load_export(path: Path, runtime: str, name: str) -> ServedModel:
    from automl.export._bundle import check_files, read_manifest

    manifest = read_manifest(path)
    check_files(path, manifest)
    for place in (path, path / "data"):
        if (place / "model.onnx").is_file() and (place / "signature.json").is_file():
            if runtime == "automl":
                hint = "Serve the run itself with --runtime automl, or leave --runtime out"
                raise UsageError(f"{path} holds an ONNX graph and nothing else that could answer", hint=hint)
            return _load_graph(path, place, manifest, name)
    if (path / "model" / "manifest.json").is_file():
        found = _load_folder(path / "model", runtime, name or str(manifest.get("name") or path.absolute().name))
        return dataclasses.replace(found, version=version_of(path))  # by which it is told from the next one
    raise UsageError(
        f"An export as {manifest['format']!r} cannot be served", hint="automl export RUN --format onnx, and serve that"
    )


def _load_graph(path: Path, place: Path, manifest: dict[str, Any], name: str) -> ServedModel:
    try:
        task, schema = Task.from_json(manifest["task"]), Schema.from_json(manifest["schema"])
        golden = read_json(path / "golden.json")
        signature = read_json(place / "signature.json")
        prepare, run = make_graph_steps((place / "model.onnx").read_bytes(), signature)
        found = ServedModel(
            name=name or str(manifest["name"]),
            version=version_of(path),
            runtime="onnx",
            predictor=Predictor(schema, task, None, float(manifest["threshold"]), manifest),  # type: ignore[arg-type]
            prepare=prepare,
            run=run,
            golden=tuple(golden["rows"]),
            folder=path,
            size_bytes=sum(int(facts["bytes"]) for facts in manifest["files"].values()),
        )
        expected = np.array(golden["outputs"], dtype=np.float32).reshape(len(golden["rows"]), task.n_outputs)
    except AutoMLError:
        raise
    except Exception as error:  # foreign files: whatever they make us stumble over, they are to blame
        reason = f"{type(error).__name__}: {error}"[:300]
        raise ArtifactError(f"{path} is not a whole export: {reason}", hint="automl verify DIR") from error
    _check_golden(found, expected)
    return found


def _load_folder(path: Path, runtime: str, name: str) -> ServedModel:
    from automl.ensemble.artifact import find_model_folder, load_predictor
    from automl.ensemble.golden import golden_frame
    from automl.graph import NoGraphError

    folder = find_model_folder(path)
    version = version_of(folder)
    predictor = load_predictor(folder)
    stored = read_json(folder / "golden.json")
    golden = tuple(rows_to_json(golden_frame(predictor.schema, stored["rows"])))
    expected = np.array(stored["outputs"], dtype=np.float32).reshape(len(golden), predictor.task.n_outputs)
    size = sum(int(facts["bytes"]) for facts in predictor.manifest.get("files", {}).values())
    prepare, run = make_frame_steps(predictor)
    model = ServedModel(
        name=name,
        version=version,
        runtime="automl",
        predictor=predictor,
        prepare=prepare,
        run=run,
        golden=golden,
        folder=folder,
        size_bytes=size,
    )
    if runtime != "automl":
        try:
            prepare, run = _build_graph_steps(predictor)
            graphed = dataclasses.replace(model, runtime="onnx", prepare=prepare, run=run)
            _check_golden(graphed, expected)
            return dataclasses.replace(graphed, predictor=dataclasses.replace(predictor, model=None))  # type: ignore[arg-type]
        except (NoGraphError, MissingExtraError, ArtifactError):
            if runtime == "onnx":
                raise
    return model


def _build_graph_steps(predictor: Predictor) -> tuple[Prepare, Run]:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("The ONNX graph needs onnx", hint="pip install 'automl[onnx]'") from error
    from automl.export._model import build_model
    from automl.export.onnx import build_graph

    graph, signature = build_graph(predictor)
    model = build_model(graph, name="automl", facts={})
    return make_graph_steps(model.SerializeToString(), signature)


def make_graph_steps(content: bytes, signature: dict[str, Any]) -> tuple[Prepare, Run]:
    """Answers by onnxruntime, one thread a call.

    Raises:
        MissingExtraError: if onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("Serving a graph needs onnxruntime", hint="pip install 'automl[onnx]'") from error
    from automl.export._predict import most_rows
    from automl.export._prepare import Prepare as Reader

    reader = Reader(signature, files=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    outputs = [session.get_outputs()[-1].name]
    inputs = [entry.name for entry in session.get_inputs()]
    step = most_rows(signature)

    def prepare(columns: dict[str, list[Any]], count: int) -> Any:
        arrays = reader.from_columns(columns, count)
        return {name: arrays[name] for name in inputs}

    def run(prepared: Any) -> FloatArray:
        count = len(next(iter(prepared.values())))
        parts = [
            session.run(outputs, {name: array[at : at + step] for name, array in prepared.items()})[0]
            for at in range(0, max(1, count), step)
        ]
        found: FloatArray = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return found

    return prepare, run


def make_frame_steps(predictor: Predictor) -> tuple[Prepare, Run]:
    """Answers by the models themselves."""
    import pandas as pd

    from automl.pictures import accept_inline_only

    def prepare(columns: dict[str, list[Any]], count: int) -> Any:
        return columns, count

    def run(prepared: Any) -> FloatArray:
        columns, count = prepared
        arrays = {}
        for name, cells in columns.items():
            arrays[name] = np.empty(count, dtype=object)
            arrays[name][:] = cells
        with accept_inline_only():
            return predictor.predict_outputs(pd.DataFrame(arrays, index=range(count), dtype=object))

    return prepare, run


def _check_golden(model: ServedModel, expected: FloatArray) -> None:
    columns = {name: [row.get(name) for row in model.golden] for name in (c.name for c in model.schema.features)}
    found = model.answer(columns, len(model.golden))
    apart = largest_difference(found, expected, model.task)
    if not apart <= max(tolerance(model.task, TOLERANCE), 1e-4 if not model.task.is_classification else 0.0):
        raise ArtifactError(
            f"{model.folder} answers its own test rows differently than when it was written (by {apart:.1e})",
            hint="automl doctor shows the installed versions; manifest.json those it was made with",
        )
