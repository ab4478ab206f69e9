"""Traffic lights turn with the figures behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.files import read_json, write_json
from automl.profile import Finding
from automl.profile.describe import find_all
from automl.report.checks import list_checks
from automl.report.source import RunSource
from automl.run import Run
from tests.golden.runs import write_empty_run, write_full_run, write_regression_run
from tests.unit.profile.tables import clean_dataset


def lights(run: Run) -> dict[str, str]:
    checks = list_checks(RunSource(run))
    assert checks is not None
    return {item.title: item.tone for item in checks.items}


def texts(run: Run) -> dict[str, str]:
    checks = list_checks(RunSource(run))
    assert checks is not None
    return {item.title: item.text for item in checks.items}


def score_classes(*rows: int) -> list[dict[str, Any]]:
    return [{"label": str(place), "rows": count, "recall": 0.9} for place, count in enumerate(rows)]


def deploy(run: Run, *candidates: str) -> None:
    members = [{"trial": place, "candidate": name, "name": name} for place, name in enumerate(candidates)]
    write_json(run.ensemble_path, {**read_json(run.ensemble_path), "members": members})


def change(run: Run, **changes: Any) -> None:
    write_json(run.evaluation_path, {**read_json(run.evaluation_path), **changes})


def test_the_gravest_stands_first(tmp_path: Path) -> None:
    checks = list_checks(RunSource(write_full_run(tmp_path / "run")))
    assert checks is not None
    order = ["bad", "warn", "neutral", "good"]
    tones = [order.index(item.tone) for item in checks.items]
    assert tones == sorted(tones)
    assert checks.items[0].title == "Leak suspected"
    assert checks.items[0].text.startswith("plan may tell the answer")


def test_a_run_without_a_checked_score_has_no_lights(tmp_path: Path) -> None:
    assert list_checks(RunSource(write_empty_run(tmp_path / "run"))) is None


@pytest.mark.parametrize(
    ("changes", "title", "tone"),
    [
        ({"better_than_constant": False}, "No better than a guess", "bad"),
        ({"better_than_linear": False}, "A plain linear model does as well", "warn"),
        ({}, "It has learned something", "good"),
        ({"bootstraps": 0}, "The score is not corrected", "warn"),
        ({"calibration_error": 0.004}, "Probabilities mean what they say", "good"),
        ({"calibration_error": 0.12}, "Probabilities are not to be taken literally", "warn"),
        ({"classes": [{"label": "yes", "rows": 9, "recall": 0.2}]}, "A class is often missed", "warn"),
    ],
)
def test_a_figure_sets_its_light(changes: dict[str, Any], title: str, tone: str, tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, **changes)
    assert lights(run)[title] == tone


def find(run: Run, *findings: Finding) -> None:
    """The run's findings are these alone."""
    record = {**read_json(run.profile_path), "findings": [finding.to_json() for finding in findings]}
    write_json(run.profile_path, record)


