"""What waits is answered together, each its own; a request that fails, a model that hangs and a crowd are contained."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.schema import Column, Role, Schema
from automl.serve.batching import Batcher
from automl.serve.model import ServedModel
from automl.serve.refusal import Refusal
from automl.serve.rows import Rows
from automl.task import Task, TaskKind

SCHEMA = Schema((Column(name="x", role=Role.NUMBER),))
TASK = Task(kind=TaskKind.REGRESSION, target="y")


def make_model(run: Callable[[Any], FloatArray]) -> ServedModel:
    return ServedModel(
        name="double",
        version="1",
        runtime="automl",
        predictor=Predictor(SCHEMA, TASK, None),  # type: ignore[arg-type]
        prepare=lambda columns, count: columns["x"],
        run=run,
        golden=(),
        folder=Path(),
    )


def double(cells: list[Any]) -> FloatArray:
    if 13 in cells:
        raise ValueError("13 is not taken")
    time.sleep(0.02)
    return 2 * np.array(cells, dtype=np.float32)[:, None]


def rows(*cells: float) -> Rows:
    return Rows({"x": list(cells)}, len(cells))


class Bench:
    """A batcher with a note of what it did."""

    def __init__(self, **changes: Any) -> None:
        self.batches: list[tuple[int, int]] = []
        self.stuck = 0
        options: dict[str, Any] = {"most_rows": 64, "most_waiting": 1000, "seconds": 5.0, **changes}
        self.batcher = Batcher(
            on_answer=lambda *_: None,
            on_batch=lambda requests, count, _: self.batches.append((requests, count)),
            on_stuck=self.note,
            **options,
        )

    def note(self) -> None:
        self.stuck += 1


def ask_all(bench: Bench, model: ServedModel, asked: list[Rows]) -> list[Any]:
    async def run() -> list[Any]:
        found = await asyncio.gather(*(bench.batcher.predict(model, one) for one in asked), return_exceptions=True)
        await asyncio.sleep(0.05)
        return found

    return asyncio.run(run())


def test_requests_that_come_meanwhile_are_answered_together_and_each_gets_its_own() -> None:
    bench = Bench()
    asked = [rows(*range(start, start + 1 + start % 3)) for start in range(100, 130)]
    for one, found in zip(asked, ask_all(bench, make_model(double), asked), strict=True):
        assert found[:, 0].tolist() == [2 * cell for cell in one.columns["x"]]
    assert sum(requests for requests, _ in bench.batches) == 30
    assert len(bench.batches) <= 3
    assert max(count for _, count in bench.batches) <= 64


def test_one_row_a_batch_turns_it_off() -> None:
    bench = Bench(most_rows=1)
    ask_all(bench, make_model(double), [rows(1), rows(2), rows(3)])
    assert bench.batches == [(1, 1)] * 3


def test_two_models_are_never_mixed() -> None:
    bench = Bench()
    first, second = make_model(double), make_model(lambda cells: -np.array(cells, dtype=np.float32)[:, None])

    async def run() -> list[FloatArray]:
        models = [first, first, second, second, first]
        return await asyncio.gather(*(bench.batcher.predict(model, rows(7)) for model in models))

    assert [float(found[0, 0]) for found in asyncio.run(run())] == [14, 14, -7, -7, 14]


def test_a_request_that_fails_fails_alone() -> None:
    found = ask_all(Bench(), make_model(double), [rows(1), rows(13), rows(2)])
    assert isinstance(found[1], ValueError)
    assert [float(found[place][0, 0]) for place in (0, 2)] == [2, 4]


def test_a_crowd_is_turned_away_at_once() -> None:
    found = ask_all(Bench(most_waiting=10), make_model(double), [rows(*range(20, 26)) for _ in range(6)])
    refused = [one for one in found if isinstance(one, Refusal)]
    assert {(one.status, one.retry_seconds) for one in refused} == {(503, 1)}
    assert 1 <= len(refused) <= 5


def test_a_model_that_hangs_is_given_up_and_all_who_wait_are_told() -> None:
    release = threading.Event()
    bench = Bench(seconds=0.1)

    def hang(cells: list[Any]) -> FloatArray:
        release.wait(5)
        return double(cells)

    async def run() -> list[Any]:
        asked = (bench.batcher.predict(make_model(hang), rows(1)) for _ in range(3))
        found = await asyncio.gather(*asked, return_exceptions=True)
        with pytest.raises(Refusal, match="is being replaced"):
            await bench.batcher.predict(make_model(double), rows(1))
        release.set()
        return found

    found = asyncio.run(run())
    assert [one.status for one in found] == [504] * 3
    assert bench.stuck == 1


def answering_threads(model: ServedModel, asked: list[Rows], *, alone: bool, **changes: Any) -> list[str]:
    """Names of the threads in which the model answered requests that came one after the other."""
    names: list[str] = []

    def run(cells: list[Any]) -> FloatArray:
        names.append(threading.current_thread().name.split("_")[0])
        return model.run(cells)

    bench, seen = Bench(is_alone=lambda: alone, **changes), dataclasses.replace(model, run=run)

    async def ask() -> None:
        for one in asked:
            found = await bench.batcher.predict(seen, one)
            assert found[:, 0].tolist() == [2 * cell for cell in one.columns["x"]]
            await asyncio.sleep(0)

    asyncio.run(ask())
    return names


def test_a_small_request_that_is_alone_is_answered_without_another_thread_once_the_model_was_quick() -> None:
    quick = dataclasses.replace(
        make_model(lambda cells: 2 * np.array(cells, dtype=np.float32)[:, None]), runtime="onnx"
    )
    few = [rows(1), rows(2), rows(3, 4)]
    assert answering_threads(quick, few, alone=True) == ["model", "MainThread", "MainThread"]
    assert answering_threads(quick, few, alone=False) == ["model"] * 3
    many = [rows(1), rows(*range(9)), rows(2)]
    assert answering_threads(quick, many, alone=True) == ["model", "model", "MainThread"]
    assert answering_threads(dataclasses.replace(quick, runtime="automl"), few, alone=True) == ["model"] * 3
    slow = dataclasses.replace(make_model(double), runtime="onnx")
    assert answering_threads(slow, few, alone=True) == ["model"] * 3


def test_requests_of_one_moment_make_a_batch_though_each_was_alone_when_it_came() -> None:
    at_once = make_model(lambda cells: 2 * np.array(cells, dtype=np.float32)[:, None])
    quick, at_work = dataclasses.replace(at_once, runtime="onnx"), 0
    bench = Bench(is_alone=lambda: at_work <= 1)

    async def ask(cell: int) -> float:
        nonlocal at_work
        at_work += 1
        found = await bench.batcher.predict(quick, rows(cell))
        at_work -= 1
        return float(found[0, 0])

    async def run() -> list[float]:
        await ask(0)
        await ask(0)
        return await asyncio.gather(*(ask(cell) for cell in range(32)))

    assert asyncio.run(run()) == [2.0 * cell for cell in range(32)]
    assert bench.batches[:2] == [(1, 1)] * 2
    assert len(bench.batches) <= 2 + 3


def test_a_failure_tells_nothing_of_how_quick_a_model_is_and_a_model_that_is_gone_is_let_go() -> None:
    quick = dataclasses.replace(make_model(lambda cells: np.array(cells, dtype=np.float32)[:, None]), runtime="onnx")
    failing = dataclasses.replace(make_model(double), runtime="onnx")
    bench = Bench(is_alone=lambda: True)

    async def run() -> None:
        with pytest.raises(ValueError, match="13"):
            await bench.batcher.predict(failing, rows(13))
        assert bench.batcher._quick_model is None
        await bench.batcher.predict(quick, rows(1))
        assert bench.batcher._quick_model is quick
        await bench.batcher.predict(failing, rows(*range(20, 30)))
        assert bench.batcher._quick_model is None

    asyncio.run(run())


def test_a_model_that_hangs_in_the_thread_of_the_loop_is_told_of_from_another() -> None:
    told, release = threading.Event(), threading.Event()

    def run(cells: list[Any]) -> FloatArray:
        if 7 in cells:
            release.wait(10)
        return np.array(cells, dtype=np.float32)[:, None]

    model = dataclasses.replace(make_model(run), runtime="onnx")
    bench = Bench(is_alone=lambda: True, seconds=0.2, on_hang=lambda: (told.set(), release.set()))

    async def ask() -> None:
        await bench.batcher.predict(model, rows(1))
        await bench.batcher.predict(model, rows(7))

    began = time.monotonic()
    asyncio.run(ask())
    assert told.is_set()
    assert time.monotonic() - began < 5
