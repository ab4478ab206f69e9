"""One ONNX graph from raw columns to labels and probabilities, the whole ensemble inside; runs on onnxruntime alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import ArtifactError
from automl.export import Facts, Format, Source
from automl.export._model import build_model
from automl.export._process import run_python
from automl.export._signature import make_signature
from automl.files import read_json, write_bytes, write_json
from automl.graph import Graph
from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.task import TaskKind

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
FILE = "model.onnx"
HERE = Path(__file__).parent
SCRIPTS = {"prepare.py": HERE / "_prepare.py", "predict.py": HERE / "_predict.py"}
KIND_SCRIPTS = {
    "ngrams": ("tokens.py", HERE.parent / "preprocess" / "tokens.py"),
    "words": ("tokens.py", HERE.parent / "preprocess" / "tokens.py"),
    "picture": ("pictures.py", HERE.parent / "picture_pixels.py"),
}


class Onnx:
    title = "an ONNX graph"
    executes = False
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        graph, signature = build_graph(source.predictor)
        facts = {"automl": str(source.predictor.manifest.get("versions", {}).get("automl", "")), "name": source.name}
        model = build_model(graph, name="automl", facts=facts)
        write_bytes(folder / FILE, model.SerializeToString())
        write_json(folder / "signature.json", signature)
        copy_scripts(folder, signature)
        needs = ("onnxruntime>=1.20", "numpy", *(["pillow"] if (folder / "pictures.py").exists() else []))
        return Facts(
            summary="One ONNX graph that takes the raw columns and gives the label and the probabilities, the whole "
            "ensemble with its preprocessing and calibration inside.",
            run=(
                f"pip install {' '.join(need.split('>')[0] for need in needs)}",
                "python predict.py ROWS.csv > predictions.csv",
            ),
            needs=needs,
            limits=_limits(signature),
            notes={"nodes": len(graph.nodes)},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return predict_rows(folder, rows, FILE)


def build_graph(predictor: Predictor) -> tuple[Graph, dict[str, Any]]:
    """The graph of a model, and its signature.

    Raises:
        NoGraphError: if a part of the model has no faithful form.
    """
    graph = Graph()
    outputs = predictor.model.to_graph(graph)  # type: ignore[attr-defined]
    task = predictor.task
    taken = set(graph.inputs)
    names = {"label": _free("label", taken), "outputs": _free("probabilities" if task.classes else "value", taken)}
    if task.is_classification:
        if task.kind is TaskKind.BINARY:
            positive = graph.add("Gather", outputs, np.int64(1), axis=1)
            place = graph.cast(graph.add("GreaterOrEqual", positive, np.float32(predictor.threshold)), "int64")
        else:
            place = graph.add("ArgMax", outputs, axis=1, keepdims=0)
        whole = task.label_type == "int"
        labels = np.array([int(float(label)) for label in task.classes]) if whole else np.array(task.classes, object)
        label = graph.add("Gather", labels, place, axis=0)
        graph.output(names["label"], label, "int64" if whole else "str", 0)
    graph.output(names["outputs"], outputs, "float32", task.n_outputs)
    return graph, make_signature(predictor, graph)


def predict_rows(folder: Path, rows: Path, model: str) -> FloatArray:
    """Outputs (n, k) by our own copy of predict.py in a fresh process: no code of the folder runs."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out.jsonl"
        copy_scripts(Path(place), read_json(folder / "signature.json"))
        arguments = ["-I", str(Path(place) / "predict.py"), str(rows), "--folder", str(folder.resolve())]
        run_python([*arguments, "--model", model, "--out", str(out)], step=f"Running {model}", folder=Path(place))
        return read_outputs(out)


def read_outputs(path: Path) -> FloatArray:
    """The outputs in JSON lines that predict.py wrote."""
    try:
        with path.open(encoding="utf-8") as file:
            return np.array([json.loads(line)["outputs"] for line in file], dtype=np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError("The export gave no readable predictions", hint="automl verify DIR") from error


def find_scripts(signature: dict[str, Any]) -> dict[str, Path]:
    """Name → our own copy of each script that the graph's inputs need: prepare.py, predict.py, and what reads texts and
    pictures. None of them needs automl.
    """
    return {**SCRIPTS, **dict(KIND_SCRIPTS[e["kind"]] for e in signature["inputs"] if e["kind"] in KIND_SCRIPTS)}


def copy_scripts(folder: Path, signature: dict[str, Any]) -> None:
    """The scripts of `find_scripts`."""
    for name, own in find_scripts(signature).items():
        shutil.copyfile(own, folder / name)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _limits(signature: dict[str, Any]) -> tuple[str, ...]:
    inputs = signature["inputs"]
    limits = [
        "Whoever feeds the graph directly gives each column as (rows, 1): numbers float32 with NaN for missing, texts "
        "with '' for missing, in the spelling of signature.json; prepare.py does all of that from raw cells."
    ]
    if any(entry["kind"] == "date" for entry in inputs):
        limits.append("Dates enter the graph as float64 seconds since 1970 in UTC; prepare.py reads them.")
    if any(entry["kind"] == "count" for entry in inputs):
        limits.append("Texts enter the graph as their counts; prepare.py counts.")
    if any(entry["kind"] in ("ngrams", "words") for entry in inputs):
        limits.append(
            "Of a text the graph takes the 64-bit keys of its n-grams or words, which depend on nothing that was "
            "learned; tokens.py, which needs numpy alone, makes them. The vocabulary is in the graph."
        )
    if any(entry["kind"] == "picture" for entry in inputs):
        limits.append(
            "Pictures enter the graph as uint8 pixels of the size in signature.json, a missing one as zeros; "
            "pictures.py, which needs Pillow, makes them of files and data URIs."
        )
    return tuple(limits)


plugin: Format = Onnx()
