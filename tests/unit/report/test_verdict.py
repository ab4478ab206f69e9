"""The verdict says what the figures say: better, no better, unfinished, tied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.files import read_json, write_json
from automl.report.blocks import Alert, Checks, Facts, Paragraph, Score, Section
from automl.report.document import build_section
from automl.report.source import RunSource
from automl.report.wording import explain_score
from automl.run import Run
from automl.task import TaskKind
from automl.versions import Versions
from tests.golden.runs import write_empty_run, write_failed_run, write_full_run, write_regression_run


def verdict(run: Run) -> Section:
    section = build_section("verdict", RunSource(run))
    assert section is not None
    return section


def change_evaluation(run: Run, **changes: Any) -> None:
    write_json(run.evaluation_path, {**read_json(run.evaluation_path), **changes})


def of(section: Section, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def fact_items(run: Run) -> tuple[tuple[str, str, str], ...]:
    (facts,) = of(verdict(run), Facts)
    items: tuple[tuple[str, str, str], ...] = facts.items
    return items


def deploy(run: Run, name: str) -> None:
    """One model alone, wherever it stands."""
    board = read_json(run.path / "leaderboard.json")
    models = [{**model, "weight": float(model["name"] == name)} for model in board["models"]]
    write_json(run.path / "leaderboard.json", {**board, "models": models})
    write_json(run.ensemble_path, {"members": [{"trial": 2, "name": name, "weight": 1.0}]})


def said(section: Section) -> str:
    return " ".join(block.text for block in of(section, Paragraph))


def lights(section: Section) -> dict[str, str]:
    return {item.title: item.tone for block in of(section, Checks) for item in block.items}


def test_first_sentence_says_what_is_predicted_from_what(tmp_path: Path) -> None:
    first = of(verdict(write_full_run(tmp_path / "run")), Paragraph)[0]
    assert first.text == (
        "Predicts churn (one of two classes, “no” or “yes”) from 5 columns, learned from 1,200 rows of churn.csv."
    )


def test_a_better_model_is_said_to_be_better(tmp_path: Path) -> None:
    section = verdict(write_full_run(tmp_path / "run"))
    (score,) = of(section, Score)
    assert (score.value, score.low, score.high, score.tone) == (0.8471, 0.8312, 0.8629, "good")
    assert score.marks == (("constant guess", 0.5), ("linear model", 0.8311))
    assert "better than a linear model (0.8311)" in said(section)


def test_a_model_no_better_than_a_guess_is_called_so_in_red(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change_evaluation(run, score=0.51, low=0.47, high=0.55, better_than_constant=False, better_than_linear=False)
    section = verdict(run)
    assert of(section, Score)[0].tone == "bad"
    assert "not clearly better than always giving the same answer (0.5000)" in said(section)
    assert lights(section)["No better than a guess"] == "bad"


def test_a_linear_model_that_does_as_well_is_said(tmp_path: Path) -> None:
    section = verdict(write_regression_run(tmp_path / "run"))
    assert of(section, Score)[0].tone == "warn"
    assert lights(section)["A plain linear model does as well"] == "warn"


def test_a_deployed_linear_model_is_called_one(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change_evaluation(run, score=0.8311, better_than_linear=False)
    write_json(run.ensemble_path, {"members": [{"trial": 2, "candidate": "linear", "name": "linear #2", "weight": 1}]})
    section = verdict(run)
    assert of(section, Score)[0].tone == "good"
    assert "It is a linear model itself." in said(section)
    assert "better than a linear model" not in said(section)


def test_the_report_of_the_first_model_says_that_another_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run, later = write_full_run(tmp_path / "my run"), write_full_run(tmp_path / "my run/versions/0002")
    for folder in (run.model, later.model):
        folder.mkdir()
        (folder / "manifest.json").write_text("{}", encoding="utf-8")
    assert not [alert for alert in of(verdict(run), Alert) if "in use" in alert.title]
    Versions(run.path).promote(2)
    (alert,) = (alert for alert in of(verdict(run), Alert) if "in use" in alert.title)
    assert (alert.title, alert.tone) == ("Version 2 is in use", "warn")
    assert alert.text.endswith("my run/versions/0002/report.html")
    assert not [alert for alert in of(verdict(later), Alert) if "in use" in alert.title]


def test_an_unknown_comparison_claims_nothing(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change_evaluation(run, better_than_linear=None)
    assert "Beside it, a linear model scores 0.8311." in said(verdict(run))


def test_ties_and_risks_are_alerts(tmp_path: Path) -> None:
    alerts = {alert.title: alert.tone for alert in of(verdict(write_full_run(tmp_path / "run")), Alert)}
    assert alerts["1 model tied with the best"] == "neutral"
    assert alerts["Target leak"] == "bad"
    assert "Duplicate rows" not in alerts  # a note, not a risk: it stands among the decisions


def test_time_used_stands_beside_time_given(tmp_path: Path) -> None:
    (facts,) = of(verdict(write_full_run(tmp_path / "run")), Facts)
    assert ("Time used", "57 s", "of 1 min given") in facts.items


def test_a_count_that_a_clock_may_end_is_shown_with_it(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.update(trials_budget=40)
    assert ("Time used", "57 s", "for 40 configurations or 1 min, whichever is first") in fact_items(run)
    run.update(budget_seconds=None)
    assert ("Time used", "57 s", "for 40 configurations") in fact_items(run)


def test_what_is_deployed_is_shown_though_better_models_were_left_out(tmp_path: Path) -> None:
    """As with --max-size: the ensemble would be better, the linear model is small."""
    run = write_full_run(tmp_path / "run")
    change_evaluation(run, cost=None)
    deploy(run, "linear #2")
    facts = fact_items(run)
    assert ("Deployed model", "linear #2", "number 3 of the leaderboard") in facts
    assert ("Prediction", "0.012 ms a row", "0.4 MB") in facts
    (tie,) = [alert for alert in of(verdict(run), Alert) if "tied with the best" in alert.title]
    assert tie.text.endswith("The first is ensemble of 2; the deployed model, linear #2, is none of them.")
    deploy(run, "xgboost #3")
    (tie,) = [alert for alert in of(verdict(run), Alert) if "tied with the best" in alert.title]
    assert tie.text.endswith("the deployed model, xgboost #3, is one of them.")
    run.evaluation_path.unlink()
    assert of(verdict(run), Score)[0].value == 0.8452


def test_the_cost_is_that_of_the_deployed_folder_where_it_was_measured(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    change_evaluation(run, cost={"row_ms": 12.345, "size_mb": 4.2, "load_seconds": 0.5})
    assert ("Prediction", "one row 12.3 ms", "folder 4.2 MB") in fact_items(run)
    change_evaluation(run, cost=None)
    assert ("Prediction", "0.05 ms a row", "2.1 MB") in fact_items(run)


def test_an_unfinished_and_a_failed_run_say_how_to_go_on(tmp_path: Path) -> None:
    unfinished = of(verdict(write_empty_run(tmp_path / "a")), Alert)
    failed = of(verdict(write_failed_run(tmp_path / "b")), Alert)
    assert unfinished[0].title == "This run is not finished"
    assert "automl resume" in unfinished[0].text
    assert (failed[0].title, failed[0].tone) == ("This run failed", "bad")


def test_commands_can_be_copied_though_the_path_has_a_space(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "my runs")
    run.update(status="stopped")
    write_json(run.details_path, {"schema_version": 1, "skipped": ["slices"]})
    texts = " ".join(alert.text for alert in of(verdict(run), Alert))
    assert f"automl resume '{run.path}'" in texts
    assert f"automl report '{run.path}' --full" in texts


def test_what_little_the_time_did_not_allow_is_named(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")

    def tell(*skipped: str) -> list[str]:
        write_json(run.details_path, {"schema_version": 1, "skipped": skipped})
        return [f"{alert.title}: {alert.text}" for alert in of(verdict(run), Alert) if "--full" in alert.text]

    (few,) = tell("parameters")
    assert few.startswith("Not all was measured: Time did not allow for the importance of the parameters. To have it")
    for many in (("folds", "members", "columns"), ("details",)):
        (text,) = tell(*many)
        assert text.startswith("This report is a short one: Time did not allow every measurement.")
    assert tell() == []


def test_a_score_that_was_not_checked_is_said_to_flatter(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.evaluation_path.unlink()
    section = verdict(run)
    assert of(section, Score)[0].value == 0.8493
    assert "flattered" in said(section)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.evaluation_path.write_text("{", encoding="utf-8")
    assert any("evaluation.json" in alert.text for alert in of(verdict(run), Alert))


def test_how_good_it_is_stands_in_natural_units(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "a")
    natural = (
        "Of 100 rows it has not seen, it names the right class for 81; always answering “no” would be right for 75."
    )
    assert of(verdict(run), Paragraph)[1].text == natural
    run = write_regression_run(tmp_path / "b")
    metrics = read_json(run.evaluation_path)["metrics"]
    metrics |= {"median_absolute_error": {"value": 9940.0}, "mae": {"value": 21000.0}}
    change_evaluation(run, metrics=metrics)
    assert of(verdict(run), Paragraph)[1].text == (
        "Half of its predictions are within 9,940 of the true price (7.0% of a typical one, 142,000); "
        "the mean error is 21,000."
    )


def test_weighted_rows_are_set_beside_weighted_rows(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    run.recipe_path.write_text("data:\n  weight: times\n", encoding="utf-8")
    change_evaluation(run, majority=None)
    first = "Of 100 rows it has not seen, counted by “times”, it names the right class for 81"
    assert of(verdict(run), Paragraph)[1].text == f"{first}."  # of an earlier version: nothing to set beside it
    change_evaluation(run, majority={"label": "yes", "share": 0.62})
    assert of(verdict(run), Paragraph)[1].text == f"{first}; always answering “yes” would be right for 62."
    assert of(verdict(run), Score)[0].caption.endswith("Rows are weighted by “times”.")


def test_rows_of_the_test_file_that_were_not_scored_are_told(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    test = {"file": "new.csv", "rows": 800, "metrics": {"roc_auc": {"value": 0.95}}}
    change_evaluation(run, test={**test, "unknown_rows": 200})
    assert ("On the test file", "0.9500", "800 rows; 200 more have targets unknown to it") in fact_items(run)
    change_evaluation(run, test=test)
    assert ("On the test file", "0.9500", "800 rows") in fact_items(run)


def test_a_report_that_time_cut_short_says_how_to_get_the_rest(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    assert not [alert for alert in of(verdict(run), Alert) if "--full" in alert.text]
    write_json(run.details_path, {"schema_version": 1, "skipped": ["slices"]})
    assert [alert.tone for alert in of(verdict(run), Alert) if "--full" in alert.text] == ["neutral"]


def test_a_correction_of_nothing_is_not_said_to_have_taken_off_a_flattery(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    for changes, note in (
        ({}, "flattered by the choice among many"),
        ({"optimism": 0.0}, "the choice among many changed nothing"),
    ):
        change_evaluation(run, **changes)
        (facts,) = of(verdict(run), Facts)
        assert [item[2] for item in facts.items if item[0] == "Before correction"] == [note]
    change_evaluation(run, optimism=0.0, bootstraps=0)
    (facts,) = of(verdict(run), Facts)
    assert "Before correction" not in [item[0] for item in facts.items]


def test_of_several_classes_each_is_held_against_all_others() -> None:
    two = explain_score("roc_auc", 0.85, "kind", TaskKind.BINARY)
    three = explain_score("roc_auc", 0.85, "kind", TaskKind.MULTICLASS)
    assert two.startswith("Shown one row of each class, the model ranks the right one higher 85 times in 100.")
    assert three.startswith("Shown one row of a class and one of any other, the model ranks the right one higher 85")
    assert "averaged over the classes" in three


def test_a_model_worse_than_the_mean_is_called_so() -> None:
    assert explain_score("r2", -0.12, "price") == "The model is worse than always answering the mean."
    assert explain_score("r2", 0.12, "price").startswith("The model explains 12% of the differences")
