"""Run folders made by hand: every file of a run, small and always the same, so that looks of it can be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from automl.events import (
    BestImproved,
    DataLoaded,
    Decision,
    Event,
    JobFinished,
    JobStarted,
    RunFinished,
    RunStarted,
    StageStarted,
    TrialFinished,
    WarningRaised,
)
from automl.files import write_json
from automl.run import Run

START = 1795311000.0
BINARY = {
    "kind": "binary",
    "target": "churn",
    "classes": ["no", "yes"],
    "metric": "roc_auc",
    "maximize": True,
    "label_type": "str",
    "reason": "two different values",
}
REGRESSION = {
    "kind": "regression",
    "target": "price",
    "classes": [],
    "metric": "rmse",
    "maximize": False,
    "label_type": "float",
    "reason": "numbers with fractions",
}


def write_full_run(folder: Path) -> Run:
    """A finished search for the two classes of a small table of customers."""
    run = Run.create(folder, data_name="churn", record=_record(BINARY, "roc_auc"))
    run.update(status="complete", finished_seconds=57.4, id="2026-11-22-churn-7f3a")
    write_json(run.profile_path, {"profile": _profile(), "findings": _findings(), "notices": _notices()})
    write_json(
        run.path / "leaderboard.json",
        {"schema_version": 1, "metric": "roc_auc", "maximize": True, "models": _models()},
    )
    write_json(run.evaluation_path, _evaluation())
    write_json(
        run.ensemble_path,
        {
            "score": 0.8493,
            "members": [
                {"trial": 3, "candidate": "xgboost", "name": "xgboost #3", "weight": 0.6},
                {"trial": 2, "candidate": "linear", "name": "linear #2", "weight": 0.4},
            ],
            "history": [{"elapsed": 3.0, "score": 0.5, "members": 1}],
        },
    )
    write_json(run.details_path, _details())
    _write_lines(run.search / "trials.jsonl", _trials())
    _write_lines(run.events_path, [event.to_json() for event in full_events()])
    run.recipe_path.write_text("name: balanced\nsearch:\n  candidates: [dummy, linear, xgboost, svm, neighbors]\n")
    return run


def write_regression_run(folder: Path) -> Run:
    """A finished search for a number, with an interval that does not clear the linear baseline."""
    run = Run.create(folder, data_name="houses", record=_record(REGRESSION, "rmse", data="houses.csv"))
    run.update(status="complete", finished_seconds=30.0)
    values = {"name": "price", "edges": [0.0, 100000.0, 200000.0, 300000.0], "counts": [40, 120, 30]}
    values |= {"minimum": 21000.0, "median": 142000.0, "maximum": 290000.0}
    sold = {"name": "sold", "role": "date", "reason": "days as 2024-05-01", "missing": 0.0, "distinct": 180}
    sold |= {"minimum": 1704067200.0, "median": 1719792000.0, "maximum": 1735603200.0, "counts": [90, 100]}
    profile = {"rows": 190, "columns": [sold], "target": {"name": "price", "kind": "regression", "values": values}}
    write_json(run.profile_path, {"profile": profile, "findings": [], "notices": []})
    model = {"rank": 1, "name": "extra_trees #4", "candidate": "extra_trees", "kind": "model", "score": 31234.5678}
    models = [{**model, "low": 29876.1, "high": 33011.9, "tied": False, "folds": 5, "params": {}}]
    write_json(
        run.path / "leaderboard.json", {"schema_version": 1, "metric": "rmse", "maximize": False, "models": models}
    )
    evaluation = {"metric": "rmse", "maximize": False, "score": 31500.25, "low": 29900.0, "high": 33200.0}
    evaluation |= {
        "baselines": {"constant": {"score": 79000.0}, "linear": {"score": 31800.0}},
        "better_than_constant": True,
        "better_than_linear": False,
        "metrics": {"rmse": {"value": 31500.25, "low": 29900.0, "high": 33200.0}},
        "residuals": {
            "quantiles": {"5": -52000.0, "50": 310.0, "95": 49000.0},
            "histogram": {"edges": [-1e5, -5e4, 0.0, 5e4, 1e5], "counts": [9, 86, 85, 10]},
        },
    }
    write_json(run.evaluation_path, evaluation)
    write_json(run.details_path, _regression_details())
    run.model.mkdir()
    write_json(run.model / "intervals.json", {})  # it is asked only whether there are any
    return run


def write_single_run(folder: Path) -> Run:
    """A run stopped after its first real model: one trial beside the constant one, and no details."""
    run = write_full_run(folder)
    run.update(status="stopped", finished_seconds=9.0)
    models = _models()
    one = {**models[2], "rank": 1, "weight": 1.0}
    board = {"schema_version": 1, "metric": "roc_auc", "maximize": True, "models": [one, {**models[3], "rank": 2}]}
    write_json(run.path / "leaderboard.json", board)
    write_json(run.ensemble_path, {"score": 0.8311, "members": [{"trial": 2, "name": "linear #2", "weight": 1.0}]})
    write_json(run.details_path, {"schema_version": 1, "skipped": ["details"]})
    _write_lines(run.search / "trials.jsonl", _trials()[:2])
    return run


def write_interrupted_run(folder: Path) -> Run:
    """A run that was killed while it searched: models, but no checked score."""
    run = write_full_run(folder)
    run.update(status="interrupted", finished_seconds=21.0)
    run.evaluation_path.unlink()
    run.details_path.unlink()
    return run


def write_empty_run(folder: Path) -> Run:
    """A run that has only begun."""
    return Run.create(folder, data_name="churn", record={})


def write_failed_run(folder: Path) -> Run:
    """A run in which no model came to an end."""
    run = Run.create(folder, data_name="churn", record=_record(BINARY, "roc_auc"))
    run.update(status="failed", finished_seconds=12.0)
    trial = {"trial": 0, "candidate": "dummy", "params": {}, "origin": "baseline", "status": "crashed", "score": None}
    trial |= {"fold_scores": [], "seconds": 0.5, "reason": "killed by signal 9", "started": 1.0, "finished": 1.5}
    _write_lines(run.search / "trials.jsonl", [trial])
    _write_lines(run.events_path, [RunFinished(at=START + 12, status="failed", seconds=12.0).to_json()])
    return run


def full_events() -> list[Event]:
    """What the finished run told while it ran."""
    return [
        RunStarted(at=START, run="churn-7f3a", data="data/churn.csv", target="churn", seconds=60.0, jobs=2),
        StageStarted(at=START + 0.1, stage="load"),
        DataLoaded(at=START + 1.0, rows=1200, columns=5, task="binary", metric="roc_auc", classes=2, folds=5),
        Decision(at=START + 1.1, topic="columns", text="dropped customer_id", reason="every value is different"),
        StageStarted(at=START + 1.5, stage="search"),
        JobStarted(at=START + 2, trial=0, fold=0, candidate="dummy", worker=0),
        JobFinished(at=START + 2.5, trial=0, fold=0, candidate="dummy", worker=0, status="ok", seconds=0.5),
        JobStarted(at=START + 2.5, trial=2, fold=0, candidate="linear", worker=1),
        JobFinished(at=START + 5.75, trial=2, fold=0, candidate="linear", worker=1, status="ok", seconds=3.25),
        JobStarted(at=START + 2.5, trial=3, fold=0, candidate="xgboost", worker=0),
        TrialFinished(at=START + 3, trial=0, candidate="dummy", status="ok", score=0.5, seconds=0.2, folds=5),
        BestImproved(at=START + 3, score=0.5, model="dummy #0", elapsed=3.0),
        TrialFinished(at=START + 6, trial=2, candidate="linear", status="ok", score=0.8311, seconds=1.4, folds=5),
        BestImproved(at=START + 6, score=0.8311, model="linear #2", elapsed=6.0),
        JobFinished(at=START + 19.5, trial=3, fold=0, candidate="xgboost", worker=0, status="ok", seconds=17.0),
        TrialFinished(at=START + 20, trial=3, candidate="xgboost", status="ok", score=0.8452, seconds=9.0, folds=5),
        BestImproved(at=START + 20, score=0.8493, model="ensemble", members=2, elapsed=20.0),
        Decision(at=START + 21, topic="models", text="svm is not tried", reason="more than 1,000 rows a second"),
        WarningRaised(at=START + 30, text="memory is nearly full: one worker fewer"),
        RunFinished(at=START + 57.4, status="complete", seconds=57.4, score=0.8471, low=0.8312, high=0.8629),
    ]


def _record(task: dict[str, Any], metric: str, data: str = "data/churn.csv") -> dict[str, Any]:
    return {
        "data": data,
        "target": task["target"],
        "task": task,
        "metric": metric,
        "started": "2026-11-22T04:10:00+00:00",
        "seconds": 60.0,
        "budget_seconds": 60.0,
        "trials_budget": None,
        "jobs": 2,
        "versions": {"automl": "0.1.0", "scikit-learn": "1.9.0"},
        "seed": 7,
        "argv": ["automl", "fit", data, "--target", task["target"], "--time", "60s"],
        "rows": 1200,
        "columns": 5,
        "split": {"kind": "stratified", "folds": 5, "repeats": 1, "reason": "1,200 rows are enough for five folds"},
        "stages": {
            "profile": {"status": "done", "seconds": 1.0},
            "search": {"status": "done", "seconds": 50.5, "unused": {"svm": "more than 1,000 rows a second"}},
        },
        "fingerprint": "sha256:5f2c9d1e",
    }


def _profile() -> dict[str, Any]:
    age = {"name": "age", "role": "number", "reason": "all values are numbers", "missing": 0.03, "distinct": 49}
    age |= {"minimum": 18.0, "q25": 29.0, "median": 38.0, "q75": 47.0, "maximum": 66.0, "mean": 38.4, "std": 11.2}
    age |= {"edges": [18.0, 30.0, 42.0, 54.0, 66.0], "counts": [210, 480, 350, 160]}
    age |= {"association": 0.31, "measure": "|2 AUC - 1|"}
    plan = {"name": "plan", "role": "category", "reason": "3 different texts", "missing": 0.0, "distinct": 3}
    plan |= {"top": [["basic", 700], ["plus", 400], ["pro", 100]], "association": 0.42, "measure": "Cramér's V"}
    customer = {"name": "customer_id", "role": "ignore", "reason": "every value is different", "missing": 0.0}
    customer |= {"distinct": 0}
    return {
        "rows": 1200,
        "columns": [age, plan, customer],
        "target": {"name": "churn", "kind": "binary", "classes": [["no", 900], ["yes", 300]], "values": None},
        "missing_share": 0.0075,
        "duplicate_rows": 4,
    }


def _findings() -> list[dict[str, Any]]:
    return [
        {
            "kind": "duplicate_rows",
            "severity": "note",
            "text": "4 rows occur twice.",
            "action": "Rows that are equal stay in one fold.",
            "columns": [],
            "taken": True,
            "effects": {"group_rows": True},
        },
        {
            "kind": "target_leak",
            "severity": "risk",
            "text": "plan alone predicts churn with ROC AUC 0.84.",
            "action": "If it is known only afterwards, use --drop plan",
            "columns": ["plan"],
            "taken": False,
            "effects": {},
        },
    ]


def _notices() -> list[dict[str, Any]]:
    return [
        {"topic": "reading", "text": "read as semicolon-separated", "reason": "every line has 5 semicolons"},
        {"topic": "columns", "text": "dropped customer_id", "reason": "every value is different"},
    ]


def _models() -> list[dict[str, Any]]:
    def model(rank: int, name: str, kind: str, score: float, half: float, **facts: Any) -> dict[str, Any]:
        entry = {"rank": rank, "name": name, "candidate": name.split(" ")[0], "kind": kind, "score": score}
        entry |= {"low": round(score - half, 4), "high": round(score + half, 4), "tied": False, "folds": 5}
        return {**entry, "fit_seconds": 1.4, "predict_ms": 0.012, "size_mb": 0.4, "weight": None, "params": {}, **facts}

    return [
        model(
            1, "ensemble of 2", "ensemble", 0.8493, 0.0157, fit_seconds=10.4, size_mb=2.1, predict_ms=0.05, weight=1.0
        ),
        model(2, "xgboost #3", "model", 0.8452, 0.0161, tied=True, weight=0.6, params={"max_depth": 6, "eta": 0.03125}),
        model(3, "linear #2", "model", 0.8311, 0.0170, weight=0.4, params={"C": 1.0}),
        model(4, "dummy #0", "baseline", 0.5, 0.0),
    ]


def _evaluation() -> dict[str, Any]:
    return {
        "metric": "roc_auc",
        "maximize": True,
        "score": 0.8471,
        "low": 0.8312,
        "high": 0.8629,
        "raw_score": 0.8493,
        "optimism": 0.0022,
        "optimism_by_metric": {"roc_auc": 0.0022, "accuracy": 0.0025, "log_loss": 0.0011},
        "method": "out-of-fold predictions, bootstrap bias corrected",
        "bootstraps": 200,
        "baselines": {"constant": {"score": 0.5}, "linear": {"score": 0.8311}},
        "better_than_constant": True,
        "better_than_linear": True,
        "metrics": {
            "roc_auc": {"value": 0.8471, "low": 0.8312, "high": 0.8629},
            "accuracy": {"value": 0.8125, "low": 0.79, "high": 0.834},
            "log_loss": {"value": 0.4021, "low": 0.38, "high": 0.4242},
        },
        "classes": [
            {"label": "no", "rows": 900, "precision": 0.86, "recall": 0.8944, "f1": 0.8769},
            {"label": "yes", "rows": 300, "precision": 0.6415, "recall": 0.5667, "f1": 0.6018},
        ],
        "majority": {"label": "no", "share": 0.75},
        "confusion": [[805, 95], [130, 170]],
        "threshold": 0.5,
        "cost": {"row_ms": 1.93, "size_mb": 3.4, "load_seconds": 0.412},
        "importance": [
            {"column": "plan", "importance": 0.121, "low": 0.108, "high": 0.134},
            {"column": "age", "importance": 0.044, "low": 0.03, "high": 0.058},
            {"column": "region", "importance": 0.0004, "low": -0.002, "high": 0.003},
        ],
        "calibration": [
            {"predicted": 0.08, "observed": 0.06, "rows": 400},
            {"predicted": 0.25, "observed": 0.27, "rows": 400},
            {"predicted": 0.61, "observed": 0.58, "rows": 400},
        ],
    }


def _details() -> dict[str, Any]:
    """A report's measurements, small enough to be checked by hand."""
    curves = {
        "calibration_before": {
            "bins": [
                {"predicted": 0.15, "observed": 0.06, "rows": 400},
                {"predicted": 0.35, "observed": 0.27, "rows": 400},
                {"predicted": 0.7, "observed": 0.58, "rows": 400},
            ],
            "error": 0.0967,
        },
        "roc": [{"label": "yes", "fpr": [0.0, 0.1, 0.4, 1.0], "tpr": [0.0, 0.6, 0.9, 1.0], "auc": 0.8471}],
        "precision_recall": {
            "recall": [0.2, 0.6, 1.0],
            "precision": [0.9, 0.65, 0.25],
            "average_precision": 0.6712,
            "base_rate": 0.25,
        },
        "gain": {
            "share": [0.0, 0.1, 0.2, 0.5, 1.0],
            "gain": [0.0, 0.3, 0.55, 0.91, 1.0],
            "rows": [0, 120, 240, 600, 1200],
            "found": [0, 90, 165, 273, 300],
        },
        "thresholds": {
            "threshold": [0.1, 0.3, 0.5, 0.7, 0.9],
            "hits": [290, 240, 170, 90, 20],
            "alarms": [500, 220, 95, 30, 2],
            "positives": 300,
            "negatives": 900,
        },
        "scores": {"edges": [0.0, 0.25, 0.5, 0.75, 1.0], "counts": [[600, 205, 70, 25], [60, 70, 90, 80]]},
    }
    slices = [
        {
            "conditions": ["plan is pro", "age > 41.5"],
            "rows": 80,
            "share": 0.1333,
            "error": 0.45,
            "low": 0.345,
            "high": 0.559,
        },
    ]
    parameters = {
        "xgboost": {
            "trials": 6,
            "importances": {"model.learning_rate": 0.7, "model.grow_policy": 0.3},
            "values": {
                "model.learning_rate": {
                    "values": [0.02, 0.04, 0.08, 0.3],
                    "scores": [0.83, 0.845, 0.84, 0.81],
                    "log": True,
                },
                "model.grow_policy": {
                    "values": ["depthwise", "lossguide", "depthwise", "lossguide"],
                    "scores": [0.83, 0.845, 0.84, 0.81],
                    "log": False,
                },
            },
        }
    }
    return {
        "schema_version": 1,
        "skipped": [],
        "curves": curves,
        "slices": {"overall": 0.1875, "rates": True, "slices": slices},
        "members": {"members": ["xgboost #3", "linear #2"], "values": [[1.0, 0.81], [0.81, 1.0]]},
        "columns": {
            "columns": ["age", "plan", "region"],
            "values": [[1.0, 0.21, 0.03], [0.21, 1.0, None], [0.03, None, 1.0]],
            "rows": 1200,
        },
        "parameters": parameters,
    }


