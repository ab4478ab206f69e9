"""The Open Inference Protocol v2 over gRPC."""

from __future__ import annotations

import asyncio
import hmac
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from automl.errors import AutoMLError, EngineError
from automl.serve.oip import EXTENSIONS, describe, find_current, rows_of
from automl.serve.oip_messages import METHODS, SERVICE, message_classes
from automl.serve.pictures_body import settle_pictures
from automl.serve.refusal import Refusal
from automl.serve.rows import Rows
from automl.serve.service import Current, Service
from automl.serve.tensors import Output, make_outputs, pack, read_cells, refuse, unpack
from automl.serve.version import server_version

PATH = "grpc"
MAX_STREAMS = 256
OPEN = frozenset({"ServerLive", "ServerReady"})
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


async def start_grpc(service: Service, *, token: str) -> Any:
    """A listening `grpc.aio` server; several workers may listen on one port.

    Raises:
        EngineError: if the port cannot be had.
    """
    import grpc

    settings = service.settings
    options = [
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.so_reuseport", 1),
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=settings.max_connections)
    classes = message_classes()
    handlers = {}
    for name in METHODS:
        handlers[name] = grpc.unary_unary_rpc_method_handler(
            _wrap(service, name, token.encode()),
            request_deserializer=classes[f"{name}Request"].FromString,
            response_serializer=classes[f"{name}Response"].SerializeToString,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        hint = "Choose another port with --grpc-port"
        raise EngineError(f"Cannot listen on {host}:{settings.grpc_port} for gRPC", hint=hint) from error
    await server.start()
    return server


def _wrap(service: Service, name: str, token: bytes) -> Callable[[Any, Any], Awaitable[Any]]:
    """One method with its token, its count, and its refusals as status codes."""
    import grpc

    codes = {
        401: grpc.StatusCode.UNAUTHENTICATED,
        404: grpc.StatusCode.NOT_FOUND,
        503: grpc.StatusCode.UNAVAILABLE,
        504: grpc.StatusCode.DEADLINE_EXCEEDED,
    }
    work = {
        "ServerLive": _server_live,
        "ServerReady": _server_ready,
        "ModelReady": _model_ready,
        "ServerMetadata": _server_metadata,
        "ModelMetadata": _model_metadata,
        "ModelInfer": _model_infer,
    }[name]
    metrics = service.metrics

    async def call(request: Any, context: Any) -> Any:
        began, status = time.perf_counter(), 200
        metrics.begin()
        try:
            if token and name not in OPEN:
                _check_token(context, token)
            return await work(service, request)
        except Refusal as refusal:
            status = refusal.status
            metrics.errors.labels(refusal.kind).inc()
            await context.abort(
                codes.get(status, grpc.StatusCode.INVALID_ARGUMENT), f"{refusal.message}. {refusal.hint}"
            )
        except AutoMLError:
            status = 422
            metrics.errors.labels("model").inc()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The model cannot take these rows")
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:
            status = 500
            metrics.errors.labels("bug").inc()
            sys.stderr.write(f"automl serve: a call failed by a fault of ours: {type(error).__name__}\n")
            await context.abort(grpc.StatusCode.INTERNAL, "The server failed; its log says more")
        finally:
            metrics.leave()
            metrics.requests.labels(f"{PATH}/{name}", str(status)).inc()
            metrics.latency.labels(f"{PATH}/{name}").observe(time.perf_counter() - began)

    return call


def _check_token(context: Any, token: bytes) -> None:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            kind, _, given = (value if isinstance(value, bytes) else value.encode()).partition(b" ")
            if kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), token):
                return
    raise Refusal(401, "A token is needed", hint="Send authorization: Bearer TOKEN as metadata", kind="token")


async def _server_live(_: Service, __: Any) -> Any:
    return message_classes()["ServerLiveResponse"](live=True)


async def _server_ready(service: Service, _: Any) -> Any:
    return message_classes()["ServerReadyResponse"](ready=service.ready)


async def _model_ready(service: Service, request: Any) -> Any:
    find_current(service, request.name, request.version)
    return message_classes()["ModelReadyResponse"](ready=service.ready)


async def _server_metadata(_: Service, __: Any) -> Any:
    return message_classes()["ServerMetadataResponse"](name="automl", version=server_version(), extensions=EXTENSIONS)


async def _model_metadata(service: Service, request: Any) -> Any:
    return message_classes()["ModelMetadataResponse"](**describe(find_current(service, request.name, request.version)))


async def _model_infer(service: Service, request: Any) -> Any:
    current = find_current(service, request.model_name, request.model_version)
    loop = asyncio.get_running_loop()
    rows = await loop.run_in_executor(None, lambda: settle_pictures(_read_inputs(current, request), current.reader))
    outputs = make_outputs(current, await service.predict(current, rows), labels_only=service.settings.labels_only)
    wanted = [entry.name for entry in request.outputs] or list(outputs)
    if not set(wanted) <= set(outputs):
        raise refuse("The model has no such output")
    return _make_response(current, request, [outputs[name] for name in wanted])


def _read_inputs(current: Current, request: Any) -> Rows:
    columns: dict[str, list[Any]] = {}
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise refuse("raw_input_contents holds one part an input")
    for place, entry in enumerate(request.inputs):
        shape = list(entry.shape)
        if entry.name in columns:
            raise refuse("Two inputs have one name")
        if raw:
            cells = unpack(entry.datatype, shape, raw[place])
        else:
            field = CONTENTS.get(entry.datatype)
            if field is None:
                raise refuse("A tensor is of a datatype that is not read")
            cells = list(getattr(entry.contents, field))
        columns[entry.name] = read_cells(current, entry.name, entry.datatype, shape, cells)
    return rows_of(current, columns)


def _make_response(current: Current, request: Any, outputs: list[Output]) -> Any:
    """Raw contents, which every client reads."""
    classes = message_classes()
    tensor = classes["ModelInferResponse.InferOutputTensor"]
    return classes["ModelInferResponse"](
        model_name=current.model.name,
        model_version=current.model.version,
        id=request.id[:256],
        outputs=[tensor(name=one.name, datatype=one.datatype, shape=one.shape) for one in outputs],
        raw_output_contents=[pack(one) for one in outputs],
    )
