"""What neural networks learn on."""

from __future__ import annotations

import pytest

from automl.engines.machine import accelerators
from automl.engines.machine.accelerators import find_accelerators
from automl.errors import EngineError


def test_the_cpu_is_taken_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_ask_backend", lambda: pytest.fail("asked"))
    assert find_accelerators("cpu") == ()
    monkeypatch.setattr(accelerators, "DRIVER_FILES", ("/no/such/device",))
    assert find_accelerators("auto") == ()


def test_what_the_backend_sees_is_used_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_ask_backend", lambda: ("Some GPU",))
    monkeypatch.setattr(accelerators, "DRIVER_FILES", ("/dev/null",))
    assert find_accelerators("auto") == ("Some GPU",)
    assert find_accelerators("gpu") == ("Some GPU",)


def test_asking_for_one_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_ask_backend", lambda: ())
    with pytest.raises(EngineError, match="sees no accelerator") as refusal:
        find_accelerators("gpu")
    assert "--device cpu" in refusal.value.hint
