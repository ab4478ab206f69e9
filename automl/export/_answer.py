"""Answer rows with a saved model, in a process of its own: `python -m automl.export._answer KIND PATH ROWS OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.export._process import run_python
from automl.export.onnx import read_outputs
from automl.files import read_json
from automl.matrix import FloatArray

if TYPE_CHECKING:
    import pandas as pd


def answer(kind: str, path: Path, rows: Path) -> FloatArray:
    """Outputs (n, k) of JSON-lines rows by a fresh process.

    Args:
        kind: "folder" for a model folder, "joblib" for a pickled predictor, "mlflow" for a pyfunc folder,
            "savedmodel" for TensorFlow's format, "litert" for a .tflite file.

    Raises:
        ArtifactError: if the process fails.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out.jsonl"
        arguments = ["-m", __name__, kind, str(path.resolve()), str(rows.resolve()), str(out)]
        run_python(arguments, step=f"Loading {path.name}", folder=Path(place))
        return read_outputs(out)


def _load(kind: str, path: Path) -> Any:
    if kind == "joblib":
        import joblib

        return joblib.load(path)
    from automl.ensemble.artifact import load_predictor

    return load_predictor(path)


def _answer_mlflow(path: Path, rows: list[dict[str, Any]]) -> Any:
    import importlib.util

    import numpy as np

    frame = _type_columns(rows, read_json(path / "data" / "signature.json"))
    if importlib.util.find_spec("mlflow") is not None:
        import mlflow

        answers = mlflow.pyfunc.load_model(str(path)).predict(frame)
    else:  # what mlflow does: the code's folder on the path, then the loader module
        sys.path.insert(0, str(path / "code"))
        loader = importlib.import_module("mlflow_model")
        answers = loader._load_pyfunc(str(path / "data")).predict(frame)
    wide = answers.drop(columns="prediction") if answers.shape[1] > 1 else answers
    return np.asarray(wide, dtype=np.float32)


def _type_columns(rows: list[dict[str, Any]], signature: dict[str, Any]) -> pd.DataFrame:
    """Raw rows as who calls MLflow sends them: it refuses "€ 12,30" and "NA" where its signature has a number."""
    import numpy as np
    import pandas as pd

    from automl.export._prepare import read_number

    forms = {entry["column"]: entry["format"] for entry in signature["inputs"] if entry["kind"] == "number"}
    columns: dict[str, pd.Series[Any]] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        cells = [row.get(name) for row in rows]
        if name in forms:
            marks = frozenset(forms[name]["missing"])
            columns[name] = pd.Series([read_number(cell, forms[name], marks) for cell in cells], dtype=np.float64)
        else:
            columns[name] = pd.Series(cells, dtype=object)
    return pd.DataFrame(columns)


def main(arguments: list[str]) -> None:
    """Read rows, write `{"outputs": […]}` a line."""
    kind, path, rows_path, out = arguments
    rows = [json.loads(line) for line in Path(rows_path).read_text(encoding="utf-8").splitlines()]
    if kind == "mlflow":
        outputs = _answer_mlflow(Path(path), rows)
    elif kind in ("savedmodel", "litert"):
        from automl.export._tensorflow import answer_rows

        outputs = answer_rows(kind, Path(path), rows)
    else:
        from automl.export._bundle import predict_json

        outputs = predict_json(_load(kind, Path(path)), rows)
    with Path(out).open("w", encoding="utf-8") as file:
        for line in outputs:
            file.write(json.dumps({"outputs": [float(value) for value in line]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
