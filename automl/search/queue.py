"""The configurations of the portfolio that wait for their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automl.search.allotment import Allotment
from automl.search.families import Families
from automl.search.portfolio import BASELINES
from automl.search.trial import TrialSpec

# A bag that is expected to take more of the workers' time left than this lets cheaper ones go first, so many at a time;
# one that would take more than the second share lets those go first that are dear themselves.
DEAR_SHARE, HEAVY_SHARE = 0.12, 0.7
MOST_OVERTAKEN = 8
# The first of what was learned is begun if at least this share of what it needs is left.
LEAST_CUT_SHARE = 0.25


class Queue:
    """Hands out what fits into the time left, in order; families that are out lose their place.

    Args:
        specs: in the order in which they are to be tried, without numbers.
        begun: what was handed out before.

    Attributes:
        has_begun: whether any of what was learned on other tables was handed out, or there is none.
    """

    def __init__(
        self, specs: Iterable[TrialSpec], families: Families, allotment: Allotment, begun: Iterable[TrialSpec] = ()
    ) -> None:
        self._specs = list(specs)
        self._families, self._allotment = families, allotment
        self.has_begun = any(map(_is_learned, begun)) or not any(map(_is_learned, self._specs))

    def within(self, share: float) -> Iterator[TrialSpec]:
        """Those whose turn will likely come before the next `share` of the time left is over: that fit into it and
        would not take most of it."""
        ahead = 0.0
        for spec in self._specs:
            own = self._allotment.share(spec)
            if self._fits(spec) and own <= HEAVY_SHARE:
                yield spec
                ahead += own
                if ahead > share:
                    return

    def take(self) -> TrialSpec | None:
        """The first that fits into the time left; one that would take much of it lets the next few go first, as long as
        there is then still time for it.

        Where the time is so short that all that was learned would take most of it or does not fit at all, the shortest
        of that comes first of all, even if a part of its time is left: boosted trees of which half are missing are
        better than neighbours that are all there.
        """
        fitting = self._list_cut() or self._list_fitting()
        if not fitting:
            return None
        share, chosen = min(fitting, key=_rank)
        overtaken, first = fitting[0]
        if overtaken <= HEAVY_SHARE < overtaken / max(1.0 - share, 1e-9):  # after that there would be no time for it
            chosen = first
        self._specs.remove(chosen)
        self.has_begun |= _is_learned(chosen)
        return chosen

    def _list_fitting(self) -> list[tuple[float, TrialSpec]]:
        """The first that fit, up to one that is not dear, each with the share of the time left that it would take."""
        fitting: list[tuple[float, TrialSpec]] = []
        for spec in list(self._specs):
            if self._families[spec.candidate].is_out:
                self._specs.remove(spec)
            elif self._fits(spec):
                if spec.reference_seconds is None and fitting and all(share > HEAVY_SHARE for share, _ in fitting):
                    continue  # nothing was learned of it
                fitting.append((self._allotment.share(spec), spec))
                if fitting[-1][0] <= DEAR_SHARE or len(fitting) == MOST_OVERTAKEN:
                    break
        return fitting

    def _list_cut(self) -> list[tuple[float, TrialSpec]]:
        """Where nothing of what was learned was begun, and none fits: what can be begun with a part of its time."""
        if self.has_begun or not self._specs or self._specs[0].origin == "baseline":
            return []
        learned = [spec for spec in self._specs if _is_learned(spec) and not self._families[spec.candidate].is_out]
        own = [spec for spec in self._specs if not spec.raced]  # of the user's, which come before the list
        if any(map(self._fits, (*learned, *own))):
            return []
        return [(self._allotment.share(spec), spec) for spec in learned if self._fits(spec, cut_share=LEAST_CUT_SHARE)]

    def _fits(self, spec: TrialSpec, **given: float) -> bool:
        return self._allotment.fits(spec.candidate, spec.origin, spec.reference_seconds, **given)

    def take_if_first(self, candidate: str) -> TrialSpec | None:
        """The first of all, if it is of this family."""
        return self._specs.pop(0) if self._specs and self._specs[0].candidate == candidate else None


def _is_learned(spec: TrialSpec) -> bool:
    """Whether it was learned on other tables that it is worth its time, and it is not of a baseline's family."""
    is_listed = spec.origin == "portfolio" and spec.reference_seconds is not None
    return is_listed and spec.candidate not in BASELINES


def _rank(pair: tuple[float, TrialSpec]) -> float:
    """Of cheap and of dear ones the first in order comes first; of those that take most of the time, the shortest."""
    share = pair[0]
    return 1.0 + share if share > HEAVY_SHARE else float(share > DEAR_SHARE)
