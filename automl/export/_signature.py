"""signature.json: the inputs and outputs of an export, for programs and for people."""

from __future__ import annotations

from typing import Any

from automl.graph import Graph
from automl.predictor import Predictor
from automl.preprocess.table import TEXT_FACTS
from automl.schema import Column, Role

SCHEMA_VERSION = 1
_DTYPES = {"float32": "float32", "float64": "float64", "str": "string", "int64": "int64", "uint8": "uint8"}
_MISSING = {"ngrams": "no keys", "words": "no keys", "picture": "zeros"}


def make_signature(predictor: Predictor, graph: Graph) -> dict[str, Any]:
    """Inputs in the order of the schema, outputs in the order of the graph."""
    task = predictor.task
    columns = {column.name: column for column in predictor.schema.features}
    entries = [entry for column in columns.values() for entry in _inputs(column)]
    for name, source in graph.sources.items():
        entry = {"name": name, **_common(columns[source["column"]]), **source}
        if "columns" in source:
            entry["formats"] = [_common(columns[each])["format"] for each in source["columns"]]
        entries.append(entry)
    for entry in entries:
        entry["dtype"] = _DTYPES[graph.inputs[entry["name"]]]
        entry["shape"] = ["rows", *graph.shapes[entry["name"]]]
        entry["missing"] = _MISSING.get(entry["kind"], "" if entry["dtype"] == "string" else "NaN")
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


def _common(column: Column) -> dict[str, Any]:
    form = column.format
    return {
        "column": column.name,
        "required": column.required,
        "format": {
            "decimal": form.decimal,
            "thousands": form.thousands,
            "prefix": form.prefix,
            "suffix": form.suffix,
            "negative": form.negative,
            "missing": list(form.missing),
            "date_format": form.date_format,
        },
    }


def _inputs(column: Column) -> list[dict[str, Any]]:
    """What a column enters as by itself; n-grams, words and pictures are declared by whoever reads them."""
    common = _common(column)
    if column.role is Role.IMAGE:
        return []
    if column.role is Role.TEXT:
        return [{"name": f"{column.name} ({fact})", "kind": "count", "fact": fact, **common} for fact in TEXT_FACTS]
    kind = {Role.NUMBER: "number", Role.DATE: "date"}.get(column.role, "category")
    entry: dict[str, Any] = {"name": column.name, "kind": kind, **common}
    if kind == "category":
        entry["booleans"] = bool(column.levels) and set(column.levels) <= {"True", "False"}
        entry["levels"] = list(column.levels)
    return [entry]
