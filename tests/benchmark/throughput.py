"""How much of this machine a cluster on it uses: the same search on local workers and on Dask's, one after the other.

`python -m tests.benchmark.throughput TABLE.csv --target Y --out DIR` prints, for each engine, trials and folds a minute
of the search and what a job costs beside its own work. Two workers of one core each, on both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any

from tests.cluster import running_cluster, wait_until
from tests.flow.command import Tool, read_lines

WORKERS = 2


def measure(run: Path) -> dict[str, float]:
    """Of the time from the first job's start to the last one's end."""
    events = read_lines(run / "events.jsonl")
    began = next(event["at"] for event in events if event["event"] == "JobStarted" and event["worker"] is not None)
    jobs = [event for event in events if event["event"] == "JobFinished" and event["status"] == "ok"]
    end = next(event["at"] for event in events if event["event"] == "StageFinished" and event["stage"] == "search")
    minutes = (end - began) / 60
    trials = [event for event in events if event["event"] == "TrialFinished" and event["status"] in ("ok", "pruned")]
    return {
        "minutes": round(minutes, 3),
        "trials": len(trials),
        "jobs": len(jobs),
        "trials_per_minute": round(len(trials) / minutes, 2),
        "jobs_per_minute": round(len(jobs) / minutes, 2),
        "work_seconds": round(sum(job["seconds"] for job in jobs), 2),
        "gap_ms": round(1000 * _median_gap(events), 1),
    }


def _median_gap(events: list[dict[str, Any]]) -> float:
    """Seconds from a job's hand-over to its outcome in the parent, beyond those that it ran."""
    gaps = []
    started: dict[tuple[int, int], float] = {}
    for event in events:
        if event["event"] == "JobStarted":
            started[event["trial"], event["fold"]] = event["at"]
        if event["event"] == "JobFinished" and (event["trial"], event["fold"]) in started:
            turn = event["at"] - started.pop((event["trial"], event["fold"]))
            gaps.append(turn - event["seconds"])
    return sorted(gaps)[len(gaps) // 2] if gaps else 0.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--trials", type=int, help="in place of seconds: the same trials on both")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    asked.out = asked.out.resolve()
    asked.out.mkdir(parents=True)
    tool = Tool(asked.out)
    limit = ("--trials", str(asked.trials)) if asked.trials else ("--time", f"{asked.seconds}s")
    (asked.out / "cluster").mkdir()
    for number in range(asked.rounds):
        found = {}
        for name in ("local", "dask"):
            with running_cluster(asked.out / "cluster") if name == "dask" else contextlib.nullcontext() as cluster:
                if cluster is not None:
                    wait_until(lambda: tool("cluster", "check", cluster.url).code == 0, "both workers are there")
                engine = "local" if cluster is None else cluster.url
                run = tool.work / f"{name}-{number}"
                words = ("fit", asked.table.resolve(), "--target", asked.target, *limit, "--jobs", str(WORKERS))
                result = tool(*words, "--engine", engine, "--out", run, "--quiet", timeout=900)
                assert result.code == 0, result
            found[name] = measure(run)
            print(json.dumps({"engine": name, "wall": round(result.seconds, 2), **found[name]}), flush=True)
        for what in ("trials_per_minute", "jobs_per_minute", "work_seconds"):
            print(f"{what}: dask / local = {found['dask'][what] / found['local'][what]:.3f}", flush=True)


if __name__ == "__main__":
    main()
