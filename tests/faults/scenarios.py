"""What is done to a run, one function a scenario; each returns what came of it and asserts what is promised."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from automl.search.records import read_results
from tests.faults import doubles
from tests.flow.command import Background, Result, Tool, read_lines, read_record, stray_files

ROWS = 240
RECIPE = "search: {candidates: [linear, naive_bayes, extra_trees], tune: true}\nsplit: {folds: 3, repeats: 1}\n"
GRACE_SECONDS = 5.0
Facts = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One fault. `quick` ones are in the default suite."""

    name: str
    promise: str
    do: Callable[[Tool], Facts]
    quick: bool = False


class CannotRunError(Exception):
    """The machine does not allow what the scenario needs."""


def write_table(tool: Tool) -> Path:
    """240 rows, two classes, a little signal."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, 4)).round(3)
    label = np.where(x[:, 0] + rng.normal(size=ROWS) > 0, "yes", "no")
    lines = [f"{','.join(map(str, row))},{'red' if i % 3 else 'blue'},{label[i]}\n" for i, row in enumerate(x)]
    path = tool.work / "table.csv"
    path.write_text("a,b,c,d,colour,y\n" + "".join(lines))
    (tool.work / "mine.yaml").write_text(RECIPE)
    return path


def fit_words(*more: str) -> tuple[str, ...]:
    return "fit", "table.csv", "--target", "y", "--recipe", "mine.yaml", "--jobs", "2", "--out", "run", *more


def hold(tool: Tool, running: Background, result: Result, codes: tuple[int, ...]) -> Facts:
    """What every scenario promises: the code, no traceback, nobody left, nothing outside the run folder."""
    assert result.code in codes, result
    assert "Traceback" not in result.err + result.out, result
    assert "This is a bug" not in result.err, result
    left = running.leftovers(within=5)
    assert left == [], left
    hold_clean(tool)
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (0 if result.code in (0, 130) and not errors else 1), result
    return {"code": result.code, "seconds": round(result.seconds, 1), "said": (errors or [""])[0]}


def hold_clean(tool: Tool) -> None:
    outside = [path for place in (tool.home, tool.temporary) for path in place.rglob("*")]
    assert outside == [], outside


def hold_records(run: Path, before: bytes = b"") -> list[dict[str, Any]]:
    """Nothing that was whole is lost, and no trial stands twice."""
    trials = run / "search" / "trials.jsonl"
    content = trials.read_bytes() if trials.exists() else b""
    assert content.startswith(before[: before.rfind(b"\n") + 1])
    # a line that was damaged stays, holds no result, and its trial is made again
    lines = [result.to_json() for result in read_results(trials.parent)]
    numbers = [line["trial"] for line in lines]
    assert len(numbers) == len(set(numbers)), numbers
    return lines


def hold_model(tool: Tool) -> None:
    """The model on disk loads and answers every row."""
    predicted = tool("predict", "run", "table.csv", "--quiet")
    assert predicted.code == 0, predicted
    assert len(predicted.out.splitlines()) == ROWS + 1


def wait_for(condition: Callable[[], bool], running: Background, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not condition() and not running.is_over():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def trial_count(run: Path) -> int:
    return len(read_lines(run / "search" / "trials.jsonl"))


def workers(running: Background) -> list[psutil.Process]:
    """Forks of the templates."""
    try:
        templates = psutil.Process(running.process.pid).children()
        return [child for template in templates for child in template.children()]
    except psutil.Error:
        return []


# ---- kills ---------------------------------------------------------------------------------------------------------


def kill_workers(tool: Tool) -> Facts:
    write_table(tool)
    running = tool.start(*fit_words("--trials", "8"))
    killed = 0
    rng = np.random.default_rng(1)
    wait_for(lambda: bool(workers(running)), running)
    while not running.is_over() and killed < 6:
        for worker in workers(running)[:1]:
            with contextlib.suppress(psutil.Error):
                worker.kill()
                killed += 1
        time.sleep(float(rng.uniform(0.05, 0.4)))
    facts = hold(tool, running, running.wait(), (0, 4))
    lines = hold_records(tool.work / "run")
    assert len(lines) == 8
    lost = [line for line in lines if line["status"] == "crashed"]
    assert all("SIGKILL" in line["reason"] for line in lost), lost
    return facts | {"remark": f"{killed} workers killed, {len(lost)} trials lost to it, each with its reason"}


def kill_templates(tool: Tool) -> Facts:
    write_table(tool)
    running = tool.start(*fit_words("--trials", "6"))
    wait_for(lambda: trial_count(tool.work / "run") >= 2, running)
    for template in psutil.Process(running.process.pid).children():
        template.kill()
    facts = hold(tool, running, running.wait(), (0,))
    assert len(hold_records(tool.work / "run")) == 6
    hold_model(tool)
    return facts


def kill_parent(moment: Callable[[Path], bool]) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        run = tool.work / "run"
        running = tool.start(*fit_words("--trials", "4"))
        wait_for(lambda: moment(run), running)
        os.kill(running.process.pid, signal.SIGKILL)  # the parent alone: its workers must find out
        running.process.wait(10)
        assert running.leftovers(within=5) == []
        trials = run / "search" / "trials.jsonl"
        before = trials.read_bytes() if trials.exists() else b""
        again = tool.start("resume", "run", "--json", "--quiet")
        facts = hold(tool, again, again.wait(), (0,))
        hold_records(run, before)
        assert stray_files(run) == []
        hold_model(tool)
        return facts | {"remark": f"{before.count(10)} trials had finished, all are there"}

    return do


def send(*signals: signal.Signals, pause: float = 0.3) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        run = tool.work / "run"
        running = tool.start(*fit_words("--time", "60s"))
        wait_for(lambda: trial_count(run) >= 2, running)
        for number in signals:
            os.kill(running.process.pid, number)
            time.sleep(pause)
        sent = time.monotonic()
        result = running.wait(40)
        late = time.monotonic() - sent
        facts = hold(tool, running, result, (130,))
        assert late < (3 if len(signals) > 1 else 20)
        hold_records(run)
        hold_model(tool)
        assert tool("status", "run", "--json").code == 0
        return facts | {"seconds": round(late, 1), "remark": "seconds are those after the signal"}

    return do


def stop_and_go(tool: Tool) -> Facts:
    write_table(tool)
    running = tool.start(*fit_words("--trials", "6"))
    wait_for(lambda: trial_count(tool.work / "run") >= 1, running)
    os.killpg(running.process.pid, signal.SIGSTOP)
    time.sleep(4)
    os.killpg(running.process.pid, signal.SIGCONT)
    facts = hold(tool, running, running.wait(), (0,))
    assert all(line["status"] != "timed_out" for line in hold_records(tool.work / "run"))
    return facts


# ---- families that misbehave ---------------------------------------------------------------------------------------

STATUSES = {
    "hanging": "timed_out", "spinning": "timed_out", "staying": "timed_out", "breeding": "timed_out",
    "crashing": "crashed", "leaving": "crashed", "quiet": "crashed", "littering": "crashed",
    "eating": "out_of_memory", "refusing": "failed", "ranting": "failed", "odd": "failed", "quitting": "failed",
    "flooding": "non_finite", "inventing": "non_finite",
}  # fmt: skip


def misbehave(*names: str) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        env = doubles.offer(tool.folder / "plug-ins")
        listed = ", ".join(("linear", *names))
        text = f"search: {{candidates: [{listed}], tune: false, trial_seconds: 1}}\nsplit: {{folds: 3, repeats: 1}}\n"
        (tool.work / "mine.yaml").write_text(text)
        running = tool.start(*fit_words("--trials", "16", "--memory", "1500M"), env=env)
        facts = hold(tool, running, running.wait(180), (0,))
        found = {line["candidate"]: line for line in hold_records(tool.work / "run")}
        wanted = {name: STATUSES[name] for name in names}
        assert {name: found[name]["status"] for name in names} == wanted
        assert all(0 < len(found[name]["reason"]) < 700 for name in names), found
        log = sum(path.stat().st_size for path in (tool.work / "run" / "log").rglob("*"))
        assert log < 12 << 20, log
        hold_model(tool)
        return facts | {"remark": ", ".join(f"{name}: {status}" for name, status in wanted.items())}

    return do


def only_bad_ones(tool: Tool) -> Facts:
    write_table(tool)
    env = doubles.offer(tool.folder / "plug-ins")
    (tool.work / "mine.yaml").write_text("search: {candidates: [refusing, crashing], tune: false}\n")
    running = tool.start(*fit_words("--trials", "4"), env=env)
    facts = hold(tool, running, running.wait(), (4,))
    hold_model(tool)  # the constant one
    return facts


# ---- the disk ------------------------------------------------------------------------------------------------------


def limited(tool: Tool, limits: str, *words: str, through: str = "") -> tuple[Background, Result]:
    """The command under a shell's limits, and through another command that runs it."""
    import sys

    script = tool.folder / "limited.sh"
    script.write_text(f'#!/bin/sh\n{limits}\nexec {through}"{sys.executable}" -m automl "$@"\n')
    mark = f"limited-{time.monotonic_ns()}"
    place = tool.folder / mark
    place.mkdir()
    with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
        process = subprocess.Popen(
            ["/bin/sh", str(script), *words], cwd=tool.work, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env={**tool.environment(), "AUTOML_TEST_MARK": mark}, start_new_session=True,
        )  # fmt: skip
    running = Background(process, place, mark)
    return running, running.wait(120)


