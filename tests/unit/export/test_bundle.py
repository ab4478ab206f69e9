"""An export folder: compared before it is done, whole or refused, and never in the place of something else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from automl.data.load import read_table
from automl.errors import ArtifactError, EngineError, UsageError
from automl.export import Facts, Source, _bundle, formats
from automl.export._bundle import export_model, open_source, verify_export
from automl.export._rows import choose_rows, largest_difference
from automl.files import read_json, sha256, write_json
from automl.task import Task, TaskKind
from tests.unit.export.models import LAYER, make_table, store_model
from tests.unit.monitor.conftest import finish
from tests.unit.search.runs import store_run

KINDS = ("binary", "regression", "layered")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    place = tmp_path_factory.mktemp("export")
    sources = {kind: open_source(store_model(place / kind, kind=kind).run.path) for kind in KINDS[:2]}
    return {**sources, "layered": open_source(store_model(place / "layered", layer=LAYER).run.path)}


@pytest.fixture(scope="module")
def graphs(sources: dict[str, Source], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An ONNX export of each model; tests that change one take a copy."""
    place = tmp_path_factory.mktemp("graphs")
    for kind in KINDS:
        export_model(sources[kind], "onnx", place / kind)
    return {kind: place / kind for kind in KINDS}


@pytest.fixture
def copy(graphs: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(graphs["binary"], tmp_path / "copy")


@pytest.mark.parametrize("kind", KINDS)
def test_one_graph_answers_as_the_whole_ensemble(graphs: dict[str, Path], kind: str) -> None:
    parity = read_json(graphs[kind] / "manifest.json")["parity"]
    assert (parity["rows"], parity["planted_rows"]) == (500, 500)
    assert parity["largest_difference"] < 1e-6
    assert parity["planted_largest_difference"] < 1e-6


def test_the_folder_runs_without_automl(graphs: dict[str, Path], sources: dict[str, Source], tmp_path: Path) -> None:
    """predict.py of the folder, in an isolated interpreter, on raw cells in a CSV file."""
    folder = shutil.copytree(graphs["binary"], tmp_path / "elsewhere")
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "member,account,day,city,age\nTRUE,91600001500,2020-02-03,Wien,44\n0,,,nowhere,\n", encoding="utf-8"
    )
    blocked = "import sys; sys.modules.update(automl=None, pandas=None, sklearn=None); sys.argv[0] = 'predict.py'; "
    run = f"import runpy; runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", blocked + run, str(rows)], capture_output=True, text=True, check=True, cwd="/"
    )
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert lines[0] == ["prediction", "proba_no", "proba_yes"]
    raw = [
        {"member": True, "account": 91600001500, "day": "2020-02-03", "city": "Wien", "age": 44},
        {"member": False, "account": None, "day": None, "city": "nowhere", "age": None},
    ]
    expected = _bundle.predict_json(sources["binary"].predictor, raw)
    np.testing.assert_allclose(np.array([line[1:] for line in lines[1:]], dtype=float), expected, atol=1e-6)
    assert [line[0] for line in lines[1:]] == ["yes" if p >= 0.45 else "no" for p in expected[:, 1]]


def test_an_export_says_what_it_is(graphs: dict[str, Path]) -> None:
    names = {path.name for path in graphs["binary"].iterdir()}
    assert names == {
        "README.md", "manifest.json", "signature.json", "golden.json", "input_example.json", "model.onnx", "predict.py",
        "prepare.py",
    }  # fmt: skip
    manifest = read_json(graphs["binary"] / "manifest.json")
    assert manifest["classes"] == ["no", "yes"]
    assert set(manifest["files"]) == names - {"manifest.json"}
    signature = read_json(graphs["binary"] / "signature.json")
    kinds = {entry["name"]: (entry["kind"], entry["dtype"]) for entry in signature["inputs"]}
    assert kinds["age"] == ("number", "float32")
    assert kinds["account"] == ("number", "float64")
    assert kinds["city"] == ("category", "string")
    assert kinds["day"] == ("date", "float64")
    readme = (graphs["binary"] / "README.md").read_text(encoding="utf-8")
    assert "| `city` | category |" in readme
    assert "from a probability of 0.45 on" in readme


@pytest.mark.parametrize("kind", KINDS)
def test_verify_lets_a_fresh_process_answer_the_golden_rows(graphs: dict[str, Path], kind: str) -> None:
    result = verify_export(graphs[kind])
    assert result["golden_rows"] == 16
    assert result["largest_difference"] < 1e-6


