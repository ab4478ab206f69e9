"""The leaderboard's section says how the members of the ensemble are joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.files import read_json, write_json
from automl.report.blocks import Chart
from automl.report.document import build_section
from automl.report.source import RunSource
from tests.golden.runs import write_full_run


def draw(folder: Path, layer: object) -> Chart:
    run = write_full_run(folder / "run")
    write_json(run.ensemble_path, {**read_json(run.ensemble_path), "layer": layer})
    section = build_section("leaderboard", RunSource(run))
    assert section is not None
    (chart,) = [block for block in section.blocks if isinstance(block, Chart) and "made of" in block.title]
    return chart


def test_a_second_layer_is_shown_by_its_slopes(tmp_path: Path) -> None:
    count = len(RunSource(write_full_run(tmp_path / "plain")).members)
    slopes = [0.3, *(0.9 for _ in range(count - 1))]
    chart = draw(tmp_path, {"slopes": slopes, "shifts": [0.0, 0.0]})
    assert f"together they are {sum(slopes):.3g}" in chart.caption
    assert chart.series[0].y[-1] == pytest.approx(0.3 / sum(slopes), abs=1e-4)  # the heaviest first


@pytest.mark.parametrize("layer", [7, {}, {"slopes": [1.0]}, {"slopes": [None, "x", 3]}])
def test_a_damaged_layer_leaves_the_weights(tmp_path: Path, layer: object) -> None:
    assert "the mean of these models" in draw(tmp_path, layer).caption