def fill_disk(kilobytes: int) -> Callable[[Tool], Facts]:
    """No file may grow beyond so many kilobytes, as on a disk that is full."""

    def do(tool: Tool) -> Facts:
        write_table(tool)
        running, result = limited(tool, f"ulimit -f {2 * kilobytes}", *fit_words("--trials", "4", "--quiet"))
        facts = hold(tool, running, result, (0, 5))
        run = tool.work / "run"
        if result.code == 5:
            assert "disk is full" in result.err, result
        if (run / "run.json").exists():
            before = (run / "search" / "trials.jsonl").read_bytes() if trial_count(run) else b""
            again = tool.start("resume", "run", "--quiet")
            ended = again.wait()
            hold(tool, again, ended, (0,))
            hold_records(run, before)
            hold_model(tool)
            facts["remark"] = "resumed well once there was room"
        return facts

    return do


@contextlib.contextmanager
def mounted(tool: Tool, *options: str) -> Iterator[Path]:
    place = tool.work / "mount"
    place.mkdir()
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRunError(f"mount is not allowed here: {done.stderr.strip()[:80]}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill_tmpfs(kilobytes: int) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        with mounted(tool, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"):
            words = [word if word != "run" else "mount/run" for word in fit_words("--trials", "4", "--quiet")]
            running = tool.start(*words)
            facts = hold(tool, running, running.wait(), (0, 5))
            if facts["code"] == 5:
                assert "disk is full" in facts["said"], facts
            model = tool.work / "mount" / "run" / "model"
            if (model / "manifest.json").exists():
                assert tool("predict", model, "table.csv", "--quiet").code == 0
                facts["remark"] = "the best model so far loads"
        return facts

    return do


