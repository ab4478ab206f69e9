"""What a fold of a configuration will take: a model learned on many tables, set right by what this machine shows."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from automl.matrix import Shape
from automl.search.data import SearchData
from automl.search.families import Families

MEMORY = 12  # the last fits that a family's pace is taken from
# A fold that should take less tells more of what surrounds it than of the machine; so much of its pace, and of that in
# other pools, as logarithms, is expected of others.
TELLING_SECONDS, UNTOLD_SHARE, FAR_SHARE = 0.5, 0.75, 0.25


@cache
def read_portfolio_file() -> dict[str, Any]:
    """`portfolio.json`: for each size of table, lists by kind of task and how each family's time grows."""
    record: dict[str, Any] = json.loads(files("automl.search").joinpath("portfolio.json").read_text(encoding="utf-8"))
    return record


def read_portfolio(rows: int) -> dict[str, Any]:
    """What was learned on tables of about so many rows."""
    fitting = [size for size in read_portfolio_file()["sizes"] if size["from_rows"] <= rows]
    found: dict[str, Any] = max(fitting, key=lambda size: int(size["from_rows"]))
    return found


class _Fit(NamedTuple):
    """A fold that was fitted: the seconds that the model expected, and how many times as long it took."""

    seconds: float
    pace: float


class CostModel:
    """Expected seconds of a fold: a configuration's on a reference table, times the growth of its family with rows,
    columns and outputs, times the pace of this machine and table, which the first fits tell.

    Args:
        shape: of the table; a fold trains on `share` of its rows.
        pools: family → pool of workers.
        quick: families that take no time, and so tell nothing of what others take.
    """

    def __init__(
        self, shape: Shape, share: float = 0.8, pools: Mapping[str, str] | None = None, quick: Collection[str] = ()
    ) -> None:
        record = read_portfolio(shape.rows)
        reference, growth = record["reference"], record["growth"]
        facts = {"rows": shape.rows * share, "columns": shape.columns, "outputs": max(1, shape.outputs)}
        facts["outputs"] = 1 if shape.outputs <= 2 else shape.outputs
        ratios = {name: max(1.0, facts[name]) / reference[name] for name in reference}
        self._growth = {
            family: float(np.prod([ratios[name] ** exponent for name, exponent in exponents.items()]))
            for family, exponents in growth.items()
        }
        self._pools = pools or {}
        self._quick = frozenset(quick)
        self._fits: dict[str, deque[_Fit]] = {}

    @staticmethod
    def of(families: Families, data: SearchData) -> CostModel:
        """That of a search."""
        share = len(data.trains[0]) / max(1, len(data.target))
        pools = {name: family.candidate.pool for name, family in families.usable.items()}
        quick = [name for name, family in families.usable.items() if family.is_quick]
        return CostModel(families.shape, share, pools, quick)

    def pace(self, family: str) -> float:
        """Seconds here for a second of the model.

        Of a family that was not fitted yet, others tell: the quickest of its own pool, for what makes a family slow on
        a table, such as many rounds of boosting, is mostly its own affair; and a part of what is usual elsewhere, for a
        pool has only the machine in common with another.
        """
        near = [name for name in self._fits if self._pools.get(name) == self._pools.get(family)]
        far = [name for name in self._fits if self._tells(name)]
        if family in self._fits:
            expected = self._usual(family)
        elif near:
            expected = min(self._usual(name) * (1.0 if self._tells(name) else UNTOLD_SHARE) for name in near)
        else:
            expected = float(np.median([self._usual(name) for name in far])) * FAR_SHARE if far else 0.0
        return float(np.exp(expected))

    def _tells(self, family: str) -> bool:
        return max(fit.seconds for fit in self._fits[family]) >= TELLING_SECONDS

    def _usual(self, family: str) -> float:
        """Median of the family's last paces, as a logarithm."""
        return float(np.median(np.log([fit.pace for fit in self._fits[family]])))

    def expect(self, family: str, reference_seconds: float | None) -> float | None:
        """Seconds of one fold; None for a family or a configuration that the model does not know."""
        if reference_seconds is None or family not in self._growth:
            return None
        return reference_seconds * self._growth[family] * self.pace(family)

    def note(self, family: str, reference_seconds: float | None, seconds: float) -> None:
        """A fold took so long."""
        if reference_seconds is not None and family in self._growth and family not in self._quick:
            modelled = reference_seconds * self._growth[family]
            last = self._fits.setdefault(family, deque(maxlen=MEMORY))
            last.append(_Fit(modelled, max(seconds, 1e-3) / modelled))
