"""How a model served by one worker stands up to 1, 8 and 64 connections, beside MLflow's server with the same model.

    python -m tests.benchmark.load --run RUN --out FOLDER [--seconds 60] [--mlflow PYTHON] [--minutes 8]

Needs `wrk` (Debian: package wrk), and for the comparison a Python that has mlflow and onnxruntime; one worker each.
Each request asks for one row. A line a case goes to load.jsonl, so that it can be ended and begun again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from automl.export._bundle import export_model, open_source
from automl.files import read_json
from tests.outcomes import AS_PROMISED, Outcomes

COLUMNS = ("server", "connections", "requests_per_second", "p50_ms", "p99_ms", "errors", "memory_mb", "verdict")
SERVERS = ("automl", "mlflow", "unbatched")  # the last is automl without micro-batching
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", default="1,8,64")
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--mlflow", default="", help="a Python with mlflow and onnxruntime")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    end = time.monotonic() + 60 * options.minutes
    outcomes = Outcomes(options.out, "load", COLUMNS)
    for server in options.servers.split(","):
        if server == "mlflow" and not options.mlflow:
            continue
        wanted = [n for n in options.connections.split(",") if not outcomes.has(f"{server}/{n}")]
        if not wanted or time.monotonic() > end:
            continue
        with start(server, options) as (url, body, process):
            measure(url, body, 1, 3, options)  # warm
            for connections in wanted:
                if time.monotonic() < end:
                    facts = measure(url, body, int(connections), options.seconds, options)
                    facts["memory_mb"] = round(memory(process), 1)
                    verdict = AS_PROMISED if facts["errors"] == 0 else f"{facts['errors']} errors"
                    outcomes.add(f"{server}/{connections}", verdict, server=server, **facts)
                    print(server, facts, flush=True)
    print(outcomes.write_table("Load", compare(outcomes.records)))


@contextlib.contextmanager
def start(server: str, options: argparse.Namespace) -> Iterator[tuple[str, Path, psutil.Process]]:
    """A server that answers: where rows are posted, a file with one request's body, and its process."""
    source = open_source(options.run)
    row = read_json(source.folder / "golden.json")["rows"][0]
    body = options.out.resolve() / f"{server}-body.json"
    port = _free_port()
    if server == "mlflow":
        folder = options.out / "mlflow"
        if not folder.exists():
            export_model(source, "mlflow", folder)
        example = read_json(folder / "input_example.json")["rows"][0]
        types = {e["name"]: e["type"] for e in json.loads(_signature(folder))}
        record = {
            name: float(value) if types[name] == "double" and value is not None else value
            for name, value in example.items()
            if name in types
        }
        body.write_text(json.dumps({"dataframe_records": [record]}), encoding="utf-8")
        words = [options.mlflow, "-m", "mlflow", "models", "serve", "-m", str(folder.resolve()), "--port", str(port)]
        words += ["--workers", "1", "--env-manager", "local"]
        paths = ("/invocations", "/health")
    else:
        body.write_text(json.dumps({"rows": [row]}), encoding="utf-8")
        words = [sys.executable, "-m", "automl", "serve", str(options.run), "--port", str(port), "--workers", "1"]
        words += ["--batch-rows", "1"] if server == "unbatched" else []
        paths = ("/predict", "/readyz")
    with (options.out / "server.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=options.out)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url + paths[1], process)
        yield url + paths[0], body, psutil.Process(process.pid)
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=15)
        for each in left:
            each.kill()
        process.wait()


def _signature(folder: Path) -> str:
    import yaml

    listed: str = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["signature"]["inputs"]
    return listed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer; see server.log")


def measure(url: str, body: Path, connections: int, seconds: int, options: argparse.Namespace) -> dict[str, Any]:
    """What wrk says: requests a second, latency, errors of any kind."""
    script = options.out.resolve() / "post.lua"
    script.write_text(SCRIPT.format(body=body), encoding="utf-8")
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(script), url]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = sum(map(int, socket_errors.groups())) if socket_errors else 0
    return {
        "connections": connections,
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),  # type: ignore[index]
        "p50_ms": _milliseconds(said, "50%"),
        "p99_ms": _milliseconds(said, "99%"),
        "errors": errors + (int(refused[1]) if refused else 0),
    }


def _milliseconds(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None, said
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


def memory(process: psutil.Process) -> float:
    """Megabytes of a process and those that it started."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / 1e6


def compare(records: list[dict[str, Any]]) -> list[str]:
    """Ratios of automl's requests a second to the others'."""
    rates = {(r["server"], r["connections"]): r["requests_per_second"] for r in records}
    lines = []
    for (server, connections), rate in rates.items():
        own = rates.get(("automl", connections))
        if server != "automl" and own:
            lines.append(f"{connections} connections: automl answers {own / rate:.1f} times as many as {server}")
    return lines


if __name__ == "__main__":
    main()
