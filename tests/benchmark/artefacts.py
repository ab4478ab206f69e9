"""Run exported folders from the outside: by the libraries that a deployer would take, never by automl's own loader."""

from __future__ import annotations

import base64
import contextlib
import csv
import importlib.util
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[dict[str, str]]
SECONDS = 300.0
CHUNK_ROWS = 100


def answer(format_name: str, folder: Path, rows: Path) -> np.ndarray | None:
    """Outputs (n, k) of the rows of a CSV file by what lies in `folder`; None where a format holds no model."""
    runner = _RUNNERS[format_name]
    return None if runner is None else np.asarray(runner(folder, rows), dtype=np.float64)


def read_rows(path: Path) -> Rows:
    """Each row as texts by column, as `predict.py` of an export reads them."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_predictions(path: Path) -> np.ndarray:
    """The outputs (n, k) in a file that `automl predict --proba` or an export's `predict.py` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        head = next(lines)
        places = [at for at, name in enumerate(head) if name.startswith("proba_")] or [head.index("prediction")]
        return np.array([[float(line[at]) for at in places] for line in lines], dtype=np.float64)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-400:])


def _onnx(folder: Path, rows: Path) -> np.ndarray:
    """By the folder's own predict.py in a process that sees nothing else (`-I`)."""
    out = rows.with_name("answers.csv")
    _run([sys.executable, "-I", "predict.py", str(rows), "--out", str(out)], folder)
    return read_predictions(out)


def _onnx_by_hand(folder: Path, rows: Path) -> np.ndarray:
    """By onnxruntime in this process, as a program would that has neither predict.py nor automl."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    parts = []
    for arrays in _prepared(folder, rows):
        parts.append(session.run(None, {name: arrays[name] for name in names})[-1])
    return np.concatenate(parts)


def _skops(folder: Path, rows: Path) -> np.ndarray:
    """By automl, the one library that knows the format, from the folder alone."""
    import automl

    return _ask(automl.load(folder), rows)


def _joblib(folder: Path, rows: Path) -> np.ndarray:
    import joblib

    return _ask(joblib.load(folder / "model.joblib"), rows)


def _ask(predictor: Any, rows: Path) -> np.ndarray:
    import pandas as pd

    frame = pd.read_csv(rows, dtype=str, keep_default_na=False)
    if predictor.task.is_classification:
        return predictor.predict_proba(frame).to_numpy()
    return np.asarray(predictor.predict(frame), dtype=float)[:, None]


def _mlflow(folder: Path, rows: Path) -> np.ndarray:
    """As mlflow loads it where it is not installed: the code's folder on the path, then the loader module."""
    import pandas as pd

    code = (
        "import sys, importlib, pandas as pd; sys.path.insert(0, sys.argv[1] + '/code'); "
        "m = importlib.import_module('mlflow_model')._load_pyfunc(sys.argv[1] + '/data'); "
        "f = pd.read_csv(sys.argv[2], dtype=str, keep_default_na=False); m.predict(f).to_csv(sys.argv[3], index=False)"
    )
    out = rows.with_name("answers.csv")
    _run([sys.executable, "-c", code, str(folder.resolve()), str(rows), str(out)], rows.parent)
    frame = pd.read_csv(out, float_precision="round_trip")
    wide = [name for name in frame.columns if name.startswith("proba_")]
    return frame[wide or ["prediction"]].to_numpy(dtype=float)


def _docker(folder: Path, rows: Path) -> np.ndarray:
    """The content of the container, run as its last line says, over HTTP."""
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    pictures = {entry["column"] for entry in signature["inputs"] if entry["kind"] == "picture"}
    given = [
        {name: _carry(cell) if name in pictures else cell for name, cell in row.items()} for row in read_rows(rows)
    ]
    answers: list[dict[str, Any]] = []
    with _serving(folder) as address:
        for at in range(0, len(given), CHUNK_ROWS):
            body = json.dumps({"rows": given[at : at + CHUNK_ROWS]}).encode()
            request = urllib.request.Request(f"{address}/predict", body)
            with urllib.request.urlopen(request, timeout=60) as reply:
                answers += json.loads(reply.read())["predictions"]
    return np.array([list(a["probabilities"].values()) if "probabilities" in a else [a["prediction"]] for a in answers])


def _carry(path: str) -> str:
    """A picture as it travels with its row."""
    return f"data:image/any;base64,{base64.b64encode(Path(path).read_bytes()).decode('ascii')}" if path else ""


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-I", "server.py", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _prepared(folder: Path, rows: Path) -> Iterator[dict[str, np.ndarray]]:
    """Inputs of the graph by the folder's own prepare.py, a chunk of rows at a time."""
    spec = importlib.util.spec_from_file_location("prepare_of_export", folder / "prepare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    prepare = module.Prepare(signature)
    given = read_rows(rows)
    for at in range(0, len(given), CHUNK_ROWS):
        yield prepare(given[at : at + CHUNK_ROWS])


def _saved_model(folder: Path, rows: Path) -> np.ndarray:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / "1"))
    serve = loaded.signatures["serving_default"]
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    names = {entry["name"]: entry["tensor"] for entry in signature["inputs"]}
    last = signature["outputs"][-1]["name"]
    parts = []
    for arrays in _prepared(folder, rows):
        feeds = {
            names[name]: tf.constant(array.tolist() if array.dtype == object else array)
            for name, array in arrays.items()
        }
        parts.append(serve(**feeds)[last].numpy())
    return np.concatenate(parts)


def _litert(folder: Path, rows: Path) -> np.ndarray:
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(folder / "model.tflite")).get_signature_runner("serving_default")
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    entries = {entry["name"]: entry for entry in signature["inputs"]}
    last = signature["outputs"][-1]["name"]
    parts = []
    for arrays in _prepared(folder, rows):
        feeds = {}
        for name, array in arrays.items():
            entry = entries[name]
            if "codes" in entry:
                codes = [entry["codes"].get(text, entry["unseen"]) for text in array[:, 0]]
                array = np.array(codes, dtype=np.int64)[:, None]
            elif array.dtype != np.uint8:
                array = array.astype(np.float32)
            feeds[entry["tensor"]] = array
        parts.append(runner(**feeds)[last])
    return np.concatenate(parts)


def _keras(folder: Path, rows: Path) -> np.ndarray:
    """Pictures opened by Pillow here, as the export's README says; a missing one is black."""
    import keras
    from PIL import Image

    model = keras.models.load_model(folder / "model.keras", compile=False)
    _, height, width, channels = model.input_shape
    pixels = []
    for row in read_rows(rows):
        path = next(iter(row.values()))
        if not path:
            pixels.append(np.zeros((height, width, channels), dtype=np.uint8))
            continue
        with Image.open(path) as image:
            plain = image.convert("L" if channels == 1 else "RGB")
            if plain.size != (width, height):
                plain = plain.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
            pixels.append(np.asarray(plain, dtype=np.uint8).reshape(height, width, channels))
    return np.asarray(model.predict(np.stack(pixels), verbose=0))


_RUNNERS: dict[str, Callable[[Path, Path], np.ndarray] | None] = {
    "onnx": _onnx_by_hand,
    "onnx_int8": _onnx,
    "onnx_small": _onnx,
    "skops": _skops,
    "joblib": _joblib,
    "mlflow": _mlflow,
    "docker": _docker,
    "k8s": _docker,
    "savedmodel": _saved_model,
    "litert": _litert,
    "keras": _keras,
    "python": None,
}
