"""The winner as a script: it is plain, it runs without this tool, and it scores what the search said."""

from __future__ import annotations

import ast
import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.data.load import read_table
from automl.errors import UsageError
from automl.export._bundle import export_model, open_source, verify_export
from automl.export._script import write_script
from automl.export._script_parts import Winner, literal
from automl.files import write_text
from automl.graph import NoGraphError
from automl.run import Run
from automl.schema import CellFormat, Column, Role, Schema
from automl.search.trial import candidates
from automl.task import Task, TaskKind
from tests.unit.monitor.conftest import finish
from tests.unit.search.runs import store_run


def make_table(rows: int = 600) -> pd.DataFrame:
    """Prices with a sign and a comma, a category with a word for missing, days, and who `stays`."""
    rng = np.random.default_rng(3)
    price = rng.gamma(2, 40, rows).round(2)
    city = rng.choice(["Bonn", "Kiel", "Ulm"], rows)
    day = pd.Series(pd.date_range("2024-01-01", periods=rows, freq="9h").strftime("%Y-%m-%d"))
    stays = np.where(price / 40 + (city == "Ulm") + rng.normal(0, 0.7, rows) > 2.3, "yes", "no")
    texts = [f"€ {value:.2f}".replace(".", ",") for value in price]
    city = np.where(rng.random(rows) < 0.1, "n/a", city)
    return pd.DataFrame({"price": texts, "city": city, "day": day, "stays": stays})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("script")
    make_table().to_csv(place / "stays.csv", index=False, sep=";")
    table = read_table(place / "stays.csv").frame
    stored = store_run(place / "run", table, "stays", split={"folds": 2})
    finish(stored, "linear", "xgboost")
    stored.run.update(data=str(place / "stays.csv"), target="stays", seed=0)
    write_text(stored.run.recipe_path, stored.recipe.dump_yaml())
    return stored.run.path


def test_the_script_runs_alone_and_scores_as_the_configuration_did(run: Path, tmp_path: Path) -> None:
    manifest = export_model(open_source(run), "python", tmp_path / "out")
    script = tmp_path / "out/train.py"
    text = script.read_text("utf-8")
    assert "automl" not in text
    assert 'NUMBERS = ["price"]' in text
    assert max(map(len, text.splitlines())) <= 120
    assert manifest["score"]["kept"] >= 0.9
    assert manifest["score"]["data"] == "stays.csv"
    said = subprocess.run(
        [sys.executable, "-I", script, run.parent / "stays.csv", "--out", tmp_path / "model.joblib"],
        capture_output=True, text=True, check=True, timeout=100,
    ).stdout  # fmt: skip
    record = json.loads(said)
    assert record["rows"] == 600
    assert record["score"] == pytest.approx(manifest["score"]["script"])
    assert (tmp_path / "model.joblib").stat().st_size > 1_000
    found = verify_export(tmp_path / "out", trust=True)
    assert (found["golden_rows"], found["has_answers"]) == (None, False)


def move_data(run: Path, place: Path, text: str, encoding: str = "utf-8") -> Path:
    """The same run, of a file that is written like `text`."""
    import shutil

    (place / "other.csv").write_bytes(text.encode(encoding))
    shutil.copytree(run, place / "run")
    Run.open(place / "run").update(data=str(place / "other.csv"))
    return place / "run"


@pytest.mark.parametrize("writing", ["titles and blanks in Windows-1252", "runs of blanks"])
def test_the_script_is_proven_on_the_very_file(run: Path, tmp_path: Path, writing: str) -> None:
    text = (run.parent / "stays.csv").read_text("utf-8")
    if writing == "runs of blanks":
        moved = move_data(run, tmp_path, text.replace("€ ", "€").replace(",", ".").replace(";", "  "))
    else:
        moved = move_data(run, tmp_path, "Who stays\n" + text.replace(";", " ; "), "cp1252")
    manifest = export_model(open_source(moved), "python", tmp_path / "out")
    assert manifest["score"]["data"] == "other.csv"
    assert manifest["score"]["kept"] >= 0.9


