"""The same promises on a cluster: equal leaderboards, and nothing lost when workers, hosts or schedulers go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, running_cluster, stop_process, wait_until
from tests.flow.command import PENGUINS, SURVEY, Background, Tool, read_lines, read_record, without_times
from tests.network import network, why_not

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 45
# The promise: the larger of 5 s and 2%; so much more for a machine that other tests use as well.
LATE_SECONDS = 6.0
# What follows so long after the hurt was done by workers that were left, or came back.
RECOVERY_SECONDS = 3.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with running_cluster(folder) as cluster:
        yield cluster


def start_fit(tool: Tool, cluster: Cluster) -> tuple[Background, Path]:
    run = tool.work / "run"
    words = ("fit", SURVEY, "--target", "married", "--time", f"{SECONDS}s", "--out", run, "--json")
    return tool.start(*words, "--engine", cluster.url), run


def wait_for_results(run: Path, count: int) -> None:
    wait_until(lambda: len(read_lines(run / "search" / "trials.jsonl")) >= count, f"{count} trials are done")


def check_whole(tool: Tool, running: Background, run: Path, before: list[dict[str, object]]) -> None:
    """In time, with a model that predicts, every trial that had finished still there, and none twice."""
    result = running.wait(SECONDS + 60)
    assert result.code == 0, result
    assert result.seconds < SECONDS + LATE_SECONDS, result
    trials = read_lines(run / "search" / "trials.jsonl")
    assert trials[: len(before)] == before
    assert len({trial["trial"] for trial in trials}) == len(trials)
    events = read_lines(run / "events.jsonl")
    (last,) = [event["at"] for event in events if event["event"] == "TrialFinished"][len(before) - 1 : len(before)]
    later = [event for event in events if event["event"] == "JobFinished" and event["at"] > last + RECOVERY_SECONDS]
    assert any(event["status"] == "ok" for event in later)  # the search went on
    assert running.leftovers(within=5) == []
    predicted = tool("predict", run, SURVEY, "--quiet")
    assert predicted.code == 0, predicted
    assert len(predicted.out.splitlines()) == len(SURVEY.read_bytes().splitlines())


def warnings_of(run: Path) -> list[str]:
    return [event["text"] for event in read_lines(run / "events.jsonl") if event["event"] == "WarningRaised"]


@pytest.mark.timeout(1800)  # forty configurations of nets and boosted trees, twice, on two cores
@pytest.mark.parametrize(("table", "target"), [(SURVEY, "married"), (PENGUINS, "body_mass_g")])
def test_the_leaderboard_is_the_same_as_on_this_machine(tool: Tool, cluster: Cluster, table: Path, target: str) -> None:
    boards = []
    for name, engine in (("here", "local"), ("there", cluster.url)):
        words = ("fit", table, "--target", target, "--trials", "40", "--seed", "3", "--quiet", "--jobs", "2")
        result = tool(*words, "--engine", engine, "--out", name, timeout=850)
        assert result.code == 0, result
        boards.append(without_times(read_record(tool.work / name / "leaderboard.json")))
    assert len(boards[0]) >= 10
    assert boards[0] == boards[1]


@pytest.mark.parametrize("hurt", ["host", "process"])
def test_a_worker_that_is_lost_costs_no_trial(tool: Tool, cluster: Cluster, hurt: str) -> None:
    """Its host loses power, or the kernel ends its process and its nanny starts another."""
    running, run = start_fit(tool, cluster)
    wait_for_results(run, 2)
    before = read_lines(run / "search" / "trials.jsonl")
    (cluster.kill if hurt == "host" else cluster.kill_worker_process)("one")
    check_whole(tool, running, run, before)
    assert any("is lost; what it was doing is done again elsewhere" in text for text in warnings_of(run))


def test_a_host_that_stands_still_for_ten_seconds_costs_no_trial(tool: Tool, cluster: Cluster) -> None:
    running, run = start_fit(tool, cluster)
    wait_for_results(run, 2)
    before = read_lines(run / "search" / "trials.jsonl")
    stop_process(cluster.processes["one"].pid, 10.0)
    check_whole(tool, running, run, before)


def test_a_scheduler_may_start_anew_under_a_search(tool: Tool, cluster: Cluster) -> None:
    """Workers end with their scheduler; whoever runs them starts them again, as Kubernetes or systemd do."""
    running, run = start_fit(tool, cluster)
    wait_for_results(run, 2)
    before = read_lines(run / "search" / "trials.jsonl")
    for name in ("scheduler", "one", "two"):
        cluster.kill(name)
    time.sleep(1.0)
    cluster.start_scheduler()
    for name in ("one", "two"):
        cluster.start_worker(name)
    check_whole(tool, running, run, before)


def test_a_scheduler_that_never_comes_back_leaves_the_best_so_far(tool: Tool, cluster: Cluster) -> None:
    running, run = start_fit(tool, cluster)
    wait_for_results(run, 2)
    before = read_lines(run / "search" / "trials.jsonl")
    cluster.close()
    result = running.wait(SECONDS + 60)
    assert result.code == 0, result
    assert result.seconds < SECONDS + LATE_SECONDS
    assert read_lines(run / "search" / "trials.jsonl")[: len(before)] == before
    assert tool("predict", run, SURVEY, "--quiet").code == 0


def test_a_client_that_is_killed_goes_on_where_it_was(tool: Tool, cluster: Cluster) -> None:
    running, run = start_fit(tool, cluster)
    wait_for_results(run, 2)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    trials = run / "search" / "trials.jsonl"
    before = trials.read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    refused = tool("resume", run)
    assert (refused.code, f"automl resume {run} --engine {cluster.url}" in refused.err) == (2, True), refused
    result = tool("resume", run, "--engine", cluster.url, "--json")
    assert result.code == 0, result
    assert result.record["status"] == "complete"
    assert trials.read_bytes().startswith(whole)
    numbers = [line["trial"] for line in read_lines(trials)]
    assert len(numbers) == len(set(numbers))
    assert tool("predict", run, SURVEY, "--quiet").code == 0


def test_a_run_by_trials_does_not_wait_for_ever(tool: Tool, cluster: Cluster, recipe: Callable[[str], Path]) -> None:
    run = tool.work / "run"
    words = ("fit", SURVEY, "--target", "married", "--trials", "200", "--recipe", recipe("two"), "--out", run)
    running = tool.start(*words, "--engine", cluster.url)
    wait_for_results(run, 2)
    cluster.close()
    result = running.wait(120)
    assert result.code == 5, result
    assert "has answered for 60 s" in result.err
    assert "automl resume" in result.err
    assert tool("resume", run, "--engine", "local", "--json", timeout=280).code == 0


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_hosts_with_disks_of_their_own_behind_a_slow_network_one_of_them_cut_off(
    tool: Tool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Three hosts at 50 Mbit/s; the data are sent, and the link of one is cut for ten seconds."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    names = ("scheduler", "one", "two")
    with network(names, hidden=tool.work) as hosts:
        cluster = Cluster(folder, host=hosts.address("scheduler"), inside={name: hosts.inside(name) for name in names})
        try:
            for name in names:
                hosts.slow(name, "50mbit")
            cluster.start_scheduler()
            for name in ("one", "two"):
                cluster.start_worker(name, "--host", hosts.address(name))
            running, run = start_fit(tool, cluster)
            wait_for_results(run, 2)
            before = read_lines(run / "search" / "trials.jsonl")
            hosts.cut("one")
            time.sleep(10.0)
            hosts.mend("one")
            check_whole(tool, running, run, before)
            trials = len(read_lines(run / "search" / "trials.jsonl"))
            for name in names:
                crossed = hosts.count_bytes(name)
                record_property(name, crossed)
                print(f"{name}: {crossed}, {trials} trials")
            # predictions and members, compressed: far below the table for each
            assert hosts.count_bytes("one")["sent"] + hosts.count_bytes("two")["sent"] < trials * 3_000_000
        finally:
            cluster.close()
