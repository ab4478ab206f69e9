"""The parent's end of a cluster: one thread that keeps the connection, knows the workers and carries jobs to them.

Which worker does what is decided here alone: each job is pinned to one worker and given no retries, so that the
cluster never runs anything on its own account. What is lost with a worker is carried to another, counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from automl.engines import Settings
from automl.engines.cluster.carrier import Carrier
from automl.engines.cluster.connection import ANSWER_SECONDS, CONNECT_SECONDS, Scheduler, connect, silence
from automl.engines.cluster.roster import Errand, Member, Roster
from automl.engines.cluster.seat import Order, leave_seats, warm_seats
from automl.engines.cluster.store import leave
from automl.engines.cluster.versions import compare_versions, read_versions
from automl.engines.machine.worker import describe_error
from automl.errors import EngineError

POLL_SECONDS, EAGER_SECONDS = 0.5, 0.1
# A worker whose heartbeat is missed for so long is given up; should it come back, it is one more.
SILENT_SECONDS = 20.0
CLOSE_SECONDS = 3.0
# Once there is a worker, how long the others that are there may take to be looked at.
SETTLE_SECONDS = 2.0


class Link:
    """See the module. Its public methods are for the thread that made it.

    Args:
        start: gives the scheduler, which it may have to start first; called in the link's loop.
        name: what the user calls the cluster.

    Attributes:
        said: what the user should be told.
        failure: why the link has ended, if not by `close`.
    """

    def __init__(self, start: Callable[[], Awaitable[Scheduler]], name: str, settings: Settings) -> None:
        self.name, self._start, self._settings = name, start, settings
        self.session = secrets.token_hex(8)
        self.roster = Roster()
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.failure: EngineError | None = None
        self.carrier = Carrier(self.roster, self.session, lambda: self._client, self._order)
        self._client: Any = None
        self._known: dict[str, Member] = {}  # by directory
        self._refused: dict[str, str] = {}
        self._pools: list[str] = []
        self._opened = threading.Event()
        self._closing = False
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="automl-link", daemon=True)
        self._thread.start()

    # ---- for the parent's thread -----------------------------------------------------------------------------------

    def wait_open(self, seconds: float) -> None:
        """Wait for the first worker.

        Raises:
            EngineError: if there is none, or none that can be used, in time.
        """
        if not self._opened.wait(seconds) and self.failure is None:
            self.failure = self._explain_emptiness()
        if self.failure is not None:
            raise self.failure
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._is_admitting() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _is_admitting(self) -> bool:
        """Whether there are workers of which it is not known yet if they can be used."""
        known = list(self._known.values())
        return any(not (member.slots or member.address in self._refused or member.gone.is_set()) for member in known)

    def carry(self, errand: Errand) -> None:
        """Begin an errand; its outcome comes by `carrier.done`."""
        self.roster.add(errand)
        self._soon(self.carrier.begin, errand)

    def drop(self, name: str) -> Errand | None:
        """Give an errand up; None if it is over already."""
        errand = self.roster.remove(name)
        if errand is not None:
            self._soon(self.carrier.give_up, errand)
        return errand

    def warm(self, pool: str) -> None:
        """Have the workers of now and of later load what a pool needs."""
        self._pools.append(pool)
        self._soon(lambda: self._keep(self._warm(pool)))

    def run_on_all(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function with each worker's directory and these arguments, there; whatever fails is left."""
        self._soon(lambda: self._keep(self._run_on_all(function, *arguments)))

    def close(self) -> None:
        """End the link; nothing of the session stays on workers that answer."""
        self._soon(self._stop)
        self._thread.join(2 * CLOSE_SECONDS)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: `failure` says why, and the engine tells it
            self._loop.call_soon_threadsafe(function, *arguments)

    def _keep(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop(self) -> None:
        self._closing = True
        self._stopped.set()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except EngineError as error:
            self.failure = error
        except Exception as error:
            self.failure = EngineError(f"{self.name} cannot be used: {describe_error(error)}", hint="automl doctor")
        finally:
            self._opened.set()
            with contextlib.suppress(Exception):
                left = asyncio.all_tasks(self._loop)
                for task in left:
                    task.cancel()
                if left:
                    self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            self._loop.close()

    async def _live(self) -> None:
        silence()
        scheduler = await self._start()
        try:
            await self._connect(scheduler)
            while not self._closing:
                await self._look(scheduler)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), POLL_SECONDS if self.roster.members else EAGER_SECONDS)
        finally:
            await self._leave()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(scheduler.end(), CLOSE_SECONDS)

    async def _connect(self, scheduler: Scheduler) -> None:
        self._client = await connect(scheduler, self.name)
        self._client.subscribe_topic("all", self._note_event)

    async def _reconnect(self, scheduler: Scheduler) -> None:
        """Once; the next look tries again."""
        for member in list(self._known.values()):
            self._lose(member)
        old = self._client
        if old is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(old._close(fast=True), 1.0)
        with contextlib.suppress(EngineError):
            await self._connect(scheduler)

    async def _look(self, scheduler: Scheduler) -> None:
        """Who is there now."""
        client = self._client
        if client.status in ("closed", "closing"):
            await self._reconnect(scheduler)
            return
        if client.status != "running":  # it is connecting again by itself; its futures are cancelled
            return
        try:
            identity = await asyncio.wait_for(client.scheduler.identity(n_workers=-1), ANSWER_SECONDS)
        except (OSError, TimeoutError, AttributeError):
            now = time.monotonic()
            for member in [m for m in self._known.values() if now - m.seen_at > SILENT_SECONDS]:
                self._lose(member)
            return
        self._note(identity["workers"])

    # ---- workers ---------------------------------------------------------------------------------------------------

    def _note_event(self, event: Any) -> None:
        """The scheduler says at once when it loses a worker."""
        _, message = event
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            for member in list(self._known.values()):
                if member.address == message.get("worker"):
                    self._lose(member)

    def _note(self, workers: dict[str, Any]) -> None:
        now = time.monotonic()
        there = {facts["local_directory"]: (address, facts) for address, facts in workers.items()}
        for directory, member in list(self._known.items()):
            if directory not in there:
                self._lose(member)
                continue
            seen = there[directory][1]["last_seen"]
            if seen != member.seen:
                member.seen, member.seen_at = seen, now
                if member.gone.is_set():  # it was silent for long, and is back
                    del self._known[directory]
            elif now - member.seen_at > SILENT_SECONDS:
                self._lose(member, silent=True)
        for directory, (address, facts) in there.items():
            if directory not in self._known and facts["status"] == "running":
                memory_mb = (facts["memory_limit"] or 0) / 2**20
                member = Member(address, directory, facts["nthreads"], memory_mb, facts["last_seen"], now)
                self._known[directory] = member
                self._keep(self._admit(member))

    def _lose(self, member: Member, *, silent: bool = False) -> None:
        if not silent:
            self._known.pop(member.directory, None)
        if member.gone.is_set():
            return
        self.roster.dismiss(member)
        if member.slots and not self._closing:
            self.said.put(f"the worker {member.address} is lost; what it was doing is done again elsewhere")
        member.gone.set()

    async def _admit(self, member: Member) -> None:
        """Let a worker take part, if it has what we have."""
        try:
            theirs = await asyncio.wait_for(self._run(member, read_versions), CONNECT_SECONDS)
            differing = compare_versions(read_versions(), theirs)
        except (ImportError, AttributeError) as error:
            differing = [f"automl is missing or another version there ({describe_error(error)})"]
        except Exception as error:  # lost while it was asked; if not, the next look finds it again
            self._known.pop(member.directory, None)
            self._refused[member.address] = describe_error(error)
            return
        if differing:
            self._refuse(member, "; ".join(differing))
            return
        self._refused.pop(member.address, None)
        for pool in self._pools:
            with contextlib.suppress(Exception):
                await self._run(member, warm_seats, self._order(member.directory), pool)
        if not member.gone.is_set():
            self.roster.admit(member)
            self._opened.set()
            self.carrier.wake()

    def _refuse(self, member: Member, reason: str) -> None:
        if self._refused.get(member.address) != reason:
            self.said.put(f"the worker {member.address} is not used: {reason}")
        self._refused[member.address] = reason
        addresses = {known.address for known in self._known.values()}
        if not self._opened.is_set() and addresses <= set(self._refused):  # at the start there is nothing to wait for
            self.failure = self._explain_emptiness()
            self._opened.set()

    def _explain_emptiness(self) -> EngineError:
        reasons = "".join(f"; {address}: {reason}" for address, reason in sorted(self._refused.items())[:3])
        return EngineError(
            f"{self.name} has no worker that can be used{reasons}",
            hint=f"Start workers with the versions of this machine: automl cluster check {self.name}",
        )

    def _order(self, directory: str) -> Order:
        settings = self._settings
        return Order(
            session=self.session,
            directory=directory,
            preload=dict(settings.preload),
            threads=settings.threads,
            accelerated=settings.accelerated,
        )

    async def _run(self, member: Member, function: Callable[..., Any], *arguments: Any) -> Any:
        found = await self._client.run(function, *arguments, workers=[member.address])
        return found[member.address]

    async def _warm(self, pool: str) -> None:
        calls = [self._run(m, warm_seats, self._order(m.directory), pool) for m in self.roster.workers()]
        await asyncio.gather(*calls, return_exceptions=True)

    async def _run_on_all(self, function: Callable[..., Any], *arguments: Any) -> None:
        calls = [self._run(member, function, member.directory, *arguments) for member in self.roster.workers()]
        await asyncio.gather(*calls, return_exceptions=True)

    async def _leave(self) -> None:
        """Take leave of the workers: no process and no file of this session stays."""
        for errand in list(self.roster.errands.values()):
            self.carrier.give_up(errand)
        client = self._client
        if client is None:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                if client.status == "running":
                    calls = [self._run(member, leave_seats, self.session) for member in self.roster.workers()]
                    await asyncio.gather(*calls, return_exceptions=True)
                    if self.carrier.has_placed:
                        await self._run_on_all(leave, self.session)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client._close(fast=True), 1.0)
