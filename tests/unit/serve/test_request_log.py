"""What a server notes of its requests, as `automl monitor` reads it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.artifact import load_predictor
from automl.monitor.request_log import list_files, read_request_log
from automl.schema import Column, PictureFormat, Role
from automl.serve.rows import Rows
from automl.serve.settings import Settings
from automl.serve.worker import make_observers
from tests.unit.serve.models import make_model
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


def test_pictures_are_not_noted_and_the_log_says_so(tmp_path: Path) -> None:
    photo = Column(name="photo", role=Role.IMAGE, picture=PictureFormat(height=4, width=4, channels=1))
    model = make_model(photo, Column(name="age", role=Role.NUMBER), Column(name="name", role=Role.TEXT))
    settings = Settings(model="", log=str(tmp_path / "log"), log_hashed=("photo",), log_dropped=("name",))
    (observer,) = make_observers(settings, model)
    observer(model, Rows({"photo": ["data:,"], "age": [41], "name": ["Ann"]}, 1), np.zeros((1, 1), np.float32), 0.1)
    found = read_request_log(tmp_path / "log")
    assert found.hidden == ("name", "photo")
    assert found.frame.to_dict("list") == {"age": [41]}