def test_a_file_that_pandas_cannot_read_alone_is_a_limit(run: Path, tmp_path: Path) -> None:
    """Files that were joined repeat their header; the tool leaves such rows out, a plain script does not."""
    lines = (run.parent / "stays.csv").read_text("utf-8").splitlines(keepends=True)
    moved = move_data(run, tmp_path, "".join([*lines[:300], lines[0], *lines[300:]]))
    manifest = export_model(open_source(moved), "python", tmp_path / "out")
    assert manifest["score"]["data"] == "the run's rows"
    assert 'sep=","' in (tmp_path / "out/train.py").read_text("utf-8")
    assert "other.csv is written otherwise" in (tmp_path / "out/README.md").read_text("utf-8")


def test_a_model_without_its_run_has_no_script(run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run / "model", tmp_path / "alone")
    with pytest.raises(UsageError, match="this model has no run"):
        export_model(open_source(tmp_path / "alone"), "python", tmp_path / "out")


COLUMNS = (
    Column(name="size", role=Role.NUMBER, format=CellFormat(thousands=",", missing=("-999", "NA")), has_missing=True),
    Column(name='the "kind"', role=Role.CATEGORY, levels=("a", "b", "c"), format=CellFormat(missing=("?",))),
    Column(name="town", role=Role.CATEGORY, levels=tuple(f"t{n}" for n in range(40))),
    Column(name="when", role=Role.DATE, format=CellFormat(date_format="%d.%m.%Y")),
)
BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("0", "1"), label_type="int", metric="roc_auc", maximize=True)
VALUES = Task(kind=TaskKind.REGRESSION, target="y", metric="rmse", maximize=False)
SKEWED = dataclasses.replace(VALUES, skewed=True)
COUNTS = dataclasses.replace(VALUES, metric="rmsle")


def make_winner(candidate: str, task: Task, **params: Any) -> Winner:
    from automl.matrix import Shape
    from automl.preprocess.plan import plan_space
    from automl.preprocess.table import Layout

    plugin = candidates.get(candidate)
    shape = Shape(rows=300, numbers=1, categories=2, levels=43, outputs=task.n_outputs)
    layout = Layout(numbers=("size",), categories=('the "kind"', "town"), levels=(3, 40), dates=("when",), sources={})
    own = plugin.space(task, shape).prefixed("model") | plan_space(plugin.needs, layout, 300).prefixed("preprocess")
    return Winner(
        name=candidate, candidate=candidate, params=own.complete(params), schema=Schema(COLUMNS), task=task, columns=30,
        rows=240, rounds=20, seed=0, share=0.4, score=0.7, folds=2, reading={"sep": ","}, group=None, time=None,
    )  # fmt: skip


FORMS = [
    *((name, BINARY, {}) for name in ("dummy", "extra_trees", "hist_gradient_boosting", "linear", "naive_bayes")),
    *(
        (name, BINARY, {})
        for name in ("decision_tree", "nearest_neighbors", "random_forest", "svm_linear", "svm_rbf", "xgboost")
    ),
    *((name, VALUES, {}) for name in ("dummy", "hist_gradient_boosting", "linear", "svm_rbf", "svm_linear", "xgboost")),
    *((name, SKEWED, {"model.target_transform": "log"}) for name in ("hist_gradient_boosting", "svm_rbf", "xgboost")),
    *((name, COUNTS, {}) for name in ("decision_tree", "random_forest", "svm_linear")),
    ("linear", BINARY, {"preprocess.scale": "quantile", "preprocess.clip": True, "model.penalty": "elasticnet"}),
    ("linear", VALUES, {"preprocess.scale": "power", "model.penalty": "elasticnet", "preprocess.encode": "ordinal"}),
    ("linear", BINARY, {"preprocess.scale": "robust", "preprocess.impute": "mean", "preprocess.encode": "target"}),
    ("xgboost", BINARY, {"preprocess.encode": "auto", "model.grow_policy": "lossguide"}),
    ("keras_mlp", BINARY, {"model.epochs": 5}),
    ("keras_tabm", VALUES, {"model.epochs": 5}),
]


