"""How many configurations a second the parent of a search can ask and tell, with any number of workers.

`python -m tests.benchmark.parent RUN --slots 64 --seconds 20`: the search over a finished run's data is done again with
workers that answer at once, each fold with the outputs of a recorded fold of its family (or of any), a little changed.
What the stand-ins do themselves is taken off. With `--recorded` answers come after the recorded seconds instead.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.clock import Clock
from automl.engines import Engine, Job, Outcome, Status
from automl.ensemble.build import EnsembleBuilder
from automl.files import read_json
from automl.recipe import Recipe
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData, fold_folder
from automl.search.records import read_results
from automl.search.search import Search


class Recorded:
    """An engine whose workers give what a run has recorded."""

    def __init__(self, source: Path, target: Path, slots: int, *, at_once: bool) -> None:
        self.slots, self.memory_mb, self._target, self._at_once = slots, 1e6, target, at_once
        self._rng = np.random.default_rng(0)
        self._running: list[tuple[float, str, dict[str, Any]]] = []
        self._folds: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
        self.own_seconds = 0.0
        self.idle_seconds = 0.0
        for result in read_results(source / "search"):
            for fold in range(len(result.fold_seconds) if result.status == "ok" else 0):
                place = fold_folder(source, result.trial, fold)
                record = json.loads((place / "fold.json").read_text(encoding="utf-8"))
                self._folds.setdefault(result.candidate, []).append((place, record))

    def free_slots(self) -> int:
        return self.slots - len(self._running)

    def warm(self, pool: str) -> None: ...

    def submit(self, job: Job) -> int:
        began = time.monotonic()
        assert job.files is not None
        known = self._folds.get(job.payload["candidate"]) or [each for folds in self._folds.values() for each in folds]
        alike = [each for each in known if each[0].name.endswith(f"-{job.payload['fold']}")] or known
        place, record = alike[int(self._rng.integers(len(alike)))]
        target = self._target / job.files.leaves
        shutil.copytree(place, target, copy_function=os.link)
        outputs = np.load(place / "oof.npy")
        (target / "oof.npy").unlink()
        noisy = np.clip(outputs + self._rng.normal(scale=0.01, size=outputs.shape), 1e-6, None).astype(np.float32)
        np.save(target / "oof.npy", noisy / noisy.sum(axis=1, keepdims=True) if outputs.shape[1] > 1 else noisy)
        changed = {**record, "score": record["score"] + float(self._rng.normal(scale=0.001))}
        ready = began + (0.0 if self._at_once else record["seconds"])
        heapq.heappush(self._running, (ready, job.id, changed))
        self.own_seconds += time.monotonic() - began
        return 0

    def wait(self, seconds: float) -> list[Outcome]:
        began = time.monotonic()
        if self._running and (left := self._running[0][0] - began) > 0:
            time.sleep(min(left, seconds))
            self.idle_seconds += time.monotonic() - began
        done = []
        while self._running and self._running[0][0] <= time.monotonic():
            _, name, record = heapq.heappop(self._running)
            done.append(Outcome(id=name, status=Status.OK, value=record, seconds=record["seconds"], peak_mb=100.0))
        return done

    def cancel(self, ids: set[str] | None = None) -> None:
        self._running = [each for each in self._running if ids is not None and each[1] not in ids]
        heapq.heapify(self._running)

    def forget(self, root: Path, pattern: str) -> None: ...

    def attend(self, log: Path, tell: Callable[[str], None]) -> None: ...

    def at_home(self) -> Engine:
        return self

    def close(self) -> None: ...


def measure(source: Path, slots: int, seconds: float, *, at_once: bool) -> dict[str, float]:
    """Configurations finished a second of the parent's own time."""
    with tempfile.TemporaryDirectory() as folder:
        record = read_json(source / "run.json")
        run = Run.create(Path(folder) / "run", data_name="again", record=record)
        shutil.copytree(source / "data", run.data, dirs_exist_ok=True)
        recipe = Recipe().override({"budget": {"seconds": 3600}})
        data, schema = SearchData(run.data), Schema.from_json(read_json(run.data / "schema.json"))
        engine = Recorded(source, run.path, slots, at_once=at_once)
        clock, began = Clock(time.monotonic(), 3600.0), time.monotonic()
        search = Search(
            run=run, data=data, recipe=recipe, engine=engine, emit=lambda event: None, clock=clock,
            on_bag=lambda: None, memory_mb=1e6,
            should_stop=lambda: "over" if time.monotonic() - began > seconds else "",
        )  # fmt: skip
        builder = EnsembleBuilder(
            run, data, schema, recipe, oofs=search.oofs, records=search.records, emit=lambda event: None,
            elapsed=clock.elapsed,
        )  # fmt: skip
        search.on_bag = builder.update
        search.go()
        spent = time.monotonic() - began - engine.own_seconds
        count = len(search.records.results)
        return {
            "configurations": count,
            "per_second": round(count / spent, 1),
            "per_second_busy": round(count / max(1e-9, spent - engine.idle_seconds), 1),
            "idle_share": round(engine.idle_seconds / spent, 3),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--recorded", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.run, asked.slots, asked.seconds, at_once=not asked.recorded)))
