"""The model in words for programs: its schema, and an OpenAPI document with an example that works."""

from __future__ import annotations

from typing import Any

from automl.schema import Column, Role
from automl.serve.oip import describe
from automl.serve.service import Current
from automl.serve.settings import Settings
from automl.serve.version import server_version
from automl.task import Task

MOST_LEVELS = 50
PROBLEMS = {
    "400": "The body cannot be read",
    "401": "A token is needed",
    "408": "The body did not come in time",
    "413": "The body is too large",
    "415": "The content type is not read",
    "421": "The server does not go by this name",
    "422": "The rows do not fit the model",
    "503": "Too much waits already",
    "504": "The model took too long",
}
ANSWERING = ("400", "401", "408", "413", "415", "421", "422", "503", "504")
ASKING = ("401", "421")


def describe_model(current: Current) -> dict[str, Any]:
    """GET /schema: the columns with their roles, the question, and an example row that is nobody's."""
    model = current.model
    task = model.task
    return {
        "schema_version": 1,
        "model": model.name,
        "version": model.version,
        "runtime": model.runtime,
        "task": str(task.kind),
        "target": task.target,
        "classes": model.labels,
        "threshold": model.predictor.threshold if task.n_classes == 2 else None,
        "columns": [_describe_column(column, current.example) for column in model.schema.features],
        "example": {"rows": [current.example]},
    }


def _describe_column(column: Column, example: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": column.name,
        "role": str(column.role),
        "required": column.required,
        "example": example[column.name],
    }
    if column.role is Role.CATEGORY:
        record["levels"] = list(column.levels[:MOST_LEVELS])
        record["levels_in_all"] = len(column.levels)
    if column.role is Role.DATE:
        record["format"] = column.format.date_format or "iso"
    if column.picture is not None:
        record["picture"] = {"height": column.picture.height, "width": column.picture.width}
    return record


def make_document(current: Current, settings: Settings) -> dict[str, Any]:
    """OpenAPI 3.1 of every end point."""
    model = current.model
    components = {
        "schemas": _schemas(current, settings),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{model.name}: {model.task.target}",
            "version": model.version,
            "summary": f"automl {server_version()}: predicts {model.task.target!r}",
        },
        "security": [{}, {"token": []}],
        "paths": {**_own_paths(current), **_protocol_paths(current), **_state_paths()},
        "components": components,
    }


def _schemas(current: Current, settings: Settings) -> dict[str, Any]:
    features = current.model.schema.features
    row = {
        "type": "object",
        "properties": {column.name: _cell_schema(column) for column in features},
        "required": [column.name for column in features if column.required],
        "examples": [current.example],
    }
    rows = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Row"},
        "minItems": 1,
        "maxItems": settings.max_rows,
    }
    return {
        "Row": row,
        "Rows": {"type": "object", "properties": {"rows": rows}, "required": ["rows"]},
        "Prediction": _prediction_schema(current.model.task),
        "Problem": {
            "type": "object",
            "properties": {
                **{name: {"type": "string"} for name in ("type", "title", "detail", "hint", "error")},
                "status": {"type": "integer"},
            },
            "required": ["title", "status", "detail"],
        },
    }


def _cell_schema(column: Column) -> dict[str, Any]:
    if column.role is Role.NUMBER:
        kinds = ["number", "string", "null"]
    elif column.role is Role.IMAGE:
        return {"type": ["string", "null"], "description": "base64 of a picture file, or a data URI"}
    else:
        kinds = ["string", "number", "boolean", "null"]
    return {"type": kinds, "description": str(column.role)}


def _prediction_schema(task: Task) -> dict[str, Any]:
    label = {"int": "integer", "float": "number", "bool": "boolean"}.get(task.label_type, "string")
    if not task.is_classification:
        return {
            "type": "object",
            "properties": {"prediction": {"type": ["number", "null"]}},
            "required": ["prediction"],
        }
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "type": "object",
        "properties": {
            "prediction": {"type": label},
            "probabilities": {"type": "object", "additionalProperties": share},
        },
        "required": ["prediction"],
    }


