"""Two runs held against each other: one file, a grown one, a column more; and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.errors import DataError, UsageError
from automl.evaluate.comparison import RESAMPLES, compare_runs, draw_samples
from automl.evaluate.duel import FEWEST
from automl.evaluate.evidence import Bootstrap, read_evidence
from automl.files import read_json, write_json
from automl.metrics import get_metric
from automl.report.comparison import comparison_blocks
from automl.report.console import open_console, print_blocks
from automl.run import Run
from automl.search.records import read_results
from tests.unit.evaluate.test_evaluation import train
from tests.unit.evaluate.test_studies import make_binary_table, train_classes
from tests.unit.search.runs import make_regression_table, store_run


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_regression_table(160)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Run:
    run = train(tmp_path_factory.mktemp("compare") / "full", table, "price").run
    run.update(fingerprint="0123456789abcdef")
    return run


@pytest.fixture(scope="module")
def without_city(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Run:
    """The same rows, without a column that is worth 20,000 in a third of them."""
    frame = table.drop(columns="city")
    return train(tmp_path_factory.mktemp("compare") / "without", frame, "price").run


def test_a_run_against_itself_cannot_be_told_apart(full: Run) -> None:
    record = compare_runs(full, full)
    assert record["common_rows"] == 160
    assert record["matched_by"] == "row"
    assert (record["difference"]["difference"], record["difference"]["p"]) == (0.0, 1.0)
    assert record["reason"] == "none"
    assert record["settings"] == []
    assert record["data"] == {"same": True, "only_a": [], "only_b": [], "roles": []}


def test_a_column_more_is_found_to_be_the_reason(without_city: Run, full: Run) -> None:
    record = compare_runs(without_city, full)
    found = record["difference"]
    assert record["common_rows"] == 160
    assert record["matched_by"] == "content of 2 common column(s) and the target"
    assert found["low"] > 0
    assert found["p"] < 0.001
    assert record["reason"] == "data"
    assert [entry["column"] for entry in record["data"]["only_b"]] == ["city"]
    assert found["b"] == pytest.approx(read_json(full.ensemble_path)["score"])  # all rows are common here
    back = compare_runs(full, without_city)
    assert back["difference"]["difference"] == pytest.approx(-found["difference"])


def test_rows_are_found_again_in_another_order_and_number(full: Run, table: pd.DataFrame, tmp_path: Path) -> None:
    shuffled = table.sample(100, random_state=3).reset_index(drop=True)
    fewer = train(tmp_path / "fewer", shuffled, "price").run
    record = compare_runs(fewer, full)
    assert record["common_rows"] == 100
    y = shuffled["price"].to_numpy()
    score = get_metric("rmse").score(y, read_evidence(str(fewer.path)).blend)
    assert record["difference"]["a"] == pytest.approx(float(score))


def test_equal_rows_are_paired_one_to_one(tmp_path: Path) -> None:
    table = make_regression_table(60)
    one = train(tmp_path / "one", pd.concat([table, table.head(20)], ignore_index=True), "price").run
    two = train(tmp_path / "two", pd.concat([table, table.head(5)], ignore_index=True), "price").run
    assert compare_runs(one, two)["common_rows"] == 65


def test_what_cannot_be_compared_is_refused_with_the_reason(full: Run, tmp_path: Path) -> None:
    other = train_classes(tmp_path / "late", make_binary_table(120), "late").run
    with pytest.raises(UsageError, match=r"'price' \(regression\), late 'late' \(binary\)"):
        compare_runs(full, other)
    far = make_regression_table(60)
    far["size"] += 5_000
    with pytest.raises(DataError, match="0 scored rows in common"):
        compare_runs(full, train(tmp_path / "far", far, "price").run)
    with pytest.raises(UsageError, match="no model to compare yet"):
        compare_runs(full, Run.create(tmp_path / "empty", data_name="x", record={}))


def test_classes_in_another_order_are_the_same_classes(tmp_path: Path) -> None:
    """--positive no turns the probability columns round."""
    from tests.unit.search.runs import store_run

    table = make_binary_table(150)
    one = train_classes(tmp_path / "one", table, "late").run
    turned = store_run(tmp_path / "two", table, "late", split={"folds": 3, "repeats": 1}, data={"positive": "no"})
    assert turned.data.task.classes == ("yes", "no")
    two = _finish(turned)
    found = compare_runs(one, two)["difference"]
    assert found["a"] == pytest.approx(found["b"], abs=0.01)


def test_hostile_names_reach_the_terminal_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = make_regression_table(80)
    hostile = table.assign(**{"\x1b[31m<script>\u202e=cmd()": np.arange(80.0) ** 2 % 17})
    one, two = train(tmp_path / "one", table, "price").run, train(tmp_path / "two", hostile, "price").run
    record = compare_runs(one, two)
    for settings in record["settings"]:
        assert settings["name"]
    print_blocks(comparison_blocks(record), open_console())
    shown = capsys.readouterr().out
    assert "<script>=cmd()" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_settings_that_differ_are_listed(full: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(full.path, tmp_path / "copy")
    copy = Run(tmp_path / "copy")
    write_json(copy.record_path, {**copy.record, "seed": 9, "split": {"kind": "grouped", "folds": 3}})
    names = {entry["name"]: (entry["a"], entry["b"]) for entry in compare_runs(full, copy)["settings"]}
    assert names == {"seed": (None, 9), "split": (None, "grouped"), "folds": (None, 3)}


@pytest.fixture
def rare() -> pd.DataFrame:
    """A rare class: at 0.5 hardly a row is named."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=600).round(3)
    return pd.DataFrame({"x": x, "fraud": np.where(x + rng.normal(0, 1.5, 600) > 3, "yes", "no")})


