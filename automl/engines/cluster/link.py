"""The parent's end of a cluster: one thread that keeps the connection, knows the workers and carries jobs to them.

Which worker does what is decided here alone: each job is pinned to one worker and given no retries, so that the
cluster never runs anything on its own account. What is lost with a worker is carried to another, counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import pickle
import queue
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from automl.engines import Files, Outcome, Settings, Status
from automl.engines.cluster.parcel import unpack
from automl.engines.cluster.placement import Placement
from automl.engines.cluster.seat import Answer, Order, do_job, leave_seats, warm_seats
from automl.engines.cluster.store import leave
from automl.engines.cluster.versions import compare_versions, read_versions
from automl.engines.machine.worker import describe_error
from automl.errors import EngineError

POLL_SECONDS = 0.5
# What is worth telling is told by us, in the run's events.
SILENCE = logging.CRITICAL + 1
# Larger payloads travel as data: a task's own message is kept by the scheduler.
LARGE_BYTES = 1 << 20
ANSWER_SECONDS = 5.0
CONNECT_SECONDS = 10.0
# A worker whose heartbeat is missed for so long is given up; should it come back, it is one more.
SILENT_SECONDS = 20.0
CLOSE_SECONDS = 3.0
# A job that was under way when a worker ended runs at most once more; one that only lost its connection, a few times.
MAX_LOSSES, MAX_MOVES = 2, 5
# A worker that keeps heartbeating yet does not answer for a job is given up so long after the job's own limit.
LATE_SECONDS = 60.0


@dataclasses.dataclass(eq=False)
class Member:
    """A worker of the cluster.

    Attributes:
        directory: its local directory, which no other worker process ever had.
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
    """A job on its way."""

    name: str
    content: bytes
    seconds: float
    files: Files | None
    slot: int | None
    losses: int = 0
    moves: int = 0
    task: asyncio.Task[None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scheduler:
    """What a link connects to: an address, what ends it (nothing, if it is not ours), keys if they are not those of
    Dask's configuration."""

    address: str
    end: Callable[[], Awaitable[None]]
    security: Any = None


class Link:
    """See the module. All methods are for the thread that made it.

    Args:
        start: gives the scheduler, which it may have to start first; called in the link's loop.
        name: what the user calls the cluster.
    """

    def __init__(self, start: Callable[[], Awaitable[Scheduler]], name: str, settings: Settings) -> None:
        self.name, self._start, self._settings = name, start, settings
        self.session = secrets.token_hex(8)
        self.done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.errands: dict[str, Errand] = {}
        self.members: dict[int, Member] = {}  # by slot
        self.refused: dict[str, str] = {}
        self.failure: EngineError | None = None
        self.lost_at: float | None = time.monotonic()  # since when there is no worker
        self.received_bytes = 0
        self.placements: dict[tuple[Path, tuple[str, ...]], Placement] = {}
        self._known: dict[str, Member] = {}  # by directory
        self._pools: list[str] = []
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self._closing = False
        self._client: Any = None
        self._loop = asyncio.new_event_loop()
        self._freed = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="automl-link", daemon=True)
        self._thread.start()

    # ---- for the parent's thread -----------------------------------------------------------------------------------

    def wait_open(self, seconds: float) -> None:
        """Wait for the first worker.

        Raises:
            EngineError: if there is none, or none that can be used, in time.
        """
        if not self._opened.wait(seconds) and self.failure is None:
            self.failure = EngineError(
                f"{self.name} has no worker that can be used" + self._name_refused(),
                hint="Start workers with the versions of this machine: automl cluster check " + self.name,
            )
        if self.failure is not None:
            raise self.failure

    def free(self) -> list[int]:
        """Slots that no errand holds."""
        with self._lock:
            held = {errand.slot for errand in self.errands.values()}
            return sorted(slot for slot in self.members if slot not in held)

    def carry(self, errand: Errand) -> None:
        with self._lock:
            self.errands[errand.name] = errand
        self._soon(self._begin, errand)

    def drop(self, name: str) -> bool:
        """Give an errand up; False if it is over already."""
        with self._lock:
            errand = self.errands.pop(name, None)
        if errand is None:
            return False
        self._soon(self._give_up, errand)
        return True

    def warm(self, pool: str) -> None:
        self._pools.append(pool)
        self._call(lambda: self._run_on_all(warm_seats, self._order(""), pool))

    def run_on_all(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function with each worker's directory and these arguments, there; whatever fails is left."""
        self._call(lambda: self._run_on_directories(function, *arguments))

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._soon(self._stop)
        self._thread.join(2 * CLOSE_SECONDS)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: `failure` says why, and `wait` tells it
            self._loop.call_soon_threadsafe(function, *arguments)

    def _call(self, make: Callable[[], Any]) -> None:
        self._soon(lambda: self._keep(self._loop.create_task(make())))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _serve(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        asyncio.set_event_loop(self._loop)
        self._stopped = asyncio.Event()
        try:
            self._loop.run_until_complete(self._live())
        except EngineError as error:
            self.failure = error
        except Exception as error:
            self.failure = EngineError(f"{self.name} cannot be used: {describe_error(error)}", hint="automl doctor")
        finally:
            self._opened.set()
            with contextlib.suppress(Exception):
                for task in asyncio.all_tasks(self._loop):
                    task.cancel()
                self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _stop(self) -> None:
        self._closing = True
        self._stopped.set()

    async def _live(self) -> None:
        import distributed  # noqa: F401 - sets up its loggers, which are then silenced

        logging.getLogger("distributed").setLevel(SILENCE)
        scheduler = await self._start()
        try:
            await self._connect(scheduler)
            while not self._closing:
                await self._look(scheduler)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), POLL_SECONDS if self.members else POLL_SECONDS / 5)
        finally:
            await self._leave()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(scheduler.end(), CLOSE_SECONDS)

    async def _connect(self, scheduler: Scheduler) -> None:
        from distributed import Client

        try:
            self._client = await Client(
                scheduler.address, security=scheduler.security, asynchronous=True, timeout=CONNECT_SECONDS,
                set_as_default=False,
            )  # fmt: skip
        except (OSError, TimeoutError) as error:
            raise EngineError(
                f"{self.name} does not answer: {describe_error(error)}",
                hint=f"Start a scheduler there, or look with: automl cluster check {self.name}",
            ) from error
        self._client.subscribe_topic("all", self._note_event)

    async def _reconnect(self, scheduler: Scheduler) -> None:
        """Once; the next look tries again."""
        for member in list(self._known.values()):
            self._lose(member)
        old, self._client = self._client, None
        if old is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(old._close(fast=True), 1.0)
        with contextlib.suppress(EngineError):
            await self._connect(scheduler)

    async def _look(self, scheduler: Scheduler) -> None:
        """Who is there now."""
        client = self._client
        if client is None or client.status in ("closed", "closing"):
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

    def _note_event(self, event: Any) -> None:
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
            elif now - member.seen_at > SILENT_SECONDS and not member.gone.is_set():
                self._lose(member, silent=True)
        for directory, (address, facts) in there.items():
            if directory not in self._known and facts["status"] == "running":
                memory_mb = (facts["memory_limit"] or 0) / 2**20
                member = Member(address, directory, facts["nthreads"], memory_mb, facts["last_seen"], now)
                self._known[directory] = member
                self._keep(self._loop.create_task(self._admit(member)))

    def _lose(self, member: Member, *, silent: bool = False) -> None:
        if not silent:
            self._known.pop(member.directory, None)
        if member.gone.is_set():
            return
        with self._lock:
            for slot in member.slots:
                self.members.pop(slot, None)
            if not self.members and self.lost_at is None:
                self.lost_at = time.monotonic()
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
            self.refused.setdefault(member.address, describe_error(error))
            return
        if differing:
            if member.address not in self.refused:
                self.said.put(f"the worker {member.address} is not used: {'; '.join(differing)}")
            self.refused[member.address] = "; ".join(differing)
            return
        self.refused.pop(member.address, None)
        for pool in self._pools:
            with contextlib.suppress(Exception):
                await self._run(member, warm_seats, self._order(member.directory), pool)
        with self._lock:
            numbers = (slot for slot in range(len(self.members) + member.nthreads) if slot not in self.members)
            member.slots = tuple(next(numbers) for _ in range(member.nthreads))
            self.members |= dict.fromkeys(member.slots, member)
            self.lost_at = None
        self._opened.set()
        self._wake()

    def _name_refused(self) -> str:
        return "".join(f"; {address}: {reason}" for address, reason in sorted(self.refused.items())[:3])

    async def _run(self, member: Member, function: Callable[..., Any], *arguments: Any) -> Any:
        found = await self._client.run(function, *arguments, workers=[member.address])
        return found[member.address]

    async def _run_on_all(self, function: Callable[..., Any], *arguments: Any) -> None:
        for member in dict.fromkeys(self.members.values()):
            given = [dataclasses.replace(a, directory=member.directory) if isinstance(a, Order) else a for a in arguments]
            with contextlib.suppress(Exception):
                await self._run(member, function, *given)

    async def _run_on_directories(self, function: Callable[..., Any], *arguments: Any) -> None:
        calls = [self._run(m, function, m.directory, *arguments) for m in dict.fromkeys(self.members.values())]
        await asyncio.gather(*calls, return_exceptions=True)

    async def _leave(self) -> None:
        """Take leave of the workers: no process and no file of this session stays."""
        for errand in list(self.errands.values()):
            self._give_up(errand)
        client = self._client
        if client is None:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                if client.status == "running" and self.members:
                    members = dict.fromkeys(self.members.values())
                    calls = [self._run(member, leave_seats, self.session) for member in members]
                    await asyncio.gather(*calls, return_exceptions=True)
                    if self.placements:
                        await self._run_on_directories(leave, self.session)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client._close(fast=True), 1.0)

    # ---- jobs ------------------------------------------------------------------------------------------------------

    def _order(self, directory: str) -> Order:
        settings = self._settings
        return Order(
            session=self.session,
            directory=directory,
            preload=dict(settings.preload),
            threads=settings.threads,
            accelerated=settings.accelerated,
        )

    def _begin(self, errand: Errand) -> None:
        errand.task = self._loop.create_task(self._do(errand))

    def _give_up(self, errand: Errand) -> None:
        if errand.task is not None:
            errand.task.cancel()
        self._wake()

    def _wake(self) -> None:
        """Errands that wait for a slot look again."""
        self._freed.set()
        self._freed = asyncio.Event()

    def _deliver(self, errand: Errand, outcome: Outcome) -> None:
        with self._lock:
            mine = self.errands.pop(errand.name, None) is not None
        self._wake()
        if mine:  # else it was cancelled, and told so
            self.done.put(dataclasses.replace(outcome, id=errand.name, worker=errand.slot or 0))

    async def _do(self, errand: Errand) -> None:
        """One job to its end, on as many workers as it takes."""
        while True:
            member = await self._seat(errand)
            try:
                outcome = await self._try(errand, member)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                outcome = Outcome(id="", status=Status.FAILED, reason=describe_error(error))
            if outcome is None and errand.losses >= MAX_LOSSES:
                outcome = Outcome(id="", status=Status.CRASHED, reason=f"{errand.losses} workers ended under it")
            if outcome is None and errand.moves >= MAX_MOVES:
                outcome = Outcome(id="", status=Status.CRASHED, reason=f"the cluster was lost {errand.moves} times")
            if outcome is not None:
                self._deliver(errand, outcome)
                return

    async def _seat(self, errand: Errand) -> Member:
        """The worker of its slot, or of another that is free; waits for one."""
        while True:
            with self._lock:
                if errand.slot in self.members:
                    return self.members[errand.slot]
                errand.slot = None
                held = {other.slot for other in self.errands.values()}
                errand.slot = next((slot for slot in sorted(self.members) if slot not in held), None)
            if errand.slot is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._freed.wait(), 1.0)

    async def _try(self, errand: Errand, member: Member) -> Outcome | None:
        """On one worker; None if it is to be tried again."""
        client = self._client
        work = asyncio.ensure_future(self._ask(client, errand, member))
        gone = asyncio.ensure_future(member.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                errand.losses += 1
                return None
            return await self._read(errand, member, work)
        finally:
            for task in (work, gone):
                task.cancel()

    async def _ask(self, client: Any, errand: Errand, member: Member) -> Answer | None:
        if errand.files is not None:
            others = list(dict.fromkeys(self.members.values()))
            await self._placement(errand.files).place(client, member, others)
        content: Any = errand.content
        if len(content) > LARGE_BYTES:
            content = await client.scatter(content, workers=[member.address], hash=False)
        future = client.submit(
            do_job, content, self._order(member.directory),
            key=f"automl-{self.session}-{errand.name}-{secrets.token_hex(4)}",
            workers=[member.address], allow_other_workers=False, pure=False, retries=0,
        )  # fmt: skip
        try:
            answer: Answer | None = await asyncio.wait_for(
                future.result(), None if errand.seconds == float("inf") else errand.seconds + LATE_SECONDS
            )
            return answer
        finally:
            with contextlib.suppress(Exception):
                self._keep(asyncio.ensure_future(client.cancel([future], force=True)))

    def _placement(self, files: Files) -> Placement:
        key = files.root, files.reads
        if key not in self.placements:
            self.placements[key] = Placement(self.session, *key)
        return self.placements[key]

    async def _read(self, errand: Errand, member: Member, work: asyncio.Future[Answer | None]) -> Outcome | None:
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        try:
            answer = work.result()
        except KilledWorker:
            answer = None
        except (CancelledError, OSError):  # the connection was lost, or the scheduler began anew
            errand.moves += 1
            await asyncio.sleep(POLL_SECONDS)
            return None
        except TimeoutError:
            reason = f"the worker {member.address} has not answered"
            return Outcome(id="", status=Status.TIMED_OUT, reason=reason, seconds=errand.seconds)
        if answer is None:
            errand.losses += 1
            return None
        return await asyncio.to_thread(partial(self._open, errand, answer))

    def _open(self, errand: Errand, answer: Answer) -> Outcome:
        """The answer with its value, its files put where they belong."""
        self.received_bytes += len(answer.value) + len(answer.parcel or b"")
        try:
            if answer.parcel is not None and errand.files is not None:
                unpack(answer.parcel, errand.files.root / errand.files.leaves)
            value = pickle.loads(answer.value) if answer.value else None
        except Exception as error:  # the value cannot be put together here: that is the job's failure
            return dataclasses.replace(answer.outcome, status=Status.FAILED, reason=describe_error(error))
        return dataclasses.replace(answer.outcome, value=value)
