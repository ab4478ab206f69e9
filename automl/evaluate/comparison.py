"""Two runs side by side: which is better on the rows both have scored, by how much, and what it comes from."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from automl.errors import DataError, UsageError
from automl.evaluate.duel import compare_outputs
from automl.evaluate.evidence import Bootstrap, Evidence, read_evidence, read_row_ids
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.metrics import Metric, get_metric
from automl.run import Run
from automl.schema import Column, Role, Schema
from automl.search.data import SearchData
from automl.task import Task

RESAMPLES = 1_000
MIN_ROWS = 20
MAX_SECONDS = 10.0
# Of the whole difference, what one step must make up to be named as its source.
MOST = 0.5
# So many of each family, where a threshold has to be found for each before it is scored.
JUDGED_OF_A_FAMILY = 3


@dataclasses.dataclass(frozen=True)
class _Side:
    """One of the two runs, on the common rows."""

    run: Run
    record: dict[str, Any]
    schema: Schema
    evidence: Evidence

    @property
    def task(self) -> Task:
        return self.evidence.data.task


def compare_runs(one: Run, other: Run, *, seed: int = 0, seconds: float = MAX_SECONDS) -> dict[str, Any]:
    """Why and by how much `other` (B) is better or worse than `one` (A).

    Differences are positive where B is better. The test is paired: both runs' out-of-fold predictions of the same
    rows, resampled together.

    Raises:
        UsageError: if a run has no model yet, or the two do not predict the same thing.
        DataError: if they have too few rows in common.
    """
    a, b = _read(one), _read(other)
    _check_comparable(a, b)
    rows_a, rows_b, how = match_rows(a, b)
    if len(rows_a) < MIN_ROWS:
        raise DataError(
            f"{one.path.name} and {other.path.name} have {len(rows_a)} scored rows in common; {MIN_ROWS} are needed",
            hint="Score both models on one labelled file: automl evaluate RUN FILE",
        )
    metric = get_metric(a.task.metric)
    # a threshold is moved where the metric of the comparison asks for it, whatever B was chosen by
    b = dataclasses.replace(b, evidence=dataclasses.replace(b.evidence, metric=metric))
    order = [b.task.classes.index(label) for label in a.task.classes] if a.task.is_classification else [0]
    test = _Test(a, b, rows_a, rows_b, order, metric, seed, seconds)
    scores = _score_trials(a, test.of_a, test), _score_trials(b, test.of_b, test)
    steps = _steps(a, b, test, scores)
    total = next(step for step in steps if step["what"] == "deployed model")
    return {
        "a": _describe(a),
        "b": _describe(b),
        "metric": a.task.metric,
        "maximize": metric.maximize,
        "common_rows": len(rows_a),
        "matched_by": how,
        "comparable": _split_kind(a) == _split_kind(b),
        "difference": total,
        "steps": steps,
        "families": _families(a, b, test, scores),
        "data": _data_changes(a, b),
        "settings": _settings(a, b),
        "reason": _reason(steps),
    }


def _read(run: Run) -> _Side:
    if not run.ensemble_path.exists() or not (run.data / "schema.json").exists():
        raise UsageError(f"{run.path} has no model to compare yet", hint=f"automl status {shlex.quote(str(run.path))}")
    schema = Schema.from_json(read_json(run.data / "schema.json"))
    return _Side(run, run.record, schema, read_evidence(str(run.path)))


def _split_kind(side: _Side) -> str:
    """How rows were set apart for scoring; rows shuffled with or without regard to classes are set apart alike."""
    kind = str((side.run.record.get("split") or {}).get("kind", ""))
    return "shuffled" if kind == "stratified" else kind


def _check_comparable(a: _Side, b: _Side) -> None:
    if a.task.kind is not b.task.kind or a.task.target != b.task.target:
        raise UsageError(
            f"{a.run.path.name} predicts {a.task.target!r} ({a.task.kind}), "
            f"{b.run.path.name} {b.task.target!r} ({b.task.kind})",
            hint="Compare two runs with the same --target and --task",
        )
    if set(a.task.classes) != set(b.task.classes):
        odd = sorted(set(a.task.classes) ^ set(b.task.classes))
        listed = ", ".join(repr(label) for label in odd[:5])
        raise UsageError(
            f"The runs tell different classes apart: {listed} {'is' if len(odd) == 1 else 'are'} in one only",
            hint="Score both on one labelled file: automl evaluate RUN FILE",
        )


# ---- common rows -----------------------------------------------------------------------------------------------------


def match_rows(a: _Side, b: _Side) -> tuple[Array, Array, str]:
    """Positions of the common rows among the scored rows of each run, and how they were found.

    Runs of one and the same table match by row; others by the content of their common columns and the target, the
    first of equal rows with the first.
    """
    if a.record.get("fingerprint") and a.record.get("fingerprint") == b.record.get("fingerprint"):
        ids, others = (read_row_ids(side.run, len(side.evidence.data.target))[side.evidence.rows] for side in (a, b))
        _, left, right = np.intersect1d(ids, others, assume_unique=True, return_indices=True)
        return left, right, "row"
    there = {column.name: column.role for column in b.schema.columns}
    shared = [column.name for column in a.schema.features if _is_shared(column, there)]
    if not shared:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), "content"
    left_keys, right_keys = _row_keys(a, shared), _row_keys(b, shared)
    _, left, right = np.intersect1d(
        _number_repeats(left_keys), _number_repeats(right_keys), assume_unique=True, return_indices=True
    )
    order = np.argsort(left, kind="stable")
    return left[order], right[order], f"content of {len(shared)} common column(s) and the target"


def _is_shared(column: Column, there: Mapping[str, Role]) -> bool:
    return column.role in (Role.NUMBER, Role.CATEGORY, Role.DATE) and there.get(column.name) is column.role


def _row_keys(side: _Side, columns: list[str]) -> Array:
    """A 64-bit number for each scored row, equal for equal content."""
    data: SearchData = side.evidence.data
    table, rows = data.table, side.evidence.rows
    keys = np.zeros(len(rows), dtype=np.uint64)
    by_name = {column.name: column for column in side.schema.columns}
    for name in columns:
        column = by_name[name]
        if column.role is Role.NUMBER:
            values = table.numbers[rows, table.layout.numbers.index(name)].astype(np.float64) + column.offset
            part = _hash_numbers(values)
        elif column.role is Role.DATE:
            part = _hash_numbers(np.asarray(table.dates[rows, table.layout.dates.index(name)]))
        else:
            codes = np.asarray(table.categories[rows, table.layout.categories.index(name)])
            names = np.array([_hash_text(level) for level in ("", *column.levels)], dtype=np.uint64)
            part = names[np.maximum(codes, -1) + 1]
        keys = _join(keys, part)
    if data.task.is_classification:
        labels = np.array([_hash_text(label) for label in data.task.classes], dtype=np.uint64)
        return _join(keys, labels[side.evidence.y.astype(np.int64)])
    return _join(keys, _hash_numbers(side.evidence.y))


def _join(keys: Array, part: Array) -> Array:
    with np.errstate(over="ignore"):
        mixed: Array = (keys ^ part) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _hash_numbers(values: Array) -> Array:
    """Equal for numbers that float32 cannot tell apart; all missing ones are equal, and so are 0 and -0."""
    short = np.asarray(values, dtype=np.float32) + np.float32(0)
    short[np.isnan(short)] = np.float32(np.nan)
    return _join(short.view(np.uint32).astype(np.uint64), np.full(len(short), 1, dtype=np.uint64))


def _hash_text(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _number_repeats(keys: Array) -> Array:
    """Keys made different: the second of equal ones becomes another key, the same in every run."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(keys) else np.empty(0, dtype=bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(keys)), 0)) if len(keys) else starts
    repeats = np.empty(len(keys), dtype=np.uint64)
    repeats[order] = np.arange(len(keys)) - first
    return _join(keys, repeats)


