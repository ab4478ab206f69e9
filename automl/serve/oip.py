"""The Open Inference Protocol v2 over REST, with the extension for tensors as raw bytes that its clients use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response

from automl.serve.bodies import SMALL_BYTES, beside
from automl.serve.call import KEY, Answer, Call
from automl.serve.json_body import parse_json
from automl.serve.pictures_body import settle_pictures
from automl.serve.refusal import Refusal
from automl.serve.rows import Rows
from automl.serve.service import Current, Service
from automl.serve.tensors import (
    Output,
    TensorSpec,
    flatten,
    input_specs,
    make_outputs,
    output_specs,
    pack,
    read_cells,
    refuse,
    unpack,
)
from automl.serve.version import server_version

EXTENSIONS = ["binary_tensor_data"]
HEADER = "inference-header-content-length"
MAX_ID = 256


def find_current(service: Service, name: str, version: str = "") -> Current:
    """What answers for a model's name.

    Raises:
        Refusal: 404 if it is not the model that is served.
    """
    current = service.current
    if name != current.model.name or version not in ("", current.model.version):
        raise Refusal(404, "There is no such model or version", hint="GET /schema tells the name", kind="model_name")
    return current


def describe(current: Current) -> dict[str, Any]:
    """A model's metadata."""
    return {
        "name": current.model.name,
        "versions": [current.model.version],
        "platform": "automl_" + current.model.runtime,
        "inputs": [_spec(spec) for spec in input_specs(current)],
        "outputs": [_spec(spec) for spec in output_specs(current)],
    }


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def add_protocol(app: FastAPI, service: Service) -> None:
    """The end points below /v2, health apart."""

    def answer(record: dict[str, Any]) -> Response:
        return Response(json.dumps(record, ensure_ascii=False).encode(), media_type="application/json")

    async def server() -> Response:
        return answer({"name": "automl", "version": server_version(), "extensions": EXTENSIONS})

    async def model(name: str, version: str = "") -> Response:
        return answer(describe(find_current(service, name, version)))

    async def model_ready(name: str, version: str = "") -> Response:
        current = find_current(service, name, version)
        if not service.ready:
            raise Refusal(503, "The model is not ready", kind="not_ready")
        return answer({"name": current.model.name, "ready": True})

    async def infer(request: Request, name: str, version: str = "") -> Response:
        told = await infer_call(service, request.scope[KEY], find_current(service, name, version))
        return Response(told.body, headers={"content-type": told.content_type, **told.headers})

    app.add_api_route("/v2", server, methods=["GET"])
    for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        app.add_api_route(prefix, model, methods=["GET"])
        app.add_api_route(f"{prefix}/ready", model_ready, methods=["GET"])
        app.add_api_route(f"{prefix}/infer", infer, methods=["POST"])


async def infer_call(service: Service, call: Call, current: Current) -> Answer:
    """Tensors in, tensors out."""
    record, rows = await _read_body(call, current)
    outputs = await service.predict(current, rows)
    made = make_outputs(current, outputs, labels_only=service.settings.labels_only)
    body, size = _make_body(current, record, made)
    headers = {"x-model-version": current.model.version}
    if size is None:
        return Answer(body, headers=headers)
    return Answer(body, "application/octet-stream", headers={**headers, HEADER: str(size)})


async def _read_body(call: Call, current: Current) -> tuple[dict[str, Any], Rows]:
    """The JSON part and the rows; the whole of a large body is read in a thread beside the server."""

    def read() -> tuple[dict[str, Any], Rows]:
        record, raw = _split_body(call.body, call.header(HEADER))
        return record, settle_pictures(_read_inputs(current, record, raw), current.reader)

    if len(call.body) <= SMALL_BYTES and not current.has_pictures:
        return read()
    return await beside(read)


def _split_body(body: bytes, header: str) -> tuple[dict[str, Any], bytes]:
    """The JSON part and the raw tensors behind it."""
    size = len(body)
    if header:
        if not header.isascii() or not header.isdigit() or int(header[:20]) > len(body):
            raise refuse("Inference-Header-Content-Length does not fit the body")
        size = int(header)
    record = parse_json(body[:size])
    if not isinstance(record, dict) or not isinstance(record.get("inputs"), list):
        raise refuse('The body is {"inputs": [{"name", "shape", "datatype", "data"}, …]}')
    return record, body[size:]


def _read_inputs(current: Current, record: dict[str, Any], raw: bytes) -> Rows:
    columns: dict[str, list[Any]] = {}
    at = 0
    for entry in record["inputs"]:
        if not isinstance(entry, dict):
            raise refuse("Each of inputs is an object")
        name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
        if not isinstance(name, str) or not isinstance(datatype, str) or not isinstance(shape, list):
            raise refuse("Each of inputs has a name, a datatype and a shape")
        if name in columns:
            raise refuse("Two inputs have one name")
        size = _parameter(entry, "binary_data_size")
        if size is not None:
            if type(size) is not int or not 0 <= size <= len(raw) - at:
                raise refuse("binary_data_size does not fit the body")
            cells = unpack(datatype, shape, raw[at : at + size])
            at += size
        else:
            cells = flatten(entry.get("data"), most=64 << 20)
        columns[name] = read_cells(current, name, datatype, shape, cells)
    return rows_of(current, columns)


def rows_of(current: Current, columns: Mapping[str, list[Any]]) -> Rows:
    """Rows of columns that must be equally long."""
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise refuse("The inputs have different numbers of rows")
    return current.reader.from_columns(columns, lengths.pop() if lengths else 0)


def _parameter(entry: Mapping[str, Any], name: str) -> Any:
    parameters = entry.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def _make_body(current: Current, record: dict[str, Any], outputs: dict[str, Output]) -> tuple[bytes, int | None]:
    """The answer's body, and how much of it is JSON where raw tensors follow."""
    wanted = record.get("outputs")
    binary = _parameter(record, "binary_data_output") is True
    chosen: list[tuple[Output, bool]]
    if isinstance(wanted, list) and wanted:
        chosen = []
        for entry in wanted:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name not in outputs:
                raise refuse("The model has no such output")
            asked = _parameter(entry, "binary_data")
            chosen.append((outputs[name], binary if asked is None else asked is True))
    else:
        chosen = [(output, binary) for output in outputs.values()]
    tail: list[bytes] = []
    listed: list[dict[str, Any]] = []
    for output, packed in chosen:
        entry = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if packed:
            tail.append(pack(output))
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = output.cells
        listed.append(entry)
    told: dict[str, Any] = {"model_name": current.model.name, "model_version": current.model.version}
    if isinstance(record.get("id"), str):
        told["id"] = record["id"][:MAX_ID]
    body = json.dumps({**told, "outputs": listed}, ensure_ascii=False).encode()
    return (body + b"".join(tail), len(body)) if tail else (body, None)