def read_only(tool: Tool) -> Facts:
    write_table(tool)
    (tool.work / "source").mkdir()
    with mounted(tool, "--bind", "-o", "ro", str(tool.work / "source")) as place:
        if os.access(place, os.W_OK):
            subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=False)
        words = [word if word != "run" else "mount/run" for word in fit_words("--trials", "4", "--quiet")]
        running = tool.start(*words)
        facts = hold(tool, running, running.wait(), (5,))
        assert "No permission" in facts["said"] or "Read-only" in facts["said"], facts
    return facts


def impossible_output(out: str, code: int) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        words = [word if word != "run" else out for word in fit_words("--trials", "2", "--quiet")]
        running = tool.start(*words)
        return hold(tool, running, running.wait(), (code,))

    return do


# ---- what lies on the disk is damaged ------------------------------------------------------------------------------


def finish_run(tool: Tool) -> Path:
    write_table(tool)
    done = tool(*fit_words("--trials", "3", "--quiet"))
    assert done.code == 0, done
    return tool.work / "run"


def predict_table(folder: Path) -> list[str]:
    (folder / "t.csv").write_text("a,b,c,d,colour\n1,2,3,4,red\n")
    return ["predict", "{MODEL}", "t.csv"]


def damage_model(tool: Tool) -> Facts:
    """Every file of a model, truncated at four places and with bits flipped, is refused before anything is read."""
    from tests.corpus import Case
    from tests.corpus.harness import import_all, judge, run_case

    model = finish_run(tool) / "model"
    import_all()
    rng = np.random.default_rng(3)
    wrong, count = [], 0
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        damaged = [whole[: int(len(whole) * share)] for share in (0, 0.1, 0.5, 0.999)] + [whole + b"\0"]
        flipped = bytearray(whole)
        flipped[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        for content in (*damaged, bytes(flipped)):
            if content == whole:
                continue
            path.unlink()  # members are links to the search's own files
            path.write_bytes(content)
            case = Case("damage", path.name, predict_table, code=6, seconds=10)
            verdict = judge(case, run_case(case, tool.folder / f"case-{count}", model))
            is_fact = path.name == "manifest.json" and len(content) == len(whole)  # a fact that nothing hangs on
            if verdict != "as promised" and not is_fact:
                wrong.append(f"{path.name}: {verdict}")
            shutil.rmtree(tool.folder / f"case-{count}")
            count += 1
        path.unlink()
        path.write_bytes(whole)
    assert wrong == [], wrong
    hold_model(tool)
    return {"code": 6, "remark": f"{count} damaged models, each refused"}


def damage_run(name: str, change: Callable[[bytes], bytes], codes: tuple[int, ...]) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        run = finish_run(tool)
        record = read_record(run / "run.json")
        (run / "run.json").write_text(json.dumps({**record, "status": "running", "trials_budget": 5}))
        recipe = (run / "recipe.yaml").read_text().replace("trials: 3", "trials: 5")
        (run / "recipe.yaml").write_text(recipe)
        path = run / name
        path.write_bytes(change(path.read_bytes()))
        again = tool.start("resume", "run", "--quiet")
        facts = hold(tool, again, again.wait(), codes)
        if facts["code"] == 0:
            hold_records(run)
            hold_model(tool)
        return facts

    return do


def flip_middle(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 0x04
    return bytes(damaged)


# ---- others at work, and odd surroundings --------------------------------------------------------------------------


def two_at_once(tool: Tool) -> Facts:
    write_table(tool)
    first = tool.start(*fit_words("--trials", "4", "--quiet"))
    wait_for(lambda: (tool.work / "run" / "run.json").exists(), first)
    second = tool.start(*fit_words("--trials", "4", "--quiet"))
    third = tool.start("resume", "run", "--quiet")
    told = hold(tool, second, second.wait(), (2,)), hold(tool, third, third.wait(), (7,))
    facts = hold(tool, first, first.wait(), (0,))
    hold_records(tool.work / "run")
    return facts | {"remark": f"the others: {told[0]['code']} and {told[1]['code']}", "said": told[1]["said"]}


def two_resumes(tool: Tool) -> Facts:
    write_table(tool)
    running = tool.start(*fit_words("--trials", "6"))
    wait_for(lambda: trial_count(tool.work / "run") >= 2, running)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    both = [tool.start("resume", "run", "--quiet") for _ in range(2)]
    results = [each.wait() for each in both]
    assert sorted(result.code for result in results) == [0, 7], results
    hold_records(tool.work / "run")
    hold_model(tool)
    return {"code": 0, "seconds": round(max(result.seconds for result in results), 1), "remark": "one wins"}


def short_time(seconds: int) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        running = tool.start("fit", "table.csv", "--target", "y", "--time", f"{seconds}s", "--out", "run", "--quiet")
        result = running.wait()
        facts = hold(tool, running, result, (0, 4))
        assert result.seconds <= seconds + GRACE_SECONDS, result.seconds
        hold_model(tool)
        return facts | {"remark": f"limit {seconds} s"}

    return do


def surroundings(limits: str, *more: str, codes: tuple[int, ...] = (0,)) -> Callable[[Tool], Facts]:
    def do(tool: Tool) -> Facts:
        write_table(tool)
        running, result = limited(tool, limits, *fit_words("--trials", "3", "--quiet", *more))
        facts = hold(tool, running, result, codes)
        if result.code == 0:
            hold_model(tool)
        return facts

    return do


CLOCK = """
import time
_real, _began = time.time, time.monotonic()
def _jumping():
    spent = time.monotonic() - _began
    return _real() + (3600 if 2 < spent < 4 else -86400 if spent >= 4 else 0)
time.time = _jumping
"""


def clock_jumps(tool: Tool) -> Facts:
    """The wall clock goes an hour on, then a day back, in every process."""
    write_table(tool)
    place = tool.folder / "clock"
    place.mkdir()
    (place / "sitecustomize.py").write_text(CLOCK)
    running = tool.start(*fit_words("--time", "10s", "--quiet"), env={"PYTHONPATH": str(place)})
    result = running.wait(60)
    facts = hold(tool, running, result, (0, 4))
    assert result.seconds <= 10 + GRACE_SECONDS
    assert all(line["status"] != "timed_out" for line in hold_records(tool.work / "run"))
    return facts


NOTHING_LOST = "nothing lost, nothing twice, no one left, the model loads"
SCENARIOS = (
    Scenario("workers are killed at random moments", "each costs a trial at most", kill_workers, quick=True),
    Scenario("templates of workers are killed", "others take their place", kill_templates),
    Scenario("the parent is killed when the first trial begins", NOTHING_LOST, kill_parent(lambda run: (run / "search" / "specs.jsonl").exists())),  # noqa: E501
    Scenario("the parent is killed when two trials have finished", NOTHING_LOST, kill_parent(lambda run: trial_count(run) >= 2)),  # noqa: E501
    Scenario("the parent is killed when the score is there", NOTHING_LOST, kill_parent(lambda run: (run / "evaluation.json").exists())),  # noqa: E501
    Scenario("the parent is killed while it reads", NOTHING_LOST, kill_parent(lambda run: (run / "data" / "schema.json").exists())),  # noqa: E501
    Scenario("Ctrl-C once", "130, the best so far is kept", send(signal.SIGINT)),
    Scenario("Ctrl-C twice", "130 within 3 s, the model loads", send(signal.SIGINT, signal.SIGINT)),
    Scenario("SIGTERM", "130, the best so far is kept", send(signal.SIGTERM)),
    Scenario("the terminal hangs up", "130, the best so far is kept", send(signal.SIGHUP)),
    Scenario("stopped for four seconds and let go", "no trial times out by it", stop_and_go),
    Scenario("families that end their process", "a record each", misbehave("crashing", "leaving", "quiet", "littering")),  # noqa: E501
    Scenario("families that never end", "killed at the limit", misbehave("hanging", "spinning", "staying", "breeding")),
    Scenario("families that eat, rant and flood", "a record each, logs are capped", misbehave("eating", "refusing", "ranting", "odd", "quitting", "flooding", "inventing")),  # noqa: E501
    Scenario("nothing but bad families", "4, a constant model", only_bad_ones),
    *(Scenario(f"no file beyond {size} kB", "5 or 0, then resume", fill_disk(size), quick=size == 4) for size in (1, 4, 16, 64, 256)),  # noqa: E501
    *(Scenario(f"a disk of {size} kB", "5 or 0, the model loads", fill_tmpfs(size)) for size in (64, 256, 1024, 4096)),
    Scenario("an output that is read only", "5 before training", read_only),
    Scenario("an output below a file", "5", impossible_output("table.csv/run", 5)),
    Scenario("an output in /proc", "5", impossible_output("/proc/run", 5)),
    Scenario("an output in /dev/null", "5", impossible_output("/dev/null/run", 5)),
    Scenario("model files truncated and flipped", "6, none is read", damage_model),
    Scenario("the journal without its end", "mended", damage_run("search/journal.log", lambda c: c[:-37], (0,))),
    Scenario("the journal with zeros at its end", "mended", damage_run("search/journal.log", lambda c: c + bytes(512), (0,))),  # noqa: E501
    Scenario("the journal with a bit flipped", "mended or refused", damage_run("search/journal.log", flip_middle, (0, 3, 5))),  # noqa: E501
    Scenario("the journal is gone", "mended", damage_run("search/journal.log", lambda c: b"", (0,))),
    Scenario("trials without their end", "the last is made again", damage_run("search/trials.jsonl", lambda c: c[:-9], (0,))),  # noqa: E501
    Scenario("trials with a bit flipped", "mended or refused", damage_run("search/trials.jsonl", flip_middle, (0, 3, 5))),  # noqa: E501
    Scenario("events with zeros at their end", "mended", damage_run("events.jsonl", lambda c: c + bytes(99), (0,))),
    Scenario("the recipe with a bit flipped", "mended or refused", damage_run("recipe.yaml", flip_middle, (0, 2))),
    Scenario("the recipe is empty", "refused", damage_run("recipe.yaml", lambda c: b"", (2,))),
    Scenario("run.json cut in half", "refused", damage_run("run.json", lambda c: c[: len(c) // 2], (3,))),
    Scenario("the numbers cut in half", "refused", damage_run("data/numbers.npy", lambda c: c[: len(c) // 2], (3, 5))),
    Scenario("the schema cut in half", "refused", damage_run("data/schema.json", lambda c: c[: len(c) // 2], (3,))),
    Scenario("the split cut in half", "refused", damage_run("data/split.npz", lambda c: c[: len(c) // 2], (3, 5))),
    Scenario("two fits and a resume in one folder", "the first is unharmed", two_at_once),
    Scenario("two resumes at the same moment", "one wins, the other says 7", two_resumes),
    *(Scenario(f"{seconds} seconds in all", "a model, in time", short_time(seconds)) for seconds in (3, 4, 6)),
    Scenario("the clock jumps", "the time is kept", clock_jumps),
    Scenario("no home", "as ever", surroundings("unset HOME")),
    Scenario("a folder for temporary files that is not there", "as ever", surroundings("export TMPDIR=/nowhere")),
    Scenario("LANG=C", "as ever", surroundings("export LANG=C LC_ALL=C; unset PYTHONUTF8")),
    Scenario("64 open files", "as ever or said", surroundings("ulimit -n 64", codes=(0, 5))),
    Scenario("30 workers on this machine", "as ever", surroundings("true", "--jobs", "30")),
    Scenario("no standard streams", "as ever", surroundings("exec 0<&- 1>&- 2>&-")),
    Scenario("a full standard output", "as ever or said", surroundings("exec 1>/dev/full", "--json", codes=(0, 5))),
)  # fmt: skip
