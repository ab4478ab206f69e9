"""What processes take of this machine's memory, pages that they share counted once."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def process_mb(pid: int) -> float:
    """Megabytes of one process, its share of pages that others use as well; 0 if it is gone.

    Where the kernel does not tell shares (other systems than Linux), its resident memory.
    """
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def tree_mb(pid: int) -> float:
    """Megabytes of a process and all below it."""
    try:
        below = [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        below = []
    return sum(map(process_mb, [pid, *below]))


def own_tree_mb() -> float:
    """Megabytes of this process and all that it has started."""
    return tree_mb(os.getpid())
