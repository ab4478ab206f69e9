"""A run that is taken up again after its score was checked keeps that score, if it is still of the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from automl.flow import fit, resume
from automl.recipe import Recipe


def test_what_was_measured_of_a_model_is_not_measured_again_unless_it_is_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    frame["y"] = np.where(frame.a + rng.normal(size=200) > 0, "yes", "no")
    asked = {"search": {"candidates": ("linear",), "tune": False}, "split": {"folds": 2, "repeats": 1}}
    run = fit(frame, target="y", out=tmp_path / "run", recipe=Recipe().override(asked), trials=2, jobs=1)

    def take_up() -> int:
        stages = {name: facts for name, facts in run.record["stages"].items() if name not in ("study", "report")}
        run.update(status="running", stages=stages)
        assert resume(run.path).record["status"] == "complete"
        return run.evaluation_path.stat().st_mtime_ns

    first, board = run.evaluation_path.stat().st_mtime_ns, run.leaderboard_path.read_text("utf-8")
    assert take_up() == first
    assert run.leaderboard_path.read_text("utf-8") == board
    noted = run.record["stages"]["evaluate"]
    run.mark_stage("evaluate", **{**noted, "given_seconds": 1.0})  # as after Ctrl-C, which leaves little time
    second = take_up()
    assert second > first
    run.mark_stage("evaluate", **{**run.record["stages"]["evaluate"], "of": ["another"]})
    assert take_up() > second
