"""A model of a world that the tests know, made once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.ensemble.artifact import load_predictor
from automl.flow import fit
from automl.monitor.reference import read_reference
from automl.predictor import Predictor
from automl.recipe import Recipe


def make_rows(rows: int, seed: int) -> pd.DataFrame:
    """`strong` decides, `weak` hardly counts, `noise` not at all; `level` counts a little and `when` is a date."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"strong": rng.normal(size=rows), "weak": rng.normal(size=rows), "noise": rng.normal(size=rows)}
    )
    frame["level"] = rng.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    frame["when"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    logit = 2 * frame["strong"] + 0.3 * frame["weak"] + 0.8 * (frame["level"] == "red")
    frame["label"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no")
    return frame


@dataclasses.dataclass(frozen=True)
class World:
    run: Path
    predictor: Predictor
    reference: dict[str, Any]
    make_rows: Callable[[int, int], pd.DataFrame]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    place = tmp_path_factory.mktemp("world") / "run"
    search = {"candidates": ("linear",), "tune": False}
    recipe = Recipe().override({"search": search, "split": {"folds": 3, "repeats": 1}})
    run = fit(make_rows(2_000, 0), target="label", out=place, recipe=recipe, time=8, jobs=1)
    return World(run.path, load_predictor(run.path), read_reference(run.model), make_rows)