def _own_paths(current: Current) -> dict[str, Any]:
    example = {"rows": [current.example]}
    names = list(current.example)
    line = ",".join(_csv_cell(name) for name in names) + "\n"
    line += ",".join(_csv_cell(current.example[name]) for name in names) + "\n"
    body = {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Rows"}, "example": example},
            "text/csv": {"schema": {"type": "string"}, "example": line},
        },
    }
    predictions = {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}
    answer = {
        "type": "object",
        "properties": {
            "predictions": predictions,
            "model": {"type": "string"},
            "version": {"type": "string"},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["predictions", "model", "version"],
    }
    one = {"schema": {"$ref": "#/components/schemas/Rows"}, "example": example}
    label = {
        "name": "class",
        "in": "query",
        "description": "the class whose probability is explained",
        "schema": {"type": "string"}
        | ({"enum": list(current.model.task.classes)} if current.model.task.classes else {}),
    }
    return {
        "/predict": {"post": _operation("Predict rows", answer, ANSWERING, body=body, csv=True)},
        "/explain": {
            "post": {
                **_operation(
                    "What each column adds to the prediction of one row",
                    {"type": "object"},
                    ANSWERING,
                    body={"required": True, "content": {"application/json": one}},
                ),
                "parameters": [label],
            }
        },
        "/schema": {"get": _operation("The columns, the question and an example", {"type": "object"}, ASKING)},
    }


def _csv_cell(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


def _protocol_paths(current: Current) -> dict[str, Any]:
    name = current.model.name
    inputs = [
        {**spec, "shape": [1, 1], "data": [current.example[spec["name"]]]} for spec in describe(current)["inputs"]
    ]
    for entry in inputs:
        if entry["datatype"] == "BYTES" and entry["data"][0] is not None:
            entry["data"] = [str(entry["data"][0])]
    request = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "inputs": {"type": "array", "items": {"type": "object"}}},
        "required": ["inputs"],
    }
    body = {"required": True, "content": {"application/json": {"schema": request, "example": {"inputs": inputs}}}}
    thing = {"type": "object"}
    return {
        "/v2": {"get": _operation("The server", thing, ASKING)},
        f"/v2/models/{name}": {"get": _operation("The model's inputs and outputs", thing, ASKING)},
        f"/v2/models/{name}/ready": {"get": _operation("Whether the model is ready", thing, (*ASKING, "503"))},
        f"/v2/models/{name}/infer": {"post": _operation("Tensors in, tensors out", thing, ANSWERING, body=body)},
    }


def _state_paths() -> dict[str, Any]:
    thing = {"type": "object"}
    health = {
        path: {"get": _operation("Whether the server " + what, thing, problems)}
        for path, what, problems in (
            ("/healthz", "lives", ("421",)),
            ("/readyz", "takes requests", ("421", "503")),
            ("/v2/health/live", "lives", ("421",)),
            ("/v2/health/ready", "takes requests", ("421", "503")),
        )
    }
    metrics = _operation("Figures for Prometheus", None, ASKING)
    return {**health, "/metrics": {"get": metrics}}


def _operation(
    summary: str,
    answer: dict[str, Any] | None,
    problems: tuple[str, ...],
    *,
    body: dict[str, Any] | None = None,
    csv: bool = False,
) -> dict[str, Any]:
    content: dict[str, Any] = (
        {"application/json": {"schema": answer}} if answer else {"text/plain": {"schema": {"type": "string"}}}
    )
    if csv:
        content |= {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.arrow.stream": {}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done", "content": content},
            **{status: {"description": PROBLEMS[status], "content": problem} for status in problems},
        },
    }
    if body is not None:
        operation["requestBody"] = body
    return operation
