"""The promises of tables hold for texts and pictures: the time is kept, a killed run goes on to the same end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.flow.command import DATASETS, Tool, read_lines, read_record, stray_files, wait_for_trials, without_times

pytestmark = pytest.mark.slow

MODALITIES: dict[str, tuple[str | Path, ...]] = {
    "texts": (DATASETS / "package_sections.csv", "--target", "section"),
    "pictures": (DATASETS / "digits.zip",),
}
FAMILIES = {"texts": "[tfidf_linear, tfidf_svm, keras_text_bag]", "pictures": "[linear, svm_rbf, keras_dense]"}


def write_recipe(tool: Tool, modality: str) -> Path:
    path = tool.work / f"{modality}.yaml"
    text = f"search: {{candidates: {FAMILIES[modality]}}}\nsplit: {{folds: 3, repeats: 1}}\n"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("seconds", [10, 30])
@pytest.mark.parametrize("modality", MODALITIES)
def test_the_time_is_kept(tool: Tool, modality: str, seconds: int) -> None:
    run = tool.work / "run"
    result = tool("fit", *MODALITIES[modality], "--time", f"{seconds}s", "--out", run, "--json")
    assert result.code == 0, result
    assert result.seconds < seconds + 5
    evaluation = read_record(run / "evaluation.json")
    assert evaluation["score"] > evaluation["baselines"]["constant"]["score"]
    assert stray_files(run) == []


@pytest.mark.parametrize("trials", [1, 4])
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_killed_run_comes_to_the_same_end(tool: Tool, modality: str, trials: int) -> None:
    asked = (*MODALITIES[modality], "--trials", "7", "--seed", "5", "--recipe", write_recipe(tool, modality))
    assert tool("fit", *asked, "--jobs", "2", "--out", tool.work / "whole").code == 0
    run = tool.work / "run"
    running = tool.start("fit", *asked, "--jobs", "1", "--out", run)
    wait_for_trials(running, run, trials)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    before = [line["trial"] for line in read_lines(run / "search" / "trials.jsonl")]
    assert tool("resume", run).code == 0
    after = [line["trial"] for line in read_lines(run / "search" / "trials.jsonl")]
    assert after[: len(before)] == before
    assert sorted(after) == list(range(7))
    boards = [without_times(read_record(each / "leaderboard.json")) for each in (run, tool.work / "whole")]
    assert boards[0] == boards[1]


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_target_that_is_not_there_is_refused_in_one_sentence(tool: Tool, modality: str) -> None:
    data = MODALITIES[modality][0]
    refused = tool("fit", data, "--target", "sectoin", "--time", "10s", "--out", tool.work / "run")
    assert refused.code in {2, 3}, refused
    assert "Traceback" not in refused.err
    assert "sectoin" in refused.err
    assert not (tool.work / "run").exists()
