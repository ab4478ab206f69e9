"""The model families of a search: which can be used, what they cost, and which deserves the next trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from automl.candidates import Candidate
from automl.matrix import Shape
from automl.preprocess.table import Table
from automl.recipe import Recipe
from automl.search.trial import TrialResult, candidates, trial_space
from automl.space import Params, SearchSpace
from automl.task import Task

MAX_FAILURES = 2
# Forms of `Needs.text` that only families made for texts ask for.
TEXT_FORMS = ("sparse", "tokens")
# A family this much behind the best, of what there is to gain at all, counts as twice as dear; none as more than ten
# times: in an ensemble what is not the best by itself may be worth more than what is.
BEHIND_SHARE, DEAREST = 0.01, 10.0
# A family behind by at most this share of it is near the best.
NEAR_SHARE = 0.03
# A gain of less than this share of it is none: what is found so is the same model once more.
LEAST_GAIN = 0.001
# No improvement is thought cheaper than this share of all that was spent.
FLOOR_SHARE = 0.1


@dataclasses.dataclass
class Family:
    """One family's history in this search.

    Attributes:
        spent: cost of all its trials (seconds, or static cost units in a run by trials).
        improvements: (spent, score) each time it had improved by more than next to nothing.
        in_vain: trials since the last of them.
        score, best: of its best trial, and the parameters of that.
    """

    name: str
    candidate: Candidate
    space: SearchSpace
    fold_seconds: list[float] = dataclasses.field(default_factory=list)
    spent: float = 0.0
    trials: int = 0
    failures: int = 0
    improvements: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    in_vain: int = 0
    score: float | None = None
    best: Params = dataclasses.field(default_factory=dict)

    @property
    def is_quick(self) -> bool:
        """Costs less than a linear model."""
        return self.candidate.cost < 1.0

    @property
    def is_out(self) -> bool:
        """Failed every time it was tried, more than once."""
        return self.failures >= MAX_FAILURES and not self.improvements


def is_of_another_kind(candidate: Candidate, shape: Shape) -> bool:
    """Whether a family was made for pictures or texts, and there are none."""
    needs = candidate.needs
    return (needs.pictures == "pixels" and not shape.pictures) or (needs.text in TEXT_FORMS and not shape.texts)


class Families:
    """All families that suit the task.

    Args:
        recipe: `search.candidates` limits them; naming one that cannot be used is not an error, it is listed.

    Attributes:
        spent_seconds, tuned_seconds: of one worker, of all trials so far and of those that no list proposed.
    """

    def __init__(self, recipe: Recipe, task: Task, table: Table) -> None:
        wanted = recipe.search.candidates
        names = candidates.names() if wanted == "auto" else tuple(dict.fromkeys(("dummy", *wanted)))
        self.shape = shape = table.shape(task)
        self.task = task
        self.only_texts, self.only_pictures = table.layout.has_only_texts, table.layout.has_only_pictures
        self.usable: dict[str, Family] = {}
        self.unused: dict[str, str] = {}
        self.apart: list[str] = []
        self.spent_seconds = self.tuned_seconds = 0.0
        missing = {listing.name: listing.reason for listing in candidates.listings() if listing.reason}
        for name in names:
            if name in missing:
                self.unused[name] = missing[name]
                continue
            candidate = candidates.get(name)
            if wanted == "auto" and is_of_another_kind(candidate, shape):
                self.apart.append(name)  # no news: nobody expects nets on pictures of a table
                continue
            reason = candidate.unsupported(task, shape)
            if reason:
                self.unused[name] = reason
            else:
                self.usable[name] = Family(name, candidate, trial_space(candidate, task, table))

    def __getitem__(self, name: str) -> Family:
        return self.usable[name]

    def note_fold(self, name: str, seconds: float) -> None:
        self.usable[name].fold_seconds.append(seconds)

    def note_result(self, result: TrialResult, *, static: bool) -> None:
        """Add a trial to its family's history; `static` counts cost units in place of seconds."""
        family = self.usable.get(result.candidate)
        if family is None:
            return
        family.trials += 1
        family.in_vain += 1
        self.spent_seconds += result.seconds
        self.tuned_seconds += result.seconds if result.origin == "tpe" else 0.0
        # how many folds were done before one failed hangs on how many workers there are
        folds = max(1, len(result.fold_scores)) if result.status in ("ok", "pruned") else 1
        family.spent += family.candidate.cost * folds if static else result.seconds
        if result.status not in ("ok", "pruned"):
            family.failures += 1
        elif result.score is not None and (result.status == "ok" or not family.improvements):
            better = family.score is None or self._loss(result.score) < self._loss(family.score)
            if not family.improvements or (better and result.status == "ok"):
                family.score, family.best = result.score, result.params
                if self._is_notable(family, result.score):
                    family.improvements.append((family.spent, result.score))
                    family.in_vain = 0

    def _is_notable(self, family: Family, score: float) -> bool:
        """Whether a score is an improvement to speak of on the last that was."""
        if not family.improvements:
            return True
        before = self._loss(family.improvements[-1][1])
        to_gain = self._constant_loss() - before
        return not math.isfinite(to_gain) or before - self._loss(score) >= LEAST_GAIN * to_gain

    def expected_fold_seconds(self, name: str) -> float | None:
        """Median of what was seen, or the static cost in units of what other families took; None before any fit."""
        family = self.usable[name]
        if family.fold_seconds:
            return float(np.median(family.fold_seconds[-5:]))
        known = [
            float(np.median(other.fold_seconds)) / other.candidate.cost
            for other in self.usable.values()
            if other.fold_seconds and other.name != "dummy"
        ]
        return float(np.median(known)) * family.candidate.cost if known else None

    def choose(self, rng: np.random.Generator, names: Iterable[str]) -> str | None:
        """Draw the family for the next trial, the likelier the cheaper its next improvement seems.

        The estimated cost of improvement follows FLAML (Wang et al. 2021, arXiv:1911.04706): what the last
        improvements cost, and more for a family that is behind the best one.
        """
        options = [
            self.usable[name]
            for name in names
            if name != "dummy" and not self.usable[name].is_out and self.usable[name].space.parameters
        ]
        if not options:
            return None
        best = min((self._loss(family.score) for family in options if family.score is not None), default=0.0)
        floor = FLOOR_SHARE * sum(family.spent for family in options)
        costs = np.array([self._improvement_cost(family, best, floor) for family in options])
        # a floor keeps cheap families from taking all trials: what they can find is soon found
        chances = 1.0 / np.maximum(costs, 1e-9)
        return options[int(rng.choice(len(options), p=chances / chances.sum()))].name

    def near_the_best(self) -> list[str]:
        """Families that are behind the best one by little of what there is to gain over the constant model."""
        losses = {
            name: self._loss(family.score)
            for name, family in self.usable.items()
            if family.score is not None and name != "dummy"
        }
        best = min(losses.values(), default=0.0)
        return [name for name, loss in losses.items() if loss - best <= NEAR_SHARE * (self._constant_loss() - best)]

    def _improvement_cost(self, family: Family, best: float, floor: float) -> float:
        if family.score is None:
            return max(family.candidate.cost, family.spent, floor, 1e-3) * 2
        last_cost = family.improvements[-1][0]
        before_cost = family.improvements[-2][0] if len(family.improvements) > 1 else 0.0
        recent = max(family.spent - last_cost, last_cost - before_cost, floor)
        gap = self._loss(family.score) - best
        # how far behind, as a share of what there is to gain over the constant model
        behind = gap / max(self._constant_loss() - best, 1e-12)
        return recent * min(DEAREST, 1 + (behind / BEHIND_SHARE) ** 2)

    def _constant_loss(self) -> float:
        constant = self.usable.get("dummy")
        return self._loss(constant.score) if constant and constant.score is not None else math.inf

    def _loss(self, score: float) -> float:
        return -score if self.task.maximize else score
