"""The data set goes to each worker once, and a worker that is lost meanwhile holds up nobody."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from automl.engines.cluster import placement
from automl.engines.cluster.placement import Placement


@dataclasses.dataclass
class Worker:
    directory: str
    address: str = "tcp://127.0.0.1:1"
    gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class SilentCluster:
    """It keeps what is asked of a worker for ever, as Dask does where the worker is lost."""

    def submit(self, *arguments: Any, **options: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()


def test_a_worker_that_is_lost_while_it_is_asked_ends_the_placing(tmp_path: Path) -> None:
    async def place() -> None:
        worker = Worker(str(tmp_path / "scratch"))
        placing = asyncio.ensure_future(Placement("s", tmp_path, ("data",)).place(SilentCluster(), worker, []))
        await asyncio.sleep(0.05)
        assert not placing.done()
        worker.gone.set()
        await asyncio.wait_for(placing, 5)

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "target.npy").write_bytes(b"x" * 10)
    with pytest.raises(ConnectionError, match="is gone"):
        asyncio.run(place())


def test_files_that_were_seen_long_ago_are_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has nothing to do for minutes removes what it was sent."""
    placed, worker = Placement("s", tmp_path, ("data",)), Worker(str(tmp_path / "scratch"))
    assert not placed._is_known(worker)
    placed._placed[worker.directory] = time.monotonic()
    assert placed._is_known(worker)
    monkeypatch.setattr(placement, "KNOWN_SECONDS", 0.0)
    assert not placed._is_known(worker)
