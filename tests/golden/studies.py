"""A finished run by hand with its studies, for the sections that read studies.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.files import write_json
from automl.run import Run
from tests.golden.runs import write_full_run


def write_studied_run(folder: Path, name: str = "age") -> Run:
    """As `write_full_run`, with every study; `name` is what the first column is called."""
    run = write_full_run(folder)
    write_json(run.studies_path, studies(name))
    return run


def studies(name: str = "age") -> dict[str, Any]:
    """studies.json of a run with a number and a category."""
    old = {"column": name, "test": "above", "value": 41.5, "or_missing": True}
    young, pro = {"column": name, "test": "at most", "value": 41.5}, {"column": "plan", "test": "is", "value": "pro"}
    return {
        "shapley": _shapley(name),
        "dependence": _dependence(name),
        "surrogate": {
            "taught_rows": 120, "tested_rows": 120, "explained": "probability of yes", "r2": 0.81, "agreement": 0.93,
            "rules": [
                {"conditions": [old], "share": 0.4, "output": 0.62},
                {"conditions": [young, pro], "share": 0.6, "output": 0.21},
            ],
        },
        "coefficients": {
            "deployed": False, "folds": 5, "unit": "log-odds", "classes": [], "features": 2,
            "entries": [
                {"feature": name, "source": name, "size": 0.9, "values": [0.9], "low": [0.7], "high": [1.1]},
                {"feature": "plan is pro", "source": "plan", "size": 0.3, "values": [-0.3], "low": [-0.5],
                 "high": [-0.1]},
            ],
            "line": {"column": name, "x": [20.0, 40.0, 60.0], "y": [0.1, 0.25, 0.4], "seen_x": [25.0, 55.0],
                     "seen_y": [0.12, 0.41], "explained": "probability of yes"},
        },
        "curve": None,
        "stress": {
            "rows": 240, "fold": 1, "score": 0.84,
            "missing": [{"column": name, "score": 0.7, "loss": 0.14, "low": 0.1, "high": 0.18}],
            "noise": [{"share": 0.1, "score": 0.83, "loss": 0.01, "low": 0.0, "high": 0.02}],
            "unseen_categories": {"score": 0.82, "loss": 0.02, "low": 0.0, "high": 0.04},
        },
        "learning_curve": {
            "model": "xgboost #3", "candidate": "xgboost", "fold": 1, "scored_rows": 240, "seeds": [0.84, 0.842, 0.838],
            "points": [{"rows": 384, "score": 0.81, "low": 0.78, "high": 0.84},
                       {"rows": 960, "score": 0.84, "low": 0.81, "high": 0.87}],
            "last_gain": {"from_rows": 384, "to_rows": 960, "gain": 0.03, "low": 0.01, "high": 0.05},
        },
        "fairness": {"columns": [_fairness()]},
        "skipped": {},
    }  # fmt: skip


def _shapley(name: str) -> dict[str, Any]:
    columns = [
        {"column": name, "mean_abs": 0.12, "low": 0.1, "high": 0.14, "sampling_error": 0.02},
        {"column": "plan", "mean_abs": 0.05, "low": 0.04, "high": 0.06, "sampling_error": 0.01},
    ]
    swarm = [
        {"column": name, "values": [0.2, -0.1, 0.05], "shades": [0.9, 0.1, None]},
        {"column": "plan", "values": [0.01, -0.02, 0.0], "shades": [None, None, None]},
    ]
    levels = [{"column": "plan", "values": [{"value": "pro", "rows": 12, "mean": -0.04, "low": -0.05, "high": -0.03}]}]
    facts = {"rows": 120, "background_rows": 50, "walks": 16, "fold": 1, "explained": "probability of yes"}
    return {**facts, "base": 0.25, "largest_gap": 0.01, "columns": columns, "swarm": swarm, "levels": levels}


def _dependence(name: str) -> dict[str, Any]:
    number = {"column": name, "role": "number", "values": [20.0, 40.0, 60.0], "mean": [0.1, 0.2, 0.4]}
    number |= {"low": [0.08, 0.18, 0.37], "high": [0.12, 0.22, 0.43], "lines": [[0.05, 0.1, 0.2], [0.2, 0.4, 0.7]]}
    category = {"column": "plan", "role": "category", "values": ["basic", "pro"], "mean": [0.3, 0.2]}
    category |= {"low": [0.28, 0.18], "high": [0.32, 0.22], "lines": []}
    return {"rows": 120, "fold": 1, "explained": "probability of yes", "columns": [number, category]}


def _fairness() -> dict[str, Any]:
    def group(label: str, rows: int, rate: float, small: bool) -> dict[str, Any]:
        record: dict[str, Any] = {"group": label, "rows": rows, "small": small, "mean_probability": rate}
        for figure in ("base_rate", "selection_rate", "tpr", "fpr", "accuracy", "calibration_gap"):
            record |= {figure: rate, f"{figure}_low": rate - 0.05, f"{figure}_high": rate + 0.05}
        return record

    gaps = [
        {"name": "selection rate", "gap": 0.2, "low": 0.14, "high": 0.26, "chance": 0.06, "ratio": 0.5},
        {"name": "calibration", "gap": 0.02, "low": 0.0, "high": 0.05, "chance": 0.04},
    ]
    plain = {"accuracy": 0.85, "balanced_accuracy": 0.8, "selection_gap": 0.2, "tpr_gap": 0.1, "fpr_gap": 0.05}
    equal = {**plain, "accuracy": 0.83, "selection_gap": 0.01, "cost": 0.02, "cost_low": 0.01, "cost_high": 0.03}
    return {
        "column": "sex",
        "rows": 1200,
        "threshold": 0.5,
        "groups": [group("m", 700, 0.4, False), group("f", 490, 0.2, False), group("x", 10, 0.3, True)],
        "gaps": gaps,
        "mitigation": [
            {"aim": "one threshold for all", **plain},
            {"aim": "equal selection rates", **equal, "thresholds": {"m": 0.6, "f": 0.4, "x": 0.5}},
        ],
    }