def test_every_model_is_judged_at_its_own_threshold(rare: pd.DataFrame, tmp_path: Path) -> None:
    run = _finish(store_run(tmp_path / "run", rare, "fraud", split={"folds": 3, "repeats": 1}, metric="f1"))
    noted = read_json(run.ensemble_path)
    assert noted["threshold"] < 0.4
    record = compare_runs(run, run)
    deployed = next(step for step in record["steps"] if step["what"] == "deployed model")
    assert deployed["a"] == pytest.approx(noted["score"])
    (single,) = [result.score for result in read_results(run.search) if result.candidate == "linear"]
    best = next(step for step in record["steps"] if step["what"] == "best single model")
    assert best["a"] == pytest.approx(single)
    families = {entry["family"]: entry["a"] for entry in record["families"]}
    assert families["linear"] == pytest.approx(single)


def test_the_metric_of_the_comparison_says_whether_a_threshold_is_moved(rare: pd.DataFrame, tmp_path: Path) -> None:
    """Log loss of probabilities that are bent for F1 would say nothing."""
    split = {"folds": 3, "repeats": 1}
    plain = _finish(store_run(tmp_path / "plain", rare, "fraud", split=split, metric="log_loss"))
    bent = _finish(store_run(tmp_path / "bent", rare, "fraud", split=split, metric="f1"))
    record = compare_runs(plain, bent)
    evidence = read_evidence(str(bent.path))
    log_loss = get_metric("log_loss")
    found = {step["what"]: step["b"] for step in record["steps"]}
    assert found["deployed model"] == pytest.approx(float(log_loss.score(evidence.y, evidence.blend)))
    assert found["best single model"] == pytest.approx(float(log_loss.score(evidence.y, evidence.outputs[1])))


def test_samples_are_drawn_one_by_one_and_are_the_same_for_every_step() -> None:
    samples = Bootstrap(30, np.repeat(np.arange(10), 3))
    draws, again = (list(draw_samples(samples, seed=4)) for _ in range(2))
    assert len(draws) == RESAMPLES
    assert draws[7].tolist() == again[7].tolist() != draws[8].tolist()
    assert set(np.bincount(draws[7], minlength=30).reshape(10, 3).std(axis=1)) == {0.0}  # whole groups


def test_the_time_of_a_comparison_is_kept(full: Run) -> None:
    assert compare_runs(full, full, seconds=0.0)["difference"]["resamples"] == FEWEST


def _finish(stored: object) -> Run:
    from automl.ensemble.build import EnsembleBuilder
    from tests.unit.search.runs import StoredRun

    assert isinstance(stored, StoredRun)
    oofs, records = stored.complete(stored.spec(0, "dummy"), stored.spec(1, "linear"))
    builder = EnsembleBuilder(
        stored.run, stored.data, stored.schema, stored.recipe,
        oofs=oofs, records=records, emit=lambda event: None, elapsed=lambda: 0.0,
    )  # fmt: skip
    builder.update()
    return stored.run
