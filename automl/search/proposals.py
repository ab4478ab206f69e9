"""What to try next: the portfolio in its order, beside it steps from the best of quick families, then what Optuna
proposes; the quickest model where time is short."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from automl.clock import Clock
from automl.recipe import Recipe
from automl.search.allotment import Allotment
from automl.search.families import Families
from automl.search.portfolio import make_portfolio, make_quickest
from automl.search.queue import Queue
from automl.search.records import CONSTANT, Records
from automl.search.study import Study
from automl.search.trial import TrialSpec
from automl.task import TaskKind

# With less than this for the search, the first model is the one that takes milliseconds.
SHORT_SECONDS = 5.0
# Steps from the best may have this share of what all trials took, if their family's bags take at most the second share
# of the time that is left. A step is this long (`SearchSpace.step`).
STEPS_SHARE, STEP_MOST, STEP_SIZE = 0.25, 0.05, 0.12
# A family whose last trials, so many, found nothing is left to the portfolio and to Optuna.
MOST_IN_VAIN = 30


class Proposals:
    """Hands out configurations that were not begun yet, each with the next number.

    Args:
        kind: of the task; the portfolio's order hangs on it.
        records: what was begun before, by this process or by one that was killed.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        kind: TaskKind,
        families: Families,
        records: Records,
        study: Study,
        allotment: Allotment,
        clock: Clock,
    ) -> None:
        self.recipe, self.families, self.records = recipe, families, records
        self.study, self.allotment, self.clock = study, allotment, clock
        begun = {(spec.candidate, spec.label) for spec in records.specs.values()}
        listed = make_portfolio(families, kind, use=recipe.search.portfolio, first=recipe.search.first)
        waiting = [spec for spec in listed if (spec.candidate, spec.label) not in begun]
        self._waiting = Queue(waiting, families, allotment, records.specs.values())

    def soon(self, share: float) -> Iterator[TrialSpec]:
        """What will likely be tried of the portfolio in the next `share` of the time left, without numbers."""
        return self._waiting.within(share)

    def take_constant(self) -> TrialSpec | None:
        """The constant model, if it is the next of the portfolio."""
        return self._number(self._waiting.take_if_first(CONSTANT))

    def take(self) -> TrialSpec | None:
        """The next configuration that fits into the time left; None if there is none."""
        return self._number(self._take_quick() or self._step() or self._waiting.take() or self._ask())

    def _number(self, spec: TrialSpec | None) -> TrialSpec | None:
        return None if spec is None else dataclasses.replace(spec, number=self.records.next_number())

    def _take_quick(self) -> TrialSpec | None:
        """The quickest model there is, where the time is so short that another may come too late to be the first."""
        by_trials = self.recipe.budget.trials is not None
        if by_trials or self.records.has_model or self.clock.search_left() > SHORT_SECONDS:
            return None
        quickest = make_quickest(self.families)
        begun = quickest and any(spec.label == quickest.label for spec in self.records.specs.values())
        return None if begun else quickest

    def _step(self) -> TrialSpec | None:
        """A step from the best configuration of a quick family that is near the best one: where the list is long and
        the time short, what suits this table would be found last, if at all.

        Local search from a good start, cheap models first: Wu, Wang & Huang 2021, doi:10.1609/aaai.v35i12.17239. What
        is good is told when the first of what was learned on other tables is begun. Of texts and pictures the order is
        meant as it is.
        """
        families, allotment = self.families, self.allotment
        is_plain = not (families.shape.texts or families.shape.pictures)
        if allotment.by_trials or not is_plain or not self.recipe.search.tune or not self._waiting.has_begun:
            return None
        if families.tuned_seconds > STEPS_SHARE * families.spent_seconds:
            return None
        number = self.records.next_number()
        rng = np.random.default_rng([self.recipe.seed, 23, number])
        near = [name for name in families.near_the_best() if families[name].in_vain < MOST_IN_VAIN]
        quick = [name for name in near if allotment.tuned_share(name) <= STEP_MOST]
        name = families.choose(rng, [name for name in quick if allotment.fits(name, "tpe")])
        if name is None:
            return None
        params = families[name].space.step(families[name].best, STEP_SIZE, rng)
        return TrialSpec(number=number, candidate=name, params=params, origin="tpe", label=f"{name} #{number}")

    def _ask(self) -> TrialSpec | None:
        """Parameters that Optuna proposes for the family whose turn it is."""
        if not self.recipe.search.tune:
            return None
        number = self.records.next_number()
        rng = np.random.default_rng([self.recipe.seed, 11, number])
        fitting = [name for name in self.families.usable if self.allotment.fits(name, "tpe")]
        name = self.families.choose(rng, fitting)
        if name is None:
            return None
        params = self.study.ask(name, self.families[name].space, number)
        return TrialSpec(number=number, candidate=name, params=params, origin="tpe", label=f"{name} #{number}")
