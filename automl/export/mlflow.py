"""An MLflow model (flavour python_function) around the ONNX graph; `mlflow models serve` takes it as it is."""

from __future__ import annotations

import json
import platform
import shutil
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from automl.export import Facts, Format, Source
from automl.export._answer import answer
from automl.export.onnx import HERE, find_scripts
from automl.export.onnx import plugin as onnx_format
from automl.files import read_json, write_text
from automl.matrix import FloatArray

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
RUNTIME = ("onnxruntime", "numpy", "pandas")
TYPES = {"number": "double"}  # and string for all else
MOST_NAMES = 30  # in a sentence


class MLflow:
    title = "an MLflow model"
    executes = True
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        data, code = folder / "data", folder / "code"
        data.mkdir()
        code.mkdir()
        inner = onnx_format.write(source, data)
        for name in find_scripts(read_json(data / "signature.json")):
            (data / name).rename(code / name)
        shutil.copyfile(HERE / "_mlflow_model.py", code / "mlflow_model.py")
        signature = read_json(data / "signature.json")
        names = (*RUNTIME, *(["pillow"] if (code / "pictures.py").exists() else []))
        pins = [f"{name}=={version(name)}" for name in names]
        write_text(folder / "requirements.txt", "\n".join(["mlflow", *pins]) + "\n")
        environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
        write_text(folder / "python_env.yaml", yaml.safe_dump(environment, sort_keys=False))
        write_text(folder / "MLmodel", yaml.safe_dump(_describe(signature), sort_keys=False, allow_unicode=True))
        return Facts(
            summary="An MLflow model (flavour python_function) around the ONNX graph.",
            run=(
                "pip install -r requirements.txt",
                "mlflow models serve -m . --port 5000 --env-manager local",
            ),
            needs=("mlflow", *pins),
            limits=(*inner.limits[1:], *_limits(signature)),
            notes=inner.notes,
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return answer("mlflow", folder, rows)


def _limits(signature: dict[str, Any]) -> list[str]:
    numbers = [entry["column"] for entry in signature["inputs"] if entry["kind"] in TYPES]
    limits = ["MLflow enforces the types of the signature: numbers are double, everything else is string."]
    if numbers:
        listed = ", ".join(map(repr, numbers[:MOST_NAMES]))
        more = f" and {len(numbers) - MOST_NAMES} more, which MLmodel lists" if len(numbers) > MOST_NAMES else ""
        limits.append(
            "Send these columns as numbers, however the training file wrote them (12.3 for '€ 12,30', null for 'NA'), "
            f"or MLflow refuses the rows: {listed}{more}."
        )
    return limits


def _describe(signature: dict[str, object]) -> dict[str, object]:
    columns: dict[str, dict[str, object]] = {}
    inputs = signature["inputs"]
    assert isinstance(inputs, list)
    for entry in inputs:
        kind = TYPES.get(entry["kind"], "string")
        columns.setdefault(entry["column"], {"type": kind, "name": entry["column"], "required": entry["required"]})
    classes = signature["classes"]
    assert isinstance(classes, list)
    types = {"int": "long", "float": "double", "bool": "boolean"}
    label = types.get(str(signature["label_type"]), "string") if classes else "double"
    outputs = [{"type": label, "name": "prediction", "required": True}]
    outputs += [{"type": "double", "name": f"proba_{name}", "required": True} for name in classes]
    return {
        "flavors": {
            "python_function": {
                "loader_module": "mlflow_model",
                "code": "code",
                "data": "data",
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": platform.python_version(),
            }
        },
        "model_uuid": uuid.uuid4().hex,
        "signature": {"inputs": json.dumps(list(columns.values())), "outputs": json.dumps(outputs), "params": None},
    }


plugin: Format = MLflow()
