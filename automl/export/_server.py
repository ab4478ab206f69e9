"""A small HTTP server for model.onnx: the standard library, onnxruntime and numpy; see README.md.

python server.py --port 8080
curl -s localhost:8080/predict -d @input_example.json
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 10_000
SECONDS = 20.0
DRAIN_SECONDS = 8.0  # for the requests at work after SIGTERM: Docker kills after 10


BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds, as Prometheus' own libraries have them


class Counts:
    """What /metrics tells, in Prometheus' text form; the names are those of `automl serve`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: dict[tuple[str, int], int] = {}
        self.within = [0] * (len(BOUNDS) + 1)  # requests by how long they took, the last beyond all bounds
        self.classes: dict[str, int] = {}
        self.rows = 0
        self.seconds = 0.0

    def add_classes(self, labels: list[Any]) -> None:
        """Count predicted labels."""
        with self.lock:
            for label in map(str, labels):
                self.classes[label] = self.classes.get(label, 0) + 1

    def add(self, path: str, status: int, rows: int, seconds: float) -> None:
        key = (path if path == "/predict" else "(other)", status)
        with self.lock:
            self.requests[key] = self.requests.get(key, 0) + 1
            self.within[sum(seconds > bound for bound in BOUNDS)] += 1
            self.rows += rows
            self.seconds += seconds

    def text(self) -> str:
        lines = ["# TYPE automl_requests_total counter"]
        for (path, status), number in sorted(self.requests.items()):
            lines.append(f'automl_requests_total{{path="{path}",status="{status}"}} {number}')
        lines += ["# TYPE automl_rows_total counter", f"automl_rows_total {self.rows}"]
        if self.classes:
            lines.append("# TYPE automl_predictions_total counter")
        for label, number in sorted(self.classes.items()):
            spelled = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'automl_predictions_total{{class="{spelled}"}} {number}')
        lines += ["# TYPE automl_request_seconds histogram", f"automl_request_seconds_sum {self.seconds:.6f}"]
        lines += [f"automl_request_seconds_count {sum(self.within)}"]
        for at, bound in enumerate([*map(str, BOUNDS), "+Inf"], start=1):
            lines.append(f'automl_request_seconds_bucket{{le="{bound}"}} {sum(self.within[:at])}')
        return "\n".join(lines) + "\n"


class Work:
    """The requests at work, and whether the server still takes others."""

    def __init__(self) -> None:
        self.draining = False
        self._number = 0
        self._changed = threading.Condition()

    def begin(self) -> bool:
        """Whether the request came in time."""
        with self._changed:
            self._number += 1
            return not self.draining

    def end(self) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Take no further requests, and wait for those at work."""
        with self._changed:
            self.draining = True
            self._changed.wait_for(lambda: self._number == 0, seconds)


class Handler(BaseHTTPRequestHandler):
    """GET /healthz, /readyz, /schema, /metrics; POST /predict with {"rows": [{…}, …]}."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    model: Any = None
    counts = Counts()
    work = Work()
    begun = late = False

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        finally:
            if self.begun:
                self.begun = False
                self.work.end()

    def parse_request(self) -> bool:
        """Called when the first line of a request is there: from then on it is at work."""
        self.begun, self.late = True, not self.work.begin()
        return super().parse_request()

    def do_GET(self) -> None:
        if self.late and self.path in ("/readyz", "/v2/health/ready"):
            self._send(503, {"error": "the server is ending"})
        elif self.path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
            self._send(200, {"status": "ok"})
        elif self.path == "/schema":
            self._send(200, self.model.signature)
        elif self.path == "/metrics":
            self._send_bytes(200, self.counts.text().encode(), "text/plain; version=0.0.4")
        else:
            self._send(404, {"error": "there is nothing here; POST /predict"})

    def do_POST(self) -> None:
        started, rows, status = time.perf_counter(), 0, 500
        try:
            if self.path != "/predict":
                raise RefusedError(404, "POST goes to /predict")
            given = self._read()
            if self.late:
                raise RefusedError(503, "the server is ending")
            rows = len(given)
            answers = self.model.predict(given)
            if self.model.signature["classes"]:
                self.counts.add_classes([answer["prediction"] for answer in answers])
            self._send(200, {"predictions": answers})
            status = 200
        except RefusedError as refusal:
            status = refusal.status
            self.close_connection = True
            self._send(status, {"error": refusal.reason})
        except (ValueError, TypeError, OverflowError):
            status = 422
            self._send(status, {"error": "the rows lack columns of the model, or hold what is no cell; see /schema"})
        except TimeoutError:  # the body did not come
            status, self.close_connection = 408, True
        except ConnectionError:  # the client has gone
            status, self.close_connection = 499, True
        except Exception:
            self.close_connection = True
            self._send(500, {"error": "the server failed"})
            traceback.print_exc()
        finally:
            self.counts.add(self.path, status, rows, time.perf_counter() - started)

    def _read(self) -> list[dict[str, Any]]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise RefusedError(411, "a Content-Length is needed")
        if int(length) > MAX_BYTES:
            raise RefusedError(413, f"a request holds at most {MAX_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, "the body is no JSON") from error
        rows = body.get("rows") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RefusedError(422, 'the body is {"rows": [{column: value, ...}, ...]}')
        if not 0 < len(rows) <= MAX_ROWS:
            raise RefusedError(413 if rows else 422, f"a request holds 1 to {MAX_ROWS} rows")
        if any(isinstance(cell, (dict, list)) for row in rows for cell in row.values()):
            raise RefusedError(422, "a cell is a text, a number, true, false or null")
        return rows

    def _send(self, status: int, record: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(record).encode(), "application/json")

    def _send_bytes(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.work.draining:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """No line a request."""


class RefusedError(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Serve model.onnx over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    folder = Path(__file__).resolve().parent
    sys.path.insert(0, str(folder))
    from predict import Model  # type: ignore[import-not-found]

    Handler.model = Model(folder, files=False)
    server = ThreadingHTTPServer((given.host, given.port), Handler)
    server.daemon_threads = True  # an idle connection must not hold the end; a request at work does: see `Work`
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=_end, args=(server,)).start())
    sys.stdout.write(f"serving on http://{given.host}:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
    server.server_close()


def _end(server: ThreadingHTTPServer) -> None:
    """Goes on answering while requests are at work: that the server is not ready, above all."""
    Handler.work.drain(DRAIN_SECONDS)
    server.shutdown()


if __name__ == "__main__":
    main()