# ---- the test --------------------------------------------------------------------------------------------------------


def draw_samples(samples: Bootstrap, seed: int) -> Iterator[Array]:
    """As many as the test has, the same each time; all of them at once would, of many rows, take gigabytes."""
    for place in range(RESAMPLES):
        yield samples.draw(np.random.default_rng([seed, 59, place]))


class _Test:
    """Paired differences of score on the common rows; B better is positive."""

    def __init__(
        self,
        a: _Side,
        b: _Side,
        rows_a: Array,
        rows_b: Array,
        order: list[int],
        metric: Metric,
        seed: int,
        seconds: float,
    ) -> None:
        self.deadline = time.monotonic() + seconds
        self.rows_a, self.rows_b, self.order, self.metric = rows_a, rows_b, order, metric
        self.sign = 1 if metric.maximize else -1
        self.y = a.evidence.y[rows_a]
        weight = a.evidence.weight
        self.weight = None if weight is None else weight[rows_a]
        units = a.evidence.units
        self.samples, self.seed = Bootstrap(len(rows_a), None if units is None else units[rows_a]), seed

    def score(self, outputs: FloatArray) -> float:
        return float(self.metric.score(self.y, outputs, self.weight))

    def of_a(self, outputs: FloatArray) -> FloatArray:
        return outputs[self.rows_a]

    def of_b(self, outputs: FloatArray) -> FloatArray:
        return outputs[self.rows_b][:, self.order]

    def compare(self, a: FloatArray, b: FloatArray) -> dict[str, Any]:
        """Scores, difference with its 95% interval, and the two-sided p value of no difference."""
        draws = draw_samples(self.samples, self.seed)
        return compare_outputs(
            self.metric, self.y, self.of_a(a), self.of_b(b), draws, weight=self.weight, deadline=self.deadline
        )


