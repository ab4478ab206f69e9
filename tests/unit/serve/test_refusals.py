"""Bad requests are refused with one sentence and a hint; none of them is repeated, and none is the server's fault."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.serve.server import Server, serving

ROW = b'{"rows": [{"age": 30, "city": "Graz", "member": "true", "day": "2020-01-01", "account": 91600000000}]}'
CANARY = "canary-7f3a"


def arrow(table: Any, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


PACKED = arrow(pa.table({"age": list(range(5000))}), options=pa.ipc.IpcWriteOptions(compression="zstd"))
NESTED = arrow(pa.table({name: [[1]] for name in ("age", "city", "member", "day", "account")}))
STREAM, CSV = "application/vnd.apache.arrow.stream", "text/csv"
BODIES = {
    "empty": (b"", "application/json", 400),
    "no JSON": (b"rows", "application/json", 400),
    "cut off": (ROW[:-3], "application/json", 400),
    "UTF-16": (ROW.decode().encode("utf-16"), "application/json", 400),
    "bad UTF-8": (ROW.replace(b"Graz", b"\xff\xfe"), "application/json", 400),
    "byte order mark": (b"\xef\xbb\xbf" + ROW, "application/json", 400),
    "half a surrogate pair": (ROW.replace(b"Graz", b"\\ud800"), "application/json", 400),
    "half a pair as a key": (ROW.replace(b"city", b"\\udfff"), "application/json", 400),
    "NaN": (ROW.replace(b"30", b"NaN"), "application/json", 400),
    "-Infinity": (ROW.replace(b"30", b"-Infinity"), "application/json", 400),
    "1e400": (ROW.replace(b"30", b"1e400"), "application/json", 400),
    "5,000 digits": (ROW.replace(b"30", b"9" * 5000), "application/json", 400),
    "400 digits": (ROW.replace(b"30", b"9" * 400), "application/json", 422),
    "a key twice": (ROW.replace(b'"city"', b'"age"'), "application/json", 400),
    "100,000 levels": (b"[" * 100_000, "application/json", 400),
    "900 levels": (ROW.replace(b"30", b"[" * 900 + b"]" * 900), "application/json", 422),
    "a list as a cell": (ROW.replace(b"30", b"[30]"), "application/json", 422),
    "an object as a cell": (ROW.replace(b"30", b'{"$gt": 1}'), "application/json", 422),
    "no rows": (b'{"rows": []}', "application/json", 422),
    "rows is a text": (b'{"rows": "all"}', "application/json", 422),
    "a row is a number": (b'{"rows": [1]}', "application/json", 422),
    "a missing column": (ROW.replace(b"city", b"town"), "application/json", 422),
    "null": (b"null", "application/json", 422),
    "columns of two lengths": (b'{"columns": {"age": [1, 2], "city": ["Graz"]}}', "application/json", 422),
    "too many rows": (b'{"rows": [' + b",".join([b"{}"] * 10_001) + b"]}", "application/json", 422),
    "a text of 2 MB": (ROW.replace(b"Graz", b"x" * (2 << 20)), "application/json", 422),
    "a pickle": (b"\x80\x04\x95cposix\nsystem\n", "application/octet-stream", 415),
    "a foreign type": (ROW, "application/xml", 415),
    "CSV without a row": (b"age,city,member,day,account\n", CSV, 422),
    "CSV of bytes": (bytes(range(256)) * 4, CSV, 400),
    "ragged CSV": (b"age,city\n1\n1,2,3,4\n", CSV, 422),
    "an open quote": (b'age,city,member,day,account\n1,"Graz,true,2020-01-01,1\n', CSV, 422),
    "HTML as CSV": (b"<!doctype html><p>age,city", CSV, 422),
    "no Arrow": (b"ARROW", STREAM, 400),
    "cut Arrow": (NESTED[:-40], STREAM, 400),
    "packed Arrow": (PACKED, STREAM, 415),
    "nested Arrow": (NESTED, STREAM, 422),
    "a form that is none": (b"--x", "multipart/form-data; boundary=y", 400),
    "a form without boundary": (b"--x", "multipart/form-data", 400),
    "a picture for a table": (b"\x89PNG", "image/png", 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_wrong_is_refused_in_one_sentence(server: Server, name: str) -> None:
    body, kind, status = BODIES[name]
    answer = server.client.post("/predict", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["detail"] and told["hint"]
    assert len(told["detail"]) < 200 and "\n" not in told["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"rows": [{CANARY: 1}]},
        {"rows": CANARY},
        {"rows": [{"age": [CANARY], "city": 1, "member": 1, "day": 1, "account": 1}]},
        {"inputs": [{"name": CANARY, "datatype": CANARY, "shape": [1], "data": [CANARY]}]},
    ],
)
def test_nothing_of_a_request_is_repeated(server: Server, body: dict[str, Any]) -> None:
    for path in ("/predict", "/explain", "/v2/models/shop/infer", f"/{CANARY}", f"/v2/models/{CANARY}/infer"):
        answer = server.client.post(path, json=body)
        assert 400 <= answer.status_code < 500
        assert CANARY not in answer.text
    assert CANARY not in server.messages()


def test_a_packed_body_and_a_large_one_are_refused_before_they_are_read(server: Server) -> None:
    packed = server.client.post("/predict", content=gzip.compress(ROW), headers={"content-encoding": "gzip"})
    assert packed.status_code == 415
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    with server.connect(head) as bare:
        assert bare.recv(4096).startswith(b"HTTP/1.1 413 ")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with server.connect(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n") as bare:
        answer = b""
        try:
            for _ in range(400):  # 26 MB without a length
                bare.sendall(chunk)
            answer = bare.recv(4096)
        except ConnectionError:
            pass
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")
    assert server.client.get("/healthz").status_code == 200


def test_a_foreign_host_name_is_refused_and_no_origin_is_let_in(server: Server) -> None:
    foreign = server.client.get("/schema", headers={"host": "evil.example"})
    assert foreign.status_code == 421
    for path in ("/readyz", "/healthz"):  # who asks for these knows an address alone
        assert server.client.get(path, headers={"host": "10.1.2.3:8080"}).status_code == 200
    asked = server.client.options("/predict", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in asked.headers
    answer = server.client.post("/predict", content=ROW)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


def test_what_is_not_there_is_told_so(server: Server) -> None:
    assert server.client.get("/nothing").status_code == 404
    wrong = server.client.get("/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert server.client.get("/v2/models/other").status_code == 404
    assert server.client.get("/docs").status_code == 404


def test_other_addresses_need_a_token(export: Path, tmp_path: Path) -> None:
    with serving(export, tmp_path, "--host", "0.0.0.0", ready=False) as refused:
        assert refused.code == 2
        assert "without a token would let anyone in" in refused.messages()
    token = "0123456789abcdef0123"
    words = ("--host", "0.0.0.0", "--name", "shop")
    with serving(export, tmp_path, *words, env={"AUTOML_SERVE_TOKEN": token}) as guarded:
        base = f"http://127.0.0.1:{guarded.port}"
        assert guarded.client.get(f"{base}/healthz").status_code == 200
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {token}"}):
            for path in ("/schema", "/metrics", "/openapi.json", "/v2/models/shop"):
                assert guarded.client.get(f"{base}{path}", headers=given).status_code == 401
        right = {"authorization": f"Bearer {token}"}
        assert guarded.client.post(f"{base}/predict", content=ROW, headers=right).status_code == 200
        assert guarded.client.get(f"{base}/").status_code == 200
        assert token not in guarded.messages()
        import psutil

        assert not any(token in " ".join(psutil.Process(pid).cmdline()) for pid in guarded.workers())


@pytest.mark.slow
def test_a_wrong_command_line_says_what_to_type(export: Path, tmp_path: Path, server: Server) -> None:
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("--port", str(server.port)), 5, "is taken"),
        (("--workers", "0"), 2, "--workers 0 is out of range"),
        (("--runtime", "onxx"), 2, "Did you mean 'onnx'?"),
        (("--max-body", "lots"), 2, "is not a size"),
    ]
    for words, code, text in cases:
        with serving(export, tmp_path, *words, ready=False) as refused:
            assert (refused.code, text in refused.messages()) == (code, True), refused.messages()
    with serving(tmp_path / "none", tmp_path, ready=False) as refused:
        assert refused.code == 2
        assert "is neither a run folder nor a model" in refused.messages()


def test_deep_and_long_bodies_cost_little(server: Server) -> None:
    began = time.monotonic()
    for body in (b"[" * 100_000, ROW.replace(b"30", b"9" * 100_000), b'{"a":' * 50_000):
        assert server.client.post("/predict", content=body).status_code == 400
    assert time.monotonic() - began < 2
