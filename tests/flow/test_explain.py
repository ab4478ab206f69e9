"""`explain`, `compare` and `--sensitive` from outside: on runs that `fit` made, in processes of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.flow.command import PENGUINS, SURVEY, Maker, Prepared, Tool
from tests.flow.conftest import Words, write_recipe


def make_fair(work: Path) -> Words:
    """The survey without `race`, which is looked at all the same, and in an order that changes nothing."""
    short = ("--trials", "3", "--recipe", write_recipe(work, "linear"))
    return "fit", SURVEY, "-t", "married", "--drop", "race", "--sensitive", "race", *short, "--out", "fair", "--quiet"


PREPARED: dict[str, Maker] = {"fair": make_fair}


@pytest.fixture(scope="session")
def fair(prepared: Prepared) -> Path:
    return prepared.run("fair")


def test_a_row_of_the_training_file_is_explained(shared: Tool, survey: Path) -> None:
    found = json.loads(shared("explain", survey, "--row", "3", "--json").out)
    check = found["check"]
    assert check["sum_of_contributions"] == pytest.approx(check["output_minus_base"], abs=1e-6)
    assert abs(check["sampling_gap"]) < 1e-4  # every background row was met equally often
    assert {entry["column"] for entry in found["contributions"]} >= {"age", "race", "partyid"}
    assert found["truth"] in {"yes", "no"}
    assert 0 < found["out_of_fold_output"] < 1
    text = shared("explain", survey, "--row", "3").out
    assert "What each column adds to the probability of “yes”" in text
    assert "One change alone" in text


def test_the_same_row_from_a_file_has_the_same_explanation(shared: Tool, penguins: Path) -> None:
    inside = json.loads(shared("explain", penguins, "--row", "5", "--json").out)
    given = json.loads(shared("explain", penguins, "--data", PENGUINS, "--row", "5", "--json").out)
    row = inside["row"]
    assert (given["file"], given["row"]) == (str(PENGUINS), row)
    assert given["output"] == pytest.approx(inside["output"], rel=1e-6)
    assert [entry["column"] for entry in given["contributions"]] == [
        entry["column"] for entry in inside["contributions"]
    ]
    assert "truth" in inside and "truth" not in given


def test_rows_are_numbered_as_in_the_file(shared: Tool, penguins: Path) -> None:
    """The fourth penguin was not weighed, so that the run did not learn from it."""
    refused = shared("explain", penguins, "--row", "3")
    assert refused.code == 2
    assert "a row without a target was left out" in refused.err
    assert json.loads(shared("explain", penguins, "--row", "4", "--json").out)["truth"] == 3450.0


def test_a_row_that_is_not_there_is_refused(shared: Tool, survey: Path) -> None:
    for words in (("--row", "99999"), ("--row", "-1"), ("--row", "99999", "--data", SURVEY)):
        refused = shared("explain", survey, *words)
        assert refused.code == 2
        assert "The first row is 0, the last" in refused.err
    refused = shared("explain", survey, "--row", "1", "--class", "maybe")
    assert refused.code == 2
    assert "no class 'maybe'" in refused.err


def test_a_run_is_explained_on_the_whole_and_says_on_which_rows(shared: Tool, survey: Path) -> None:
    found = json.loads(shared("explain", survey, "--json").out)
    assert found["shapley"]["columns"][0]["column"] == "age"
    assert found["stress"]["missing"][0]["column"] in {"age", "race"}
    assert found["skipped"] == {}
    text = shared("explain", survey).out
    for said in ("Shapley values", "Rules that imitate the model", "Would more rows help?", "If a column were missing"):
        assert said in text
    assert "had not seen (fold 1)" in text.replace("\n", " ").replace("  ", " ")
    page = (survey / "report.html").read_text(encoding="utf-8")
    assert "Shapley values" in page  # the report was written with them


def test_a_run_that_lacks_its_studies_does_them_when_it_is_asked(shared: Tool, survey: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(survey, copy)
    (copy / "studies.json").unlink()
    found = json.loads(shared("explain", copy, "--time", "20s", "--json").out)
    assert found["shapley"]["rows"] > 0
    assert (copy / "studies.json").exists()


def test_groups_are_compared_although_the_model_does_not_see_them(shared: Tool, fair: Path) -> None:
    studies = json.loads((fair / "studies.json").read_text(encoding="utf-8"))
    (record,) = studies["fairness"]["columns"]
    assert [group["group"] for group in record["groups"]] == ["White", "Black", "Other"]
    assert sum(group["rows"] for group in record["groups"]) == 2534
    gaps = {gap["name"]: gap for gap in record["gaps"]}
    assert gaps["selection rate"]["gap"] > gaps["selection rate"]["chance"]  # other columns tell of it
    assert "race" not in {entry["column"] for entry in studies["shapley"]["columns"]}
    assert "Groups of race" in (fair / "report.html").read_text(encoding="utf-8")


def test_a_file_is_evaluated_by_group(shared: Tool, fair: Path) -> None:
    found = json.loads(shared("evaluate", fair, SURVEY, "--sensitive", "race", "--json").out)
    assert [group["rows"] for group in found["fairness"][0]["groups"]] == [1888, 384, 262]
    assert "Groups of race" in shared("evaluate", fair, SURVEY, "--sensitive", "race").out
    refused = shared("evaluate", fair, SURVEY, "--sensitive", "rase")
    assert refused.code == 3
    assert "Did you mean 'race'?" in refused.err


def test_two_runs_are_compared_on_their_common_rows(shared: Tool, fair: Path, survey: Path) -> None:
    found = json.loads(shared("compare", fair, survey, "--json").out)
    assert found["common_rows"] == 2534
    assert found["matched_by"].startswith("content of 6 common column(s)")
    assert found["difference"]["low"] > 0  # `race` and trees are worth something
    assert [entry["column"] for entry in found["data"]["only_a"]] == []
    assert [entry["column"] for entry in found["data"]["only_b"]] == ["race"]
    text = shared("compare", fair, survey).out
    assert "B is better than A." in text
    assert "Where the difference comes from" in text


def test_runs_of_different_targets_are_not_compared(shared: Tool, survey: Path, penguins: Path) -> None:
    refused = shared("compare", survey, penguins)
    assert refused.code == 2
    assert "predicts 'married' (binary)" in refused.err
