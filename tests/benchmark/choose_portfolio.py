"""Chooses the portfolio from recorded predictions: the next configuration is the one that lowers the ensemble's regret
most for the time it takes.

As AutoGluon's zero-shot portfolios are chosen (Salinas & Erickson 2023, arXiv:2311.02971), with time below the line,
because a run may end after any entry (Streeter & Golovin 2008). Ensembles are selected on one half of a table's
scored rows and judged on the other, and the other way round.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.selection import blend_outputs, select_ensemble
from automl.matrix import Array, FloatArray
from automl.metrics import Metric, get_metric
from tests.benchmark.configurations import CONFIGURATIONS, suit

TARGET = Path(__file__).parents[2] / "automl" / "search" / "portfolio.json"
START = ("dummy", "linear")
LENGTH = 24
ROUNDS = 12
LEAST_SECONDS = 0.3  # what a fold costs whatever its model: preparing, keeping, answering golden rows
TIME_POWER = 0.3  # 1 would put all that is cheap first
OTHER_KIND = 0.15  # weight of tables of another kind of task, so that few tables do not rule alone
MANY_TABLES, OTHER_KIND_BESIDE_MANY = 8, 0.02  # from so many tables of its own on, a kind of task needs no others' word
# Growth of boosting with classes, which have a tree each: folds of letter's 12,000 rows with 26 classes took 3.5 to 6.5
# times what ones with 2 do.
MANY_CLASSES = {"xgboost": 0.5, "hist_gradient_boosting": 0.5}
LEAST_TABLES = 3  # a kind of task with fewer large tables keeps the order of small ones
REFERENCES = {
    "small": {"rows": 2000, "columns": 20, "outputs": 1},
    "large": {"rows": 9600, "columns": 20, "outputs": 1},
}
# Large tables that teach are all of about one size, so that what they say of growth with rows is held closer.
EXPONENTS = {
    "small": {"rows": (0.2, 1.3), "columns": (0.0, 1.2), "outputs": (0.0, 1.1)},
    "large": {"rows": (0.8, 1.1), "columns": (0.0, 1.2), "outputs": (0.0, 1.1)},
}


class Record:
    """One table: targets and predictions of the scored rows, and what each configuration took."""

    def __init__(self, folder: Path, lines: list[dict[str, Any]]) -> None:
        facts = lines[0]
        self.kind: str = facts["kind"]
        self.metric: Metric = get_metric(facts["metric"])
        self.facts = {name: facts[name] for name in ("rows", "columns", "outputs")}
        self.y: Array = np.load(folder / "target.npy")
        good = [line for line in lines if line["status"] == "ok" and (folder / f"{line['configuration']}.npy").exists()]
        self.outputs: dict[str, FloatArray] = {
            line["configuration"]: np.load(folder / f"{line['configuration']}.npy") for line in good
        }
        self.seconds = {line["configuration"]: float(line["cpu_seconds"]) for line in good}
        order = np.random.default_rng(5).permutation(len(self.y))
        self.halves = np.array_split(order, 2)
        self.names = [each.name for each in CONFIGURATIONS]
        self.constant = self._loss(["dummy"])
        self.best = min(self._loss(list(self.outputs)), *(self._loss([name]) for name in self.outputs))

    def regret(self, names: list[str]) -> float:
        """How far an ensemble of these stays behind one of all, as a share of what there is to gain; 0 to 1."""
        usable = [name for name in names if name in self.outputs]
        if self.constant - self.best <= 1e-12:
            return 0.0
        return float(np.clip((self._loss(usable) - self.best) / (self.constant - self.best), 0.0, 1.0))

    def _loss(self, names: list[str]) -> float:
        stack = {self.names.index(name): self.outputs[name] for name in names}
        losses = []
        for inside, outside in (self.halves, self.halves[::-1]):
            part = {number: outputs[inside] for number, outputs in stack.items()}
            chosen = select_ensemble(part, self.y[inside], self.metric, rounds=ROUNDS, climbs=1)
            blend = blend_outputs({number: outputs[outside] for number, outputs in stack.items()}, chosen.weights)
            score = self.metric.score(self.y[outside], blend)
            losses.append(-score if self.metric.maximize else score)
        return float(np.mean(losses))


def choose(out: Path, size: str, from_rows: int) -> None:
    """Read `out`, write the portfolio of a size for tables of `from_rows` and more, print each step and its regret."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    tables = sorted({line["table"] for line in lines})
    records = []
    for table in tables:
        own = [line for line in lines if line["table"] == table]
        if {line["configuration"] for line in own} >= {each.name for each in suit(size)}:
            records.append(Record(out / "predictions" / table, own))
    print(f"{len(records)} tables, {sum(line.get('seconds', 0) for line in lines) / 3600:.2f} processor hours")
    lists = {kind: choose_list(records, kind, size) for kind in ("binary", "multiclass", "regression")}
    families, seconds = fit_costs(records, size)
    by_name = {each.name: each for each in CONFIGURATIONS}
    chosen: dict[str, list[dict[str, Any]]] = {
        kind: [
            {
                "name": name,
                "family": by_name[name].family,
                "params": by_name[name].params,
                "seconds": round(seconds[name], 3),
                "regret": round(regret, 5),
            }
            for name, regret in entries
        ]
        for kind, entries in lists.items()
    }
    sizes = {each["name"]: each for each in json.loads(TARGET.read_text(encoding="utf-8"))["sizes"]}
    for kind in chosen:
        if size != "small" and sum(record.kind == kind for record in records) < LEAST_TABLES:
            others = [chosen[other] for other in chosen if other != kind and chosen[other]]
            chosen[kind] = add_families(move_list(sizes["small"], kind, REFERENCES[size], seconds), others)
            print(f"== {kind}: too few tables, the order of small ones is kept")
    few_classes = sum(record.facts["outputs"] > 2 for record in records) < LEAST_TABLES
    for family, exponents in sizes.get("small", {"growth": {}})["growth"].items():
        families.setdefault(family, exponents)
        if few_classes:  # nothing was seen of how the time grows with them
            families[family]["outputs"] = MANY_CLASSES.get(family, exponents["outputs"])
    sizes[size] = {
        "name": size,
        "from_rows": from_rows,
        "reference": REFERENCES[size],
        "growth": families,
        "lists": chosen,
    }
    ordered = sorted(sizes.values(), key=lambda each: int(each["from_rows"]))
    TARGET.write_text(json.dumps({"version": 2, "sizes": ordered}, indent=1) + "\n", encoding="utf-8")


