"""From a model that is watched to a better one and back again: monitor, retrain, promotion, rollback, by command."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pandas as pd
import pytest

from automl.ensemble.artifact import load_predictor
from tests.flow.command import Tool
from tests.flow.conftest import write_recipe

pytestmark = pytest.mark.slow


def make_stream(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows to learn from, a month like them, and a month after which `speed` is in another unit and means the
    opposite."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"speed": rng.normal(50, 10, 2_400), "load": rng.normal(0, 1, 2_400)})
    frame["kind"] = rng.choice(["a", "b"], 2_400)
    score = (frame["speed"] - 50) / 10 + 0.5 * frame["load"] + rng.normal(0, 0.7, 2_400)
    frame["late"] = np.where(score > 0, "yes", "no")
    old, same, moved = frame.iloc[:1_000], frame.iloc[1_000:1_400], frame.iloc[1_400:].copy()
    moved["late"] = np.where(moved["late"] == "yes", "no", "yes")
    moved["speed"] = (moved["speed"] + 8).round(3)
    return old, same, moved


@pytest.fixture(scope="module")
def watched(tool_module: Tool) -> Tool:
    old, same, moved = make_stream()
    for name, frame in (("old", old), ("same", same), ("moved", moved)):
        frame.to_csv(tool_module.work / f"{name}.csv", index=False)
    recipe = write_recipe(tool_module.work, "linear")
    words = ("-t", "late", "--trials", "6", "--jobs", "1", "--recipe", recipe, "--track", "tensorboard")
    made = tool_module("fit", "old.csv", *words, "--out", "run")
    assert made.code == 0, made
    return tool_module


@pytest.fixture(scope="module")
def tool_module(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    return Tool(tmp_path_factory.mktemp("watching"))


def test_the_run_was_told_to_tensorboard_while_it_went_on(watched: Tool) -> None:
    files = sorted(path.parent.name for path in (watched.work / "run/tensorboard").rglob("events.out.tfevents.*"))
    assert files[0] == "run"
    assert len(files) >= 3  # and one for each trial


def test_a_month_like_training_is_quiet_and_nothing_is_retrained(watched: Tool) -> None:
    looked = watched("monitor", "run", "same.csv", "--json")
    assert looked.code == 0, looked
    assert looked.record["over_gate"] is False
    kept = watched("retrain", "run", "same.csv", "--if", "drift", "--if", "decay", "--json")
    assert kept.code == 0, kept
    assert (kept.record["retrained"], kept.record["promoted"]) == (False, False)
    assert not (watched.work / "run/versions").exists()


def test_a_month_that_has_moved_is_over_the_gate_with_a_page(watched: Tool) -> None:
    looked = watched("monitor", "run", "moved.csv", "--html", "moved.html")
    assert looked.code == 4, looked
    assert "'speed': median 5" in looked.out
    assert "next: automl retrain run moved.csv" in looked.out
    page = (watched.work / "moved.html").read_text("utf-8")
    assert "The data has moved" in page
    assert watched("monitor", "run", "moved.csv", "--gate", "inf").code == 4  # the score has decayed all the same


def test_the_challenger_is_promoted_while_readers_read_and_can_be_rolled_back(watched: Tool) -> None:
    run = watched.work / "run"
    before = load_predictor(run)
    seen: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(str(load_predictor(run).manifest["out_of_fold_score"]))
            time.sleep(0.05)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = watched("retrain", "run", "moved.csv", "--if", "drift", "--rows", "new", "--trials", "6", "--json")
        back = watched("rollback", "run", "--json")
        again = watched("rollback", "run", "--to", "2", "--json")
    finally:
        stop.set()
        reader.join(30)
    assert done.code == 0, done
    record = done.record
    assert (record["verdict"], record["promoted"], record["challenger"]) == ("better", True, 2)
    assert record["low"] > 0.5  # the old model ranks the moved rows upside down
    assert record["held_out_rows"] == 300
    assert record["training_rows"] == 700
    assert back.record["version"] == 1
    assert again.record["version"] == 2
    assert set(seen) <= {
        str(load_predictor(run).manifest["out_of_fold_score"]),
        str(before.manifest["out_of_fold_score"]),
    }
    assert len(set(seen)) == 2
    history = [json.loads(line)["action"] for line in (run / "versions/history.jsonl").read_text().splitlines()]
    assert history == ["promote", "rollback", "rollback"]
    assert os.readlink(run / "model") == "versions/0002/model"
    page = (run / "report.html").read_text("utf-8")
    assert "Version 2 is in use" in page  # whoever opens the first model's report learns of it
    board = watched("leaderboard", "run", "--json").record
    assert any("again" in model["name"] for model in board["models"])


def test_the_promoted_version_is_watched_against_its_own_training(watched: Tool) -> None:
    looked = watched("monitor", "run", "moved.csv", "--json")
    assert looked.code == 0, looked
    assert looked.record["training_rows"] == 700


def test_a_second_round_learns_from_what_the_first_left(watched: Tool) -> None:
    _, _, more = make_stream(seed=5)
    more.assign(resolved_days=(more["late"] == "yes") * 3).to_csv(watched.work / "more.csv", index=False)
    done = watched("retrain", "run", "more.csv", "--trials", "6", "--json", "--quiet")
    assert done.code == 0, done
    assert done.record["champion"] == 2
    assert done.record["training_rows"] == 700 + 300 + 700
    challenger = load_predictor(watched.work / "run" / "versions" / "0003")
    assert "resolved_days" not in challenger.schema.names  # the champion did not know it, and clients do not send it
    repeated = watched("retrain", "run", "moved.csv", "--json")
    assert repeated.code == 3
    assert "0 labelled rows are new" in repeated.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("retrain", "run", "same.csv", "--if", "rain"), 2, "--if 'rain' is no condition"),
        (("retrain", "run", "same.csv", "--rows", "some"), 2, "--rows 'some' is neither all nor new"),
        (("retrain", "nowhere", "same.csv"), 2, "nowhere is not a run folder"),
        (("rollback", "run", "--to", "9"), 2, "has no version 9"),
        (("monitor", "run", "same.csv", "--gate", "-1"), 2, "is no amount of drift"),
        (("monitor", "run", "few.csv"), 3, "9 rows are too few"),
        (("retrain", "run", "unlabelled.csv"), 3, "no target column 'late'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    watched: Tool, words: tuple[str, ...], code: int, said: str
) -> None:
    old, _, _ = make_stream()
    old.head(9).to_csv(watched.work / "few.csv", index=False)
    old.drop(columns="late").to_csv(watched.work / "unlabelled.csv", index=False)
    result = watched(*words)
    assert result.code == code, result
    assert said in result.err
