"""New rows of a known world beside a model of it: what has moved is named, and what has not is left alone."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.cli.monitor import write_retrain_command
from automl.data.identity import identify_file
from automl.data.load import load_dataset
from automl.ensemble.artifact import load_predictor
from automl.ensemble.bag import BagModel
from automl.errors import DataError, UsageError
from automl.monitor.decay import compare_score
from automl.monitor.drift import compare, relative_importance
from automl.monitor.reference import describe_columns, read_reference, store_columns
from automl.monitor.statistics import make_sketch
from automl.monitor.watch import watch
from automl.recipe import Recipe
from automl.report.drift import drift_blocks, drift_document
from automl.report.html import render_html
from automl.run import Run
from automl.schema import Column, Role
from automl.serve.drift import DriftWindow, _from_sketch
from automl.serve.rows import Rows
from tests.unit.monitor.conftest import World, finish, make_rows
from tests.unit.search.runs import store_run


def look(world: World, frame: pd.DataFrame, **options: Any) -> dict[str, Any]:
    return compare(world.predictor, world.reference, frame, **options)


def find(record: dict[str, Any], column: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in record["columns"] if entry["column"] == column)
    return found


def test_twenty_months_of_the_same_world_are_quiet(world: World) -> None:
    alarms = sum(look(world, world.make_rows(500, 100 + month))["over_gate"] for month in range(20))
    assert alarms <= 2  # at most one in 20 is expected; 3 or more of 20 come once in 13 times at that rate


def test_half_a_standard_deviation_in_the_column_that_decides_is_always_found(world: World) -> None:
    for month in range(10):
        frame = world.make_rows(1_000, 200 + month)
        record = look(world, frame.assign(strong=frame["strong"] + 0.5))
        assert record["over_gate"]
        assert find(record, "strong")["status"] == "drifted"


def test_a_column_that_does_not_matter_drifts_without_an_alarm(world: World) -> None:
    frame = world.make_rows(1_000, 1)
    record = look(world, frame.assign(noise=frame["noise"] + 1))
    assert find(record, "noise")["status"] == "drifted"
    assert find(record, "noise")["importance"] < 0.1
    assert not record["over_gate"]
    assert look(world, frame.assign(noise=frame["noise"] + 1), gate=0.0)["over_gate"]


def test_a_trifle_in_very_many_rows_is_no_drift(world: World) -> None:
    frame = world.make_rows(40_000, 2)
    record = look(world, frame.assign(weak=frame["weak"] + 0.05))
    values = next(test for test in find(record, "weak")["tests"] if test["what"] == "values")
    assert values["p_value"] < 0.05
    assert find(record, "weak")["status"] == "stable"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.assign(strong=frame["strong"].where(frame.index % 10 > 0)), "10.0% missing, 0.0%"),
        (lambda frame: frame.assign(strong=1.0), "all cells are the same now"),
        (lambda frame: frame.assign(level=frame["level"].where(frame.index % 5 > 0, "violet")), "20.0% of the cells"),
        (lambda frame: frame.assign(level="red"), "'red' 100.0%, "),
    ],
)
def test_what_has_moved_is_said_in_a_sentence(world: World, change: Any, said: str) -> None:
    assert any(said in reason for reason in look(world, change(world.make_rows(800, 3)))["reasons"])


def test_a_unit_that_was_changed_is_named(world: World, tmp_path: Path) -> None:
    from automl.monitor.values import compare_values

    metres = np.random.default_rng(0).normal(1.7, 0.1, 1_000)
    assert "10^2 times as large, as if the unit" in compare_values(make_sketch(metres), metres * 100).text


def test_later_dates_are_no_drift_but_other_days_of_the_week_are(world: World) -> None:
    frame = world.make_rows(800, 4)
    later = look(world, frame.assign(when=frame["when"] + pd.Timedelta(days=364)))
    assert find(later, "when")["status"] == "stable"
    assert "100% of the rows are later" in find(later, "when")["tests"][0]["text"]
    weekend = look(world, frame.assign(when=pd.Timestamp("2025-03-01")))
    assert find(weekend, "when")["status"] == "drifted"


def test_a_column_that_is_gone_or_unreadable_is_broken(world: World) -> None:
    frame = world.make_rows(300, 5).rename(columns={"strong": "stronk"}).astype({"weak": object})
    record = look(world, frame.assign(weak="n/k"))
    assert find(record, "strong")["text"] == "'strong' is not there (Did you mean 'stronk'?)"
    assert find(record, "weak")["text"] == "100% of the cells of 'weak' cannot be read as number"
    assert record["over_gate"]
    assert record["predictions"] is None
    assert "'stronk'" in record["notices"][0]
    assert record["notices"][1].startswith("the predictions are not compared: ")


def test_labels_tell_the_decay_of_the_score_with_an_interval(world: World) -> None:
    frame = world.make_rows(1_000, 6)
    same = look(world, frame)["score"]
    assert not same["drifted"]
    assert same["low"] < same["decay"] < same["high"]
    turned = frame.assign(label=np.where(frame["label"] == "yes", "no", "yes"))
    score = look(world, turned)["score"]
    assert score["drifted"]
    assert score["decay"] == pytest.approx(score["before"] - score["now"])
    assert score["now"] == pytest.approx(1 - same["now"], abs=1e-6)  # the area under the curve, mirrored
    assert "of its gain over a constant is lost" in score["text"]


def weigh(frame: pd.DataFrame) -> pd.DataFrame:
    """Half of the rows have labels of pure chance and next to no weight; five rows in turn are one group."""
    rng = np.random.default_rng(len(frame))
    chance = rng.random(len(frame)) < 0.5
    label = np.where(chance, rng.choice(["no", "yes"], len(frame)), frame["label"])
    return frame.assign(label=label, weight=np.where(chance, 0.01, 1.0), team=[f"t{row // 5}" for row in frame.index])


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> World:
    options = {"weight": "weight", "group": "team"}
    path = tmp_path_factory.mktemp("weighted") / "run"
    stored = store_run(path, weigh(make_rows(2_000, 0)), "label", split={"folds": 3}, data=options)
    store_columns(stored.run.data, stored.dataset)
    finish(stored, "linear")
    return World(path, load_predictor(path), read_reference(stored.run.model), make_rows)


def test_a_score_that_was_promised_with_weights_is_held_with_weights(weighted: World) -> None:
    frame = weigh(make_rows(1_000, 6))
    record = look(weighted, frame)
    assert not record["score"]["drifted"]
    assert record["notices"] == []
    assert record["score"]["now"] == pytest.approx(
        look(weighted, frame.assign(weight="5.0"))["score"]["now"] + 0.2, abs=0.1
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="weight"), "weighted by 'weight', a column that the new rows do not have"),
        (lambda frame: frame.assign(weight=frame["weight"].where(frame.index > 2)), "missing in 3 row(s)"),
        (lambda frame: frame.assign(weight=0), "the weight 'weight' is 0 in every row"),
        (lambda frame: frame.assign(team=frame.index % 4), "4 groups of 'team' are too few for an interval"),
    ],
)
def test_without_its_weights_or_enough_groups_the_score_is_not_compared(
    weighted: World, change: Any, said: str
) -> None:
    record = look(weighted, change(weigh(make_rows(400, 6))))
    assert record["score"] is None
    assert record["notices"][0].startswith("the score is not compared: ")
    assert said in record["notices"][0]
    assert record["predictions"] is not None


def test_without_the_groups_of_training_it_is_said_that_rows_count_by_themselves(weighted: World) -> None:
    record = look(weighted, weigh(make_rows(400, 6)).drop(columns="team"))
    assert record["score"] is not None
    assert record["notices"] == [
        "without the column 'team' each row counts as independent in the interval of the score"
    ]


def test_a_reference_that_names_no_weight_is_compared_without(weighted: World) -> None:
    score = {key: value for key, value in weighted.reference["score"].items() if key not in ("weight", "group")}
    record = compare(weighted.predictor, {**weighted.reference, "score": score}, weigh(make_rows(1_000, 6)))
    assert record["score"]["drifted"]


def test_rows_of_one_group_do_not_make_the_score_surer(world: World) -> None:
    frame = world.make_rows(400, 6)
    y, outputs = world.predictor.encode_target(frame["label"]), world.predictor.predict_outputs(frame)
    copied = np.repeat(np.arange(400), 25)
    found = [
        compare_score(world.predictor, world.reference["score"], y[rows], outputs[rows], units=units)
        for rows, units in ((np.arange(400), None), (copied, None), (copied, copied))
    ]
    one, alone, grouped = (entry[0]["now_high"] - entry[0]["now_low"] for entry in found if entry is not None)
    assert alone == pytest.approx(one / 5, rel=0.25)
    assert grouped == pytest.approx(one, rel=0.25)


def test_what_a_log_says_is_compared_only_if_it_comes_from_as_many_models_as_in_training(world: World) -> None:
    frame = world.make_rows(400, 21)
    outputs = world.predictor.predict_outputs(frame)
    bag = world.predictor.model
    assert isinstance(bag, BagModel)
    several = look(world, frame, hidden=("level",), outputs=outputs)
    assert several["predictions"] is None
    assert several["notices"][0].startswith("the predictions are not compared: ")
    members = tuple(dataclasses.replace(member, folds=member.folds[:1]) for member in bag.members)
    alone = dataclasses.replace(world.predictor, model=dataclasses.replace(bag, members=members))
    single = compare(alone, world.reference, frame, hidden=("level",), outputs=outputs)
    assert single["predictions"] is not None
    assert single["notices"] == []


def test_without_labels_there_is_no_score_and_the_rest_is_the_same(world: World) -> None:
    record = look(world, world.make_rows(500, 7).drop(columns="label"))
    assert record["score"] is None
    assert record["predictions"]["what"] == "predictions"


def test_too_few_rows_are_refused_with_the_number_that_is_needed(world: World) -> None:
    with pytest.raises(DataError, match="49 rows are too few to tell a drift from chance; 50 are needed"):
        look(world, world.make_rows(49, 8))


def test_a_column_of_unknown_importance_counts_like_the_most_important_one() -> None:
    assert relative_importance(["a", "b", "c"], {"a": 0.2, "b": 0.05}) == {"a": 1.0, "b": 0.25, "c": 1.0}
    assert relative_importance(["a", "b"], {"a": 0.0, "b": -0.1}) == {"a": 1.0, "b": 1.0}


def test_the_reference_holds_counts_and_no_row(world: World) -> None:
    assert set(world.reference) == {"format_version", "rows", "columns", "predictions", "score", "importance"}
    assert len(world.reference["columns"]["strong"]["kept"]["edges"]) <= 101
    assert world.reference["columns"]["level"]["kept"]["counts"][-1] == 0
    assert sum(world.reference["columns"]["level"]["kept"]["counts"]) == 2_000
    assert len(json.dumps(world.reference)) < 40_000


def test_a_model_without_a_reference_says_what_to_do(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no training reference"):
        read_reference(tmp_path)


def test_a_frame_may_be_given_in_place_of_a_file(world: World) -> None:
    record = watch(world.run, world.make_rows(300, 9))
    assert (record["data"], record["target"], record["rows"]) == ("a data frame", "label", 300)


def test_a_file_that_begins_with_what_was_learned_from_is_told(world: World, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(world.run, tmp_path / "run")))
    world.make_rows(100, 0).to_csv(tmp_path / "rows.csv", index=False)
    run.update(source=identify_file(tmp_path / "rows.csv"))
    world.make_rows(100, 1).to_csv(tmp_path / "rows.csv", index=False, header=False, mode="a")
    world.make_rows(100, 1).to_csv(tmp_path / "new.csv", index=False)

    told = {name: watch(run.path, tmp_path / name)["notices"] for name in ("rows.csv", "new.csv")}

    assert any("begins with the rows that the model learned from" in notice for notice in told["rows.csv"])
    assert not any("begins with" in notice for notice in told["new.csv"])


def test_the_model_with_its_reference_is_whole_and_loads(world: World) -> None:
    assert "reference.json" in json.loads((world.run / "model/manifest.json").read_text())["files"]
    assert load_predictor(world.run).task.target == "label"


def test_the_page_and_the_terminal_show_training_beside_now(world: World) -> None:
    frame = world.make_rows(600, 10)
    record = {"data": "new.csv", "target": "label", **look(world, frame.assign(strong=frame["strong"] + 1))}
    page = render_html(drift_document(record))
    assert "The data has moved" in page
    assert page.count("<svg") >= 2
    kinds = [type(block).__name__ for block in drift_blocks(record)]
    assert kinds[0] == "Paragraph"
    assert kinds.count("Table") == 2


def test_a_reference_that_is_not_whole_in_time_is_none(world: World) -> None:
    dataset = load_dataset(world.make_rows(50, 0), target="label", recipe=Recipe())
    with pytest.raises(TimeoutError, match="too short"):
        describe_columns(dataset, deadline=0.0)


def test_the_gauge_of_a_server_sees_a_value_that_many_rows_have_move_down() -> None:
    column = Column(name="stars", role=Role.NUMBER)
    stars = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 100)
    kept = json.loads(json.dumps({"rows": 500, "missing": 0, "kept": make_sketch(stars)}))
    reference = _from_sketch(column, kept)
    assert reference is not None
    measured = []
    for cells in (stars, stars - 0.9):
        window = DriftWindow({"stars": reference})
        for start in range(0, 500, 100):
            window.add(Rows({"stars": cells[start : start + 100].tolist()}, 100))
        measured.append(window.measure()["stars"])
    assert measured[0] == pytest.approx(0.0, abs=1e-9)
    assert measured[1] > 2


def headline(record: dict[str, Any]) -> str:
    return str(drift_blocks({"data": "new.csv", "target": "label", **record})[0].text)  # type: ignore[attr-defined]


def test_a_gate_above_the_drift_is_said_to_be_one(world: World) -> None:
    """Even if what moved is the column that the model goes by most."""
    frame = world.make_rows(1_000, 22).drop(columns="label")
    record = {**look(world, frame.assign(strong=frame["strong"] + 1), gate=2.0), "predictions": None}
    assert record["drift"] == 1.0
    assert headline({**record, "over_gate": False}).startswith(
        "Something has moved, but by less than the gate: 1,000 new rows. Drift 1.00"
    )


def test_what_moved_besides_the_columns_is_named(world: World) -> None:
    frame = world.make_rows(1_000, 23)
    swapped = frame.assign(label=np.where(frame["label"] == "yes", "no", "yes"))
    record = look(world, swapped)
    assert (record["drift"], record["over_gate"]) == (0.0, True)
    text = headline(record)
    assert text.startswith(
        "The score has decayed in 1,000 new rows, though no column is seen to have moved. Drift 0.00"
    )
    assert text.endswith("The gate is for columns: predictions and score always count.")
    moved = look(world, frame.assign(strong=frame["strong"] + 1).drop(columns="label"), gate=5.0)
    assert headline(moved).startswith(
        "The predictions have moved in 1,000 new rows, though the columns have moved by less than the gate."
    )


def test_the_next_command_is_one_that_runs(world: World, tmp_path: Path) -> None:
    frame = world.make_rows(1_000, 24)
    swapped = frame.assign(label=np.where(frame["label"] == "yes", "no", "yes"))
    moved, bare = frame.assign(strong=frame["strong"] + 1), tmp_path / "model"
    new = Path("new rows.csv")
    decayed, drifted = look(world, swapped), look(world, moved)
    assert write_retrain_command(decayed, world.run, new) == f"automl retrain {world.run} 'new rows.csv' --if decay"
    assert write_retrain_command(drifted, world.run, new) == f"automl retrain {world.run} 'new rows.csv' --if drift"
    unlabelled = look(world, moved.drop(columns="label"), gate=0.05)
    assert write_retrain_command(unlabelled, bare, new) == "automl retrain RUN LABELLED.csv --if drift --gate 0.05"
