"""Which preprocessing choices may come again: their matrices stay on the disk, those of others go."""

from __future__ import annotations

from collections.abc import Iterable

from automl.preprocess.plan import plan_key
from automl.search.families import Families
from automl.search.trial import TrialSpec
from automl.space import split_params


class Plans:
    """The choices of a search so far.

    Args:
        begun: the configurations that a search taken up again had asked for.
    """

    def __init__(self, families: Families, begun: Iterable[TrialSpec] = ()) -> None:
        self._families = families
        self._keys: dict[int, str] = {}  # by trial: all that run are asked each time that one ends
        self._usual = {self._key(spec) for spec in begun if spec.origin != "tpe" and spec.candidate in families.usable}

    def name_unused(self, spec: TrialSpec, in_use: Iterable[TrialSpec]) -> str:
        """The cache's folders that nobody needs any more now that `spec` has ended; "" if there are none.

        Tuned configurations have matrices of their own, unless they are the usual ones or in use.
        """
        key = self._key(spec)
        if spec.origin != "tpe":
            self._usual.add(key)
        return "" if key in self._usual | set(map(self._key, in_use)) else f"search/cache/{key}-*"

    def _key(self, spec: TrialSpec) -> str:
        if spec.number not in self._keys:
            needs = self._families[spec.candidate].candidate.needs
            self._keys[spec.number] = plan_key(needs, split_params(spec.params, "preprocess"))
        return self._keys[spec.number]