def _score_trials(side: _Side, view: Callable[[FloatArray], FloatArray], test: _Test) -> dict[int, float]:
    """Trial → score on the common rows, at the threshold that the configuration was held against others with."""
    return {trial: test.score(view(side.evidence.as_judged(trial))) for trial in _worth_scoring(side)}


def _worth_scoring(side: _Side) -> list[int]:
    """All trials; where a threshold has to be found for each of them, the best few of each family in their own run."""
    trials = list(side.evidence.outputs)
    if not side.evidence.metric.hangs_on_threshold:
        return trials
    results, sign = side.evidence.results, 1 if side.task.maximize else -1
    trials.sort(key=lambda trial: -sign * (results[trial].score or 0.0))
    families = dict[str, list[int]]()
    for trial in trials:
        families.setdefault(results[trial].candidate, []).append(trial)
    return [trial for family in families.values() for trial in family[:JUDGED_OF_A_FAMILY]]


def _steps(a: _Side, b: _Side, test: _Test, scores: tuple[dict[int, float], ...]) -> list[dict[str, Any]]:
    """From what cannot learn to what is deployed: the linear baseline, the best single model, the deployed model."""
    steps: list[dict[str, Any]] = []
    deployed = test.compare(a.evidence.judged, b.evidence.judged)
    linear = a.evidence.first_of("linear"), b.evidence.first_of("linear")
    if linear[0] is not None and linear[1] is not None:
        steps.append({"what": "linear baseline", **test.compare(linear[0], linear[1])})
    best = _best(a, scores[0], test), _best(b, scores[1], test)
    if best[0] is not None and best[1] is not None:
        names = {f"name_{side}": found[0] for side, found in zip("ab", best, strict=True) if found}
        steps.append({"what": "best single model", **test.compare(best[0][1], best[1][1]), **names})
    names = {f"name_{key}": _deployed_name(side) for key, side in (("a", a), ("b", b))}
    return [*steps, {"what": "deployed model", **deployed, **names}]


def _best(side: _Side, scores: dict[int, float], test: _Test) -> tuple[str, FloatArray] | None:
    scored = [
        (test.sign * score, -trial)
        for trial, score in scores.items()
        if side.evidence.results[trial].candidate != "dummy" and math.isfinite(score)
    ]
    if not scored:
        return None
    trial = -max(scored)[1]
    return side.evidence.results[trial].label, side.evidence.as_judged(trial)


def _deployed_name(side: _Side) -> str:
    members = read_json(side.run.ensemble_path)["members"]
    return str(members[0]["name"]) if len(members) == 1 else f"ensemble of {len(members)}"


