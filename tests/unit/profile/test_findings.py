"""Each finding fires on the trouble it is made for, and stays silent on a table without it."""

from __future__ import annotations

import dataclasses
import shlex
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from automl.data import Dataset
from automl.matrix import IntArray
from automl.profile import Finding
from automl.profile.describe import find_all, group_rows, registry
from automl.schema import Notice, Role
from tests.unit.profile.tables import clean_dataset, make_dataset


def find(kind: str, dataset: Dataset, new: pd.DataFrame | None = None) -> list[Finding]:
    findings = registry.get(kind).find(dataset, new)
    assert all(finding.kind == kind and finding.text for finding in findings)
    return findings


def planted(base: Dataset, name: str, values: np.ndarray | list[object], role: Role | None = None) -> Dataset:
    """`base` with one more column."""
    columns = {column: base.frame[column].to_numpy() for column in base.frame}
    return make_dataset({**columns, name: values}, base.target, roles={name: role} if role else None)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("seed", range(4))
def test_a_clean_table_has_no_findings(kind: str, seed: int) -> None:
    dataset = clean_dataset(kind=kind, seed=seed)
    assert find_all(dataset, clean_dataset(kind=kind, seed=seed + 100).frame) == []


# Leaks


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_copy_of_the_target_is_a_leak_and_is_not_dropped(kind: str) -> None:
    base = clean_dataset(kind=kind)
    (finding,) = find("target_leak", planted(base, "outcome", base.target.astype(float)))
    assert finding.columns == ("outcome",) and finding.severity == "risk"
    assert finding.action.endswith("--drop outcome") and not finding.taken and not finding.effects


def test_leaks_in_disguise_are_found() -> None:
    base, rng = clean_dataset(), np.random.default_rng(1)
    disguises = {
        "noisy copy": base.target + 1e-9 * rng.normal(size=1_000),
        "reversed": 1.0 - base.target,
        "label": np.array(["stayed", "left"], dtype=object)[base.target],
        "missing after": np.where(base.target == 1, rng.normal(size=1_000), np.nan),
        "one to many": np.array([f"{label}{rng.integers(5)}" for label in base.target], dtype=object),
        "risk score": base.target + 0.15 * rng.normal(size=1_000),
    }
    for name, values in disguises.items():
        assert [finding.columns for finding in find("target_leak", planted(base, name, values))] == [(name,)]


def test_a_column_that_rounds_or_scales_a_number_to_be_predicted_is_a_leak() -> None:
    base = clean_dataset(kind="regression")
    for values in (base.target * 1000 + 3, np.round(base.target, 2), -np.exp(base.target)):
        assert len(find("target_leak", planted(base, "cost", values))) == 1


def test_a_name_with_a_space_is_quoted_in_the_proposal() -> None:
    base = clean_dataset()
    (finding,) = find("target_leak", planted(base, "end date", base.target.astype(float)))
    assert finding.action.endswith("--drop 'end date'")


def test_a_strong_honest_column_is_no_leak() -> None:
    base, rng = clean_dataset(), np.random.default_rng(2)
    assert find("target_leak", planted(base, "score", base.target + 0.5 * rng.normal(size=1_000))) == []
    values = clean_dataset(kind="regression")
    assert find("target_leak", planted(values, "size", values.target + 0.2 * rng.normal(size=1_000))) == []


def test_a_file_sorted_by_class_makes_no_leak_of_missing_cells_or_unique_texts() -> None:
    target = np.repeat([0, 1], 300)
    columns = {
        "gap": np.full(600, np.nan),
        "name": np.array([f"person {i}" for i in range(600)], dtype=object),
        "flat": np.ones(600),
    }
    assert find("target_leak", make_dataset(columns, target)) == []


def test_noise_columns_of_a_wide_table_are_no_leaks() -> None:
    rng = np.random.default_rng(3)
    dataset = make_dataset({f"x{i}": rng.normal(size=60) for i in range(2_000)}, rng.integers(0, 2, 60))
    assert find("target_leak", dataset) == []


# Columns that reading left out


