"""A costly step of the parent that is put off while others wait for it, and not forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable

# After a step the next one waits so many times as long as that took; only where steps are wanted thick and fast.
REST = 8.0
# More workers than this ask for more of the parent's time than such a rest leaves.
MANY_SLOTS = 32


def rest_for(slots: int) -> float:
    """`rest` of a step that `slots` workers wait for."""
    return REST * max(1.0, slots / MANY_SLOTS)


class Sparing:
    """Does `step` when asked, but leaves the parent most of its time: many workers wait for it.

    Attributes:
        is_stale: whether it was asked for and put off.
    """

    def __init__(self, step: Callable[[], None], rest: float = REST) -> None:
        self._step, self._rest = step, rest
        self._rests_until = 0.0
        self.is_stale = False

    def __call__(self, *, at_once: bool = False) -> None:
        """Do it now, or, unless `at_once`, note that it is wanted."""
        began = time.monotonic()
        self.is_stale = not at_once and began < self._rests_until
        if not self.is_stale:
            self._step()
            ended = time.monotonic()
            self._rests_until = ended + self._rest * (ended - began)

    def want(self) -> None:
        """Note that it is wanted."""
        self.is_stale = True

    def catch_up(self, *, at_once: bool = False) -> bool:
        """Do it if it is wanted still; returns whether it was done."""
        if not self.is_stale:
            return False
        self(at_once=at_once)
        return not self.is_stale
