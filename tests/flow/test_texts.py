"""Texts go through the flow of tables: a file with a text column, a folder of files, texts beside other columns."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.flow.command import (
    DATASETS,
    Maker,
    Prepared,
    Tool,
    read_lines,
    read_record,
    stray_files,
    wait_for_trials,
    without_times,
)

SECTIONS = DATASETS / "package_sections.csv"
Words = tuple[str | Path, ...]


def write_text_recipe(work: Path) -> Path:
    path = work.parent / "texts.yaml"
    families = "[tfidf_linear, tfidf_svm, tfidf_naive_bayes, tfidf_ridge]"
    path.write_text(f"search: {{candidates: {families}}}\nsplit: {{folds: 3, repeats: 1}}\n", encoding="utf-8")
    return path


def fit_sections(work: Path, out: str, jobs: str) -> Words:
    recipe = write_text_recipe(work)
    asked = ("--trials", "8", "--seed", "3", "--metric", "accuracy", "--jobs", jobs, "--recipe", recipe)
    asked = (*asked, "--include-samples") if out == "sections" else asked
    return "fit", SECTIONS, "--target", "section", *asked, "--out", out


def make_sections(work: Path) -> Words:
    return "PYTHONHASHSEED=0", *fit_sections(work, "sections", "1")


def make_sections_again(work: Path) -> Words:
    return "PYTHONHASHSEED=1", *fit_sections(work, "sections_again", "2")


def make_reviews(work: Path) -> Words:
    """Two classes of Chinese reviews, a file each, in a folder a class."""
    rng = np.random.default_rng(0)
    parts = {"good": ["味道很好", "好吃", "送餐快", "很满意"], "bad": ["太难吃了", "送得太慢", "冷的", "不会再点"]}
    shared = ["今天点的外卖", "中午", "老板", "米饭", "牛肉面"]
    for label, words in parts.items():
        folder = work / "review_files" / label
        folder.mkdir(parents=True)
        for number in range(60):
            said = [*rng.choice(shared, 2), *rng.choice(words, 2)]
            (folder / f"{number:02d}.txt").write_text("，".join(said), encoding="utf-8")
    return "fit", "review_files", "--trials", "3", "--recipe", write_text_recipe(work), "--out", "reviews"


def make_products(work: Path) -> Words:
    """A number that follows from two texts, a number and a category."""
    rng = np.random.default_rng(0)
    things, states = ["red chair", "oak table", "old lamp", "soft bed"], ["as new", "a few scratches", "broken leg"]
    rows = 240
    thing, state = rng.integers(0, 4, rows), rng.integers(0, 3, rows)
    weight, shop = rng.normal(20, 5, rows), rng.choice(["north", "south"], rows)
    price = 40 + 25 * thing - 15 * state + weight + 5 * (shop == "north")
    table = {
        "title": [f"{things[a]} number {n} for your home" for n, a in enumerate(thing)],
        "condition": [f"it is {states[b]} and was used {n} days" for n, b in enumerate(state)],
        "weight": weight.round(1),
        "shop": shop,
        "price": price.round(2),
    }
    pd.DataFrame(table).to_csv(work / "products.csv", index=False)
    recipe = work.parent / "mixed.yaml"
    text = "search: {candidates: [tfidf_linear, tfidf_svm, xgboost]}\nsplit: {folds: 3, repeats: 1}\n"
    recipe.write_text(text, encoding="utf-8")
    return "fit", "products.csv", "-t", "price", "--trials", "4", "--recipe", recipe, "--out", "products"


PREPARED: dict[str, Maker] = {
    "sections": make_sections,
    "sections_again": make_sections_again,
    "reviews": make_reviews,
    "products": make_products,
}


def test_a_text_column_is_found_by_itself_and_says_why(shared: Tool) -> None:
    record = shared("plan", SECTIONS, "--target", "section", "--json").record
    (column,) = [column for column in record["columns"] if column["name"] == "description"]
    assert column["role"] == "text" and "words on average" in column["reason"]


def test_texts_are_learned_better_than_by_the_linear_baseline(prepared: Prepared) -> None:
    evaluation = read_record(prepared.run("sections") / "evaluation.json")
    baselines = evaluation["baselines"]
    assert baselines["constant"]["score"] < 0.2 < baselines["linear"]["score"] < evaluation["score"]
    assert evaluation["score"] > 0.6


def test_the_leaderboard_of_texts_repeats_for_two_workers_and_another_hash_seed(prepared: Prepared) -> None:
    boards = [
        without_times(read_record(prepared.run(name) / "leaderboard.json")) for name in ("sections", "sections_again")
    ]
    assert len(boards[0]) >= 4 and boards[0] == boards[1]


def test_a_model_of_texts_is_arrays_and_json(prepared: Prepared) -> None:
    model = prepared.run("sections") / "model"
    assert {path.suffix for path in model.rglob("*") if path.is_file()} == {".json", ".npz"}
    for path in model.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays.files)


def test_the_report_names_the_words_of_each_class_and_the_script(prepared: Prepared) -> None:
    run = prepared.run("sections")
    sections = {section["name"]: section for section in read_record(run / "report.json")["sections"]}
    spoken = json.dumps(sections["words"])
    assert "game" in spoken and "mail" in spoken
    assert "written in: Latin" in (run / "report.html").read_text(encoding="utf-8")


def test_texts_that_were_taken_for_another_class_are_shown_because_it_was_asked_for(prepared: Prepared) -> None:
    def sections(name: str) -> dict[str, Any]:
        return {part["name"]: part for part in read_record(prepared.run(name) / "report.json")["sections"]}

    assert "texts" not in sections("sections_again")
    table = sections("sections")["texts"]["blocks"][0]
    assert table["headings"] == ["text", "is", "taken for", "sure"]
    descriptions = set(pd.read_csv(SECTIONS)["description"].str[:400])
    assert len(table["rows"]) == 12
    assert all(row[0] in descriptions and row[1] != row[2] for row in table["rows"])


def test_strange_texts_get_a_prediction_in_order(shared: Tool, prepared: Prepared) -> None:
    texts = ["a game of chess", "", "漢字かな交じり文", "😀", "<b>mail</b> &amp; server", "x " * 50_000]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([["description"], *([text] for text in texts)])
    run = prepared.run("sections")
    result = shared("predict", run, "-", "--proba", "--quiet", stdin=buffer.getvalue().encode())
    assert result.code == 0, result
    table = pd.read_csv(io.StringIO(result.out))
    assert len(table) == len(texts) and table["prediction"][0] == "games"
    probabilities = table.filter(like="proba_")
    assert np.isfinite(probabilities.to_numpy()).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-4)


def test_a_folder_of_chinese_texts_is_learned_without_a_target(shared: Tool, prepared: Prepared) -> None:
    run = prepared.run("reviews")
    evaluation = read_record(run / "evaluation.json")
    assert evaluation["metrics"]["accuracy"]["value"] >= 0.9
    result = shared("predict", run, "review_files", "--quiet")
    assert result.code == 0, result
    table = pd.read_csv(io.StringIO(result.out))
    assert next(iter(table.columns)) == "path" and table["path"][0] == "bad/00.txt"
    assert (table["path"].str.split("/").str[0] == table["prediction"]).mean() > 0.9


def test_texts_beside_other_columns_are_learned_together(prepared: Prepared) -> None:
    run = prepared.run("products")
    evaluation = read_record(run / "evaluation.json")
    assert evaluation["metrics"]["r2"]["value"] > 0.9
    important = {entry["column"]: entry["importance"] for entry in evaluation["importance"]}
    assert important["title"] > 0 and important["condition"] > 0 and important["weight"] > 0


def test_a_folder_without_classes_is_refused_in_one_sentence(tool: Tool) -> None:
    (tool.work / "loose").mkdir()
    for number in range(12):
        (tool.work / "loose" / f"{number}.txt").write_text(f"some words, number {number}", encoding="utf-8")
    result = tool("fit", "loose", "--trials", "1")
    assert result.code == 3 and "no class folders" in result.err and "Traceback" not in result.err


def test_a_damaged_model_of_texts_is_refused_in_one_sentence(shared: Tool, prepared: Prepared, tmp_path: Path) -> None:
    model = Path(shutil.copytree(prepared.run("sections") / "model", tmp_path / "model"))
    coefficients = max(model.rglob("*.npz"), key=lambda path: path.stat().st_size)
    content = bytearray(coefficients.read_bytes())
    content[len(content) // 2] ^= 0xFF
    coefficients.write_bytes(content)
    result = shared("predict", model, SECTIONS, "--quiet")
    assert result.code == 6, result
    assert result.err.startswith("error: ") and "Traceback" not in result.err and result.out == ""


@pytest.mark.slow
def test_a_killed_run_of_texts_is_resumed_to_the_same_leaderboard(tool: Tool, prepared: Prepared) -> None:
    running = tool.start(*fit_sections(tool.work, "run", "1"))
    run = tool.work / "run"
    wait_for_trials(running, run, 3)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    assert running.leftovers(within=5) == []
    trials = run / "search" / "trials.jsonl"
    # the batch of trials 2 to 7 is half recorded: what is left of it is judged as if none of it were known
    before = b"".join(trials.read_bytes().splitlines(keepends=True)[:3])
    trials.write_bytes(before)
    done = tool("resume", run)
    assert done.code == 0, done
    assert trials.read_bytes().startswith(before)
    assert sorted(line["trial"] for line in read_lines(trials)) == list(range(8))
    assert stray_files(run) == []
    boards = [without_times(read_record(each / "leaderboard.json")) for each in (run, prepared.run("sections"))]
    assert boards[0] == boards[1]


@pytest.mark.slow
def test_the_time_is_kept_on_texts(tool: Tool) -> None:
    done = tool("fit", SECTIONS, "--target", "section", "--time", "20s", "--out", "run")
    assert done.code == 0, done
    assert done.seconds < 25


@pytest.mark.slow
def test_texts_that_no_model_reads_as_fast_as_demanded_end_with_a_code_of_their_own(tool: Tool) -> None:
    result = tool(*fit_sections(tool.work, "run", "2"), "--max-latency", "0.001ms")
    assert result.code == 8, result
    assert "Traceback" not in result.err
