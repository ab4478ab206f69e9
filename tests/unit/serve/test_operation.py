"""How the server lives: many clients, slow clients, a new model, a model that hangs, a worker that dies, the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from automl.files import read_json, write_json
from tests.unit.export.models import store_model
from tests.unit.serve.server import Server, serving, wait_until


def test_many_clients_at_a_time_each_get_their_own_rows(server: Server, rows: list[dict[str, Any]]) -> None:
    alone = [server.client.post("/predict", json={"rows": [row]}).json()["predictions"] for row in rows]
    batches = server.metric("automl_batch_requests_count")

    def ask(number: int) -> list[Any]:
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
            return [client.post("/predict", json={"rows": [row]}).json()["predictions"] for row in rows[number::4]]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, [number % 4 for number in range(16)]))
    for number, found in enumerate(answers):
        assert found == alone[number % 4 :: 4]
    assert server.metric("automl_batch_requests_sum") >= 16 * 40
    assert server.metric("automl_batch_requests_count") - batches < 16 * 40, "no two requests were answered together"


def test_health_stays_quick_while_large_requests_are_at_work(server: Server, rows: list[dict[str, Any]]) -> None:
    body = json.dumps({"rows": rows * 60}).encode()
    done = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while not done.is_set():
                client.post("/predict", content=body)

    thread = threading.Thread(target=load)
    thread.start()
    seconds = []
    for _ in range(20):
        began = time.monotonic()
        assert server.client.get("/healthz").status_code == 200
        seconds.append(time.monotonic() - began)
    done.set()
    thread.join()
    assert sorted(seconds)[10] < 0.5


def test_slow_clients_are_cut_off_and_others_do_not_feel_them(export: Path, tmp_path: Path) -> None:
    """The limits are shortened by the settings' own way: the supervisor hands them to the worker."""
    from automl.serve.settings import Settings
    from tests.unit.serve.inside import inside

    settings = Settings(model=str(export), port=0, head_seconds=1.0, body_seconds=1.5, max_connections=50)
    with inside(settings, tmp_path) as server:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        half_head = server.connect(head)
        half_body = server.connect(head + b"Content-Length: 100\r\n\r\n{")
        idle = [server.connect() for _ in range(20)]
        began = time.monotonic()
        assert server.client.get("/healthz").status_code == 200
        assert time.monotonic() - began < 0.5
        assert half_head.recv(100) == b""
        answer = half_body.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert [one.recv(1) for one in idle] == [b""] * 20
        assert time.monotonic() - began < 5
        long_head = server.connect(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                long_head.sendall(b"x-a: " + b"a" * 1000 + b"\r\n")
                time.sleep(0.0005)
            assert long_head.recv(20).startswith(b"HTTP/1.1 400")
            raise ConnectionError
        many = [server.connect() for _ in range(60)]
        for one in (*many, *idle, half_head, half_body, long_head):
            one.close()
        wait_until(lambda: server.client.get("/healthz").status_code == 200)


def test_the_end_comes_in_time_with_clients_that_are_stuck(export: Path, tmp_path: Path) -> None:
    with serving(export, tmp_path, "--drain", "2s") as server:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        stuck = [server.connect(), server.connect(head), server.connect(head + b"Content-Length: 100\r\n\r\n{")]
        time.sleep(0.2)
        code, seconds = server.end()
        assert code == 0
        assert seconds < 6
        for one in stuck:
            one.close()


@pytest.mark.slow
def test_requests_at_work_end_well_when_the_server_is_told_to_end(export: Path, tmp_path: Path, rows: Any) -> None:
    with serving(export, tmp_path) as server:
        body = json.dumps({"rows": rows * 60}).encode()
        statuses: list[int] = []

        def ask() -> None:
            with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
                statuses.append(client.post("/predict", content=body).status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.metric("automl_requests_in_flight") - 1 + len(statuses) >= 4)  # less its own
        code, _ = server.end()
        for thread in threads:
            thread.join()
        assert (code, statuses) == (0, [200] * 4)


def test_a_new_model_is_swapped_in_without_a_request_lost(export: Path, tmp_path: Path, rows: Any) -> None:
    folder = tmp_path / "live"
    shutil.copytree(export, folder)
    with serving(folder, tmp_path, "--reload") as server:
        old, done = server.record["version"], threading.Event()
        seen: list[tuple[int, str]] = []

        def ask() -> None:
            with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
                while not done.is_set():
                    answer = client.post("/predict", json={"rows": rows[:3]})
                    seen.append((answer.status_code, answer.headers.get("x-model-version", "")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        swap(folder, lambda other: touch_manifest(other, "the same model, written later"))
        wait_until(lambda: server.metric("automl_reloads_total") >= 1, within=60)
        swap(folder, damage)
        try:
            wait_until(lambda: "is refused, the old one stays" in server.messages(), within=60)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert {status for status, _ in seen} == {200}
        versions = [version for _, version in seen]
        assert versions[0] == old and len(set(versions)) == 2
        assert "signature.json has changed since it was written" in server.messages()


def swap(folder: Path, change: Any) -> None:
    """Another model in the place of the one that is there, as the tool itself swaps them."""
    beside = folder.with_name("beside")
    shutil.copytree(folder, beside)
    change(beside)
    aside = folder.with_name("aside")
    folder.rename(aside)
    beside.rename(folder)
    shutil.rmtree(aside)


def touch_manifest(folder: Path, note: str) -> None:
    write_json(folder / "manifest.json", {**read_json(folder / "manifest.json"), "note": note})


def damage(folder: Path) -> None:
    touch_manifest(folder, "cut off on its way")
    (folder / "signature.json").write_text("{}")


@pytest.mark.slow
def test_a_model_that_answers_another_question_is_refused(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(model / "model", folder)
    other = store_model(tmp_path / "price", kind="regression").run.model
    with serving(folder, tmp_path, "--runtime", "automl") as server:
        shutil.rmtree(folder)
        shutil.copytree(other, folder)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "answers another question" in server.messages(), within=60)
        assert server.client.get("/schema").json()["version"] == server.record["version"]


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(export: Path, tmp_path: Path, rows: Any) -> None:
    with serving(export, tmp_path, "--workers", "2") as server:
        server.client.post("/predict", json={"rows": rows})
        before = server.metric("automl_rows_total")
        first = server.workers()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and set(server.workers()) != set(first), within=60)
        assert before == 160
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            assert client.post("/predict", json={"rows": rows}).status_code == 200
        assert server.metric("automl_rows_total") == 320, "what the dead worker counted is kept"


@pytest.mark.slow
def test_workers_do_not_outlive_their_supervisor(export: Path, tmp_path: Path) -> None:
    import psutil

    with serving(export, tmp_path, "--drain", "1s") as server:
        workers = server.workers()
        server.process.kill()
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers), within=10)


def test_the_metrics_say_what_happened(server: Server, rows: Any) -> None:
    before = {name: server.metric(name) for name in ("automl_rows_total", "automl_missing_values_total")}
    server.client.post("/predict", json={"rows": rows})
    server.client.post("/predict", content=b"[")
    wait_until(lambda: server.metric("automl_rows_total") == before["automl_rows_total"] + 160)
    holes = sum(cell is None for row in rows for cell in row.values())
    assert server.metric("automl_missing_values_total") == before["automl_missing_values_total"] + holes
    text = server.client.get("/metrics").text
    assert f'automl_model_info{{model="shop",runtime="onnx",version="{server.record["version"]}"}} 1.0' in text
    for line in (
        'automl_requests_total{path="/predict",status="200"}',
        'automl_errors_total{kind="json"}',
        'automl_request_seconds_bucket{le="0.005",path="/predict"}',
        'automl_predictions_total{class="yes"}',
        "automl_resident_memory_bytes",
        "automl_requests_in_flight",
    ):
        assert line in text
