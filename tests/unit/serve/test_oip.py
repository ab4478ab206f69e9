"""Tensors: a large body is read beside the server, and a value that is not finite is told as none."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl.matrix import FloatArray
from automl.schema import Column, Role
from automl.serve import oip
from automl.serve.call import Answer, Call
from automl.serve.drift import DriftWindow
from automl.serve.rows import RowReader, Rows
from automl.serve.service import Current
from tests.unit.serve.models import make_model


def double(columns: dict[str, list[Any]]) -> FloatArray:
    return 2 * np.array(columns["x"], dtype=np.float32)[:, None]


MODEL = make_model(Column(name="x", role=Role.NUMBER), run=double)
CURRENT = Current(MODEL, RowReader(MODEL.schema, target="price"), {}, DriftWindow({}))


def infer(cells: list[float], **wanted: Any) -> Answer:
    """The answer to a request whose tensor is JSON."""
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(cells), 1], "data": cells}
    body = json.dumps({"inputs": [tensor], **wanted}).encode()

    async def predict(current: Current, rows: Rows) -> FloatArray:
        return current.model.answer(rows.columns, rows.count)

    service: Any = SimpleNamespace(predict=predict, settings=SimpleNamespace(labels_only=False))
    return asyncio.run(oip.infer_call(service, Call({}, {}, body), CURRENT))


def test_a_large_body_is_read_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def note(body: bytes) -> Any:
        threads.append(threading.current_thread().name.split("_")[0])
        return json.loads(body)

    monkeypatch.setattr(oip, "parse_json", note)
    for count in (3, 9_000):
        assert json.loads(infer([0.5] * count).body)["outputs"][0]["data"] == [1.0] * count
    assert threads == ["MainThread", "reader"]


def test_a_value_that_is_not_finite_is_null_as_json_and_nan_as_bytes() -> None:
    cells = [1.5, 3e38, -3e38]  # twice as much is beyond float32
    with np.errstate(over="ignore"):
        told = json.loads(infer(cells).body)
        packed = infer(cells, parameters={"binary_data_output": True})
    assert told["outputs"] == [{"name": "value", "datatype": "FP32", "shape": [3, 1], "data": [3.0, None, None]}]
    raw = packed.body[int(packed.headers[oip.HEADER]) :]
    np.testing.assert_array_equal(np.frombuffer(raw, dtype="<f4"), np.array([3.0, np.nan, np.nan], dtype="<f4"))
