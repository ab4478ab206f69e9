"""A small model folder with several families over all roles of columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from automl.ensemble.artifact import save_model
from automl.ensemble.second_layer import SecondLayer
from automl.search.calibration import Calibrator
from tests.unit.search.runs import StoredRun, store_run

CALIBRATOR = Calibrator(slope=1.4, shift=-0.2)
LAYER = SecondLayer(slopes=(0.7, 0.0, 0.9), shifts=(0.1, -0.3))


def make_table(rows: int = 160) -> pd.DataFrame:
    """Numbers, one of them large, categories, truth values and days; who `bought` follows from most of them."""
    rng = np.random.default_rng(8)
    age = rng.integers(18, 80, rows).astype(float)
    city = rng.choice(["Graz", "Linz", "Wien", "Zürich"], rows).astype(object)
    member = rng.choice(["true", "false"], rows).astype(object)
    day = pd.Series(pd.date_range("2019-12-20", periods=rows, freq="37h").strftime("%Y-%m-%d %H:%M:%S"))
    account = 91_600_000_000 + rng.integers(0, 2_000, rows)
    signal = age / 20 + 2.0 * (city == "Wien") + (member == "true") + (account - 91_600_001_000) / 500
    bought = np.where(signal + rng.normal(0, 0.5, rows) > np.median(signal), "yes", "no")
    age[3::17] = np.nan
    city[5::19] = None
    table = {"age": age, "city": city, "member": member, "day": day, "account": account, "bought": bought}
    return pd.DataFrame(table)


def store_model(path: Path, *, kind: str = "binary", layer: SecondLayer | None = None) -> StoredRun:
    """A run with a model of a linear model, XGBoost and naive Bayes (ridge, for values)."""
    table, target = make_table(), "bought"
    if kind == "regression":
        rng = np.random.default_rng(9)
        table, target = table.assign(price=100 * table.age.fillna(40) + rng.normal(0, 50, len(table))), "price"
    stored = store_run(path, table, target, split={"folds": 2})
    names = ["linear", "xgboost", *(["naive_bayes"] if kind == "binary" else ["extra_trees"])]
    _, records = stored.complete(*(stored.spec(at, name) for at, name in enumerate(names)))
    facts = {"run": "run", "metric": stored.data.task.metric, "out_of_fold_score": 0.5, "threshold": 0.45}
    weights = {0: 0.5, 1: 0.3, 2: 0.2}
    parts = {} if kind == "regression" else {0: Calibrator(1.8, 0.1), 2: Calibrator(0.6, 0.0)}
    save_model(
        stored.run, stored.data, stored.schema, records.results, weights, CALIBRATOR, facts, parts=parts, layer=layer
    )
    return stored
