"""The workers of a cluster by slot, and the jobs that hold the slots."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time

from automl.engines import Files


@dataclasses.dataclass(eq=False)
class Member:
    """A worker of the cluster.

    Attributes:
        directory: its local directory, which no other worker process ever had.
        memory_mb: its limit; 0 for none.
        seen: the scheduler's time of its last heartbeat, and `seen_at` ours of when we learned of it.
        slots: one a thread; none until it is admitted.
        gone: set when it is lost.
    """

    address: str
    directory: str
    nthreads: int
    memory_mb: float
    seen: float
    seen_at: float
    slots: tuple[int, ...] = ()
    gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


@dataclasses.dataclass(eq=False)
class Errand:
    """A job on its way.

    Attributes:
        content: the pickled job.
        seconds: its limit.
        slot: the one it holds; None while it waits for one.
        losses: workers that ended under it.
        moves: connections that were lost under it.
        trouble: the last thing that went wrong, in words.
    """

    name: str
    content: bytes
    seconds: float
    files: Files | None
    slot: int | None
    losses: int = 0
    moves: int = 0
    trouble: str = ""
    task: asyncio.Task[None] | None = None


class Roster:
    """Shared by the parent's thread, which hands out slots, and the link's, which adds and removes workers.

    Attributes:
        errands: by name, those that have no outcome yet.
        members: by slot.
        lost_at: monotonic time since when there is no worker; None while there are any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.errands: dict[str, Errand] = {}
        self.members: dict[int, Member] = {}
        self.lost_at: float | None = time.monotonic()

    def workers(self) -> list[Member]:
        with self._lock:
            return list(dict.fromkeys(self.members.values()))

    def free(self) -> list[int]:
        """Slots that no errand holds, the lowest first."""
        with self._lock:
            return self._free()

    def _free(self) -> list[int]:
        held = {errand.slot for errand in self.errands.values()}
        return sorted(slot for slot in self.members if slot not in held)

    def count_waiting(self) -> int:
        """Errands that have no slot yet."""
        with self._lock:
            return sum(errand.slot is None for errand in self.errands.values())

    def add(self, errand: Errand) -> None:
        with self._lock:
            self.errands[errand.name] = errand

    def remove(self, name: str) -> Errand | None:
        """The errand, if it had no outcome yet: whoever removes it tells the outcome, nobody else."""
        with self._lock:
            return self.errands.pop(name, None)

    def seat(self, errand: Errand) -> Member | None:
        """The worker of its slot, or else of a free one, which it then holds; None if there is none."""
        with self._lock:
            if errand.slot not in self.members:
                errand.slot = None
                errand.slot = next(iter(self._free()), None)
            return None if errand.slot is None else self.members[errand.slot]

    def admit(self, member: Member) -> None:
        """Give a worker the lowest slots that no other has."""
        with self._lock:
            numbers = (slot for slot in range(len(self.members) + member.nthreads) if slot not in self.members)
            member.slots = tuple(next(numbers) for _ in range(member.nthreads))
            self.members |= dict.fromkeys(member.slots, member)
            self.lost_at = None

    def dismiss(self, member: Member) -> None:
        """Take its slots away."""
        with self._lock:
            for slot in member.slots:
                self.members.pop(slot, None)
            if not self.members and self.lost_at is None:
                self.lost_at = time.monotonic()
