"""`automl export` and `automl verify` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl.candidates.xgboost import XGBoostEstimator
from automl.cli.main import run
from automl.files import read_json
from automl.graph import NoGraphError
from tests.unit.export.models import make_table, store_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_model(tmp_path_factory.mktemp("command") / "run").run.path


def test_export_tells_what_was_compared_and_verify_agrees(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["export", str(model), "--format", "onnx", "--out", str(out), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["format"], told["out"], told["cuts"]) == ("onnx", str(out), [])
    assert told["parity"]["planted_largest_difference"] < 1e-6
    assert run(["verify", str(out)]) == 0
    assert "16 golden rows answered" in capfd.readouterr().out
    (out / "model.onnx").write_bytes(b"")
    assert run(["verify", str(out)]) == 6
    assert "has changed since it was written" in capfd.readouterr().err


def test_the_model_as_it_is_predicts_from_its_export(model: Path, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out"
    make_table().drop(columns="bought").to_csv(rows, index=False)
    assert run(["export", str(model), "--format", "skops", "--out", str(out)]) == 0
    for place in (model, out, out / "model"):
        words = ["predict", str(place), str(rows), "--proba", "--out", str(tmp_path / f"{place.name}.csv")]
        assert run(words) == 0
    told = {(tmp_path / f"{place.name}.csv").read_text() for place in (model, out, out / "model")}
    assert len(told) == 1


def test_a_limit_cuts_the_ensemble_and_shows_what_each_cut_costs(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The linear model alone, the heaviest of three, is the only cut below 20 kB: boosted trees take more."""
    out = tmp_path / "small"
    assert run(["export", str(model), "--format", "onnx", "--out", str(out), "--max-size", "20KB"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["form", "graph", "MB", "ms", "a", "row", "roc_auc"]
    assert next(line for line in lines if "→" in line).split()[1:4] == ["1", "of", "3"]
    assert (out / "model.onnx").stat().st_size < 20_000
    cuts = read_json(out / "manifest.json")["cuts"]
    assert cuts[0]["name"] == "3 of 3 models, all folds"
    assert cuts[0]["bytes"] > 20_000
    assert all(0.5 < cut["score"] <= 1 for cut in cuts)


def test_members_without_a_graph_are_left_out_on_demand(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, graph: object, matrix: object) -> str:
        raise NoGraphError("Boosted trees have no form today")

    monkeypatch.setattr(XGBoostEstimator, "to_graph", refuse)
    words = ["export", str(model), "--format", "onnx", "--out", str(tmp_path / "out")]
    assert run(words) == 8
    assert "--refit" in capfd.readouterr().err
    assert run([*words, "--refit"]) == 0
    told = capfd.readouterr().out
    assert "left out: 'xgboost #1' (30%): Boosted trees have no form today" in told
    manifest = read_json(tmp_path / "out/manifest.json")
    assert len(manifest["left_out"]) == 1
    assert 0.5 < manifest["out_of_fold_score"] <= 1
    assert run(["verify", str(tmp_path / "out")]) == 0


def test_a_limit_that_nothing_keeps_ends_with_8(model: Path, tmp_path: Path) -> None:
    words = ["export", str(model), "--format", "onnx", "--out", str(tmp_path / "out"), "--max-size", "0.1KB"]
    assert run(words) == 8
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--format", "onx"], 2),
        (["--format", "skops", "--max-size", "1MB"], 2),
        (["--format", "onnx", "--data", "no"], 3),
    ],
    ids=["a format that is none", "a limit for a whole model", "rows that are not there"],
)
def test_what_cannot_be_done_is_refused(model: Path, tmp_path: Path, words: list[str], code: int) -> None:
    assert run(["export", str(model), *words, "--out", str(tmp_path / "out")]) == code
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_export_is_refused(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(model)]) == 2
    assert "is not an export" in capfd.readouterr().err