def _regression_details() -> dict[str, Any]:
    band = [
        {"at": 60000.0, "low": -21000.0, "median": 400.0, "high": 22000.0, "rows": 60},
        {"at": 140000.0, "low": -30000.0, "median": -200.0, "high": 31000.0, "rows": 70},
        {"at": 250000.0, "low": -60000.0, "median": 2500.0, "high": 65000.0, "rows": 60},
    ]
    days = [{**one, "at": at} for one, at in zip(band, (1704067200.0, 1719792000.0, 1735603200.0), strict=True)]
    levels = [
        {"level": "north", "mean": 1500.0, "low": -200.0, "high": 3200.0, "rows": 120},
        {"level": "south", "mean": -2600.0, "low": -4100.0, "high": -1100.0, "rows": 70},
    ]
    return {
        "schema_version": 1,
        "skipped": [],
        "residuals": {
            "plane": {
                "predicted": [50000.0, 100000.0, 100000.0, 150000.0],
                "true": [50000.0, 100000.0, 150000.0, 150000.0],
                "rows": [40, 80, 20, 48],
                "cell": 50000.0,
                "left_out": 2,
            },
            "bands": band,
            "coverage": [{"level": 0.9, "observed": 0.8947, "half_width": 51250.0}],
            "columns": [
                {"column": "sold", "kind": "date", "bands": days},
                {"column": "side", "kind": "category", "levels": levels},
            ],
        },
        "slices": {"overall": 21000.0, "rates": False, "slices": []},
    }


def _trials() -> list[dict[str, Any]]:
    def trial(number: int, candidate: str, status: str, score: float | None, **facts: Any) -> dict[str, Any]:
        entry = {"trial": number, "candidate": candidate, "params": {}, "origin": "portfolio", "status": status}
        entry |= {"score": score, "fold_scores": [], "seconds": 1.0, "peak_mb": 210.0, "reason": ""}
        return {**entry, "started": 2.0 * number, "finished": 2.0 * number + 1.5, **facts}

    return [
        trial(0, "dummy", "ok", 0.5, seconds=0.2),
        trial(2, "linear", "ok", 0.8311, seconds=1.4),
        trial(3, "xgboost", "ok", 0.8452, seconds=9.0),
        trial(4, "xgboost", "pruned", None, reason="the first fold was clearly worse"),
        trial(5, "xgboost", "timed_out", None, seconds=20.0, reason="no end after 20.0 s"),
        trial(6, "xgboost", "timed_out", None, seconds=20.1, reason="no end after 20.1 s"),
    ]


def _write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
