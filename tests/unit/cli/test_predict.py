"""`automl predict`: where its answers go."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from automl.cli.main import run as run_command
from tests.unit.export.models import make_table, store_model


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run `shop` and `new.csv`, 160 rows for it."""
    folder = tmp_path_factory.mktemp("predict")
    store_model(folder / "shop")
    make_table().drop(columns="bought").to_csv(folder / "new.csv", index=False)
    return folder


def test_json_beside_a_file_writes_the_file_and_tells_of_it(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, beside = tmp_path / "plain.csv", tmp_path / "beside.csv"
    words = ["predict", str(shop / "shop"), str(shop / "new.csv"), "--proba", "--out"]
    assert run_command([*words, str(plain)]) == 0
    assert capsys.readouterr().out == ""
    assert run_command([*words, str(beside), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"schema_version": 1, "rows": 160, "out": str(beside)}
    assert beside.read_bytes() == plain.read_bytes()
    assert len(pd.read_csv(beside)) == 160


def test_json_without_a_file_prints_the_predictions(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["predict", str(shop / "shop"), str(shop / "new.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == len(told["predictions"]) == 160
    assert set(told["predictions"][0]) == {"prediction"}