def _families(a: _Side, b: _Side, test: _Test, scores: tuple[dict[int, float], ...]) -> list[dict[str, Any]]:
    """Best score of each family in each run, on the common rows."""
    found: dict[str, dict[str, float]] = {}
    for key, side, known in zip("ab", (a, b), scores, strict=True):
        for trial, score in known.items():
            own = found.setdefault(side.evidence.results[trial].candidate, {})
            if math.isfinite(score) and (key not in own or test.sign * (score - own[key]) > 0):
                own[key] = score
    order = sorted(
        found, key=lambda name: -test.sign * max(found[name].values(), key=lambda s: test.sign * s, default=0)
    )
    return [{"family": name, "a": found[name].get("a"), "b": found[name].get("b")} for name in order]


# ---- what is different -----------------------------------------------------------------------------------------------


def _describe(side: _Side) -> dict[str, Any]:
    evaluation = read_json(side.run.evaluation_path) if side.run.evaluation_path.exists() else {}
    return {
        "run": str(side.run.path),
        "name": side.run.path.name,
        "deployed": _deployed_name(side),
        "score": evaluation.get("score"),
        "low": evaluation.get("low"),
        "high": evaluation.get("high"),
        "optimism": evaluation.get("optimism"),
        "rows": side.record.get("rows"),
        "columns": len(side.schema.features),
        "configurations": len(side.evidence.results),
        "complete": sum(result.status == "ok" for result in side.evidence.results.values()),
    }


def _importance(side: _Side) -> dict[str, float]:
    if not side.run.evaluation_path.exists():
        return {}
    entries = read_json(side.run.evaluation_path).get("importance") or []
    return {str(entry["column"]): float(entry["importance"]) for entry in entries}


def _data_changes(a: _Side, b: _Side) -> dict[str, Any]:
    """Columns that one run only has, with their importance there, and columns that are read in another way."""
    only = {}
    for key, side, beside in (("only_a", a, b), ("only_b", b, a)):
        known, others = _importance(side), {column.name for column in beside.schema.features}
        only[key] = [
            {"column": column.name, "role": str(column.role), "importance": known.get(column.name)}
            for column in side.schema.features
            if column.name not in others
        ]
    there = {column.name: column for column in b.schema.features}
    roles = [
        {"column": column.name, "a": str(column.role), "b": str(there[column.name].role)}
        for column in a.schema.features
        if column.name in there and there[column.name].role is not column.role
    ]
    same = bool(a.record.get("fingerprint")) and a.record.get("fingerprint") == b.record.get("fingerprint")
    return {"same": same, **only, "roles": roles}


def _settings(a: _Side, b: _Side) -> list[dict[str, Any]]:
    """What else differs: metric, seed, time, trials, jobs, folds, versions."""

    def facts(side: _Side) -> dict[str, Any]:
        record, split = side.record, side.record.get("split") or {}
        versions = {f"version of {name}": value for name, value in (record.get("versions") or {}).items()}
        return {
            "data": str(record.get("data") or "").rsplit("/", 1)[-1],
            "rows": record.get("rows"),
            "columns": len(side.schema.features),
            "metric": record.get("metric"),
            "seed": record.get("seed"),
            "seconds given": record.get("budget_seconds"),
            "trials given": record.get("trials_budget"),
            "workers": record.get("jobs"),
            "split": split.get("kind"),
            "folds": split.get("folds"),
            "configurations": len(side.evidence.results),
            **versions,
        }  # fmt: skip

    one, two = facts(a), facts(b)
    names = dict.fromkeys([*one, *two])
    return [{"name": name, "a": one.get(name), "b": two.get(name)} for name in names if one.get(name) != two.get(name)]


def _reason(steps: list[dict[str, Any]]) -> str:
    """Which step brings most of the difference: "data", "models", "ensemble", "several" or, if none is sure, "none"."""
    found = {step["what"]: step for step in steps}
    total = found["deployed model"]
    if total["low"] <= 0 <= total["high"]:
        return "none"
    whole = total["difference"]
    linear = found.get("linear baseline")
    single = found.get("best single model")
    if linear is not None and linear["difference"] / whole >= MOST and not linear["low"] <= 0 <= linear["high"]:
        return "data"
    if single is not None and single["difference"] / whole >= MOST:
        return "models"
    if single is not None and 1 - single["difference"] / whole >= MOST:
        return "ensemble"
    return "several"