def test_what_reading_left_out_is_told_with_its_reason() -> None:
    ignored = {
        "id": "an identifier: whole numbers that count up, every one different",
        "unit": "has one value, 3",
        "blank": "every cell is missing",
        "again": "repeats the column 'x'",
        "secret": "left out as asked",
    }
    dataset = make_dataset({"x": np.arange(300.0)}, np.arange(300) % 2, ignored=ignored)
    (identifier,) = find("identifier", dataset)
    assert identifier.columns == ("id",) and identifier.taken and "count up" in identifier.text
    (constant,) = find("constant", dataset)
    assert constant.columns == ("unit", "blank") and constant.taken
    (copy,) = find("duplicate_columns", dataset)
    assert copy.columns == ("again",) and copy.taken and copy.text == "'again' repeats the column 'x'"


# Rows


def test_duplicate_rows_are_grouped_with_those_that_contradict_each_other_counted() -> None:
    rng = np.random.default_rng(4)
    once = {"x": rng.normal(size=200), "c": rng.choice(["p", "q"], 200).astype(object)}
    target = rng.integers(0, 2, 200)
    columns = {name: np.concatenate((values, values[:20])) for name, values in once.items()}
    dataset = make_dataset(columns, np.concatenate((target, 1 - target[:5], target[5:20])))
    (finding,) = find("duplicate_rows", dataset)
    assert finding.text.startswith("20 row(s) (9.1%) repeat") and "10 of the rows involved contradict" in finding.text
    assert finding.taken and finding.effects == {"group_rows": True} and finding.severity == "warning"
    groups = group_rows(dataset)
    assert groups is not None and groups.dtype == np.int64
    assert (groups[200:] == groups[:20]).all() and len(np.unique(groups)) == 200


