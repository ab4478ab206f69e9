"""signature.json: the inputs and outputs of an export, for programs and for people."""

from __future__ import annotations

from typing import Any

from automl.graph import Graph
from automl.predictor import Predictor
from automl.preprocess.table import TEXT_FACTS
from automl.schema import Column, Role

SCHEMA_VERSION = 1
_DTYPES = {"float32": "float32", "float64": "float64", "str": "string", "int64": "int64"}


def make_signature(predictor: Predictor, graph: Graph) -> dict[str, Any]:
    """Inputs in the order of the schema, outputs in the order of the graph."""
    task = predictor.task
    entries = [entry for column in predictor.schema.features for entry in _inputs(column)]
    for entry in entries:
        entry["dtype"] = _DTYPES[graph.inputs[entry["name"]]]
        entry["missing"] = "" if entry["dtype"] == "string" else "NaN"
    return {
        "schema_version": SCHEMA_VERSION,
        "task": str(task.kind),
        "target": task.target,
        "classes": list(task.classes),
        "label_type": task.label_type,
        "threshold": predictor.threshold if task.n_classes == 2 else None,
        "inputs": entries,
        "outputs": [
            {"name": name, "dtype": _DTYPES[dtype], "shape": ["rows", columns] if columns else ["rows"]}
            for name, (_, dtype, columns) in graph.outputs.items()
        ],
    }


def _inputs(column: Column) -> list[dict[str, Any]]:
    form = column.format
    common = {
        "column": column.name,
        "required": column.required,
        "shape": ["rows", 1],
        "format": {
            "decimal": form.decimal,
            "thousands": form.thousands,
            "prefix": form.prefix,
            "suffix": form.suffix,
            "missing": list(form.missing),
            "date_format": form.date_format,
        },
    }
    if column.role is Role.TEXT:
        return [{"name": f"{column.name} ({fact})", "kind": "count", "fact": fact, **common} for fact in TEXT_FACTS]
    kind = {Role.NUMBER: "number", Role.DATE: "date"}.get(column.role, "category")
    entry: dict[str, Any] = {"name": column.name, "kind": kind, **common}
    if kind == "category":
        entry["booleans"] = bool(column.levels) and set(column.levels) <= {"True", "False"}
        entry["levels"] = list(column.levels)
    return [entry]
