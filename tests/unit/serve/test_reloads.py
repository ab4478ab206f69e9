"""Every worker comes to answer by the model that was accepted last, whatever it was doing at the time."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import httpx
import pytest

from automl.cli.main import run
from automl.files import read_json, write_json
from automl.serve.model import load_model
from automl.serve.settings import Settings
from automl.serve.version import find_folder, version_of
from tests.unit.serve.inside import inside, program_with
from tests.unit.serve.server import Server, serving, wait_until
from tests.unit.serve.test_operation import swap, touch_manifest

HELD = """
warm_up = Worker._warm_up

async def warm_up_and_wait(self):
    await warm_up(self)
    if pathlib.Path({hold!r}).exists():
        pathlib.Path({loaded!r}).touch()
    while pathlib.Path({hold!r}).exists():
        await asyncio.sleep(0.05)

Worker._warm_up = warm_up_and_wait
"""
BROKEN = """
import automl.serve.model
load_model, calls = automl.serve.model.load_model, []

def load_once(*args, **options):
    calls.append(1)
    if len(calls) > 1:
        raise KeyError("weights")
    return load_model(*args, **options)

automl.serve.model.load_model = load_once
"""


def rename_a_class(folder: Path) -> None:
    """Its golden rows cannot tell: they hold what the model says, not what that is called."""
    record = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", {**record, "task": {**record["task"], "classes": ["never", "yes"]}})


def versions(server: Server) -> set[str]:
    """Of the models that answer, over connections that different workers take."""
    found = set()
    for _ in range(20):
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
            found.add(client.get("/schema").json()["version"])
    return found


def test_a_model_has_the_version_that_its_folder_tells_whatever_it_was_read_from(
    model: Path, export: Path, tmp_path: Path
) -> None:
    """By which the supervisor, who loads none, knows that another one stands there."""
    inner = tmp_path / "skops"
    assert run(["export", str(model), "--format", "skops", "--out", str(inner)]) == 0
    for path in (model, model / "model", export, inner):
        assert load_model(path, runtime="auto").version == version_of(find_folder(path))


@pytest.mark.slow
def test_a_worker_that_had_loaded_the_old_model_while_the_new_one_was_accepted_takes_the_new_one(
    export: Path, tmp_path: Path
) -> None:
    folder, hold, loaded = tmp_path / "live", tmp_path / "hold", tmp_path / "loaded"
    shutil.copytree(export, folder)
    program = program_with(HELD.format(hold=str(hold), loaded=str(loaded)))
    with inside(Settings(model=str(folder), port=0, workers=2), tmp_path, program) as server:
        hold.touch()
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(loaded.exists, within=60)
        swap(folder, lambda other: touch_manifest(other, "the same model, written later"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.messages().count("now answers by version") == 1, within=60)
        hold.unlink()
        wait_until(lambda: server.messages().count("now answers by version") == 2, within=60)
        assert versions(server) == {server.client.get("/schema").json()["version"]} != {server.record["version"]}


@pytest.mark.slow
def test_a_model_that_fails_in_a_way_nobody_thought_of_is_refused(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(export, folder)
    with inside(Settings(model=str(folder), port=0), tmp_path, program_with(BROKEN)) as server:
        swap(folder, lambda other: touch_manifest(other, "the same model, written later"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the old one stays: KeyError: 'weights'" in server.messages(), within=60)
        assert server.metric("automl_reloads_total") == 1
        assert versions(server) == {server.record["version"]}


@pytest.mark.slow
def test_a_model_that_came_with_a_replaced_worker_is_told_of(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(export, folder)
    with serving(folder, tmp_path) as server:
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: versions_or_none(server) == {server.record["version"]}, within=60)
        swap(folder, lambda other: touch_manifest(other, "the same model, written later"))
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: "which stands there now; before it was" in server.messages(), within=60)
        assert f"before it was {server.record['version']}" in server.messages()
        assert server.messages().count("the new worker answers by version") == 1


def versions_or_none(server: Server) -> set[str]:
    try:
        return versions(server)
    except httpx.HTTPError:
        return set()


@pytest.mark.slow
def test_no_worker_that_takes_a_dead_ones_place_loads_a_model_that_was_refused(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(export, folder)
    with serving(folder, tmp_path, "--reload", "--workers", "2") as server:
        swap(folder, rename_a_class)
        reason = "is refused, the old one stays: The new model answers another question"
        wait_until(lambda: reason in server.messages(), within=60)
        wait_until(lambda: server.metric("automl_reloads_total") == 1)
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: "is replaced once a model stands there that is not refused" in server.messages())
        time.sleep(2)  # longer than the pause before a start
        assert len(server.workers()) == 1
        assert versions(server) == {server.record["version"]}
        swap(folder, lambda other: restore(other, export))
        wait_until(lambda: len(server.workers()) == 2, within=60)
        wait_until(lambda: versions_or_none(server) == {version_of(folder)}, within=60)
        assert "ERROR" not in server.messages()


def restore(folder: Path, export: Path) -> None:
    shutil.copy(export / "manifest.json", folder)
    touch_manifest(folder, "the classes are called as before")


@pytest.mark.slow
def test_a_new_worker_leaves_the_answers_to_those_who_keep_the_contract_as_long_as_there_are_any(
    export: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "live"
    shutil.copytree(export, folder)
    with serving(folder, tmp_path, "--workers", "2") as server:
        swap(folder, rename_a_class)
        os.kill(server.workers()[0], signal.SIGKILL)
        reason = "is refused, the old one stays: The new model answers another question"
        wait_until(lambda: reason in server.messages(), within=60)
        wait_until(lambda: "is replaced once a model stands there that is not refused" in server.messages())
        assert versions(server) == {server.record["version"]}
        assert server.metric("automl_reloads_total") == 1
        (last,) = server.workers()
        os.kill(last, signal.SIGKILL)
        told = "ERROR: clients of the model before cannot go on with it: The new model answers another question"
        wait_until(lambda: told in server.messages(), within=60)
        wait_until(lambda: len(server.workers()) == 2, within=60)
        wait_until(lambda: versions_or_none(server) == {version_of(folder)}, within=60)
        assert server.messages().count("ERROR") == 1
