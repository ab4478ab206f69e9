"""The configurations of the portfolio that wait for their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automl.search.allotment import Allotment
from automl.search.families import Families
from automl.search.trial import TrialSpec

# A bag that is expected to take more of the workers' time left than this lets cheaper ones go first, so many at a time;
# one that would take more than the second share lets those go first that are dear themselves.
DEAR_SHARE, HEAVY_SHARE = 0.12, 0.7
MOST_OVERTAKEN = 8


class Queue:
    """Hands out what fits into the time left, in order; families that are out lose their place.

    Args:
        specs: in the order in which they are to be tried, without numbers.
    """

    def __init__(self, specs: Iterable[TrialSpec], families: Families, allotment: Allotment) -> None:
        self._specs = list(specs)
        self._families, self._allotment = families, allotment

    def within(self, share: float) -> Iterator[TrialSpec]:
        """Those whose turn will likely come before the next `share` of the time left is over: that fit into it and
        would not take most of it."""
        ahead = 0.0
        for spec in self._specs:
            fits = self._allotment.fits(spec.candidate, spec.origin, spec.reference_seconds)
            own = self._allotment.share(spec)
            if fits and own <= HEAVY_SHARE:
                yield spec
                ahead += own
                if ahead > share:
                    return

    def take(self) -> TrialSpec | None:
        """The first that fits into the time left; one that would take much of it lets the next few go first, as long as
        there is then still time for it."""
        fitting: list[tuple[float, TrialSpec]] = []
        for spec in list(self._specs):
            if self._families[spec.candidate].is_out:
                self._specs.remove(spec)
            elif self._allotment.fits(spec.candidate, spec.origin, spec.reference_seconds):
                fitting.append((self._allotment.share(spec), spec))
                if fitting[-1][0] <= DEAR_SHARE or len(fitting) == MOST_OVERTAKEN:
                    break
        if not fitting:
            return None
        # the first of the cheapest class: of equals `min` gives the first
        share, chosen = min(fitting, key=lambda pair: (pair[0] > DEAR_SHARE) + (pair[0] > HEAVY_SHARE))
        overtaken, first = fitting[0]
        if overtaken <= HEAVY_SHARE < overtaken / max(1.0 - share, 1e-9):  # after that there would be no time for it
            chosen = first
        self._specs.remove(chosen)
        return chosen

    def take_if_first(self, candidate: str) -> TrialSpec | None:
        """The first of all, if it is of this family."""
        return self._specs.pop(0) if self._specs and self._specs[0].candidate == candidate else None
