"""Weights of 8 bits: smaller, nearly as good by the honest score, and refused where they save or keep too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.errors import ConstraintError
from automl.export import onnx_int8
from automl.export._bundle import export_model, open_source, verify_export
from automl.export._model import build_model
from automl.export.onnx_small import _cut, store_small
from automl.graph import Graph
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


def test_there_is_nothing_to_save_of_a_forest(tmp_path: Path) -> None:
    run = make_run(tmp_path, "extra_trees")
    with pytest.raises(ConstraintError, match="There is nothing to save"):
        export_model(open_source(run), "onnx_small", tmp_path / "out")


def test_weights_become_small_and_what_columns_are_looked_up_by_stays() -> None:
    """Codes of categories that stood in such a table were rounded once, and a tenth of the gain was gone."""
    rng = np.random.default_rng(1)
    codes, embedding, kernel = (rng.normal(size=(64, 16)).astype(np.float32) for _ in range(3))
    graph = Graph()
    place = graph.cast(graph.input("place", "int64", ()), "int64")
    looked_up = graph.add(
        "Add", graph.add("Gather", codes, place, axis=0), graph.add("Gather", embedding, place, axis=0)
    )
    found = graph.add("MatMul", looked_up, np.ascontiguousarray(kernel.T))
    graph.output("out", found, "float32", 64)
    store_small(graph, {graph.constant(embedding)})
    kinds = sorted(str(array.dtype) for array in graph.constants.values() if array.size > 64)
    assert kinds == ["float32", "int8", "int8"]
    import onnxruntime

    session = onnxruntime.InferenceSession(build_model(graph, name="t", facts={}).SerializeToString())
    places = np.arange(64)
    expected = (codes + embedding)[places] @ kernel.T
    assert np.abs(session.run(None, {"place": places})[0] - expected).max() < 0.02 * np.abs(expected).max()


def test_pruning_takes_the_smallest_weights_of_each_kernel() -> None:
    values = np.arange(1, 1001, dtype=np.float32).reshape(10, 100)
    cut = _cut(-values, 0.7)
    assert (cut == 0).sum() == 700
    assert cut[-1, -1] == -1000


@pytest.mark.slow
def test_a_network_keeps_its_score_with_8_bits_and_zeros(tmp_path: Path) -> None:
    run = make_run(tmp_path, "keras_mlp")
    manifest = export_model(open_source(run), "onnx_small", tmp_path / "out")
    forms = {form["name"]: form for form in manifest["forms"]}
    assert list(forms) == ["float32", "8-bit", "8-bit, 50% zero", "8-bit, 70% zero", "8-bit, 90% zero"]
    taken = forms[manifest["taken"]]
    assert taken["kept"] >= 0.99
    assert taken["packed_bytes"] < 0.5 * forms["float32"]["packed_bytes"]
    assert verify_export(tmp_path / "out")["largest_difference"] < 1e-4


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
