"""The end points: predictions, explanations, the model's description, health, metrics, and a page to try it by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from automl.errors import AutoMLError
from automl.serve import metrics as metric_texts
from automl.serve import openapi, page
from automl.serve.answers import JSON, make_answer
from automl.serve.bodies import read_rows
from automl.serve.explain import Explainer
from automl.serve.limits import Limits
from automl.serve.oip import add_protocol
from automl.serve.refusal import PROBLEM, Refusal
from automl.serve.service import Service

PATHS = frozenset(
    {"/", "/predict", "/explain", "/schema", "/openapi.json", "/metrics", "/healthz", "/readyz", "/v2"}
    | {"/v2/health/live", "/v2/health/ready"}
)


def make_app(service: Service, *, token: str = "") -> Limits:
    """The whole application, its limits around it."""
    app = FastAPI(title="automl", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    _add_health(app, service)
    _add_description(app, service)
    _add_predictions(app, service)
    add_protocol(app, service)
    page.add_page(app)
    _add_refusals(app, service)
    name = service.current.model.name
    paths = PATHS | {f"/v2/models/{name}", f"/v2/models/{name}/ready", f"/v2/models/{name}/infer"}
    return Limits(app, settings=service.settings, token=token, metrics=service.metrics, paths=paths)


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

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        current = service.current
        rows = await read_rows(request, current)
        outputs = await service.predict(current, rows)
        accept = request.headers.get("accept", "")
        body, kind = make_answer(
            current.model, rows, outputs, accept=accept, labels_only=service.settings.labels_only
        )
        return Response(body, headers={"content-type": kind, "x-model-version": current.model.version})

    @app.post("/explain")
    async def explain(request: Request) -> Response:
        current = service.current
        rows = await read_rows(request, current)
        record = await explainer.explain(current, rows, label=request.query_params.get("class"))
        return _json(record, {"x-model-version": current.model.version})


def _json(record: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, media_type=JSON, headers=headers)


def _problem(refusal: Refusal) -> Response:
    return Response(refusal.to_json(), status_code=refusal.status, headers={"content-type": PROBLEM, **refusal.headers})


def _add_refusals(app: FastAPI, service: Service) -> None:
    """Errors as problem details; nothing of a request is repeated in them."""

    async def on_refusal(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        service.metrics.errors.labels(error.kind).inc()
        return _problem(error)

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        texts = {404: "There is nothing here", 405: "This method is not taken here"}
        phrase = texts.get(error.status_code, HTTPStatus(error.status_code).phrase)
        service.metrics.errors.labels("not_found").inc()
        response = _problem(Refusal(error.status_code, phrase, hint="GET /openapi.json tells what there is"))
        if error.headers:
            response.headers.update({name: value for name, value in error.headers.items() if name.lower() == "allow"})
        return response

    async def on_model(_: Request, error: Exception) -> Response:
        """The model refuses the rows: its sentence may quote a cell, so it goes to the log alone."""
        service.metrics.errors.labels("model").inc()
        _log(f"the model refused rows: {type(error).__name__}")
        return _problem(Refusal(422, "The model cannot take these rows", hint="GET /schema tells the columns"))

    async def on_bug(_: Request, error: Exception) -> Response:
        service.metrics.errors.labels("bug").inc()
        _log(f"a request failed by a fault of ours: {type(error).__name__}: {str(error)[:200]!r}")
        return _problem(Refusal(500, "The server failed", hint="Its log says more"))

    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        Refusal: on_refusal,
        HTTPException: on_http,
        AutoMLError: on_model,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, on_bug)


def _log(text: str) -> None:
    sys.stderr.write(f"automl serve: {text}\n")
