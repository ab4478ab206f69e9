"""A fold fitted on all rows of a file by a cluster: which rows its workers learn from, and what if none sees it."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.candidates import _xgboost_dask
from automl.search import trial
from automl.search.pieces import run_all_rows
from automl.search.shares import BLOCK_ROWS, own_rows, run_all_shares
from tests.cluster import START_SECONDS, running_cluster
from tests.unit.search.runs import StoredRun
from tests.unit.search.test_pieces import ROWS, payload_of, sampled

__all__ = ["sampled"]  # the fixture
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from distributed import Client

    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        address = cluster.url.replace("dask://", "tcp://")
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=START_SECONDS)
        yield address


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 1000, BLOCK_ROWS, 7 * BLOCK_ROWS + 3])
def test_each_row_of_a_file_is_in_one_share_however_its_tables_are_cut(rows: int, count: int) -> None:
    for step in (333_333, BLOCK_ROWS, 10_001):
        owners = np.zeros(rows, dtype=int)
        for index in range(count):
            for start in range(0, rows, step):
                for low, high in own_rows(start, min(step, rows - start), index, count):
                    owners[start + low : start + high] += 1 + 10 * index
        assert set(owners.tolist()) <= {1 + 10 * index for index in range(count)}
        assert (owners == 1 + 10 * (np.arange(rows) // BLOCK_ROWS % count)).all()


def test_workers_that_live_are_never_taken_for_lost(scheduler: str) -> None:
    """However often the client refreshes what it remembers of its scheduler."""
    import dask
    from distributed import Client

    with (
        dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}),
        Client(scheduler, set_as_default=False) as client,
    ):
        assert {len(_xgboost_dask.find_living(client)) for _ in range(300)} == {2}


@pytest.mark.parametrize("target", ["y", "value"])
def test_workers_learn_together_what_one_machine_learns(
    sampled: tuple[StoredRun, pd.DataFrame, Path], scheduler: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, frame, path = sampled
    if target == "value":
        stored = as_values(stored, frame, path)
    monkeypatch.setattr("automl.search.shares.BLOCK_ROWS", 500)
    monkeypatch.setattr(trial, "REFIT_ROWS", 100)
    oofs, _ = stored.complete(stored.spec(3, "xgboost"))
    alone = run_all_rows(payload_of(stored, path, len(frame)))
    told = {"scheduler": scheduler, "cluster_threads": 2}
    together = run_all_shares({**payload_of(stored, path, len(frame)), "trial": 10, **told})
    assert together["rows"] == alone["rows"] > ROWS // 2
    sign = 1 if target == "y" else -1
    assert sign * together["score"] > sign * oofs.scores[3]
    assert together["score"] == pytest.approx(alone["score"], rel=0.05)


def as_values(stored: StoredRun, frame: pd.DataFrame, path: Path) -> StoredRun:
    """The same run with a number as its target; the file's column `y` is replaced by it."""
    from tests.unit.search.runs import store_run

    rng = np.random.default_rng(9)
    rows = np.load(stored.run.data / "row_ids.npy")
    frame["y"] = (50 + 10 * frame.a * frame.b + 3 * rng.normal(size=len(frame))).where(frame.y.notna())
    frame.to_parquet(path, index=False)
    held = frame.iloc[rows].reset_index(drop=True)
    other = store_run(path.parent / "values", held, "y", split={"folds": 1})
    np.save(other.run.data / "row_ids.npy", rows)
    other.run.update(file_rows=len(frame), data=str(path))
    return other


def test_the_time_of_a_fit_goes_on_while_it_is_sent() -> None:
    """Workers have other clocks, and build their matrices before their first round."""
    watch = _xgboost_dask.make_watch(100.0)
    time.sleep(0.2)
    sent = pickle.dumps(watch)
    time.sleep(0.2)
    there = pickle.loads(sent)
    assert 99.0 < there.clock.seconds_left() < 99.85
    assert 99.0 < watch.clock.seconds_left() < 99.65


def test_workers_that_do_not_see_the_file_are_not_asked(
    sampled: tuple[StoredRun, pd.DataFrame, Path], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, frame, path = sampled
    monkeypatch.setattr(_xgboost_dask, "count_bytes", lambda name: os.getpid())  # another size on each host
    stored.complete(stored.spec(3, "xgboost"))
    with pytest.raises(ValueError, match=r"0 of 2 workers see .*rows\.parquet"):
        told = {"scheduler": scheduler, "cluster_threads": 2}
        run_all_shares({**payload_of(stored, path, len(frame)), **told})