def test_a_row_that_very_many_share_is_not_kept_in_one_fold() -> None:
    """A third of the rows are equal: one fold of them would hold hardly anything else, and new rows are so too."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(600, 3))
    values[:200] = values[0]
    values[500:510] = values[490:500]  # copies as they slip in
    dataset = make_dataset({f"x{i}": values[:, i] for i in range(3)}, rng.integers(0, 2, 600))
    (finding,) = find("duplicate_rows", dataset)
    assert finding.taken and "but for 200 that have over 50 twins" in finding.action
    groups = group_rows(dataset)
    assert groups is not None and np.bincount(groups).max() == 2
    assert (groups[500:510] == groups[490:500]).all()


def test_rows_that_differ_in_a_late_column_or_in_a_missing_cell_are_no_duplicates() -> None:
    columns = {f"c{i}": np.zeros(40) for i in range(150)}
    columns["c149"] = np.arange(40.0)
    assert group_rows(make_dataset(columns, np.arange(40) % 2)) is None
    columns["c149"] = np.concatenate(([np.nan, np.nan], np.arange(38.0)))
    groups = group_rows(make_dataset(columns, np.arange(40) % 2))
    assert groups is not None and groups[0] == groups[1] and len(np.unique(groups)) == 39


def test_few_distinct_values_repeat_by_chance_and_are_left_alone() -> None:
    rng = np.random.default_rng(5)
    columns = {f"c{i}": rng.choice(["p", "q", "r"], 1_000).astype(object) for i in range(5)}
    dataset = make_dataset(columns, rng.integers(0, 2, 1_000))
    (finding,) = find("duplicate_rows", dataset)
    assert not finding.taken and finding.effects == {} and "by chance" in finding.action
    assert group_rows(dataset) is None


def test_a_table_repeated_three_times_is_grouped() -> None:
    rng = np.random.default_rng(6)
    dataset = make_dataset(
        {f"x{i}": np.tile(rng.normal(size=100), 3) for i in range(4)}, np.tile(rng.integers(0, 2, 100), 3)
    )
    groups = group_rows(dataset)
    assert groups is not None and np.bincount(groups).tolist() == [3] * 100


def test_twins_and_groups_are_merged_into_chains() -> None:
    dataset = make_dataset({"x": [1.0, 2.0, 2.0, 3.0, 4.0]}, [0, 1, 0, 1, 0], groups=np.array([7, 7, 8, 8, 9]))
    groups = group_rows(dataset)
    assert groups is not None and len(np.unique(groups[:4])) == 1 and groups[4] != groups[0]


# Columns


def test_equal_columns_are_told() -> None:
    base = clean_dataset()
    (finding,) = find("duplicate_columns", planted(base, "age again", base.frame["age"].to_numpy()))
    assert finding.columns == ("age", "age again") and not finding.taken
    almost = base.frame["age"].to_numpy().copy()
    almost[500] += 1
    assert find("duplicate_columns", planted(base, "almost", almost)) == []


def test_columns_that_are_mostly_missing_are_told() -> None:
    base, values = clean_dataset(), np.full(1_000, np.nan)
    values[:490] = np.arange(490)
    (finding,) = find("missing_values", planted(base, "rare", values))
    assert finding.text == "1 column(s) are mostly missing: 'rare' (51%)"
    values[490:510] = 1.0
    assert find("missing_values", planted(base, "rare", values)) == []


def test_categories_of_hardly_repeated_levels_are_told() -> None:
    base, rng = clean_dataset(), np.random.default_rng(7)
    streets = np.array([f"street {i}" for i in rng.integers(0, 400, 1_000)], dtype=object)
    (finding,) = find("high_cardinality", planted(base, "street", streets))
    assert finding.columns == ("street",)
    assert finding.action == "Encodings are learned inside the folds; the search may pool rare levels"


def test_numbers_named_like_codes_are_proposed_as_categories() -> None:
    base, rng = clean_dataset(), np.random.default_rng(8)
    (finding,) = find("category_codes", planted(base, "branch_code", rng.integers(1, 30, 1_000)))
    assert finding.action.endswith("--role branch_code=category") and not finding.taken
    assert find("category_codes", planted(base, "branches", rng.integers(1, 30, 1_000))) == []


def test_whole_numbers_whose_order_the_target_ignores_are_proposed_as_categories() -> None:
    rng = np.random.default_rng(9)
    codes, height = rng.integers(0, 15, 2_000), rng.permutation(15)
    unordered = make_dataset({"region": codes}, height[codes] + rng.normal(size=2_000))
    assert [finding.columns for finding in find("category_codes", unordered)] == [("region",)]
    ordered = make_dataset({"rooms": codes}, codes + rng.normal(size=2_000))
    cyclic = make_dataset({"hour": codes}, np.sin(codes * 2 * np.pi / 15) + 0.3 * rng.normal(size=2_000))
    assert find("category_codes", ordered) == find("category_codes", cyclic) == []


def test_an_identifier_that_repeats_asks_for_groups() -> None:
    rng = np.random.default_rng(10)
    for name in ("patient_id", "customerId", "Subject", "household no", "id"):
        values = np.array([f"p{i}" for i in rng.integers(0, 100, 1_000)], dtype=object)
        (finding,) = find("repeated_groups", planted(clean_dataset(), name, values))
        assert finding.severity == "risk" and "--group" in finding.action and not finding.taken
    for name in ("paid", "grid", "households", "customer_age", "humid"):
        values = np.array([f"p{i}" for i in rng.integers(0, 100, 1_000)], dtype=object)
        assert find("repeated_groups", planted(clean_dataset(), name, values)) == []


def test_a_category_within_which_the_target_hardly_differs_asks_for_groups() -> None:
    rng = np.random.default_rng(11)
    member = rng.integers(0, 60, 1_200)
    names = np.array([f"ship {i}" for i in range(60)], dtype=object)[member]
    label = rng.integers(0, 2, 60)[member]
    dataset = make_dataset({"x": rng.normal(size=1_200), "ship": names}, label)
    assert [finding.columns for finding in find("repeated_groups", dataset)] == [("ship",)]
    told = dataclasses.replace(dataset, groups=member)
    assert find("repeated_groups", told) == []
    noisy = make_dataset({"ship": names}, np.where(rng.random(1_200) < 0.3, 1 - label, label))
    assert find("repeated_groups", noisy) == []


def test_a_random_walk_with_a_date_is_a_risk() -> None:
    rng = np.random.default_rng(12)
    days = np.datetime64("2024-01-01") + np.arange(500).astype("timedelta64[D]")
    shuffled = rng.permutation(500)
    walk = np.cumsum(rng.normal(size=500))
    dataset = make_dataset({"day": days[shuffled], "x": rng.normal(size=500)}, walk[shuffled])
    (finding,) = find("time_order", dataset)
    assert finding.severity == "risk" and finding.columns == ("day",) and "--time-column day" in finding.action
    assert find("time_order", dataclasses.replace(dataset, times=np.arange(500.0))) == []


def test_classes_that_come_in_runs_are_a_risk_and_a_sorted_log_is_noted() -> None:
    rng = np.random.default_rng(13)
    days = np.datetime64("2024-01-01") + np.arange(600).astype("timedelta64[D]")
    (runs,) = find("time_order", make_dataset({"day": days}, (np.arange(600) // 40) % 2))
    assert runs.severity == "risk"
    (log,) = find("time_order", make_dataset({"day": days}, rng.integers(0, 2, 600)))
    assert log.severity == "note" and "the file is sorted by it" in log.text


def test_a_date_that_has_nothing_to_do_with_the_target_is_no_finding() -> None:
    rng = np.random.default_rng(14)
    births = np.datetime64("1960-01-01") + rng.integers(0, 15_000, 800).astype("timedelta64[D]")
    assert find("time_order", make_dataset({"born": births}, rng.integers(0, 3, 800))) == []
    assert find("time_order", make_dataset({"born": births}, rng.normal(size=800))) == []


# The target


def test_unequal_classes_are_told_from_one_in_twenty() -> None:
    x = np.arange(1_000.0)
    (finding,) = find("imbalance", make_dataset({"x": x}, (x < 49).astype(int)))
    assert finding.text == "Only 49 row(s) (4.90%) are 'b'" and "--metric average_precision" in finding.action
    assert find("imbalance", make_dataset({"x": x}, (x < 50).astype(int))) == []
    (many,) = find("imbalance", make_dataset({"x": x}, np.where(x < 50, 1, np.where(x < 60, 2, 0))))
    assert many.text == "94.0% of the rows are 'a'"
    assert find("imbalance", make_dataset({"x": x}, x)) == []


def test_a_rare_class_that_is_not_the_positive_one_is_to_be_named_as_such() -> None:
    x = np.arange(1_000.0)
    rare_last, rare_first = (x < 40).astype(int), (x >= 40).astype(int)

    def advise(target: IntArray, metric: str) -> str:
        dataset = make_dataset({"x": x}, target)
        task = dataclasses.replace(dataset.task, classes=("it's rare", "b"), metric=metric)
        (finding,) = find("imbalance", dataclasses.replace(dataset, task=task))
        return finding.action.partition("add ")[2]

    assert advise(rare_last, "roc_auc") == "--metric average_precision"
    assert shlex.split(advise(rare_first, "roc_auc")) == [
        "--metric", "average_precision", "--positive", "it's rare"
    ]  # fmt: skip
    # metrics of one class are of the positive one already, though it be the common one
    assert shlex.split(advise(rare_first, "f1")) == ["--positive", "it's rare"]
    assert advise(rare_first, "mcc") == advise(rare_last, "average_precision") == ""


def test_rare_classes_are_told() -> None:
    target = np.array([0] * 100 + [1] * 100 + [2] * 7 + [3])
    (finding,) = find("rare_classes", make_dataset({"x": np.arange(208.0)}, target))
    assert finding.text == "2 class(es) have fewer than 8 rows: 'd' (1), 'c' (7)"
    assert "never scored" in finding.action


def test_blocks_of_time_are_not_called_folds() -> None:
    target, times = np.array([0] * 180 + [1] * 7 + [2]), np.arange(188.0)
    dataset = make_dataset({"x": np.arange(188.0)}, target, times=times)
    actions = {kind: find(kind, dataset)[0].action for kind in ("rare_classes", "imbalance", "tiny_table")}
    assert actions["rare_classes"].startswith("Kept: a block of time is scored by models of the rows before it")
    assert actions["imbalance"].startswith("Blocks of time need not keep the shares of the classes")
    assert actions["tiny_table"].startswith("Only the later rows score")


def test_rows_without_a_target_are_told_as_reading_noticed_them() -> None:
    notices = (
        Notice(topic="target", text="3 row(s) without a target are left out"),
        Notice(topic="target", text="space around class labels is cut off"),
    )
    (finding,) = find("missing_target", make_dataset({"x": np.arange(300.0)}, np.arange(300) % 2, notices=notices))
    assert finding.text == "3 row(s) without a target are left out" and finding.taken


# The shape


def test_small_and_wide_tables_are_told() -> None:
    rng = np.random.default_rng(15)
    wide = make_dataset({f"x{i}": rng.normal(size=100) for i in range(101)}, rng.integers(0, 2, 100))
    assert find("wide_table", wide)[0].text.startswith("101 columns for 100 rows")
    assert find("tiny_table", wide)[0].text == "100 rows are few: an accuracy of 80% would be known to ±8% only"


# A second file


def shifted(change: str) -> pd.DataFrame:
    new = clean_dataset(seed=100).frame.copy()
    rng = np.random.default_rng(16)
    if change == "half a standard deviation":
        new["height"] += 0.5
    elif change == "unit":
        new["income"] *= 1000
    elif change == "stuck":
        new["height"] = 0.25
    elif change == "missing":
        new.loc[rng.random(len(new)) < 0.2, "age"] = np.nan
    elif change == "unseen":
        new.loc[rng.random(len(new)) < 0.1, "city"] = "Paris"
    elif change == "shares":
        new["city"] = rng.choice(["Bern", "Oslo", "Rome", "Wien"], len(new), p=[0.55, 0.15, 0.15, 0.15])
    return new


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        ("half a standard deviation", "height", "PSI"),
        ("unit", "income", "10^3 times as large, as if the unit had changed"),
        ("stuck", "height", "always 0.25"),
        ("missing", "age", "missing, 0.0% in training"),
        ("unseen", "city", "hold values unseen in training"),
        ("shares", "city", "PSI"),
    ],
)
def test_drift_names_the_column_and_how_it_differs(change: str, column: str, words: str) -> None:
    findings = find("drift", clean_dataset(), shifted(change))
    assert {finding.columns for finding in findings} == {(column,)}
    assert any(words in finding.text for finding in findings)


def test_small_shifts_of_many_rows_and_files_of_few_rows_are_no_drift() -> None:
    rng = np.random.default_rng(17)
    many = make_dataset({"x": rng.normal(size=20_000)}, rng.integers(0, 2, 20_000))
    assert find("drift", many, pd.DataFrame({"x": rng.normal(size=20_000) + 0.05})) == []
    (note,) = find("drift", many, pd.DataFrame({"x": rng.normal(size=150) + 2}))
    assert (note.severity, note.skipped, note.columns) == ("note", ("drift",), ())
    assert find("drift", many, None) == []


def test_files_that_are_not_compared_are_said_not_to_be() -> None:
    rng = np.random.default_rng(18)
    few, many = pd.DataFrame({"x": rng.normal(size=150)}), pd.DataFrame({"x": rng.normal(size=400)})
    (note,) = find("drift", make_dataset({"x": many["x"]}, rng.integers(0, 2, 400)), few)
    assert note.text == "The files were not compared: the new one has 150 rows, 200 are needed"
    (note,) = find("drift", make_dataset({"x": few["x"]}, rng.integers(0, 2, 150)), many)
    assert note.text == "The files were not compared: the first one has 150 rows, 200 are needed"


def test_columns_that_are_not_compared_are_named() -> None:
    rng = np.random.default_rng(19)
    holes = np.where(rng.random(400) < 0.1, 1.0, np.nan)
    columns = {"x": rng.normal(size=400), "note": [f"text {row}" for row in range(400)], "holes": holes}
    dataset = make_dataset(columns, rng.integers(0, 2, 400), roles={"note": Role.TEXT})
    (note,) = find("drift", dataset, dataset.frame)
    assert (note.severity, note.columns) == ("note", ("note", "holes"))
    assert note.text.startswith("Not compared with the new file: 'note', 'holes'; texts, pictures and columns of fewer")
    texts = make_dataset({"note": columns["note"]}, rng.integers(0, 2, 400), roles={"note": Role.TEXT})
    (note,) = find("drift", texts, texts.frame)
    assert note.text.startswith("No column was compared with the new file") and note.columns == ()


def test_leaks_that_are_not_looked_for_are_said_not_to_be() -> None:
    (note,) = find("target_leak", clean_dataset(rows=29))
    assert note.text == "Leaks were not looked for in 29 rows: 30 are needed"
    assert (note.severity, note.skipped, note.columns) == ("note", ("target_leak",), ())
    pictures = planted(clean_dataset(), "photo", [f"{row}.png" for row in range(1_000)], Role.IMAGE)
    (note,) = find("target_leak", pictures)
    assert (note.text, note.columns) == ("Leaks were not looked for in pictures", ("photo",))
    alone = make_dataset({"photo": pictures.frame["photo"]}, pictures.target, roles={"photo": Role.IMAGE})
    (note,) = find("target_leak", alone)
    assert (note.text, note.columns) == ("Leaks were not looked for in pictures", ())


def test_drift_between_halves_of_one_table_is_rarely_seen() -> None:
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        old, new = ({f"x{i}": rng.normal(size=400) for i in range(10)} for _ in range(2))
        alarms += bool(find("drift", make_dataset(old, rng.integers(0, 2, 400)), pd.DataFrame(new)))
    assert alarms <= 5


# All together


def test_the_gravest_findings_come_first_and_survive_json() -> None:
    base = clean_dataset(rows=150)
    found = find_all(planted(base, "outcome", base.target.astype(float)))
    assert [finding.severity for finding in found] == ["risk", "warning"]
    assert [Finding.from_json(finding.to_json()) for finding in found] == found


def test_a_check_that_fails_becomes_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        raise ZeroDivisionError("no rows")

    monkeypatch.setitem(registry._loaded, "drift", SimpleNamespace(find=fail))
    (note,) = find_all(clean_dataset())
    assert note.skipped == ("drift",)
    assert note.severity == "note" and note.text == "The check 'drift' failed: ZeroDivisionError: no rows"


def test_odd_tables_pass_all_checks() -> None:
    odd = {
        "empty": np.full(60, np.nan),
        "flat": np.ones(60),
        "huge": np.repeat([-1e308, 1.0, 1e308], 20),
        "none": np.full(60, None, dtype=object),
        "never": np.full(60, np.datetime64("NaT")),
    }
    for target in (np.arange(60) % 2, np.arange(60) % 5, np.linspace(0, 1, 60), np.linspace(1e307, 1e308, 60)):
        dataset = make_dataset(odd, target)
        assert not [finding for finding in find_all(dataset, dataset.frame) if "failed" in finding.text]


def test_forty_thousand_rows_are_checked_quickly() -> None:
    dataset = clean_dataset(rows=40_000)
    find_all(dataset)  # imports
    started = time.perf_counter()
    find_all(dataset)
    assert time.perf_counter() - started < 4.0


def test_without_time_only_what_the_split_goes_by_is_looked_for() -> None:
    twins = make_dataset({"x": np.tile(np.arange(30.0), 2), "y": np.tile(np.linspace(0, 1, 30), 2)}, np.arange(60) % 2)
    found = {finding.kind: finding for finding in find_all(twins, deadline=0.0)}
    assert set(found) == {"duplicate_rows", "time"}
    assert found["duplicate_rows"].effects == {"group_rows": True}
    assert {"target_leak", "drift"} <= set(found["time"].skipped)
    assert "target_leak" in found["time"].text and "duplicate_rows" not in found["time"].text
