"""Of all complete configurations of a search, those that can still matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from automl.search.trial import TrialResult

# So many of each family. An ensemble is chosen among 24, however the rows are drawn on which they are compared.
FIRST_OF_A_FAMILY, BEST_OF_A_FAMILY = 2, 50


def choose_contenders(results: Mapping[int, TrialResult], members: Iterable[int], *, maximize: bool) -> list[int]:
    """The ensemble's members, each family's first configurations, among which the baselines are, and its best, more
    than an ensemble is ever chosen among. A search of hours has thousands of others, which are not worth the time.

    Args:
        members: trials of the deployed ensemble.
    """
    chosen, families = set(members), dict[str, list[TrialResult]]()
    for trial in sorted(results):
        if results[trial].status == "ok":
            families.setdefault(results[trial].candidate, []).append(results[trial])
    sign = -1 if maximize else 1
    for family in families.values():
        chosen |= {result.trial for result in family[:FIRST_OF_A_FAMILY]}
        family.sort(key=lambda result: sign * (result.score or 0.0))
        chosen |= {result.trial for result in family[:BEST_OF_A_FAMILY]}
    return sorted(chosen)
