"""What a server notes of its requests, as `automl monitor` reads it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.artifact import load_predictor
from automl.monitor.request_log import list_files, read_request_log
from tests.unit.serve.server import serving


def read_log(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in list_files(folder))


def test_rows_and_answers_are_noted_but_for_the_columns_that_are_hidden(
    model: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(model, tmp_path, "--log", str(log), "--log-hash", "city", "--log-drop", "account") as server:
        for _ in range(3):
            assert server.client.post("/predict", json={"rows": rows}).status_code == 200
        began = time.monotonic()
        while read_log(log).count("\n") < 3 * len(rows) and time.monotonic() - began < 20:
            time.sleep(0.1)
    noted = read_log(log)
    assert noted.count("\n") == 3 * len(rows)
    assert "Wien" not in noted
    assert "account" not in noted
    assert str(rows[0]["age"]) in noted
    read = read_request_log(log)
    assert read.hidden == ("city", "account")
    assert len(read.frame) == 3 * len(rows)
    said = read.outputs(load_predictor(model))
    assert said is not None
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)


def test_a_column_that_is_not_there_cannot_be_hidden(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path, "--log", str(tmp_path / "log"), "--log-drop", "citty", ready=False) as server:
        assert server.code not in (None, 0)
        assert "no column 'citty'" in server.messages()
        assert "Traceback" not in server.messages()
