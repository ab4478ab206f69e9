"""A client of Dask for one event loop, quiet and with errors that a user can act on."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from automl.engines.machine.worker import describe_error
from automl.errors import EngineError

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 5.0
SILENCE = logging.CRITICAL + 1


@dataclasses.dataclass(frozen=True, slots=True)
class Scheduler:
    """What a link connects to: an address, what ends it (nothing, if it is not ours), keys if they are not those of
    Dask's configuration."""

    address: str
    end: Callable[[], Awaitable[None]]
    security: Any = None


def silence() -> None:
    """What is worth telling of a cluster is told by us, in the run's events."""
    from distributed.versions import VersionMismatchWarning

    logging.getLogger("distributed").setLevel(SILENCE)
    warnings.simplefilter("ignore", VersionMismatchWarning)  # `compare_versions` looks at more, and says what to do


async def connect(scheduler: Scheduler, name: str) -> Any:
    """A client of Dask, for this loop alone.

    Raises:
        EngineError: if nothing answers.
    """
    from distributed import Client

    client: Any = None
    try:
        client = Client(
            scheduler.address, security=scheduler.security, asynchronous=True, timeout=CONNECT_SECONDS,
            set_as_default=False,
        )  # fmt: skip
        return await client
    except (OSError, TimeoutError, ImportError, ValueError) as error:
        if client is not None:
            with contextlib.suppress(Exception):
                await client._close(fast=True)
        raise EngineError(
            f"{name} does not answer: {describe_error(error)}",
            hint=f"Start a scheduler there, or look with: automl cluster check {name}",
        ) from error
