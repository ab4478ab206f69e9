"""New pictures that cannot be read end no look for drift and no retraining: their rows are left out, and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from automl.ensemble.artifact import load_predictor
from automl.monitor.challenge import hold_against
from automl.monitor.drift import compare
from automl.monitor.reference import read_reference, store_columns
from tests.unit.monitor.conftest import finish
from tests.unit.search.runs import StoredRun, store_run

BROKEN = 3


def make_sky(folder: Path, rows: int, seed: int) -> pd.DataFrame:
    """Paths of dark and bright pictures."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    bright = np.arange(rows) % 2
    for row in range(rows):
        pixels = rng.integers(0, 100, (10, 10), dtype=np.uint8) + np.uint8(120 * bright[row])
        Image.fromarray(pixels).save(folder / f"{row}.png")
    paths = [str(folder / f"{row}.png") for row in range(rows)]
    return pd.DataFrame({"photo": paths, "label": np.where(bright, "day", "night")})


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    place = tmp_path_factory.mktemp("sky")
    make_sky(place / "old", 120, 0).to_csv(place / "old.csv", index=False)
    stored = store_run(place / "run", place / "old.csv", "label", split={"folds": 2})
    store_columns(stored.run.data, stored.dataset)
    finish(stored, "linear")
    return stored


@pytest.fixture
def new(tmp_path: Path) -> pd.DataFrame:
    frame = make_sky(tmp_path / "new", 100, 1)
    for row in range(BROKEN):
        Path(frame["photo"][row]).write_bytes(b"no picture")
    return frame


def test_what_can_be_read_is_compared(sky: StoredRun, new: pd.DataFrame) -> None:
    record = compare(load_predictor(sky.run.path), read_reference(sky.run.model), new)
    assert not record["over_gate"]
    assert record["score"]["rows"] == len(new) - BROKEN
    (notice,) = record["notices"]
    assert notice.startswith("3 picture(s) cannot be read, their rows are left out: new/0.png (no picture of")


def test_without_any_that_can_be_read_no_predictions_are_compared(sky: StoredRun, new: pd.DataFrame) -> None:
    for path in new["photo"]:
        Path(path).unlink()
    record = compare(load_predictor(sky.run.path), read_reference(sky.run.model), new)
    assert (record["predictions"], record["score"]) == (None, None)
    assert "100 picture(s) cannot be read" in record["notices"][0]


def test_two_models_are_judged_on_those_that_both_can_read(sky: StoredRun, new: pd.DataFrame) -> None:
    predictor = load_predictor(sky.run.path)
    outcome = hold_against(predictor, predictor, new, sky.run)
    assert outcome["judged_rows"] == len(new) - BROKEN
    assert outcome["champion_score"] == outcome["challenger_score"]
    assert outcome["notices"][0].startswith("3 picture(s) cannot be read, their rows are left out: ")