def test_what_was_not_looked_at_has_no_green_light(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.update(test="new.csv")
    find(run)
    assert (lights(run)["No leak found"], lights(run)["No drift found"]) == ("good", "good")
    for finding in find_all(clean_dataset(rows=20), clean_dataset(rows=150).frame):
        if finding.skipped:
            find(run, finding)
            told = {"drift": "Drift was not looked at", "target_leak": "Leaks were not looked for"}[finding.kind]
            assert lights(run)[told] == "neutral"
            assert texts(run)[told] == f"{finding.text}."
    (late,) = find_all(clean_dataset(), deadline=0.0)
    find(run, late)
    assert {"Drift was not looked at", "Leaks were not looked for"} <= set(lights(run))
    assert not {"No leak found", "No drift found"} & set(lights(run))


def test_columns_that_were_left_out_stand_beside_the_green_light(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.update(test="new.csv")
    kinds = ("drift", "target_leak")
    find(
        run,
        *(Finding(kind=kind, severity="note", text="Not note", columns=("note",), skipped=(kind,)) for kind in kinds),
    )
    assert texts(run)["No drift found"] == "The second file looks like the training rows. Not note."
    assert texts(run)["No leak found"] == "No single column tells the answer by itself. Not note."


@pytest.mark.parametrize(("label", "way"), [("no", "higher"), ("yes", "lower")])
def test_the_threshold_that_finds_more_lies_on_the_side_of_the_class(label: str, way: str, tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, classes=[{"label": label, "rows": 9, "recall": 0.2}])
    assert texts(run)["A class is often missed"].endswith(f"are found; a {way} threshold finds more.")


def test_few_rows_are_yellow_and_very_few_are_red(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    assert lights(run)["Enough rows to tell"] == "good"
    change(run, classes=score_classes(200, 100))
    assert lights(run)["Few rows"] == "warn"
    change(run, classes=score_classes(40, 20))
    assert lights(run)["Few rows"] == "bad"


def test_the_rows_told_are_those_that_were_scored_not_those_of_the_table(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")  # of 1,200 rows, as with a time column or a holdout
    change(run, classes=score_classes(700, 300))
    assert texts(run)["Enough rows to tell"] == "The score comes from 1,000 rows not seen in training."
    change(run, classes=score_classes(300, 117))
    assert texts(run)["Few rows"] == "A score of 417 rows says little; look at its interval."
    run = write_regression_run(tmp_path / "values")  # as many as its errors in the histogram
    assert texts(run)["Few rows"] == "A score of 190 rows says little; look at its interval."


def test_no_number_is_told_where_that_of_scored_rows_was_not_kept(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, classes=[])
    assert texts(run)["Enough rows to tell"] == "The score comes from rows not seen in training."
    run.update(rows=300)
    assert texts(run)["Few rows"] == "A score of so few rows says little; look at its interval."


def test_a_deployed_linear_model_is_not_held_against_itself(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, better_than_linear=False)
    deploy(run, "linear")
    assert "A plain linear model does as well" not in lights(run)
    assert lights(run)["A linear model is enough here"] == "good"
    deploy(run, "linear", "xgboost")
    assert lights(run)["A plain linear model does as well"] == "warn"
    change(run, better_than_constant=False)
    deploy(run, "linear")
    assert lights(run)["No better than a guess"] == "bad"


def test_the_linear_model_of_texts_is_one_where_it_was_the_baseline(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, better_than_linear=False)
    deploy(run, "tfidf_linear")
    assert lights(run)["A plain linear model does as well"] == "warn"
    with (run.search / "trials.jsonl").open("a") as file:
        file.write('{"trial": 1, "candidate": "tfidf_linear", "origin": "baseline", "status": "ok", "score": 0.8}\n')
    assert lights(run)["A linear model is enough here"] == "good"


@pytest.mark.parametrize(
    ("write_run", "optimism", "text"),
    [
        (write_full_run, 0.0022, "0.0022 was taken off for it"),
        (write_regression_run, 107.3, "107 was added to the error for it"),
        (write_regression_run, 0.0, "here it made no difference"),
    ],
)
def test_a_correction_makes_every_score_worse(
    write_run: Callable[[Path], Run], optimism: float, text: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run")
    change(run, optimism=optimism)
    assert texts(run)["The score is corrected"] == f"Choosing among many flatters; {text}."


@pytest.mark.parametrize(("low", "reason"), [(None, "Time was too short"), (0.8, "Rows were too few")])
def test_a_score_that_was_not_corrected_says_why(low: float | None, reason: str, tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change(run, bootstraps=0, optimism=None, low=low)
    assert texts(run)["The score is not corrected"].startswith(f"{reason} to correct the score")


def test_a_slice_twice_as_bad_is_a_warning(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    record = read_json(run.details_path)
    assert lights(run)["Some rows are harder"] == "neutral"  # low 0.345 < 2 * 0.1875
    record["slices"]["slices"][0]["low"] = 0.38
    write_json(run.details_path, record)
    assert lights(run)["Some rows are much harder"] == "warn"


def name_trials(run: Run) -> None:
    """As a search writes its leaderboard."""
    board = read_json(run.path / "leaderboard.json")
    for model in board["models"]:
        model["trial"] = {"xgboost #3": 3, "linear #2": 2}.get(model["name"])
    write_json(run.path / "leaderboard.json", board)


def test_folds_that_disagree_are_said(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    name_trials(run)
    path = run.search / "trials.jsonl"
    text = path.read_text()
    # against a gain of 0.35 over the constant
    path.write_text(text.replace('"score": 0.8452, "fold_scores": []', '"score": 0.8452, "fold_scores": [0.84, 0.85]'))
    assert lights(run)["The folds agree"] == "good"
    path.write_text(text.replace('"score": 0.8452, "fold_scores": []', '"score": 0.8452, "fold_scores": [0.7, 0.95]'))
    assert lights(run)["The folds disagree"] == "warn"


def test_folds_are_held_against_the_constant_only_as_the_score_is_judged(tmp_path: Path) -> None:
    """F1 of a rare class at 0.5 says nothing beside F1 at a threshold: what the workers noted is not shown."""
    run = write_full_run(tmp_path / "run")
    name_trials(run)
    path = run.search / "trials.jsonl"
    path.write_text(path.read_text().replace('"fold_scores": []', '"fold_scores": [0.0, 0.02]'))
    run.update(metric="f1")
    assert not {"The folds agree", "The folds disagree"} & set(lights(run))
    details = read_json(run.details_path)
    write_json(run.details_path, {**details, "folds": {"members": [{"trial": 3, "scores": [0.71, 0.74]}]}})
    assert texts(run)["The folds agree"].startswith("F1 of the folds: 0.7100 to 0.7400, where")
    run.update(metric="roc_auc")  # which asks for neither threshold nor calibration
    assert texts(run)["The folds agree"].startswith("ROC AUC of the folds: 0.0000 to 0.0200, where")


def test_a_class_of_which_no_row_was_scored_is_not_called_missed(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    classes = score_classes(300, 300)
    change(run, classes=[*classes, {"label": "X", "rows": 0, "recall": 0.0}])  # as earlier versions wrote it
    assert lights(run)["Not every class was scored"] == "neutral"
    assert "of “X” none was scored" in texts(run)["Not every class was scored"]
    change(run, classes=[*classes, {"label": "X", "rows": 0, "recall": None, "f1": None}])
    assert "A class is often missed" not in lights(run)
    change(run, classes=classes)
    assert lights(run)["Every class is found"] == "good"


def test_intervals_that_hold_are_green(tmp_path: Path) -> None:
    run = write_regression_run(tmp_path / "run")
    assert lights(run)["Nine in ten predictions are this close"] == "good"
    record = read_json(run.details_path)
    record["residuals"]["coverage"][0]["observed"] = 0.7
    write_json(run.details_path, record)
    assert lights(run)["Intervals do not hold"] == "warn"
