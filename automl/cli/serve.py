"""automl serve: a model behind HTTP and gRPC."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import options as opt
from automl.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from automl.serve.settings import Settings

NEEDED = ("fastapi", "uvicorn", "httptools", "uvloop", "prometheus_client", "python_multipart")


def serve_command(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="A run folder, its model/ folder, or an ONNX or skops export.", show_default=False
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Others than loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 takes a free one.")] = 8080,
    grpc_port: Annotated[
        int | None, typer.Option("--grpc-port", metavar="N", help="Speak gRPC as well.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes, each with its own model.")] = 1,
    runtime: Annotated[
        str,
        typer.Option("--runtime", metavar="auto|onnx|automl", help="What computes: the ONNX graph where there is one."),
    ] = "auto",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What clients call the model.", show_default=False)
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Demand the token in it; so does AUTOML_SERVE_TOKEN.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="A name that clients may use; may be repeated.", show_default=False
        ),
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Swap in a new model when the folder has one.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse unreadable cells and unknown columns.")] = False,
    labels_only: Annotated[bool, typer.Option("--labels-only", help="Answer no probabilities.")] = False,
    max_rows: Annotated[int, typer.Option("--max-rows", metavar="N", help="Of one request.")] = 10_000,
    max_body: Annotated[str, typer.Option("--max-body", metavar="SIZE", help="Of one request.")] = "16M",
    batch_rows: Annotated[
        int, typer.Option("--batch-rows", metavar="N", help="Of waiting requests answered together; 1 turns it off.")
    ] = 256,
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="For the model, a batch.")] = "30s",
    drain: Annotated[
        str, typer.Option("--drain", metavar="TIME", help="For requests at work when told to end.")
    ] = "20s",
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="DIR", help="Note rows and answers there, for automl monitor.", show_default=False
        ),
    ] = None,
    log_hash: Annotated[
        list[str] | None,
        typer.Option(
            "--log-hash", metavar="COL", help="Note this column as a keyed hash; may be repeated.", show_default=False
        ),
    ] = None,
    log_drop: Annotated[
        list[str] | None,
        typer.Option("--log-drop", metavar="COL", help="Do not note this column; may be repeated.", show_default=False),
    ] = None,
    log_size: Annotated[str, typer.Option("--log-size", metavar="SIZE", help="Of all logs; the oldest go.")] = "256M",
    write_monitoring: Annotated[
        Path | None,
        typer.Option(
            "--write-monitoring",
            metavar="DIR",
            help="Write Prometheus rules and a Grafana dashboard, then end.",
            show_default=False,
        ),
    ] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Serve a model over HTTP and gRPC (extra `serve`), with metrics and a page to try it; ends with Ctrl-C."""
    if write_monitoring is not None:
        _write_monitoring(write_monitoring, token_file, as_json, f"{_reachable(host)}:{port}")
        return
    if model is None:
        raise UsageError("Which model is to be served?", hint="automl serve RUN")
    check_installed()
    from automl.serve.settings import Settings

    settings = Settings(
        model=str(model.absolute()),
        name=name,
        runtime=runtime,
        host=host,
        port=port,
        grpc_port=grpc_port,
        workers=workers,
        hosts=tuple(allow_host or ()),
        max_rows=max_rows,
        max_body_bytes=opt.parse_size_mb(max_body, option="--max-body") << 20,
        batch_rows=batch_rows,
        predict_seconds=opt.parse_duration(timeout, option="--timeout"),
        drain_seconds=opt.parse_duration(drain, option="--drain"),
        strict=strict,
        labels_only=labels_only,
        reload=reload,
        log=str(log.absolute()) if log else "",
        log_hashed=tuple(log_hash or ()),
        log_dropped=tuple(log_drop or ()),
        log_megabytes=opt.parse_size_mb(log_size, option="--log-size"),
    )
    _check(settings)
    run_server(settings, token_file, as_json)


def run_server(settings: Settings, token_file: Path | None, as_json: bool) -> None:
    """Serve until told to end."""
    from automl.cli.output import print_json
    from automl.serve.access import read_token
    from automl.serve.supervisor import Supervisor

    def tell(record: dict[str, Any]) -> None:
        if as_json:
            print_json({key: record[key] for key in ("url", "grpc", "name", "version", "runtime") if key in record})
            sys.stdout.flush()
            return
        by = "its ONNX graph" if record["runtime"] == "onnx" else "its own models"
        print(f"{record['name']} (version {record['version']}, answered by {by})", file=sys.stderr)
        print(f"{record['url']} (Ctrl-C ends it)", file=sys.stderr)
        if "grpc" in record:
            print(f"gRPC on {record['grpc']}", file=sys.stderr)
        who = '-H "Authorization: Bearer $TOKEN" ' if token else ""
        print(f"next: curl -s {who}{record['url']}/schema", file=sys.stderr)
        sys.stderr.flush()

    token = read_token(token_file, settings)
    Supervisor(settings, token=token, on_ready=tell).run()


def check_installed() -> None:
    """Raises:
    MissingExtraError: if what serving needs is not installed.
    """
    import importlib.util

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"Serving needs {', '.join(missing)}", hint="pip install 'automl[serve]'")


def _check(settings: Settings) -> None:
    from automl.errors import did_you_mean
    from automl.serve.model import RUNTIMES

    if settings.runtime not in RUNTIMES:
        raise UsageError(f"--runtime {settings.runtime!r} is none", hint=did_you_mean(settings.runtime, RUNTIMES))
    for option, value, low, high in (
        ("--port", settings.port, 0, 65_535),
        ("--grpc-port", settings.grpc_port or 0, 0, 65_535),
        ("--workers", settings.workers, 1, 256),
        ("--max-rows", settings.max_rows, 1, 10_000_000),
        ("--batch-rows", settings.batch_rows, 1, 1_000_000),
        ("--max-body", settings.max_body_bytes >> 20, 1, 4_096),
    ):
        if not low <= value <= high:
            raise UsageError(f"{option} {value} is out of range", hint=f"Choose {low} to {high}")
    for option, seconds in (("--timeout", settings.predict_seconds), ("--drain", settings.drain_seconds)):
        if not 0 < seconds <= 86_400:
            raise UsageError(f"{option} {seconds:g}s is out of range", hint="Choose 1s to 24h")
    if "/" in settings.name or not settings.name.isprintable():
        raise UsageError(f"--name {settings.name!r} cannot stand in an address", hint="Choose letters, digits, - and _")


def _reachable(host: str) -> str:
    """The host as Prometheus on the same machine asks for it."""
    return "localhost" if host in ("", "0.0.0.0", "127.0.0.1", "::", "::1") else f"[{host}]" if ":" in host else host  # noqa: S104


def _write_monitoring(folder: Path, token_file: Path | None, as_json: bool, address: str) -> None:
    from automl.cli.output import print_json
    from automl.serve.access import read_token
    from automl.serve.monitoring import write_monitoring
    from automl.serve.settings import Settings

    if token_file is not None:
        read_token(token_file, Settings(model=""))  # what no server takes is told here, not by a scrape that fails
    files = write_monitoring(folder, token_file, address=address)
    if as_json:
        print_json({"files": [str(path) for path in files]})
        return
    for path in files:
        print(path)
