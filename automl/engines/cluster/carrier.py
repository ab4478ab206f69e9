"""Carries jobs to workers and their results home, on as many workers as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pickle
import queue
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl.engines import Files, Outcome, Status
from automl.engines.cluster.parcel import unpack
from automl.engines.cluster.placement import Placement
from automl.engines.cluster.roster import Errand, Member, Roster
from automl.engines.cluster.seat import Answer, Order, do_job
from automl.engines.machine.worker import describe_error

# Larger payloads travel as data: a task's own message is kept by the scheduler.
LARGE_BYTES = 1 << 20
# A job that was under way when a worker ended runs at most once more; one that only lost its connection, a few times.
MAX_LOSSES, MAX_MOVES = 2, 5
MOVE_SECONDS = 0.5
# A worker whose heart beats and which yet does not answer for a job is given up so long after the job's own limit.
LATE_SECONDS = 60.0


class Carrier:
    """Lives in the link's loop.

    Args:
        get_client: the client of now; another one after the connection was lost.
        make_order: of a worker's directory.

    Attributes:
        done: outcomes for the parent's thread.
        received_bytes: results that came back, as they crossed the network.
    """

    def __init__(
        self, roster: Roster, session: str, get_client: Callable[[], Any], make_order: Callable[[str], Order]
    ) -> None:
        self._roster, self._session, self._get_client, self._make_order = roster, session, get_client, make_order
        self._freed = asyncio.Event()
        self._placements: dict[tuple[Path, tuple[str, ...]], Placement] = {}
        self._endings: set[asyncio.Future[Any]] = set()
        self.done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.received_bytes = 0

    @property
    def sent_bytes(self) -> int:
        """Data sets that were placed, as they crossed the network from here."""
        return sum(placement.sent_bytes for placement in self._placements.values())

    @property
    def has_placed(self) -> bool:
        return bool(self._placements)

    def begin(self, errand: Errand) -> None:
        errand.task = asyncio.get_running_loop().create_task(self._do(errand))

    def give_up(self, errand: Errand) -> None:
        if errand.task is not None:
            errand.task.cancel()
        self.wake()

    def wake(self) -> None:
        """Errands that wait for a slot look again."""
        self._freed.set()
        self._freed = asyncio.Event()

    async def _do(self, errand: Errand) -> None:
        while True:
            member = await self._seat(errand)
            try:
                outcome = await self._try(errand, member)
            except Exception as error:
                outcome = Outcome(id="", status=Status.FAILED, reason=describe_error(error))
            if outcome is None and errand.losses >= MAX_LOSSES:
                outcome = Outcome(id="", status=Status.CRASHED, reason=f"{errand.losses} workers ended under it")
            if outcome is None and errand.moves >= MAX_MOVES:
                reason = f"given up after {errand.moves} attempts: {errand.trouble}"
                outcome = Outcome(id="", status=Status.CRASHED, reason=reason)
            if outcome is not None:
                slot = errand.slot or 0
                if self._roster.remove(errand.name):  # else it was cancelled, and that was told
                    self.done.put(dataclasses.replace(outcome, id=errand.name, worker=slot))
                self.wake()
                return

    async def _seat(self, errand: Errand) -> Member:
        while True:
            member = self._roster.seat(errand)
            if member is not None:
                return member
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), 1.0)

    async def _try(self, errand: Errand, member: Member) -> Outcome | None:
        """On one worker; None if it is to be tried again."""
        work = asyncio.ensure_future(self._ask(errand, member))
        gone = asyncio.ensure_future(member.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                errand.losses += 1
                return None
            return await self._read(errand, member, work)
        finally:
            work.cancel()
            gone.cancel()

    async def _ask(self, errand: Errand, member: Member) -> Answer | None:
        client = self._get_client()
        if errand.files is not None:
            await self._placement(errand.files).place(client, member, self._roster.workers())
        content: Any = errand.content
        if len(content) > LARGE_BYTES:
            content = await client.scatter(content, workers=[member.address], hash=False)
        future = client.submit(
            do_job, content, self._make_order(member.directory),
            key=f"automl-{self._session}-{errand.name}-{secrets.token_hex(4)}",
            workers=[member.address], allow_other_workers=False, pure=False, retries=0,
        )  # fmt: skip
        limit = None if errand.seconds == float("inf") else errand.seconds + LATE_SECONDS
        try:
            answer: Answer | None = await asyncio.wait_for(future.result(), limit)
            return answer
        finally:
            with contextlib.suppress(Exception):
                ending = asyncio.ensure_future(client.cancel([future], force=True))
                self._endings.add(ending)
                ending.add_done_callback(self._forget_ending)

    def _forget_ending(self, ending: asyncio.Future[Any]) -> None:
        self._endings.discard(ending)
        if not ending.cancelled():
            ending.exception()  # a connection that is lost needs no cancelling

    def _placement(self, files: Files) -> Placement:
        key = files.root, files.reads
        if key not in self._placements:
            self._placements[key] = Placement(self._session, *key)
        return self._placements[key]

    async def _read(self, errand: Errand, member: Member, work: asyncio.Future[Answer | None]) -> Outcome | None:
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        try:
            answer = work.result()
        except KilledWorker:
            answer = None
        except TimeoutError:
            reason = f"the worker {member.address} has not answered"
            return Outcome(id="", status=Status.TIMED_OUT, reason=reason, seconds=errand.seconds)
        except (CancelledError, OSError, AttributeError) as error:  # the connection was lost, or the scheduler is new
            errand.moves += 1
            errand.trouble = describe_error(error)
            await asyncio.sleep(MOVE_SECONDS)
            return None
        if answer is None:
            errand.losses += 1
            return None
        return await asyncio.to_thread(self._open, errand, answer)

    def _open(self, errand: Errand, answer: Answer) -> Outcome:
        """The answer with its value, its files put where they belong."""
        self.received_bytes += len(answer.value) + len(answer.parcel or b"")
        try:
            if answer.parcel is not None and errand.files is not None:
                unpack(answer.parcel, errand.files.root / errand.files.leaves)
            # from a worker that Dask itself lets run code here
            value = pickle.loads(answer.value) if answer.value else None  # noqa: S301
        except Exception as error:  # the value cannot be put together here: that is the job's failure
            return dataclasses.replace(answer.outcome, status=Status.FAILED, reason=describe_error(error))
        return dataclasses.replace(answer.outcome, value=value)
