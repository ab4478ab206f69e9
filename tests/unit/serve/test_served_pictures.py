"""A model of pictures from the folder to the answer: fitted, served, exported, asked in every way pictures come in."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import automl
from automl.export._bundle import export_model, open_source, verify_export
from automl.monitor.watch import watch
from tests.unit.serve.server import Server, serving, wait_until
from tests.unit.serve.test_request_log import read_log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of stripes that lie or stand."""
    place = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(6)
    for number in range(60):
        stripes = np.repeat(rng.integers(0, 256, (12, 1)), 16, axis=1)
        name = "lying" if number % 2 else "standing"
        pixels = stripes if number % 2 else np.repeat(rng.integers(0, 256, (1, 16)), 12, axis=0)
        (place / name).mkdir(exist_ok=True)
        noisy = np.clip(pixels + rng.integers(-20, 20, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(place / name / f"{number}.png")
    return place


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = automl.Recipe().override({"search": {"candidates": ["linear"]}, "split": {"folds": 2, "repeats": 1}})
    out = tmp_path_factory.mktemp("pictures") / "run"
    automl.fit(folder, out=out, recipe=recipe, trials=2, jobs=1, seed=1)
    return out


@pytest.fixture(scope="module")
def export(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pictures-export") / "onnx"
    manifest = export_model(open_source(run), "onnx", out)
    assert manifest["parity"]["rows"] == 500
    assert manifest["parity"]["largest_difference"] < 1e-4
    return out


def expect(run: Path, folder: Path) -> tuple[list[Path], str, np.ndarray]:
    """Four pictures, the name of their column, and what the model says of them."""
    import pandas as pd

    predictor = automl.load(run)
    paths = sorted(folder.rglob("*.png"))[28:32]
    name = predictor.schema.features[0].name
    return paths, name, predictor.predict_proba(pd.DataFrame({name: [str(path) for path in paths]})).to_numpy()


def check(answer: object, expected: np.ndarray) -> None:
    assert isinstance(answer, dict)
    found = [list(row["probabilities"].values()) for row in answer["predictions"]]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def ask(server: Server, paths: list[Path], name: str, expected: np.ndarray) -> None:
    files = [("files", (path.name, path.read_bytes(), "image/png")) for path in paths]
    answered = server.client.post("/predict", files=files)
    assert answered.status_code == 200, answered.text
    check(answered.json(), expected)
    rows = [{name: base64.b64encode(path.read_bytes()).decode()} for path in paths]
    check(server.client.post("/predict", json={"rows": rows}).json(), expected)
    one = server.client.post("/predict", content=paths[0].read_bytes(), headers={"Content-Type": "image/png"})
    check(one.json(), expected[:1])
    refused = server.client.post("/predict", json={"rows": [{name: str(paths[0])}]})
    assert refused.status_code == 422
    assert str(paths[0].parent) not in refused.text


def test_a_model_of_pictures_is_served(run: Path, folder: Path, tmp_path: Path) -> None:
    with serving(run, tmp_path) as server:
        ask(server, *expect(run, folder))


def test_its_log_is_watched_without_an_alarm_over_the_pictures_that_it_lacks(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    log, paths = tmp_path / "log", sorted(folder.rglob("*.png"))
    with serving(run, tmp_path, "--log", str(log)) as server:
        files = [("files", (path.name, path.read_bytes(), "image/png")) for path in paths]
        assert server.client.post("/predict", files=files).status_code == 200
        wait_until(lambda: read_log(log).count("\n") == len(paths))
    record = watch(run, log)
    assert not record["over_gate"]
    assert any(notice.startswith("hidden in the log, and not compared: ") for notice in record["notices"])


def test_its_graph_answers_the_same_wherever_it_runs(run: Path, export: Path, folder: Path, tmp_path: Path) -> None:
    paths, name, expected = expect(run, folder)
    assert verify_export(export)["largest_difference"] < 1e-4
    with serving(export, tmp_path) as server:
        ask(server, paths, name, expected)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[name], *([str(path)] for path in paths)])
    words = [sys.executable, "-I", "predict.py", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.jsonl")]
    subprocess.run(words, cwd=export, check=True, timeout=60)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    np.testing.assert_allclose([json.loads(line)["outputs"] for line in lines], expected, atol=1e-4)


def test_its_container_reads_no_files_of_its_own(run: Path, folder: Path, tmp_path: Path) -> None:
    paths, name, _ = expect(run, folder)
    export_model(open_source(run), "docker", tmp_path / "docker")  # answers over HTTP are compared there
    code = "import json, predict; predict.Model('.', files=False).predict([json.loads(input())])"
    words = [sys.executable, "-c", code]
    given = json.dumps({name: str(paths[0])})
    done = subprocess.run(words, cwd=tmp_path / "docker", input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "files are not read here" in done.stderr
