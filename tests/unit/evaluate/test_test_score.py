"""What a test file lacks of weights or groups is told, and never ends a run that is finished."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import automl
from automl.evaluate import test_score
from automl.evaluate.test_score import score_test_file
from automl.events import Event, StageStarted, WarningRaised
from tests.unit.evaluate.test_evaluation import train
from tests.unit.evaluate.test_studies import train_classes
from tests.unit.search.runs import StoredRun, make_multiclass_table, make_regression_table


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (lambda rows: np.zeros(rows), "The group column 'who' has 1 group(s)"),
        (None, "there is no column 'who'"),
        (lambda rows: np.arange(rows) // 4, ""),
    ],
    ids=["one group", "no groups", "groups"],
)
def test_a_test_file_is_scored_whatever_its_groups_are(tmp_path: Path, who, said: str) -> None:  # type: ignore[no-untyped-def]
    table = make_regression_table(120)
    stored = train(tmp_path / "run", table.assign(who=np.arange(120) // 4), "price", data={"group": "who"})
    test = table if who is None else table.assign(who=who(120))
    test.to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    found, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=30.0, late_seconds=30.0)
    assert found is not None and found["rows"] == 120
    assert len(warnings) == bool(said)
    assert all(said in text for text in warnings)


def test_texts_are_scored_as_far_as_the_time_goes(tmp_path: Path) -> None:
    table = make_regression_table(120)
    table["note"] = [f"the {word} thing is number {row} of many" for row, word in enumerate(["red", "old", "big"] * 40)]
    stored = train(tmp_path / "run", table, "price")
    table.to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    found, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=0.0, late_seconds=30.0)
    assert found is None or found["rows"] < 120
    assert ("were scored in the time left" if found else "none of the 120 rows of") in warnings[0]


def test_where_the_time_is_over_none_is_said_to_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_regression_table(120)
    stored = train(tmp_path / "run", table, "price")
    table.to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    nothing = np.empty(0, dtype=np.int64), np.empty((0, 1), dtype=np.float32)
    monkeypatch.setattr(test_score, "predict_in_time", lambda *_, **__: nothing)
    found, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=1.0, late_seconds=1.0)
    assert found is None
    assert warnings[0].startswith("none of the 120 rows of ") and warnings[0].endswith(" scores all")


def test_a_test_file_that_is_gone_at_the_end_is_no_reason_to_lose_the_run(tmp_path: Path) -> None:
    table, test, said = make_regression_table(120), tmp_path / "test.csv", list[str]()
    table.to_csv(test, index=False)

    def look_on(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "evaluate":
            test.unlink()
        if isinstance(event, WarningRaised):
            said.append(event.text)

    run = automl.fit(table, target="price", test=test, out=tmp_path / "run", trials=2, jobs=1, sinks=[look_on])
    assert run.record["status"] == "complete" and run.is_done("finish")
    assert [text for text in said if text.startswith(f"{test} was not scored: ")]


def test_rows_of_classes_that_the_model_has_not_learned_are_told_apart_from_blank_ones(tmp_path: Path) -> None:
    table = make_multiclass_table()
    stored = train_classes(tmp_path / "run", table, "kind")
    table.loc[:19, "kind"] = ["yew", "fir"] * 10
    table.loc[20:22, "kind"] = [None, " ", None]
    table.to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    found, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=30.0, late_seconds=30.0)
    assert found is not None
    assert (found["rows"], found["unknown_rows"], found["blank_rows"]) == (127, 20, 3)
    assert warnings == [
        f"20 row(s) of {tmp_path / 'test.csv'} are not in its score, as the model has not learned their class: "
        "'yew', 'fir'"
    ]


def test_targets_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    table = make_regression_table(120)
    stored = train(tmp_path / "run", table, "price")
    cells = table["price"].astype(object)
    cells[:4], cells[4:7] = "on request", None
    table.assign(price=cells).to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    found, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=30.0, late_seconds=30.0)
    assert found is not None
    assert (found["rows"], found["unknown_rows"], found["blank_rows"]) == (113, 4, 3)
    assert [text for text in warnings if text.endswith("as their 'price' is no number: 'on request'")] == warnings[:1]


def test_what_to_type_to_score_all_can_be_copied_though_paths_have_spaces(tmp_path: Path) -> None:
    table, test = make_regression_table(120), tmp_path / "new rows.csv"
    table["note"] = [f"the {word} thing is number {row} of many" for row, word in enumerate(["red", "old", "big"] * 40)]
    stored = train(tmp_path / "my run", table, "price")
    table.to_csv(test, index=False)
    stored.run.update(test=str(test))
    _, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=0.0, late_seconds=30.0)
    assert f"automl evaluate '{stored.run.path}' '{test}'" in warnings[0]


def test_what_to_type_to_score_all_asks_for_the_same_weights_groups_and_encoding(tmp_path: Path) -> None:
    table, test = make_regression_table(120).assign(w=1.5, who=np.arange(120) // 4), tmp_path / "test.csv"
    table["note"] = [f"the {word} thing is number {row} of many" for row, word in enumerate(["red", "old", "big"] * 40)]
    table = table.rename(columns={"w": "my weight"})
    data = {"weight": "my weight", "group": "who", "encoding": "cp1252"}
    stored = train(tmp_path / "run", table, "price", data=data)
    stored.run.update(test=str(test))
    for column, told in ((None, "--weight 'my weight' --group who "), ("who", "--weight 'my weight' ")):
        (table if column is None else table.drop(columns=column)).to_csv(test, index=False, encoding="cp1252")
        _, warnings = score_test_file(stored.run, stored.recipe, members=["linear"], seconds=0.0, late_seconds=30.0)
        assert f"automl evaluate {stored.run.path} {test} {told}--encoding cp1252 scores all" in warnings[0]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRun:
    """A run whose test file of 1,200 rows is read in pieces of a few hundred."""
    monkeypatch.setattr("automl.data.sample.LEAST_BYTES", 1)
    monkeypatch.setattr("automl.data.stream.LEAST_BYTES", 1)
    monkeypatch.setattr("automl.data.sample.FEWEST_ROWS", 100)
    monkeypatch.setattr("automl.data.readers.csv.STREAM_BYTES", 8192)
    table = make_regression_table(1200).assign(w=np.arange(1200) % 3, who=np.arange(1200) // 4)
    stored = train(tmp_path / "run", table.head(200), "price", data={"weight": "w", "group": "who"})
    table.loc[[5, 1100], "price"] = None
    table.to_csv(tmp_path / "test.csv", index=False)
    stored.run.update(test=str(tmp_path / "test.csv"))
    return stored


def test_all_rows_of_a_large_file_are_scored_in_pieces_where_no_time_is_set(
    large: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = {"seconds": float("inf"), "late_seconds": float("inf")}
    pieces, warnings = score_test_file(large.run, large.recipe, members=["linear"], **endless)
    assert pieces is not None and (pieces["rows"], pieces["blank_rows"]) == (1198, 2)
    assert warnings == []
    monkeypatch.setattr(test_score, "stream_table", lambda *_, **__: None)
    whole, _ = score_test_file(large.run, large.recipe, members=["linear"], **endless)
    assert whole is not None and whole["metrics"].keys() == pieces["metrics"].keys()
    for name, metric in whole["metrics"].items():
        assert metric == pytest.approx(pieces["metrics"][name], rel=1e-5)


@pytest.mark.parametrize(("share", "first"), [(1.0, ""), (0.0, "the first ")])
def test_of_a_large_file_as_many_rows_are_scored_as_the_time_allows(
    large: StoredRun, monkeypatch: pytest.MonkeyPatch, share: float, first: str
) -> None:
    monkeypatch.setattr(test_score, "READ_SHARE", share)
    monkeypatch.setattr(test_score, "CELLS_PER_SECOND", 1.0)
    found, (warning,) = score_test_file(large.run, large.recipe, members=["linear"], seconds=30.0, late_seconds=30.0)
    assert found is not None and found["rows"] + found["blank_rows"] == 100
    read = re.match(rf"{found['rows']} of {first}([\d,]+) rows of .*, drawn at random, were scored in ", warning)
    assert read is not None
    rows = int(read[1].replace(",", ""))
    assert rows == 1200 if not first else 100 < rows < 1200
    assert warning.endswith("--weight w --group who scores all")


def test_a_large_file_is_not_opened_when_the_time_is_over(large: StoredRun) -> None:
    found, (warning,) = score_test_file(large.run, large.recipe, members=["linear"], seconds=0.0, late_seconds=1.0)
    assert found is None
    assert "test.csv was not scored, for the time is over: automl evaluate " in warning
    assert warning.endswith("--weight w --group who")
