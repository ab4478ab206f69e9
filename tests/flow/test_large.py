"""A file that is too large for the time is searched on a sample, and its best model learns from all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import automl
from automl.data import sample
from automl.files import read_json
from automl.search.records import read_results
from automl.search.whole import ORIGIN
from tests.benchmark.large import make_block, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROWS = 60_000


def test_the_best_model_learns_from_all_rows_and_is_kept_where_it_is_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "LEAST_BYTES", 1 << 20)
    monkeypatch.setattr(sample, "FEWEST_ROWS", 5_000)
    monkeypatch.setattr(sample, "CELLS_PER_SECOND", 3_000)
    path = tmp_path / "large.parquet"
    write(ROWS, path)
    run = automl.fit(path, target="target", out=tmp_path / "run", time=60)
    assert (run.record["file_rows"], run.record["rows"]) == (ROWS, 60 * 3_000 // 30)
    (last,) = [result for result in read_results(run.search) if result.origin == ORIGIN]
    assert last.status == "ok", last
    others = [r.score for r in read_results(run.search) if r.candidate == last.candidate and r.origin != ORIGIN]
    assert last.score is not None
    assert last.score > max(score for score in others if score is not None)
    assert last.trial in [member["trial"] for member in read_json(run.ensemble_path)["members"]]
    fresh = make_block(20_000, 99).to_pandas()
    proba = automl.load(run.path).predict_proba(fresh.drop(columns="target"))["yes"].to_numpy()
    positive = (fresh["target"] == "yes").to_numpy()
    auc = float(np.mean(proba[positive][:2000, None] > proba[~positive][None, :2000]))
    claimed = read_json(run.evaluation_path)
    assert claimed["low"] - 0.03 < auc < claimed["high"] + 0.03