def move_list(
    small: dict[str, Any], kind: str, reference: dict[str, int], seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """A list of small tables with what its entries take on large ones: as measured there, or as they grow."""
    moved = []
    for entry in small["lists"][kind]:
        growth = small["growth"][entry["family"]]
        grown = entry["seconds"] * (reference["rows"] / small["reference"]["rows"]) ** growth["rows"]
        moved.append(entry | {"seconds": round(seconds.get(entry["name"], grown), 3)})
    return moved


def add_families(moved: list[dict[str, Any]], others: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The list, and behind its baselines the first entry of each family that the list of any other kind of task holds
    and it lacks. (The perceptron is one; AutoGluon too tries it first for many classes: trees take a time a class.)"""
    held = [entry for other in others for entry in other]
    added = []
    for family in sorted({entry["family"] for entry in held} - {entry["family"] for entry in moved}):
        entry = next(entry for entry in held if entry["family"] == family)
        added.append({key: entry[key] for key in ("name", "family", "params", "seconds")})
    return [*moved[: len(START)], *added, *moved[len(START) :]]


def choose_list(records: list[Record], kind: str, size: str) -> list[tuple[str, float]]:
    """(configuration, mean regret once it is in) in the order chosen, for one kind of task."""
    own = np.array([record.kind == kind for record in records])
    weights = np.where(own, 1.0, OTHER_KIND if own.sum() < MANY_TABLES else OTHER_KIND_BESIDE_MANY)
    names = list(START)
    regrets = np.array([record.regret(names) for record in records])
    entries = [(name, float(regrets[own].mean())) for name in START]
    print(f"== {kind}: {own.sum()} tables, regret {regrets[own].mean():.4f} after {', '.join(START)}")
    waiting = [each.name for each in suit(size) if each.name not in START]
    while waiting and len(names) < LENGTH:
        found = []
        for name in waiting:
            after = np.array([record.regret([*names, name]) for record in records])
            gain = float(np.average(regrets - after, weights=weights))
            took = [record.seconds[name] for record in records if name in record.seconds]
            found.append(
                (gain / max(float(np.mean(took)) if took else np.inf, LEAST_SECONDS) ** TIME_POWER, gain, name, after)
            )
        _, gain, name, after = max(found, key=lambda item: item[0])
        if gain <= 0:
            break
        names.append(name)
        waiting.remove(name)
        regrets = after
        entries.append((name, float(regrets[own].mean())))
        print(f"{len(names):3d} {name:28s} gain {gain:.5f}  regret {regrets[own].mean():.4f}")
    return entries


def fit_costs(records: list[Record], size: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Growth of each family's seconds with rows, columns and outputs, and each configuration's seconds on the
    reference table: least squares on logarithms, with exponents held to what is plausible."""
    reference = REFERENCES[size]
    growth: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    for family in sorted({each.family for each in suit(size)}):
        own = [each.name for each in suit(size) if each.family == family]
        rows = [(record, name) for record in records for name in own if name in record.seconds]
        x = np.array([[np.log(record.facts[fact] / reference[fact]) for fact in reference] for record, _ in rows])
        y = np.log([max(record.seconds[name], 0.01) for record, name in rows])
        places = np.array([own.index(name) for _, name in rows])
        level = np.eye(len(own))[places]
        ridge = np.vstack([np.hstack([level, x]), np.hstack([np.zeros((3, len(own))), np.eye(3)])])
        found = np.linalg.lstsq(ridge, np.concatenate([y, np.zeros(3)]), rcond=None)[0]
        slopes = {
            fact: float(np.clip(found[len(own) + place], *EXPONENTS[size][fact]))
            for place, fact in enumerate(reference)
        }
        growth[family] = {fact: round(slope, 3) for fact, slope in slopes.items()}
        rest = y - x @ np.array(list(slopes.values()))
        for place, name in enumerate(own):
            mine = rest[places == place]
            seconds[name] = float(np.exp(np.median(mine))) if len(mine) else 10.0
    return growth, seconds