def _cut(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _link(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "moved")
    (folder / "model.onnx").symlink_to(folder.parent / "moved")


def _forge_kind(folder: Path) -> None:
    write_json(folder / "manifest.json", {**read_json(folder / "manifest.json"), "kind": "other"})


DAMAGES: list[Callable[[Path], object]] = [
    _cut,
    _flip,
    _link,
    _forge_kind,
    lambda folder: (folder / "golden.json").unlink(),
    lambda folder: (folder / "extra.py").write_text("print()"),
    lambda folder: (folder / "extra").symlink_to("/"),
    lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
    lambda folder: (folder / "manifest.json").write_text("{}"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_refused_before_anything_is_loaded(
    copy: Path, damage: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(copy)
    monkeypatch.setattr(_bundle, "predict_fresh", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ArtifactError) as refusal:
        verify_export(copy)
    assert refusal.value.hint


def test_verify_runs_no_code_of_the_folder(copy: Path) -> None:
    """Scripts with honest checksums that would leave a mark: our own copies run in their place."""
    mark = copy.parent / "mark"
    manifest = read_json(copy / "manifest.json")
    for name in ("predict.py", "prepare.py"):
        (copy / name).write_text(f"open({str(mark)!r}, 'w')")
        manifest["files"][name] = {"sha256": sha256(copy / name), "bytes": (copy / name).stat().st_size}
    write_json(copy / "manifest.json", manifest)
    assert verify_export(copy)["golden_rows"] == 16
    assert not mark.exists()


def test_other_answers_than_the_golden_ones_are_refused(copy: Path) -> None:
    golden = read_json(copy / "golden.json")
    golden["outputs"][3] = [0.5, 0.5]
    write_json(copy / "golden.json", golden)
    manifest = read_json(copy / "manifest.json")
    path = copy / "golden.json"
    manifest["files"]["golden.json"] = {"sha256": sha256(path), "bytes": path.stat().st_size}
    write_json(copy / "manifest.json", manifest)
    with pytest.raises(ArtifactError, match="golden rows differently"):
        verify_export(copy)


class _Wrong:
    """A format that is off by 2e-4 on one row in a thousand."""

    title = "a wrong one"
    executes = False
    from_graph = False

    def __init__(self, source: Source) -> None:
        self.source = source

    def write(self, source: Source, folder: Path) -> Facts:
        (folder / "model").write_text("?")
        return Facts(summary="Wrong.")

    def predict(self, folder: Path, rows: Path) -> np.ndarray:
        given = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
        outputs = _bundle.predict_json(self.source.predictor, given)
        outputs[-1] += 2e-4
        return outputs


def test_an_export_that_answers_differently_leaves_nothing_behind(
    sources: dict[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats._loaded, "wrong", _Wrong(sources["binary"]))
    with pytest.raises(ArtifactError, match="planted missing, unseen and extreme values differently"):
        export_model(sources["binary"], "wrong", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_in_it_is_left_alone(sources: dict[str, Source], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no export"):
        export_model(sources["binary"], "skops", tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_place_that_cannot_be_a_folder_is_an_error_of_the_environment(
    sources: dict[str, Source], tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    with pytest.raises(EngineError, match=r"Cannot write .*: Not a directory"):
        export_model(sources["binary"], "skops", tmp_path / "table.csv" / "out")


@pytest.mark.parametrize("name", ["skops", "joblib", "docker", "mlflow"])
def test_a_format_answers_as_the_model(sources: dict[str, Source], tmp_path: Path, name: str) -> None:
    manifest = export_model(sources["binary"], name, tmp_path / name)
    assert manifest["parity"]["planted_largest_difference"] < 1e-6
    assert verify_export(tmp_path / name, trust=True)["largest_difference"] < 1e-6
    if formats.get(name).executes:
        assert verify_export(tmp_path / name)["golden_rows"] is None


def test_mlflow_takes_numbers_where_the_file_had_units_and_marks(tmp_path: Path) -> None:
    """MLflow refuses "€ 1.234,50" and "?" in a column of its type double: they are read before they are sent."""
    table = make_table(80)
    value = table.pop("account") - 91_600_000_000
    size = ["?" if at % 9 == 0 else f"({each})" if at % 7 == 0 else str(each) for at, each in enumerate(value)]
    price = ["NA" if at % 11 == 0 else f"€ {each:,.2f}".translate({44: 46, 46: 44}) for at, each in enumerate(value)]
    table.assign(size=size, price=price).to_csv(tmp_path / "rows.csv", index=False, sep=";")
    stored = store_run(tmp_path / "run", read_table(tmp_path / "rows.csv").frame, "bought", split={"folds": 2})
    finish(stored, "linear")
    stored.run.update(data=str(tmp_path / "rows.csv"))
    manifest = export_model(open_source(stored.run.path), "mlflow", tmp_path / "out")
    assert manifest["parity"]["rows"] == 500
    assert manifest["parity"]["planted_largest_difference"] < 1e-6
    assert verify_export(tmp_path / "out", trust=True)["largest_difference"] < 1e-6
    readme = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "Send these columns as numbers" in readme
    assert "'size', 'price'" in readme


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["savedmodel", "litert"])
def test_tensorflow_answers_as_the_model(sources: dict[str, Source], tmp_path: Path, name: str, kind: str) -> None:
    manifest = export_model(sources[kind], name, tmp_path / name)
    assert manifest["parity"]["planted_largest_difference"] < 1e-5


def test_half_of_the_rows_have_planted_trouble(sources: dict[str, Source]) -> None:
    rows, origin = choose_rows(sources["binary"], None)
    assert (len(rows), origin) == (1000, "the model's golden rows")
    cells = [cell for row in rows[500:] for cell in row.values()]
    assert 0.1 < sum(cell is None for cell in cells) / len(cells) < 0.3
    assert float("inf") in cells
    assert 1e30 in cells


def test_a_difference_of_values_is_relative() -> None:
    task = Task(kind=TaskKind.REGRESSION, target="y")
    expected = np.array([[100.0], [-300.0]], dtype=np.float32)  # their spread is 200
    assert largest_difference(expected + np.float32([[1.0], [0.0]]), expected, task) == pytest.approx(1 / 200)
    assert largest_difference(expected + np.float32([[0.0], [3.0]]), expected, task) == pytest.approx(3 / 300)
    assert largest_difference(expected * np.nan, expected, task) == np.inf
    assert largest_difference(expected[:1], expected, task) == np.inf
