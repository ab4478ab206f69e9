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
from automl.ensemble.build import EnsembleBuilder
from automl.evaluate.honest import score_honestly
from automl.evaluate.importance import measure_importance, summarize_importance
from automl.evaluate.quality import describe_quality
from automl.files import write_json, write_text
from automl.monitor.reference import complete_reference, read_reference, store_columns
from automl.predictor import Predictor
from tests.unit.search.runs import StoredRun, store_run


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
    stored = store_run(tmp_path_factory.mktemp("world") / "run", make_rows(2_000, 0), "label", split={"folds": 3})
    store_columns(stored.run.data, stored.dataset)
    finish(stored, "linear")
    return World(stored.run.path, load_predictor(stored.run.path), read_reference(stored.run.model), make_rows)


def finish(stored: StoredRun, *families: str) -> None:
    """What `flow` does after the data stage, in this process: search, ensemble, evaluation, reference."""
    run, data = stored.run, stored.data
    write_text(run.recipe_path, stored.recipe.dump_yaml())
    oofs, records = stored.complete(*(stored.spec(at, name) for at, name in enumerate(("dummy", *families))))
    builder = EnsembleBuilder(
        run, data, stored.schema, stored.recipe, oofs=oofs, records=records, emit=lambda event: None,
        elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    common = {"run": str(run.path), "seed": 0}
    recipe = stored.recipe.model_dump(mode="json")
    honest = score_honestly({**common, "seconds": None, "recipe": recipe, "bootstraps": 10})
    columns = [column.name for column in stored.schema.features]
    drops = [measure_importance({**common, "fold": fold, "seconds": 60, "columns": columns}) for fold in (0, 1)]
    evaluation = {
        "metric": data.task.metric,
        "maximize": data.task.maximize,
        **honest,
        **describe_quality(common),
        "importance": summarize_importance([part["drops"] for part in drops]),
    }
    write_json(run.evaluation_path, evaluation)
    assert builder.blend is not None
    complete_reference(run, data, builder.blend[oofs.scored], builder.threshold)
