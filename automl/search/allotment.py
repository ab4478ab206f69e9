"""What a configuration gets of the time that is left: whether it is begun, and how long one of its folds may take."""

from __future__ import annotations

import math

from automl.clock import Clock
from automl.search.active import Active
from automl.search.cost import CostModel
from automl.search.families import Families
from automl.search.trial import POOL_START_SECONDS, TrialSpec

# Share of the time left that one bag may use, by where the configuration comes from.
SHARES = {"baseline": 0.4, "portfolio": 0.35, "tpe": 0.25, "file": 1.0}
# Nets on pictures are worth waiting for: nothing else sees as much in them.
PIXEL_SHARE = 0.5
PIXEL_LEAST_SECONDS = 8.0
HARD_FACTOR, HARD_SECONDS = 1.3, 2.0
MIN_FOLD_SECONDS = 0.3
# A fold may take so many times what is expected of it; and a bag this share of the time left, whatever its origin.
USUAL_FACTOR, END_SHARE = 1.5, 0.9
# A configuration of the portfolio is begun if at least this share of what it needs is left.
CUT_SHARE = 0.5
# What a family of which nothing was learned is thought to take of the time left, at least.
UNKNOWN_SHARE = 0.2
# Between the end of a fold and the end of the search: what writing its outputs takes.
END_SECONDS = 0.3
# A fold that gets less than this share of what those before it took is not worth a bag's place.
LEAST_SHARE = 0.4


class Allotment:
    """The rules of time of one search.

    Args:
        clock: the run's.
        families: what is known of each family's folds.
        costs: the model of a configuration's cost, noted to by the search.
        folds: how many folds a bag has.
        slots: how many folds run at once.
        own_seconds: what the user allows one fold; None without a limit.
        by_trials: whether trials limit the run, so that no decision may hang on the time.

    Attributes:
        owed_seconds: of one worker, that the configurations begun will still take.
        kept_seconds: at the end of the search, for models of all rows.
    """

    def __init__(
        self,
        clock: Clock,
        families: Families,
        costs: CostModel,
        *,
        folds: int,
        slots: int,
        own_seconds: float | None,
        by_trials: bool,
    ) -> None:
        self.clock, self.families, self.costs = clock, families, costs
        self.own_seconds, self.by_trials = own_seconds, by_trials
        self.folds = folds
        self.note_slots(slots)
        self.owed_seconds = self.kept_seconds = 0.0
        self._warm: set[str] = set()

    def left(self) -> float:
        """Seconds that configurations may still use."""
        return self.clock.search_left() - self.kept_seconds

    def note_slots(self, slots: int) -> None:
        """So many folds run at once from now on: workers of a cluster come and go."""
        self.slots = max(1, slots)
        self.rounds = -(-self.folds // self.slots)  # folds that one worker after the other has to run for a bag

    def note_warm(self, pool: str) -> None:
        """A pool is starting, so its first job need not wait for it."""
        self._warm.add(pool)

    def fits(
        self, name: str, origin: str, reference_seconds: float | None = None, *, cut_share: float = CUT_SHARE
    ) -> bool:
        """Whether a configuration of the family can finish in the time left, as far as is known; one of the portfolio
        in this share of what it needs."""
        if self.by_trials or origin == "baseline":
            return True
        expected = self._expect(name, reference_seconds)
        left = self.left() - self.owed_seconds / self.slots
        pool = self.families[name].candidate.pool
        left -= 0.0 if pool in self._warm else POOL_START_SECONDS.get(pool, 0.0)
        if expected is None:
            return left > MIN_FOLD_SECONDS
        if origin == "portfolio" and self._sees_pixels(name):
            # what descriptors took says nothing of nets, which take what is there
            return left > PIXEL_LEAST_SECONDS * self.rounds
        # a portfolio's fits return their best at the deadline, so they may be cut; a tuned one must fit
        return expected * self.rounds * (cut_share if origin == "portfolio" else 1.0) < left

    def share(self, spec: TrialSpec) -> float:
        """How much of the workers' time left a bag of the configuration would take, as far as is known; 0 if unknown.

        The order of what was made for texts and pictures is meant as it is, whatever it takes.
        """
        shape = self.families.shape
        if self.by_trials or spec.origin != "portfolio" or shape.texts or shape.pictures:
            return 0.0
        expected = self._expect(spec.candidate, spec.reference_seconds) or 0.0
        share = expected * self.folds / max(self.slots * self.left(), 1e-9)
        is_known = spec.reference_seconds is not None or self.families[spec.candidate].is_quick
        return share if is_known else max(share, UNKNOWN_SHARE)

    def tuned_share(self, name: str) -> float:
        """How much of the workers' time left one more bag of the family would take; inf if nothing of it is known."""
        expected = self._expect(name, None)
        left = max(self.slots * self.left(), 1e-9)
        return math.inf if expected is None else expected * self.folds / left

    def fold_seconds(self, spec: TrialSpec) -> float | None:
        """Seconds one fold may take: a share of the time left, split over the folds and workers."""
        if self.by_trials:
            return self.own_seconds
        left = max(0.0, self.left())
        part = PIXEL_SHARE if spec.origin == "portfolio" and self._sees_pixels(spec.candidate) else SHARES[spec.origin]
        share = left * part / self.rounds
        expected = self._expect(spec.candidate, spec.reference_seconds)
        if expected is not None:  # what needs more than its share may have it, if it can be done before the end
            share = max(share, min(USUAL_FACTOR * expected, END_SHARE * left / self.rounds))
        share = max(MIN_FOLD_SECONDS, share)
        return min(share, self.own_seconds) if self.own_seconds else share

    def owes(self, active: Active) -> float:
        """Seconds of one worker that a configuration will still take: by its folds so far, else as is expected.

        One whose first fold has not yet decided counts by half: many are given up then.
        """
        known = active.mean_seconds() or self._expect(active.spec.candidate, active.spec.reference_seconds)
        limit = math.inf if active.fold_limit is None else active.fold_limit
        waiting = 0.5 * (self.folds - 1) if active.waits_for_verdict else len(active.pending)
        return (waiting + 0.5 * len(active.running)) * min(known or 0.0, limit)

    def is_too_late(self, active: Active) -> bool:
        """Whether the folds that wait would have too little time to be as good as those before them: a bag with one
        that is cut off is worse than none, and takes the time of another."""
        usual = active.mean_seconds()
        if self.by_trials or not usual:
            return False
        soft, _ = self.limits(math.inf, len(active.pending) + len(active.running))
        return soft is not None and soft < LEAST_SHARE * usual

    def limits(self, fold_seconds: float | None, folds_left: int = 1) -> tuple[float | None, float]:
        """When a fold that begins now should return its best, and when it is ended by force (inf: never).

        Args:
            folds_left: of its bag, this one included. The time left is for all of them: a bag that lacks a fold at the
                end is lost, while most families do with less time what they can.
        """
        if fold_seconds is None:
            return None, math.inf
        soft = fold_seconds
        if not self.by_trials:
            left, rounds = self.left(), -(-folds_left // self.slots)
            soft = max(MIN_FOLD_SECONDS, min(soft, left / rounds - END_SECONDS))
        return None if self.by_trials else soft, soft * HARD_FACTOR + HARD_SECONDS

    def _expect(self, name: str, reference_seconds: float | None) -> float | None:
        modelled = self.costs.expect(name, reference_seconds)
        return self.families.expected_fold_seconds(name) if modelled is None else modelled

    def _sees_pixels(self, name: str) -> bool:
        return self.families[name].candidate.needs.pictures == "pixels"
