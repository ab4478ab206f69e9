"""A file that is too large for the time is searched on a sample, and its best model learns from all rows."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

import automl
from automl.data import sample
from automl.files import read_json
from automl.run import Run
from automl.search.records import read_results
from automl.search.trial import TrialResult
from automl.search.whole import ORIGIN
from tests.benchmark.large import make_block, write
from tests.cluster import Cluster, running_cluster
from tests.flow.command import read_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROWS = 60_000


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60,000 rows, of which a run of a minute searches 6,000."""
    monkeypatch.setattr(sample, "LEAST_BYTES", 1 << 20)
    monkeypatch.setattr(sample, "FEWEST_ROWS", 5_000)
    monkeypatch.setattr(sample, "CELLS_PER_ROOT_SECOND", 180_000 / 60**0.5)
    write(ROWS, tmp_path / "large.parquet")
    return tmp_path / "large.parquet"


def fits_on_file(run: Run) -> list[TrialResult]:
    return [result for result in read_results(run.search) if result.origin == ORIGIN]


def check_better(run: Run, last: TrialResult) -> None:
    """The fit on the file is better than its like on the sample, deployed, and as good as is claimed."""
    assert (run.record["file_rows"], run.record["rows"]) == (ROWS, 180_000 // 30)
    assert last.status == "ok", last
    others = [r.score for r in read_results(run.search) if r.candidate == last.candidate and r.origin != ORIGIN]
    assert last.score is not None
    assert last.score > max(score for score in others if score is not None)
    assert last.trial in [member["trial"] for member in read_json(run.ensemble_path)["members"]]
    fresh = make_block(20_000, 99).to_pandas()
    proba = automl.load(run.path).predict_proba(fresh.drop(columns="target"))["yes"].to_numpy()
    positive = (fresh["target"] == "yes").to_numpy()
    auc = float(np.mean(proba[positive][:2000, None] > proba[~positive][None, :2000]))
    claimed = read_json(run.evaluation_path)
    assert claimed["low"] - 0.03 < auc < claimed["high"] + 0.03


def test_the_best_model_learns_from_all_rows_and_is_kept_where_it_is_better(tmp_path: Path, large: Path) -> None:
    run = automl.fit(large, target="target", out=tmp_path / "run", time=60)
    (last,) = fits_on_file(run)
    check_better(run, last)


def test_the_workers_of_a_cluster_learn_from_all_rows_together(tmp_path: Path, large: Path) -> None:
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as cluster:
        run = automl.fit(large, target="target", out=tmp_path / "run", time=60, jobs=1, engine=cluster.url)
    (last,) = fits_on_file(run)
    check_better(run, last)
    assert any(event.get("text", "").endswith("on 2 workers together") for event in read_lines(run.events_path))


def test_what_a_lost_worker_takes_with_it_is_learned_here(tmp_path: Path, large: Path) -> None:
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as cluster:
        killer = threading.Thread(target=kill_when_learning, args=(cluster, tmp_path / "run" / "events.jsonl"))
        killer.start()
        run = automl.fit(large, target="target", out=tmp_path / "run", time=60, jobs=1, engine=cluster.url)
        killer.join()
    first, second = fits_on_file(run)
    assert first.status == "failed", first
    check_better(run, second)


def kill_when_learning(cluster: Cluster, events: Path) -> None:
    """End a worker, with all of its host, two seconds after the fit on the file has begun."""
    deadline = time.monotonic() + 80
    while time.monotonic() < deadline:
        if events.exists() and "workers together" in events.read_text():
            time.sleep(2.0)
            cluster.kill("two")
            return
        time.sleep(0.1)
