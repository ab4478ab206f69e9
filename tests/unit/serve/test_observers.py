"""What waits for an observer is bounded by its size, not only by its number."""

from __future__ import annotations

import threading

import numpy as np

from automl.schema import Column, Role
from automl.serve.observers import Observers
from automl.serve.rows import Rows
from tests.unit.serve.models import make_model
from tests.unit.serve.server import wait_until

OUTPUTS = np.zeros((1, 1), dtype=np.float32)


def count_told(role: Role, rows: Rows, times: int) -> tuple[int, int]:
    """How many of so many answers an observer hears that hangs until all are given, and how many it misses."""
    release = threading.Event()
    heard: list[int] = []
    dropped: list[int] = []

    def hang(*_: object) -> None:
        release.wait(20)
        heard.append(1)

    observers, model = Observers([hang], lambda: dropped.append(1)), make_model(Column(name="x", role=role))
    for _ in range(times):
        observers.tell(model, rows, OUTPUTS, 0.0)
    release.set()
    observers.close(20)
    return len(heard), len(dropped)


def test_many_rows_wait_only_up_to_two_million_cells() -> None:
    large = Rows({"x": [0.5] * 600_000}, 600_000)
    assert count_told(Role.NUMBER, large, 5) == (3, 2)


def test_a_request_that_is_larger_than_that_is_told_if_nothing_else_waits() -> None:
    assert count_told(Role.NUMBER, Rows({"x": [0.5] * 3_000_000}, 3_000_000), 2) == (1, 1)


def test_of_small_requests_a_thousand_wait() -> None:
    heard, dropped = count_told(Role.NUMBER, Rows({"x": [0.5]}, 1), 1_200)
    assert (heard, dropped) == (999, 201)


def test_pictures_and_texts_count_by_their_length() -> None:
    picture = "x" * 40_000_000
    assert count_told(Role.IMAGE, Rows({"x": [picture]}, 1), 5) == (3, 2)
    assert count_told(Role.TEXT, Rows({"x": [picture[: 1 << 20]]}, 1), 130) == (108, 22)


def test_what_was_told_makes_room() -> None:
    dropped: list[int] = []
    observers = Observers([lambda *_: None], lambda: dropped.append(1))
    model, large = make_model(Column(name="x", role=Role.NUMBER)), Rows({"x": [0.5] * 1_500_000}, 1_500_000)
    for _ in range(4):
        observers.tell(model, large, OUTPUTS, 0.0)
        wait_until(lambda: observers._waiting == 0)
    observers.close()
    assert dropped == []
