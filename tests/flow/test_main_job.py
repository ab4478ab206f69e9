"""The main job: fit, leaderboard, predict, evaluate, report, as one types them."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl
from automl.cli import main
from tests.flow.command import PENGUINS, SURVEY, Result, Tool, read_lines, read_record, stray_files

FILES = (
    "run.json",
    "recipe.yaml",
    "events.jsonl",
    "data/schema.json",
    "data/split.npz",
    "profile.json",
    "search/journal.log",
    "search/trials.jsonl",
    "ensemble.json",
    "evaluation.json",
    "leaderboard.csv",
    "model/manifest.json",
    "report.html",
    "report.json",
    "model_card.md",
)


def test_fit_names_the_score_the_report_and_the_next_command(survey_fit: Result) -> None:
    assert survey_fit.code == 0, survey_fit
    assert "ROC AUC 0." in survey_fit.out
    assert "95% interval" in survey_fit.out
    assert survey_fit.out.splitlines()[-1].startswith("next: automl predict survey")
    assert "report: survey/report.html" in survey_fit.out
    assert "2,534 rows" in survey_fit.err


def test_the_run_folder_is_complete(survey: Path) -> None:
    assert [name for name in FILES if not (survey / name).is_file()] == []
    assert read_record(survey / "run.json")["status"] == "complete"
    assert len(read_lines(survey / "search" / "trials.jsonl")) == 4


def test_nothing_temporary_is_left_in_the_run_folder(survey: Path, penguins: Path) -> None:
    assert stray_files(survey) == []
    assert stray_files(penguins) == []


def test_nothing_is_written_outside_the_run_folder(shared: Tool, survey: Path, penguins: Path) -> None:
    assert list(shared.home.rglob("*")) == []
    assert list(shared.temporary.rglob("*")) == []
    assert {path.name for path in shared.work.iterdir()} >= {"survey", "penguins"}


def test_the_run_folder_belongs_to_its_owner_alone(survey: Path) -> None:
    assert survey.stat().st_mode & 0o077 == 0


def test_every_json_file_of_a_run_is_strict(survey: Path, penguins: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    for run in (survey, penguins):
        read = {
            path.name: json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
            for path in run.rglob("*.json")
        }
        assert {"run.json", "evaluation.json", "profile.json", "schema.json", "report.json"} <= read.keys()


def test_the_leaderboard_is_ranked_and_says_its_version(shared: Tool, survey: Path) -> None:
    result = shared("leaderboard", survey, "--json")
    assert result.code == 0, result
    assert result.record["schema_version"] == 1
    models = result.record["models"]
    assert [model["rank"] for model in models] == list(range(1, len(models) + 1))
    assert {"rank", "name", "candidate", "score"} <= set(models[0])
    chosen_by = [model["raw_score"] for model in models]
    assert chosen_by == sorted(chosen_by, reverse=True)
    deployed = next(model for model in models if model["weight"] == 1.0)
    assert deployed["score"] == read_record(survey / "evaluation.json")["score"]  # corrected for having been chosen
    assert {model["candidate"] for model in models} >= {"dummy", "linear", "xgboost"}
    assert models[-1]["candidate"] == "dummy"
    text = shared("leaderboard", survey)
    assert text.code == 0
    assert all(model["name"] in text.out for model in models)


def test_a_loss_is_ranked_upwards(shared: Tool, penguins: Path) -> None:
    chosen_by = [model["raw_score"] for model in shared("leaderboard", penguins, "--json").record["models"]]
    assert chosen_by == sorted(chosen_by)
    assert chosen_by[0] < chosen_by[-1]


def test_predict_writes_csv_jsonl_and_parquet_alike(
    shared: Tool, survey: Path, survey_predictions: Result, tmp_path: Path
) -> None:
    assert survey_predictions.code == 0, survey_predictions
    csv = pd.read_csv(io.StringIO(survey_predictions.out))
    assert list(csv.columns) == ["prediction", "proba_no", "proba_yes"]
    assert len(csv) == 2534
    assert set(csv.prediction) == {"no", "yes"}
    np.testing.assert_allclose(csv.proba_no + csv.proba_yes, 1, atol=1e-6)
    readers = {"jsonl": partial(pd.read_json, lines=True), "parquet": pd.read_parquet}
    for ending, read in readers.items():
        out = tmp_path / f"predictions.{ending}"
        result = shared("predict", survey, SURVEY, "--proba", "--quiet", "--out", out)
        assert (result.code, result.out) == (0, ""), result
        other = read(out)
        assert list(other.columns) == list(csv.columns)
        assert (other.prediction.astype(str) == csv.prediction).all()
        np.testing.assert_allclose(other.proba_yes, csv.proba_yes, atol=1e-6)


def test_predict_reads_stdin(shared: Tool, survey: Path, survey_predictions: Result) -> None:
    head = b"\n".join(SURVEY.read_bytes().split(b"\n")[:6]) + b"\n"
    piped = shared("predict", survey, "-", "--proba", stdin=head)
    assert piped.code == 0, piped
    assert len(piped.out.splitlines()) == 1 + 5
    first = pd.read_csv(io.StringIO(survey_predictions.out)).head(5)
    np.testing.assert_allclose(pd.read_csv(io.StringIO(piped.out)).proba_yes, first.proba_yes, atol=1e-6)


def test_evaluate_gives_each_metric_with_its_interval(shared: Tool, survey: Path) -> None:
    result = shared("evaluate", survey, SURVEY, "--json")
    assert result.code == 0, result
    record = result.record
    assert record["schema_version"] == 1
    assert record["rows"] == 2534
    assert {"roc_auc", "log_loss", "accuracy"} <= set(record["metrics"])
    for metric in record["metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
    text = shared("evaluate", survey, SURVEY)
    assert text.code == 0
    assert "roc_auc" in text.out


def test_regression_accepts_proba_and_adds_nothing_and_evaluate_agrees(shared: Tool, penguins: Path) -> None:
    result = shared("predict", penguins, PENGUINS, "--proba", "--quiet")
    assert result.code == 0, result
    found = pd.read_csv(io.StringIO(result.out))
    assert list(found.columns) == ["prediction"]
    assert len(found) == 344  # the two that were never weighed included
    predicted = found.prediction
    weighed = pd.read_csv(PENGUINS).body_mass_g
    error = predicted - weighed
    record = shared("evaluate", penguins, PENGUINS, "--json").record
    assert record["rows"] == 342
    assert record["metrics"]["mae"]["value"] == pytest.approx(error.abs().mean(), rel=1e-6)
    assert record["metrics"]["rmse"]["value"] == pytest.approx((error**2).mean() ** 0.5, rel=1e-6)


def test_values_have_intervals_that_hold_their_share(shared: Tool, penguins: Path, survey: Path) -> None:
    result = shared("predict", penguins, PENGUINS, "--interval", "0.8", "--quiet")
    assert result.code == 0, result
    found = pd.read_csv(io.StringIO(result.out))
    assert list(found.columns) == ["prediction", "low", "high"]
    weighed = pd.read_csv(PENGUINS).body_mass_g
    inside = ((found.low <= weighed) & (weighed <= found.high))[weighed.notna()]
    assert inside.mean() > 0.75  # of rows that it was trained on
    words = ("evaluate", penguins, PENGUINS, "--interval", "0.8")
    held = shared(*words, "--json").record["interval"]
    assert held["covered"] == pytest.approx(inside.mean(), abs=1e-9)
    assert held["low"] < held["covered"] < held["high"]
    assert held["mean_width"] == pytest.approx((found.high - found.low)[weighed.notna()].mean(), rel=1e-6)
    assert "of the values lie in their 80% interval" in " ".join(shared(*words).out.split())
    refused = shared("predict", survey, SURVEY, "--interval", "0.8")
    assert (refused.code, refused.out) == (2, "")
    assert "'married' has classes, and intervals are of numbers" in refused.err


def test_evaluate_counts_rows_as_they_weigh_and_those_of_a_group_as_one(
    penguins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a table whose rows are all there four times, once with weight 3 and thrice with none."""
    table = pd.read_csv(PENGUINS).dropna(subset="body_mass_g").reset_index(names="bird")
    four = pd.concat([table.assign(counts=weight) for weight in (3, 0, 0, 0)])
    four.loc[four.counts == 0, "body_mass_g"] += 500
    four.to_csv(tmp_path / "four.csv", index=False)

    def measure(*words: str) -> dict[str, float]:
        """In this process: what a command of its own does is seen elsewhere."""
        assert main.run(["evaluate", str(penguins), str(tmp_path / "four.csv"), "--json", *words]) == 0
        metric: dict[str, float] = json.loads(capsys.readouterr().out)["metrics"]["mae"]
        return metric

    alone, grouped, weighted = measure(), measure("--group", "bird"), measure("--weight", "counts")

    predicted = automl.load(penguins).predict(table)
    assert weighted["value"] == pytest.approx(np.abs(predicted - table.body_mass_g).mean())
    assert grouped["value"] == alone["value"] > weighted["value"]
    assert grouped["high"] - grouped["low"] > 1.2 * (alone["high"] - alone["low"])
    assert main.run(["evaluate", str(penguins), str(tmp_path / "four.csv"), "--group", "birds"]) == 3
    assert "'bird'" in capsys.readouterr().err


def test_report_is_written_again_whole(shared: Tool, penguins: Path) -> None:
    report = penguins / "report.html"
    report.unlink()
    result = shared("report", penguins)
    assert result.code == 0, result
    assert result.out.strip().endswith("report.html")
    text = report.read_text(encoding="utf-8")
    assert text.rstrip().endswith("</html>")
    assert "body_mass_g" in text
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text


def test_the_score_stands_beside_its_interval_and_baselines(survey: Path) -> None:
    record = read_record(survey / "evaluation.json")
    assert record["low"] <= record["score"] <= record["high"]
    assert record["baselines"]["constant"]["score"] == pytest.approx(0.5, abs=0.02)
    assert record["score"] > record["baselines"]["constant"]["score"]
    assert record["better_than_constant"] is True