def test_every_form_of_script_is_plain_python_that_fits_and_predicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 300
    size = rng.normal(5_000, 900, rows)
    frame = pd.DataFrame({"size": [f"{value:,.0f}" for value in size], 'the "kind"': rng.choice(["a", "b", "?"], rows)})
    frame.loc[::11, "size"] = "-999"
    frame["town"] = [f"t{n}" for n in rng.integers(0, 40, rows)]
    frame["when"] = pd.Series(pd.date_range("2024-01-01", periods=rows)).dt.strftime("%d.%m.%Y")
    frame["y"] = (size + rng.normal(0, 500, rows) > 5_000).astype(int)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for at, (candidate, task, params) in enumerate(FORMS):
        text = write_script(make_winner(candidate, task, **params))
        ast.parse(text)
        (tmp_path / f"script_{at}.py").write_text(text, encoding="utf-8")
    program = (
        "import sys, importlib, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "for at in range(int(sys.argv[2])):\n"
        "    module = importlib.import_module(f'script_{at}')\n"
        "    rows = module.read_rows(place / 'rows.csv')\n"
        "    assert rows['size'].isna().sum() == 28, rows['size']\n"
        "    assert rows['the \"kind\"'].isna().any() and rows['when'].notna().all()\n"
        "    pipe = module.Pipeline([('prepare', module.build_preparation()), ('model', module.build_model())])\n"
        "    features = rows[module.NUMBERS + module.CATEGORIES + module.DATES]\n"
        "    assert len(pipe.fit(features, rows[module.TARGET]).predict(features)) == 300\n"
        "    assert module.np.nanmax(abs(pipe[0].transform(features))) < 1e6, at  # with one year in all\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path), str(len(FORMS))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


def test_means_of_a_whole_number_are_one_column() -> None:
    """Left to guess, scikit-learn takes prices in whole euros for classes: a column for each price."""
    text = write_script(make_winner("svm_rbf", SKEWED, **{"model.target_transform": "log"}))
    assert 'make_pipeline(TargetEncoder(target_type="continuous", random_state=SEED), StandardScaler())' in text


@pytest.mark.parametrize(
    ("candidate", "params", "said"),
    [
        ("tfidf_svm", {}, "has no form in plain scikit-learn"),
        ("extra_trees", {"preprocess.combine": "numbers"}, "works on columns made of others"),
    ],
)
def test_what_has_no_plain_form_says_so(candidate: str, params: dict[str, Any], said: str) -> None:
    winner = make_winner("extra_trees", BINARY)
    with pytest.raises(NoGraphError, match=said):
        write_script(dataclasses.replace(winner, candidate=candidate, params={**winner.params, **params}))


@pytest.mark.parametrize(
    ("value", "code"),
    [(1.0, "1.0"), (0.5, "0.5"), (100.0, "100.0"), (1e-7, "1e-07"), (1e8, "1e+08"), (1, "1"), (True, "True")],
)
def test_a_share_stays_a_share_in_code(value: Any, code: str) -> None:
    """To a forest `max_samples=1` is one row a tree, and 1.0 are all."""
    assert literal(value) == code


def test_a_name_from_the_data_cannot_end_the_text_that_it_stands_in() -> None:
    for target in ("dose\\unit", 'y""";__import__("os").system("id");\'\'\'#'):
        text = write_script(make_winner("linear", dataclasses.replace(BINARY, target=target)))
        tree = ast.parse(text)
        assert target in (ast.get_docstring(tree) or "")
        called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "id")}
        assert "__import__" not in called


