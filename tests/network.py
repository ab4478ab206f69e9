"""Hosts on one machine: network namespaces behind a bridge, whose links can be slowed, counted and cut."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

MARK = f"am{os.getpid() % 10_000}"


def why_not() -> str:
    """Why there can be no such network here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not (shutil.which("ip") and shutil.which("tc")):
        return "iproute2 is not installed"
    done = subprocess.run(["ip", "netns", "add", f"{MARK}-try"], capture_output=True, check=False)
    if done.returncode:
        return f"no network namespaces here: {done.stderr.decode().strip()}"
    _run("ip", "netns", "del", f"{MARK}-try")
    return ""


def _run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


class Network:
    """A bridge at 10.77.N.1 and a host 10.77.N.2, .3, … a name; this process is beside the bridge.

    Args:
        hidden: a folder that hosts do not see, as if they had disks of their own.
    """

    def __init__(self, names: Sequence[str], hidden: Path) -> None:
        self.names, self.hidden = tuple(names), hidden
        self.net = f"10.77.{os.getpid() % 250}"
        self.bridge = f"{MARK}b"

    def address(self, name: str) -> str:
        return f"{self.net}.{self.names.index(name) + 2}"

    def inside(self, name: str) -> tuple[str, ...]:
        """Words before a command that is to run on a host."""
        script = 'mount -t tmpfs none "$0" && exec "$@"'
        return "ip", "netns", "exec", self._space(name), "sh", "-c", script, str(self.hidden)

    def set_up(self) -> None:
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "address", "add", f"{self.net}.1/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")
        for name in self.names:
            space, here = self._space(name), self._link(name)
            _run("ip", "netns", "add", space)
            _run("ip", "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("ip", "link", "set", here, "master", self.bridge, "up")
            _run("ip", "-n", space, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _run("ip", "-n", space, "link", "set", device, "up")

    def slow(self, name: str, rate: str) -> None:
        """Bound what a host sends and receives, such as to "100mbit"."""
        shape = ("root", "tbf", "rate", rate, "burst", "64kb", "latency", "200ms")
        _run("tc", "qdisc", "add", "dev", self._link(name), *shape)
        _run("ip", "netns", "exec", self._space(name), "tc", "qdisc", "add", "dev", "eth0", *shape)

    def cut(self, name: str) -> None:
        _run("ip", "link", "set", self._link(name), "down")

    def mend(self, name: str) -> None:
        _run("ip", "link", "set", self._link(name), "up")

    def count_bytes(self, name: str) -> dict[str, int]:
        """What a host has received and sent."""
        folder = Path("/sys/class/net") / self._link(name) / "statistics"
        # the link's end on the bridge sends what the host receives
        return {
            "received": int((folder / "tx_bytes").read_text(encoding="ascii")),
            "sent": int((folder / "rx_bytes").read_text(encoding="ascii")),
        }

    def tear_down(self) -> None:
        for name in self.names:
            for words in (("link", "del", self._link(name)), ("netns", "del", self._space(name))):
                with contextlib.suppress(subprocess.CalledProcessError):
                    _run("ip", *words)
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("ip", "link", "del", self.bridge)

    def _space(self, name: str) -> str:
        return f"{MARK}-{name}"

    def _link(self, name: str) -> str:
        return f"{MARK}{name[:6]}"


@contextlib.contextmanager
def network(names: Sequence[str], hidden: Path) -> Iterator[Network]:
    made = Network(names, hidden)
    try:
        made.set_up()
        yield made
    finally:
        made.tear_down()
