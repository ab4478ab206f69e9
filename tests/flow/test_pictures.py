"""A folder of pictures goes through the same commands as a table."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.flow.command import Prepared, Result, Tool, read_lines

RECIPE = """
search: {candidates: [linear, nearest_neighbors, keras_dense], tune: false}
split: {folds: 2, repeats: 1}
"""


def draw(kind: str, number: int) -> Image.Image:
    """A bright bar on noise, upright or lying."""
    rng = np.random.default_rng([number, kind == "lying"])
    pixels = rng.integers(0, 90, (14, 12, 3), dtype=np.uint8)
    at = int(rng.integers(3, 9))
    if kind == "lying":
        pixels[at : at + 2] += 150
    else:
        pixels[:, at : at + 2] += 150
    return Image.fromarray(pixels)


def make_folder(root: Path, train: int = 40, test: int = 10) -> Path:
    for part, count, first in (("train", train, 0), ("test", test, 1000)):
        for kind in ("upright", "lying"):
            (root / part / kind).mkdir(parents=True)
            for number in range(first, first + count):
                draw(kind, number).save(root / part / kind / f"{number}.png")
    return root


def write_recipe(work: Path) -> Path:
    path = work.parent / "pictures.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def make_bars(work: Path) -> tuple[str | Path, ...]:
    folder = make_folder(work / "bars")
    (folder / "train" / "upright" / "broken.png").write_bytes(b"no picture")
    (folder / "test" / "lying" / "zz_broken.png").write_bytes(b"no picture")
    short = ("--trials", "5", "--recipe", write_recipe(work), "--include-samples", "--out", "bars_run", "--json")
    return "fit", folder, *short


PREPARED = {"bars": make_bars}


@pytest.fixture(scope="session")
def bars_fit(prepared: Prepared) -> Result:
    return prepared["bars"]


@pytest.fixture(scope="session")
def bars(bars_fit: Result, shared: Tool) -> Path:
    assert bars_fit.code == 0, str(bars_fit)
    return shared.work / "bars_run"


def test_a_folder_is_learned_and_its_test_part_scored(bars_fit: Result, bars: Path) -> None:
    record = bars_fit.record
    assert record["status"] == "complete"
    assert record["test"]["rows"] == 21
    assert record["test"]["metrics"]["accuracy"]["value"] >= 0.85
    models = json.loads((bars / "leaderboard.json").read_text(encoding="utf-8"))["models"]
    assert {"linear", "nearest_neighbors", "keras_dense"} <= {model["candidate"] for model in models}
    decisions = [line["text"] for line in read_lines(bars / "events.jsonl") if line.get("topic") == "pictures"]
    assert "1 picture(s) are left out: upright/broken.png (no picture of a known format)" in decisions
    warnings = [line["text"] for line in read_lines(bars / "events.jsonl") if "zz_broken" in str(line.get("text"))]
    assert len(warnings) == 1


def test_predictions_of_a_folder_begin_with_the_path_and_keep_its_order(shared: Tool, bars: Path) -> None:
    done = shared("predict", bars, shared.work / "bars" / "test", "--proba", "--quiet")
    assert done.code == 0, str(done)
    rows = [row for row in csv.DictReader(io.StringIO(done.out)) if "broken" not in row["path"]]
    assert list(rows[0]) == ["path", "prediction", "proba_lying", "proba_upright"]
    assert [row["path"] for row in rows][:2] == ["lying/1000.png", "lying/1001.png"]
    assert len(rows) == 20
    assert sum(row["path"].split("/")[0] == row["prediction"] for row in rows) >= 18


def test_a_zip_gives_the_predictions_of_its_folder(shared: Tool, bars: Path, tmp_path: Path) -> None:
    folder = shared.work / "bars" / "test"
    with zipfile.ZipFile(tmp_path / "test.zip", "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    first = shared("predict", bars, folder, "--proba", "--quiet")
    second = shared("predict", bars, tmp_path / "test.zip", "--proba", "--quiet")
    assert second.code == 0, str(second)
    assert second.out == first.out


def test_a_broken_picture_is_named_and_its_row_kept_without_a_prediction(
    shared: Tool, bars: Path, tmp_path: Path
) -> None:
    shutil.copytree(shared.work / "bars" / "test" / "lying", tmp_path / "new")
    (tmp_path / "new" / "1003.png").write_bytes(b"")
    (tmp_path / "new" / "zz_broken.png").unlink()
    done = shared("predict", bars, tmp_path / "new")
    assert done.code == 0, str(done)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 10
    assert [row["path"] for row in rows if row["prediction"] == ""] == ["1003.png"]
    assert "1 picture(s) cannot be read and get no prediction" in done.err
    assert "1003.png (empty, 0 bytes)" in done.err


def test_names_as_macos_writes_them_are_found_and_a_broken_one_has_no_prediction(
    shared: Tool, bars: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    draw("lying", 5000).save(tmp_path / "new" / "Ka\u0308se.png")
    (tmp_path / "new" / "U\u0308bel.png").write_bytes(b"no picture")
    done = shared("predict", bars, tmp_path / "new")
    assert done.out.splitlines() == ["path,prediction", "Ka\u0308se.png,lying", "U\u0308bel.png,"], str(done)


def test_evaluate_scores_the_test_part(shared: Tool, bars: Path) -> None:
    done = shared("evaluate", bars, shared.work / "bars", "--json")
    assert done.code == 0, str(done)
    assert done.record["rows"] == 21
    assert "count as missing" in done.err


def test_the_model_moves_without_its_pictures(shared: Tool, bars: Path, tmp_path: Path) -> None:
    shutil.copytree(bars / "model", tmp_path / "model")
    (tmp_path / "new").mkdir()
    draw("lying", 5000).save(tmp_path / "new" / "a.png")
    done = shared("predict", tmp_path / "model", tmp_path / "new", "--quiet")
    assert done.out.splitlines() == ["path,prediction", "a.png,lying"], str(done)


def test_a_broken_picture_among_those_learned_from_does_not_keep_a_model_from_being_exported(
    shared: Tool, bars: Path, tmp_path: Path
) -> None:
    done = shared("export", bars, "--format", "onnx", "--out", tmp_path / "graph")
    assert done.code == 0, str(done)
    parity = json.loads((tmp_path / "graph" / "manifest.json").read_text(encoding="utf-8"))["parity"]
    assert parity["real_rows_from"] == "bars"
    assert 450 <= parity["rows"] < 500


def test_rows_to_compare_an_export_on_have_at_least_one_picture(shared: Tool, bars: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    words = ("--format", "onnx", "--out", tmp_path / "graph", "--data", tmp_path / "broken")
    done = shared("export", bars, *words)
    assert done.code == 3, str(done)
    assert done.err.startswith("error: No row has pictures that can be read\nhint: ")


def test_the_report_names_the_device_and_shows_pictures_only_because_it_was_asked_to(bars: Path) -> None:
    page = (bars / "report.html").read_text(encoding="utf-8")
    assert "Pictures" in page
    evaluation = json.loads((bars / "evaluation.json").read_text(encoding="utf-8"))
    assert isinstance(evaluation["pictures"], list)
    assert json.loads((bars / "run.json").read_text(encoding="utf-8"))["device"] == "cpu"


def test_a_damaged_model_of_pictures_is_refused_in_one_sentence(shared: Tool, bars: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(bars / "model", tmp_path / "model"))
    weights = max(model.rglob("*.npz"), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    done = shared("predict", model, shared.work / "bars" / "test", "--quiet")
    assert done.code == 6, str(done)
    assert done.err.startswith("error: ") and "Traceback" not in done.err and done.out == ""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_leaderboard_for_any_number_of_jobs(shared: Tool, bars: Path) -> None:
    again = shared("fit", shared.work / "bars", "--recipe", bars / "recipe.yaml", "--jobs", "1", "--out", "again")
    assert again.code == 0, str(again)
    boards = [json.loads((run / "leaderboard.json").read_text())["models"] for run in (bars, shared.work / "again")]
    scores = [[(model["name"], model["score"]) for model in board] for board in boards]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_a_killed_run_is_resumed_without_its_pictures(tool: Tool) -> None:
    folder = make_folder(tool.work / "bars")
    words = ("fit", folder, "--trials", "4", "--recipe", write_recipe(tool.work), "--out", "run", "--jobs", "1")
    running = tool.start(*words)
    run, deadline = tool.work / "run", time.monotonic() + 60
    while len(read_lines(run / "search" / "trials.jsonl")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    before = (run / "search" / "trials.jsonl").read_bytes()
    shutil.rmtree(folder / "train")
    done = tool("resume", run)
    assert done.code == 0, str(done)
    assert (run / "search" / "trials.jsonl").read_bytes().startswith(before)
    assert len(read_lines(run / "search" / "trials.jsonl")) == 4


@pytest.mark.slow
def test_the_time_is_kept_on_pictures(tool: Tool) -> None:
    folder = make_folder(tool.work / "bars")
    done = tool("fit", folder, "--time", "20s", "--out", "run")
    assert done.code == 0, str(done)
    assert done.seconds < 25


@pytest.mark.slow
def test_a_table_with_pictures_numbers_and_categories_is_one_data_set(tool: Tool) -> None:
    (tool.work / "img").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(80):
        kind = "lying" if number % 2 else "upright"
        draw(kind, number).save(tool.work / "img" / f"{number}.png")
        size = float(rng.normal())
        rows.append((f"img/{number}.png", size, "ab"[number % 3 == 0], 10 * (kind == "lying") + 3 * size))
    pd.DataFrame(rows, columns=["photo", "size", "shop", "price"]).to_csv(tool.work / "goods.csv", index=False)
    words = ("--trials", "3", "--recipe", write_recipe(tool.work), "--out", "run", "--json")
    done = tool("fit", "goods.csv", "--target", "price", *words)
    assert done.code == 0, str(done)
    assert done.record["score"] < 0.5 * float(np.std([row[3] for row in rows]))
    predicted = tool("predict", "run", "goods.csv", "--quiet")
    assert predicted.out.splitlines()[0] == "prediction"
    importance = json.loads((tool.work / "run" / "evaluation.json").read_text())["importance"]
    assert {row["column"] for row in importance} == {"photo", "size", "shop"}


def test_pictures_that_lie_in_no_class_folder_are_refused(tool: Tool) -> None:
    (tool.work / "flat").mkdir()
    for number in range(12):
        draw("lying", number).save(tool.work / "flat" / f"{number}.png")
    done = tool("fit", "flat", "--time", "10s")
    assert done.code == 3
    assert done.err.startswith("error: The files lie in no class folders")
    assert not (tool.work / "runs").exists()


def test_a_device_that_is_not_there_is_refused(tool: Tool) -> None:
    make_folder(tool.work / "bars", train=10, test=2)
    done = tool("fit", "bars", "--time", "10s", "--device", "tpu")
    assert done.code == 2
    assert "budget.device" in done.err


def test_a_column_is_read_again_as_it_was_read_at_first(tool: Tool) -> None:
    """Names that end like pictures and are categories; and pictures whose names do not end like any."""
    shop = tool.work / "shop"
    (shop / "photos").mkdir(parents=True)
    rows = []
    for number in range(80):
        kind = "lying" if number % 2 else "upright"
        with (shop / "photos" / f"p{number}").open("wb") as file:
            draw(kind, number).save(file, format="PNG")
        rows.append({"photo": f"photos/p{number}", "icon": ["star.png", "moon.png"][number % 3 == 0], "kind": kind})
    pd.DataFrame(rows).to_csv(shop / "rows.csv", index=False)
    recipe = tool.work / "short.yaml"
    recipe.write_text("search: {candidates: [linear]}\nsplit: {folds: 2, repeats: 1}\n", encoding="utf-8")
    roles = ("--role", "icon=category", "--role", "photo=image")
    fit = tool("fit", "shop/rows.csv", "-t", "kind", "--trials", "2", *roles, "--recipe", recipe, "--out", "run")
    assert fit.code == 0, str(fit)
    done = tool("predict", "run", "shop/rows.csv")
    assert done.code == 0, str(done)
    assert "cannot be read" not in done.err
    found = pd.read_csv(io.StringIO(done.out))["prediction"]
    assert (found == pd.DataFrame(rows)["kind"]).mean() >= 0.9
