"""The Dask engine on a scheduler and workers that run already, as their users have them, and as they are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from automl.engines import Engine, Files, Job, Limits, Outcome, Settings, Status, open_engine
from automl.engines.dask import DaskEngine, parse_address
from automl.errors import EngineError, UsageError
from tests.cluster import ROOT, Cluster, running_cluster, wait_until
from tests.conformance import jobs
from tests.conformance.engines import is_gone, read_number, run, run_all


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: Cluster) -> Iterator[Engine]:
    engine = open_engine(cluster.url, Settings(jobs=1, preload={}))
    wait_until(lambda: engine.slots == 2, "both workers are there")
    yield engine
    engine.close()


def make_root(folder: Path) -> Path:
    (folder / "run" / "data").mkdir(parents=True)
    (folder / "run" / "data" / "lines.txt").write_text("a\nb\nc\n", encoding="utf-8")
    return folder / "run"


def count_job(root: Path, name: str = "0-1") -> Job:
    files = Files(root=root, reads=("data",), leaves="search/models/0000-1")
    return Job(id=name, function=jobs.count_lines, payload={"run": str(root)}, files=files)


def test_data_go_there_and_what_a_job_leaves_comes_home(cluster: Cluster, engine: DaskEngine, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    outcome = run_all(engine, count_job(root))["0-1"]
    assert outcome.status is Status.OK, outcome
    there = Path(outcome.value)
    assert there != root
    assert there.is_relative_to(cluster.folder)
    assert (root / "search" / "models" / "0000-1" / "count.txt").read_text(encoding="ascii") == "3"
    assert not (there / "search" / "models" / "0000-1").exists()
    assert sorted(path.name for path in root.iterdir()) == ["data", "search"]
    engine.forget(root, "search/cache/abc-*")
    wait_until(lambda: not (there / "search" / "cache" / "abc-1").exists(), "the matrices are forgotten")
    assert engine.count_bytes()["received"] < 2000


def test_a_data_set_that_workers_can_read_is_not_sent(engine: DaskEngine, tmp_path: Path) -> None:
    run_all(engine, count_job(make_root(tmp_path)))
    assert engine.count_bytes()["sent"] == 0


def test_a_data_set_that_workers_cannot_read_is_sent_once(
    cluster: Cluster, engine: DaskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path)
    # the path that the workers are told is on this machine alone
    monkeypatch.setattr("automl.engines.cluster.placement.shown_path", lambda root: "/not/there")
    first, second = (run_all(engine, count_job(root, name))[name] for name in ("0-1", "1-1"))
    assert (first.status, second.status) == (Status.OK, Status.OK), (first, second)
    sent = engine.count_bytes()["sent"]
    assert 0 < sent < 1000
    copies = list(cluster.folder.glob("*/dask-scratch-space/automl/data-*"))
    assert len(copies) in (1, 2)  # the two workers have scratch folders of their own, and one may not have been asked
    engine.close()
    assert list(cluster.folder.glob("*/dask-scratch-space/automl/*")) == []


def test_a_job_whose_worker_is_killed_is_done_by_another(cluster: Cluster, engine: DaskEngine, tmp_path: Path) -> None:
    told: list[str] = []
    engine.attend(tmp_path, told.append)
    engine.submit(Job(id="a", function=jobs.nap_once, payload={"path": str(tmp_path / "pid")}))
    child = read_number(tmp_path / "pid")
    worker = psutil.Process(child).parents()[1]
    worker.kill()
    began = time.monotonic()
    outcomes: list[Outcome] = []
    while not outcomes and time.monotonic() - began < 20:
        outcomes = engine.wait(1.0)
    assert [(outcome.status, outcome.value) for outcome in outcomes] == [(Status.OK, "done")]
    assert time.monotonic() - began < 10
    assert is_gone(child)
    assert any("is lost; what it was doing is done again elsewhere" in text for text in told)
    wait_until(lambda: engine.slots == 2, "the nanny has started another")


def test_a_job_that_kills_its_worker_runs_at_most_once_more(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "count"
    outcome = run_all(engine, Job(id="a", function=jobs.kill_host, payload=str(path)))["a"]
    assert (outcome.status, outcome.reason) == (Status.CRASHED, "2 workers ended under it")
    assert path.read_text(encoding="ascii") == "xx"
    assert run(engine, jobs.give_back, 1).value == 1
    time.sleep(2.0)  # long enough for the cluster to start it again on its own account
    assert path.read_text(encoding="ascii") == "xx"
    wait_until(lambda: engine.slots == 2, "both workers are there again")


def test_children_of_workers_end_when_the_parent_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    script = (
        "import sys; from automl.engines import *; from tests.conformance import jobs\n"
        "engine = open_engine(sys.argv[1], Settings(jobs=1, preload={}))\n"
        "engine.submit(Job(id='a', function=jobs.note_and_nap, payload={'path': sys.argv[2]}))\n"
        "engine.wait(60)\n"
    )
    path = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", script, cluster.url, str(path)], cwd=ROOT) as parent:
        child = read_number(path)
        assert not is_gone(child)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: is_gone(child), "the child of the worker has ended", 10)


def test_limits_hold_on_workers_of_a_cluster(engine: Engine, tmp_path: Path) -> None:
    outcome = run(engine, jobs.spin, str(tmp_path / "pid"), seconds=0.5)
    assert (outcome.status, outcome.reason) == (Status.TIMED_OUT, "not done after 0.5 s")
    engine.submit(Job(id="b", function=jobs.fill_memory, payload=2000, limits=Limits(memory_mb=300)))
    assert engine.wait(20.0)[0].status is Status.OUT_OF_MEMORY


def test_a_worker_of_another_version_is_refused_at_the_start(tmp_path: Path) -> None:
    fake = tmp_path / "packages" / "numpy-1.0.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n", encoding="ascii")
    with running_cluster(tmp_path, workers=()) as cluster:
        cluster.start_worker("odd", env={"PYTHONPATH": f"{fake.parent}{os.pathsep}{ROOT}"})
        with pytest.raises(EngineError, match=r"numpy 1\.0 instead of ") as caught:
            open_engine(cluster.url, Settings(jobs=1, preload={}))
        assert "automl cluster check" in caught.value.hint
        words = [sys.executable, "-m", "automl", "cluster", "check", cluster.url, "--json"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 5, done.stderr
        record = json.loads(done.stdout)
        assert (record["usable"], record["latency_ms"]) == (0, None)
        assert record["workers"][0]["problems"][0].startswith("numpy 1.0 instead of ")


def test_a_check_of_a_cluster_tells_workers_and_bandwidth(cluster: Cluster, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(b"x" * 1_000_000)
    words = [sys.executable, "-m", "automl", "cluster", "check", cluster.url, "--data", str(data)]
    record = json.loads(
        subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=60, check=True).stdout
    )
    assert record["schema_version"] == 1
    assert (record["usable"], record["threads"]) == (2, 2)
    assert 0 < record["latency_ms"] < 2000
    assert record["data"]["bytes"] == 1_000_000
    assert record["data"]["seconds"] == pytest.approx(1_000_000 / record["bytes_per_second"])
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "2 of 2 workers can be used" in said
    assert f"next: automl fit DATA --target Y --engine {cluster.url}" in said


def test_a_scheduler_that_is_not_there_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.engines.cluster.connection.CONNECT_SECONDS", 0.5)
    with pytest.raises(EngineError, match=r"^dask://127.0.0.1:1 does not answer") as caught:
        open_engine("dask://127.0.0.1:1", Settings(jobs=1, preload={}))
    assert caught.value.hint.endswith("automl cluster check dask://127.0.0.1:1")


@pytest.mark.parametrize(
    ("asked", "address"),
    [("dask://host:8786", "tcp://host:8786"), ("dask+tls://10.0.0.1:1", "tls://10.0.0.1:1")],
)
def test_an_address_is_read(asked: str, address: str) -> None:
    assert parse_address(asked) == (address, asked)


@pytest.mark.parametrize("asked", ["dask://", "dask://host", "dask://host:x", "dask+no://host:1", "dask://h:1/path"])
def test_what_is_no_address_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="is not a scheduler's address") as caught:
        parse_address(asked)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [("dusk", "Unknown engine 'dusk'"), ("local://host:1", "has no address"), ("", "Unknown engine ''")],
)
def test_an_engine_that_is_not_there_is_refused(asked: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_engine(asked, Settings(jobs=1, preload={}))
