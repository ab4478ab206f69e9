"""What a server was told: where to listen, which model, and every limit; plain values that travel to the workers."""

from __future__ import annotations

import dataclasses
import json

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The choices of `automl serve`.

    Attributes:
        model: a run folder, a model folder or an export.
        name: what the Open Inference Protocol calls the model; "" takes the model's own name.
        runtime: "auto", "onnx" or "automl"; see `automl.serve.model.load_model`.
        grpc_port: None leaves gRPC out; 0 takes a free one.
        hosts: names by which clients may call the server; empty accepts every name.
        max_rows: of one request.
        max_body_bytes: of one request.
        max_buffered_bytes: of all request bodies that a worker holds at one time; two of the largest in any case.
        max_waiting_rows: rows that wait for a worker's model before newcomers are told to come back.
        max_connections: open at one time, a worker.
        batch_rows: how many rows of waiting requests are answered in one call of the model; 1 turns batching off.
        head_seconds, body_seconds, write_seconds: how long a client may take to send a request's head and body, and
            to take the answer.
        predict_seconds: how long the model may take for a batch; then the worker is replaced.
        drain_seconds: how long the requests at work may take to end after SIGTERM.
        strict: refuse cells that cannot be read and columns that the model does not know.
        labels_only: answer no probabilities.
        reload: look for a new model in the folder.
        log: the folder of the request log (`automl.monitor.request_log`); "" for none.
        log_hashed, log_dropped: columns that it holds as keyed hashes, or not at all.
        log_megabytes: of all its files together.
    """

    model: str
    name: str = ""
    runtime: str = "auto"
    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    workers: int = 1
    hosts: tuple[str, ...] = ()
    max_rows: int = 10_000
    max_body_bytes: int = 16 << 20
    max_buffered_bytes: int = 256 << 20
    max_waiting_rows: int = 50_000
    max_connections: int = 1_000
    batch_rows: int = 256
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    predict_seconds: float = 30.0
    drain_seconds: float = 20.0
    strict: bool = False
    labels_only: bool = False
    reload: bool = False
    log: str = ""
    log_hashed: tuple[str, ...] = ()
    log_dropped: tuple[str, ...] = ()
    log_megabytes: float = 256.0

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Settings:
        record = json.loads(text)
        lists = {name: tuple(value) for name, value in record.items() if isinstance(value, list)}
        return Settings(**{**record, **lists})

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK
