"""The parent's side of the data set: it leaves this machine once, and only if the workers cannot read it themselves."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from automl.engines.cluster.parcel import Manifest, list_files, write_pieces
from automl.engines.cluster.store import add_piece, begin_data, find_data, finish_data

# An idle worker removes what it was sent (`seat.IDLE_SECONDS`); before that time has passed it is looked for again.
KNOWN_SECONDS = 100.0


class Host(Protocol):
    """What is asked of a worker here."""

    address: str
    directory: str
    gone: asyncio.Event


class Placement:
    """The files of one root, placed on workers as they come.

    Args:
        session: names the folder on the workers that shows them.
        root: their folder on this machine.
        reads: folders below it.

    Attributes:
        sent_bytes: what has left this machine so far.
    """

    def __init__(self, session: str, root: Path, reads: tuple[str, ...]) -> None:
        self.session, self.root, self.reads = session, root, reads
        self.sent_bytes = 0
        self._manifest: Manifest | None = None
        self._lock = asyncio.Lock()
        self._placed: dict[str, float] = {}  # folder → when the files were seen there

    async def place(self, client: Any, member: Host, others: Sequence[Host]) -> None:
        """Have the files on a worker; `others` that lack them get them at the same time, as far as they answer.

        Raises:
            Exception: whatever went wrong on `member`; nothing that went wrong on the others.
        """
        if self._is_known(member):
            return
        async with self._lock:
            if self._manifest is None:
                self._manifest = await asyncio.to_thread(list_files, self.root, self.reads)
            waiting = [other for other in others if not self._is_known(other) and other is not member]
            found = await asyncio.gather(*(self._find(client, host) for host in waiting), return_exceptions=True)
            lacking = [host for host, has in zip(waiting, found, strict=True) if has is False]
            while not await self._find(client, member):
                await self._send(
                    client, [member, *(host for host in lacking if self._is_first_of_its_host(host, member, lacking))]
                )
                lacking = []

    def _is_known(self, host: Host) -> bool:
        """Whether the files were seen there of late: a worker that has nothing to do for long removes them."""
        return time.monotonic() - self._placed.get(host.directory, -math.inf) < KNOWN_SECONDS

    def _is_first_of_its_host(self, host: Host, member: Host, hosts: list[Host]) -> bool:
        """One copy a scratch folder: the workers of a host find what the first of them received."""
        place = _place(host)
        return place != _place(member) and next(other for other in hosts if _place(other) == place) is host

    async def _find(self, client: Any, host: Host) -> bool:
        if self._is_known(host):
            return True
        has: bool = await _ask(
            client, host, find_data, host.directory, self.session, shown_path(self.root), self._manifest
        )
        if has:
            self._placed[host.directory] = time.monotonic()
        return has

    async def _send(self, client: Any, hosts: list[Host]) -> None:
        """The stream of pieces, to the first worker from here and to the others from worker to worker."""
        token = f"{self.session}-{secrets.token_hex(8)}"
        alive = {host.directory: host for host in hosts}
        first = hosts[0]

        async def on_all(function: Any, *arguments: Any) -> None:
            asked = list(alive.values())
            calls = (_ask(client, host, function, host.directory, token, *arguments) for host in asked)
            for host, answer in zip(asked, await asyncio.gather(*calls, return_exceptions=True), strict=True):
                if isinstance(answer, BaseException):
                    if host is first:
                        raise answer
                    del alive[host.directory]

        await on_all(begin_data)
        offset = 0
        pieces = write_pieces(self.root / f".placing.tmp-{token}", self.root, self.reads)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            held = await client.scatter(piece, workers=[first.address], hash=False)
            await on_all(add_piece, offset, held)
            offset += len(piece)
            self.sent_bytes += len(piece)
            del held
        await on_all(finish_data, self._manifest)


def shown_path(root: Path) -> str:
    """Where workers of shared storage find the files: at the same path as here."""
    return str(root)


def _place(host: Host) -> tuple[str, str]:
    return host.address.rpartition(":")[0], str(Path(host.directory).parent)


async def _ask(client: Any, host: Host, function: Any, *arguments: Any) -> Any:
    future = client.submit(
        function, *arguments, workers=[host.address], allow_other_workers=False, pure=False, retries=0,
        key=f"automl-{function.__name__}-{secrets.token_hex(6)}",
    )  # fmt: skip
    answer, gone = asyncio.ensure_future(future), asyncio.ensure_future(host.gone.wait())
    try:  # of a worker that is gone Dask keeps what was pinned to it, for ever
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ConnectionError(f"{host.address} is gone")
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()
