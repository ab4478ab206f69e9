"""A file of weights that --backbone names is what a net on pictures starts from, and nothing else."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from tests.flow.command import Tool
from tests.flow.test_pictures import make_folder
from tests.unit.candidates.backbones import make_net, write_weights

RECIPE = """
search: {candidates: [keras_backbone], tune: false}
split: {folds: 2, repeats: 1}
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_weights(tmp_path_factory.mktemp("weights") / "net.weights.h5", make_net()).read_bytes()


@pytest.mark.slow
def test_a_net_learns_from_a_given_file_and_the_model_outlives_it(tool: Tool, weights: bytes, tmp_path: Path) -> None:
    work = tool.work
    make_folder(work / "bars", train=60)
    (work / "photos.h5").write_bytes(weights)
    (work / "recipe.yaml").write_text(RECIPE, encoding="utf-8")

    done = tool(
        "fit", "bars", "--recipe", "recipe.yaml", "--trials", "2", "--backbone", "photos.h5", "--out", "run", "--json"
    )

    assert done.code == 0, str(done)
    run = work / "run"
    models = json.loads((run / "leaderboard.json").read_text(encoding="utf-8"))["models"]
    assert "keras_backbone" in {model["candidate"] for model in models}
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["data"]["backbone"] == str(work / "photos.h5")  # so that it can be run from any folder
    (work / "photos.h5").unlink()
    rows = list(csv.DictReader(io.StringIO(tool("predict", "run", work / "bars" / "test", "--quiet").out)))
    assert sum(row["path"].split("/")[0] == row["prediction"] for row in rows) >= 15


@pytest.mark.slow
def test_weights_for_pictures_are_refused_where_there_are_none(tool: Tool, weights: bytes) -> None:
    (tool.work / "photos.h5").write_bytes(weights)
    (tool.work / "t.csv").write_text("x,y\n" + "1,a\n2,b\n3,a\n" * 30, encoding="utf-8")

    done = tool("fit", "t.csv", "-t", "y", "--backbone", "photos.h5", "--time", "5s", "--out", "run")

    assert done.code == 2, str(done)
    assert "photos.h5 holds weights of MobileNetV3Small for pictures, and the data has none" in done.err
    assert "--role COL=image" in done.err
    assert not (tool.work / "run").exists()
