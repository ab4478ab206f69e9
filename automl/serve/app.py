"""The end points: predictions, explanations, the model's description, health, metrics, and a page to try it by hand."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from automl.errors import AutoMLError
from automl.serve import metrics as metric_texts
from automl.serve import openapi, page
from automl.serve.answers import make_answer
from automl.serve.bodies import read_rows
from automl.serve.call import JSON, KEY, Answer, Call
from automl.serve.explain import Explainer
from automl.serve.failures import answer_error, refuse_status
from automl.serve.limits import Limits
from automl.serve.oip import add_protocol, infer_call
from automl.serve.refusal import Refusal
from automl.serve.service import Service

PATHS = frozenset(
    {"/", "/predict", "/explain", "/schema", "/openapi.json", "/metrics", "/healthz", "/readyz", "/v2"}
    | {"/v2/health/live", "/v2/health/ready"}
)


def make_app(service: Service, *, token: str = "") -> Limits:
    """The whole application, its limits around it."""
    app = FastAPI(title="automl", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    _add_predictions(app, service)
    _add_health(app, service)
    _add_description(app, service)
    add_protocol(app, service)
    page.add_page(app)
    _add_refusals(app, service)
    name = service.current.model.name

    async def predict(call: Call) -> Answer:
        return await predict_call(service, call)

    async def infer(call: Call) -> Answer:
        return await infer_call(service, call, service.current)

    paths = PATHS | {f"/v2/models/{name}", f"/v2/models/{name}/ready"}
    hot = {"/predict": predict, f"/v2/models/{name}/infer": infer}
    return Limits(app, hot, settings=service.settings, token=token, metrics=service.metrics, paths=paths)


async def predict_call(service: Service, call: Call) -> Answer:
    """Rows in, predictions out."""
    current = service.current
    rows = await read_rows(call, current)
    outputs = await service.predict(current, rows)
    body, kind = make_answer(
        current.model, rows, outputs, accept=call.header("accept"), labels_only=service.settings.labels_only
    )
    return Answer(body, kind, headers={"x-model-version": current.model.version})


def _add_health(app: FastAPI, service: Service) -> None:
    async def alive() -> Response:
        return Response(b'{"status": "ok"}', media_type=JSON)

    async def ready() -> Response:
        if not service.ready:
            raise Refusal(503, "The server is ending" if service.draining else "The model hangs", kind="not_ready")
        return Response(b'{"status": "ok"}', media_type=JSON)

    for path in ("/healthz", "/v2/health/live"):
        app.add_api_route(path, alive, methods=["GET", "HEAD"])
    for path in ("/readyz", "/v2/health/ready"):
        app.add_api_route(path, ready, methods=["GET", "HEAD"])


def _add_description(app: FastAPI, service: Service) -> None:
    @app.get("/schema")
    async def schema() -> Response:
        return _json(openapi.describe_model(service.current))

    @app.get("/openapi.json")
    async def document() -> Response:
        return _json(openapi.make_document(service.current, service.settings))

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.render(), headers={"content-type": metric_texts.CONTENT_TYPE})


def _add_predictions(app: FastAPI, service: Service) -> None:
    explainer = Explainer(service)

    @app.post("/predict")  # met by methods other than POST: `Limits` answers those itself
    async def predict(request: Request) -> Response:
        told = await predict_call(service, request.scope[KEY])
        return Response(told.body, headers={"content-type": told.content_type, **told.headers})

    @app.post("/explain")
    async def explain(request: Request) -> Response:
        current, call = service.current, request.scope[KEY]
        rows = await read_rows(call, current)
        record = await explainer.explain(current, rows, label=call.query("class"))
        return _json(record, {"x-model-version": current.model.version})


def _json(record: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, media_type=JSON, headers=headers)


def _add_refusals(app: FastAPI, service: Service) -> None:
    """Errors as problem details; nothing of a request is repeated in them."""

    async def on_error(_: Request, error: Exception) -> Response:
        allow: dict[str, str] = {}
        if isinstance(error, HTTPException):
            allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
            error = refuse_status(error.status_code)
        elif isinstance(error, RequestValidationError):
            error = refuse_status(422)
        told = answer_error(error, service.metrics)
        headers = {"content-type": told.content_type, **told.headers, **allow}
        return Response(told.body, status_code=told.status, headers=headers)

    for kind in (Refusal, HTTPException, RequestValidationError, AutoMLError, Exception):
        app.add_exception_handler(kind, on_error)
