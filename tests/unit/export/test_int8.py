"""Weights of 8 bits: smaller, nearly as good by the honest score, and refused where they save or keep too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.errors import ConstraintError
from automl.export import onnx_int8
from automl.export._bundle import export_model, open_source, verify_export
from tests.unit.monitor.conftest import finish
from tests.unit.search.runs import store_run


def make_run(place: Path, family: str) -> Path:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(400, 6)), columns=list("abcdef"))
    frame["y"] = np.where(frame["a"] * frame["b"] + frame["c"] + rng.normal(0, 0.5, 400) > 0, "yes", "no")
    frame.to_csv(place / "rows.csv", index=False)
    stored = store_run(place / "run", frame, "y", split={"folds": 2})
    finish(stored, family)
    stored.run.update(data=str(place / "rows.csv"))
    return stored.run.path


def test_a_forest_has_no_weights_to_round(tmp_path: Path) -> None:
    run = make_run(tmp_path, "extra_trees")
    with pytest.raises(ConstraintError, match="8-bit weights save nothing here"):
        export_model(open_source(run), "onnx_int8", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_network_of_8_bits_is_smaller_and_scores_nearly_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, "keras_mlp")
    manifest = export_model(open_source(run), "onnx_int8", tmp_path / "out")
    before, after = manifest["forms"]
    assert after["bytes"] < 0.6 * before["bytes"]
    assert manifest["kept"] >= 0.99
    assert manifest["parity"]["proof"] == "score"
    assert 0 < manifest["parity"]["largest_difference"] < 0.2
    assert verify_export(tmp_path / "out")["largest_difference"] < 1e-4  # its golden rows are its own
    monkeypatch.setattr(onnx_int8, "KEEP", 1.5)
    with pytest.raises(ConstraintError, match="150% are demanded"):
        export_model(open_source(run), "onnx_int8", tmp_path / "other")