def test_a_class_rarer_than_the_folds_is_scored(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"size": rng.normal(size=300), 'the "kind"': rng.choice(["a", "b"], 300)})
    frame["town"] = [f"t{n}" for n in rng.integers(0, 40, 300)]
    frame["when"] = pd.Series(pd.date_range("2024-01-01", periods=300)).dt.strftime("%d.%m.%Y")
    frame["y"] = rng.integers(0, 2, 300)
    frame.loc[:1, "y"] = 2
    frame.to_csv(tmp_path / "rows.csv", index=False)
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=("0", "1", "2"), label_type="int", metric="log_loss")
    winner = dataclasses.replace(make_winner("linear", task), folds=5)
    (tmp_path / "train.py").write_text(write_script(winner), encoding="utf-8")
    words = [sys.executable, str(tmp_path / "train.py"), str(tmp_path / "rows.csv"), "--out", str(tmp_path / "m")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert 0.3 < json.loads(done.stdout)["score"] < 1.5


@pytest.mark.parametrize(("task", "values"), [(VALUES, (-2e-2, -1e-3, 0.0, 5e-4, 1.0)), (SKEWED, (0.0, 1e-3, 50.0))])
def test_the_logarithm_of_any_target_comes_back_and_is_pickled_without_the_script(
    task: Task, values: tuple[float, ...]
) -> None:
    winner = dataclasses.replace(make_winner("linear", task, **{"model.target_transform": "log"}), unit=1e-3)
    names: dict[str, Any] = {"__name__": "script"}
    exec(write_script(winner), names)
    logarithm = names["build_model"]().transformer
    y = np.array(values)[:, None]
    np.testing.assert_allclose(logarithm.inverse_transform(logarithm.fit_transform(y)), y, atol=1e-12)
    assert np.ptp(logarithm[:2].transform(y)) > 5
    assert b"script" not in pickle.dumps(logarithm)


def test_a_script_of_a_run_with_weights_says_that_it_knows_none(tmp_path: Path) -> None:
    table = make_table(400).assign(w=1.0)
    table.to_csv(tmp_path / "stays.csv", index=False)
    stored = store_run(tmp_path / "run", read_table(tmp_path / "stays.csv").frame, "stays", data={"weight": "w"})
    finish(stored, "linear")
    stored.run.update(data=str(tmp_path / "stays.csv"), target="stays", seed=0)
    export_model(open_source(stored.run.path), "python", tmp_path / "out")
    readme = (tmp_path / "out/README.md").read_text("utf-8")
    assert "It knows no weights: the search weighted rows by 'w'." in readme


def test_the_script_names_a_rare_class_from_the_probability_that_its_metric_asks_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": rng.normal(size=1_500), "b": rng.normal(size=1_500)})
    frame["rare"] = np.where(rng.random(1_500) < 1 / (1 + np.exp(4 - 2 * frame.a)), "yes", "no")
    frame.to_csv(tmp_path / "rare.csv", index=False)
    table = read_table(tmp_path / "rare.csv").frame
    stored = store_run(tmp_path / "run", table, "rare", split={"folds": 3, "repeats": 1}, metric="f1")
    finish(stored, "linear")
    stored.run.update(data=str(tmp_path / "rare.csv"), target="rare", seed=0)
    manifest = export_model(open_source(stored.run.path), "python", tmp_path / "out")
    assert manifest["score"]["kept"] >= 0.9
    assert "FixedThresholdClassifier(pipeline, threshold=0." in (tmp_path / "out/train.py").read_text("utf-8")


@pytest.mark.parametrize("candidate", ["decision_tree", "random_forest", "svm_linear", "hist_gradient_boosting"])
def test_what_is_measured_by_logarithms_is_learned_by_them(candidate: str) -> None:
    text = write_script(make_winner(candidate, COUNTS))
    assert "FunctionTransformer(np.log1p, np.expm1)" in text and "np.arcsinh" not in text
