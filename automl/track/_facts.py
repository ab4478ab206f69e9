"""What trackers tell of a run besides its events, read from the run folder."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from automl.events import read_jsonl
from automl.files import read_json
from automl.run import Run


def describe_run(run: Run) -> dict[str, Any]:
    """Identity and recipe as flat name → value."""
    import yaml

    record = run.record
    recipe = yaml.safe_load(run.recipe_path.read_text(encoding="utf-8")) if run.recipe_path.is_file() else {}
    facts = {name: record.get(name) for name in ("target", "metric", "rows", "columns", "seed", "device")}
    facts |= {"task": record["task"]["kind"], "data": str(record["data"]).rsplit("/", 1)[-1]}
    return facts | dict(_flatten(recipe, "recipe"))


def _flatten(value: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flatten(item, f"{name}.{key}")]
    if isinstance(value, list):  # its configurations have runs of their own
        return [(name, ", ".join(map(str, value)))] if value and not isinstance(value[0], dict) else []
    return [(name, value)] if value not in (None, {}, "") else []


class Trials:
    """The records of finished trials, read on as they come."""

    def __init__(self, run: Run) -> None:
        self._path = run.search / "trials.jsonl"
        self._known: dict[int, dict[str, Any]] = {}

    def get(self, number: int) -> dict[str, Any]:
        """A trial's line of `trials.jsonl`; empty if it is not there."""
        if number not in self._known:
            self._known = {int(record["trial"]): record for record in read_jsonl(self._path)}
        return self._known.get(number, {})


def final_scores(run: Run) -> dict[str, float]:
    """The honest score and every metric, as far as they are finite."""
    if not run.evaluation_path.is_file():
        return {}
    evaluation = read_json(run.evaluation_path)
    found: dict[str, Any] = {key: evaluation.get(key) for key in ("score", "low", "high", "raw_score")}
    found |= {f"metrics.{name}": entry.get("value") for name, entry in (evaluation.get("metrics") or {}).items()}
    found |= {f"baselines.{name}": entry.get("score") for name, entry in (evaluation.get("baselines") or {}).items()}
    found |= {f"cost.{name}": value for name, value in (evaluation.get("cost") or {}).items()}
    test = (evaluation.get("test") or {}).get("metrics") or {}
    found |= {f"test.{name}": entry.get("value") for name, entry in test.items()}
    return {name: float(value) for name, value in found.items() if is_finite(value)}


def curves(run: Run) -> dict[str, list[tuple[float, float]]]:
    """Curves of the finished model that have one x and one y a point, from `details.json` and `studies.json`."""
    found: dict[str, list[tuple[float, float]]] = {}
    if run.evaluation_path.is_file():
        points = read_json(run.evaluation_path).get("calibration") or []
        found["calibration"] = [(point["predicted"], point["observed"]) for point in points]
    return {name: points for name, points in found.items() if points}


def is_finite(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
