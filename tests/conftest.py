"""What every test has: warnings are errors, no network, repeatable examples, and a small table."""

from __future__ import annotations

import compileall
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest

# Warnings are errors (pyproject.toml); what stands here is what we cannot mend, each with its reason.
WARNINGS_OF_OTHERS: tuple[str, ...] = ()

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


# a shell that runs the tests in the background, or `nohup`, has them ignore these, and so would all that they start
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

PACKAGE = Path(__file__).parents[1] / "automl"


def pytest_configure(config: pytest.Config) -> None:
    for line in WARNINGS_OF_OTHERS:
        config.addinivalue_line("filterwarnings", line)
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):  # else each of some 500 commands compiles it all
        compileall.compile_dir(PACKAGE, quiet=2)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connecting to anything but this machine is an error: the tool promises to work with the network off."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse_others(address: Any, family: int) -> None:
        if family in {socket.AF_INET, socket.AF_INET6} and not _is_this_machine(str(address[0])):
            raise AssertionError(f"a test wanted to connect to {address}")

    def checked_connect(self: socket.socket, address: Any) -> None:
        refuse_others(address, self.family)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        refuse_others(address, self.family)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", checked_connect)
        patch.setattr(socket.socket, "connect_ex", checked_connect_ex)
        yield


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host in {"", "localhost"}


@pytest.fixture
def small_table() -> pd.DataFrame:
    """120 rows of what real tables hold: two numbers, a category, gaps; the binary target `bought` follows `age`.

    Columns: age (float64, 5 missing), income (float64), city (object, 3 levels, 4 missing), bought ("yes" | "no").
    """
    rng = np.random.default_rng(11)
    age = rng.uniform(18, 80, 120).round()
    city = rng.choice(["Graz", "Linz", "Wien"], 120).astype(object)
    bought = np.where(age + rng.normal(0, 8, 120) > 45, "yes", "no")
    age[::25] = np.nan
    city[7::30] = None
    return pd.DataFrame({"age": age, "income": rng.normal(3000, 900, 120).round(2), "city": city, "bought": bought})
