"""What a run on a cluster loses when a worker, its network or the scheduler goes: nothing, as a table shows.

`python -m tests.benchmark.loss --out DIR` hurts a cluster of two workers on this machine in the middle of runs: a
worker is killed in ten, cut off for 10 s in five (network namespaces; needs root), the scheduler started anew in three.
`--kills`, `--cuts`, `--restarts`, `--seconds` change what; DIR keeps the runs, the logs and loss.jsonl.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cluster import Cluster, running_cluster, wait_until
from tests.flow.command import SURVEY, Tool, read_lines
from tests.network import Network, network, why_not

CUT_SECONDS = 10.0
LATE_SECONDS = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hurt:
    """A cluster and how it is hurt."""

    cluster: Cluster
    hosts: Network | None = None

    def kill(self) -> None:
        self.cluster.kill("one")

    def cut(self) -> None:
        assert self.hosts is not None
        self.hosts.cut("one")
        time.sleep(CUT_SECONDS)
        self.hosts.mend("one")

    def restart(self) -> None:
        """Workers end with their scheduler; whoever runs them starts them again."""
        for name in ("scheduler", "one", "two"):
            self.cluster.kill(name)
        time.sleep(1.0)
        self.cluster.start_scheduler()
        for name in ("one", "two"):
            self.cluster.start_worker(name)


@contextlib.contextmanager
def plain(folder: Path, tool: Tool) -> Iterator[Hurt]:
    with running_cluster(folder) as cluster:
        yield Hurt(cluster=cluster)


@contextlib.contextmanager
def apart(folder: Path, tool: Tool) -> Iterator[Hurt]:
    """Scheduler and workers as hosts of their own, which do not see the run folder."""
    names = ("scheduler", "one", "two")
    with network(names, hidden=tool.work) as hosts:
        cluster = Cluster(folder, host=hosts.address("scheduler"), inside={name: hosts.inside(name) for name in names})
        try:
            cluster.start_scheduler()
            for name in ("one", "two"):
                cluster.start_worker(name, "--host", hosts.address(name))
            yield Hurt(cluster=cluster, hosts=hosts)
        finally:
            cluster.close()


Open = Callable[[Path, Tool], contextlib.AbstractContextManager[Hurt]]
WAYS: dict[str, tuple[Open, Callable[[Hurt], None]]] = {
    "worker killed": (plain, Hurt.kill),
    "network cut for 10 s": (apart, Hurt.cut),
    "scheduler restarted": (plain, Hurt.restart),
}


def run_once(folder: Path, way: str, seconds: int) -> dict[str, Any]:
    """One run hurt at half its time; what became of it."""
    for name in ("tool", "cluster"):
        (folder / name).mkdir(parents=True)
    tool, (opened, hurt) = Tool(folder / "tool"), WAYS[way]
    with opened(folder / "cluster", tool) as patient:
        run = tool.work / "run"
        words = ("fit", SURVEY, "--target", "married", "--time", f"{seconds}s", "--out", run, "--json")
        running = tool.start(*words, "--engine", patient.cluster.url)
        trials = run / "search" / "trials.jsonl"
        wait_until(
            lambda: running.is_over() or running.seconds() > seconds / 2, "half of the time is over", 2 * seconds
        )
        before = read_lines(trials) if trials.exists() else []
        hurt(patient)
        result = running.wait(3 * seconds + 60)
        after = read_lines(trials)
        predicted = tool("predict", run, SURVEY, "--quiet")
        numbers = [trial["trial"] for trial in after]
        lost = [trial["trial"] for trial in before if trial not in after]
        later = [each for each in after[len(before) :] if each["status"] == "ok"]
        return {
            "way": way,
            "exit": result.code,
            "seconds": round(result.seconds, 2),
            "late": round(max(0.0, result.seconds - seconds), 2),
            "before": len(before),
            "lost": len(lost),
            "twice": len(numbers) - len(set(numbers)),
            "done_later": len(later),
            "failed": sum(each["status"] not in ("ok", "pruned", "timed_out") for each in after),
            "predicts": predicted.code == 0
            and len(predicted.out.splitlines()) == len(SURVEY.read_bytes().splitlines()),
            "leftovers": len(running.leftovers(within=5)),
        }


def is_whole(record: dict[str, Any]) -> bool:
    kept = record["late"] <= LATE_SECONDS and not (record["lost"] or record["twice"] or record["leftovers"])
    return bool(record["exit"] == 0 and kept and record["predicts"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--restarts", type=int, default=3)
    asked = parser.parse_args()
    asked.out = asked.out.resolve()
    asked.out.mkdir(parents=True, exist_ok=True)
    counts = dict(zip(WAYS, (asked.kills, asked.cuts, asked.restarts), strict=True))
    if counts["network cut for 10 s"] and (reason := why_not()):
        print(f"no network is cut: {reason}")
        counts["network cut for 10 s"] = 0
    for way, count in counts.items():
        records = []
        for number in range(count):
            record = run_once(asked.out / f"{way.split()[0]}-{number}", way, asked.seconds)
            records.append(record)
            with (asked.out / "loss.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
        if records:
            whole = sum(map(is_whole, records))
            print(
                f"{way}: {whole} of {len(records)} whole; trials lost {sum(r['lost'] for r in records)} of "
                f"{sum(r['before'] for r in records)}, run twice {sum(r['twice'] for r in records)}; "
                f"late at most {max(r['late'] for r in records):.1f} s; "
                f"trials done afterwards, least {min(r['done_later'] for r in records)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
