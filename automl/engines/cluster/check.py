"""What a cluster offers and what differs there from this machine, before anything is trained on it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from typing import Any

from automl.engines.cluster.connection import ANSWER_SECONDS, CONNECT_SECONDS, Scheduler, connect, silence
from automl.engines.cluster.versions import compare_versions, read_versions
from automl.engines.machine.worker import answer, describe_error

PROBE_BYTES = 8 << 20
PROBES = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """One worker.

    Attributes:
        memory_mb: its limit; None if it has none.
        versions: empty if it does not answer.
        problems: why it would not be used; empty for one that would.
    """

    address: str
    threads: int
    memory_mb: float | None
    versions: dict[str, str]
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What `automl cluster check` tells.

    Attributes:
        latency_ms: median of a question to a worker and its answer; None without workers.
        bytes_per_second: from here to the first worker, by way of the scheduler, as data sets go; uncompressed.
    """

    name: str
    workers: tuple[WorkerFacts, ...]
    latency_ms: float | None
    bytes_per_second: float | None

    @property
    def usable(self) -> tuple[WorkerFacts, ...]:
        return tuple(worker for worker in self.workers if not worker.problems)


def examine_cluster(address: str, name: str) -> ClusterFacts:
    """Ask a cluster. Takes about a second, more where the network is slow.

    Args:
        address: of the scheduler, such as "tcp://host:8786".
        name: what the user calls it.

    Raises:
        EngineError: if no scheduler answers there.
    """
    return asyncio.run(_examine(address, name))


async def _examine(address: str, name: str) -> ClusterFacts:
    async def nothing() -> None:
        return

    silence()
    client = await connect(Scheduler(address, nothing), name)
    try:
        workers = (await asyncio.wait_for(client.scheduler.identity(n_workers=-1), CONNECT_SECONDS))["workers"]
        found = await asyncio.gather(*(_ask_worker(client, place, facts) for place, facts in sorted(workers.items())))
        usable = [worker for worker in found if not worker.problems]
        latency = await _measure_latency(client, usable[0].address) if usable else None
        speed = await _measure_speed(client, usable[0].address) if usable else None
        return ClusterFacts(name=name, workers=tuple(found), latency_ms=latency, bytes_per_second=speed)
    finally:
        await client._close(fast=True)


async def _ask_worker(client: Any, address: str, facts: dict[str, Any]) -> WorkerFacts:
    versions: dict[str, str] = {}
    try:
        answers = await asyncio.wait_for(client.run(read_versions, workers=[address]), 2 * ANSWER_SECONDS)
        versions = answers[address]
        problems = compare_versions(read_versions(), versions)
    except (ImportError, AttributeError) as error:
        problems = [f"automl is missing or another version there ({describe_error(error)})"]
    except Exception as error:  # whatever is wrong over there is what this command is to tell
        problems = [f"it does not answer ({describe_error(error)})"]
    limit = facts["memory_limit"]
    return WorkerFacts(
        address=address,
        threads=facts["nthreads"],
        memory_mb=limit / 2**20 if limit else None,
        versions=versions,
        problems=tuple(problems),
    )


async def _measure_latency(client: Any, address: str) -> float:
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        await client.run(answer, None, workers=[address])
        spent.append(time.perf_counter() - began)
    return 1000 * sorted(spent)[len(spent) // 2]


async def _measure_speed(client: Any, address: str) -> float:
    """Bytes that cannot be compressed, the best of a few goes."""
    best = 0.0
    for _ in range(PROBES):
        probe = os.urandom(PROBE_BYTES)
        began = time.perf_counter()
        held = await client.scatter(probe, workers=[address], hash=False)
        best = max(best, PROBE_BYTES / (time.perf_counter() - began))
        del held
    return best
