"""An export of a model of pictures is compared on those that can be read, as `fit` learned from those alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.errors import UsageError
from automl.export import Source
from automl.export._bundle import open_source
from automl.export._forms import build_plain, measure_forms
from automl.export._rows import choose_rows
from automl.flow import fit
from automl.recipe import Recipe

PICTURES = 40


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A model of dark and bright pictures, one of them broken."""
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        kind = "bright" if number % 2 else "dark"
        (tmp_path / "sky" / kind).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 100, (10, 10), dtype=np.uint8) + np.uint8(150 * (number % 2))
        Image.fromarray(pixels).save(tmp_path / "sky" / kind / f"{number}.png")
    (tmp_path / "sky" / "dark" / "broken.png").write_bytes(b"no picture")
    asked = {"search": {"candidates": ("linear",), "tune": False}, "split": {"folds": 2, "repeats": 1}}
    run = fit(tmp_path / "sky", out=tmp_path / "run", recipe=Recipe().override(asked), trials=2, jobs=1)
    return open_source(run.path)


@pytest.mark.slow
def test_pictures_that_broke_since_the_fit_are_left_out_and_without_any_others_are_taken(
    source: Source, tmp_path: Path
) -> None:
    whole = measure_forms(source, {"float32": build_plain})
    _, origin = choose_rows(source, None)
    assert origin == "sky"
    broken = next((tmp_path / "sky" / "dark").glob("1*.png"))
    broken.write_bytes(b"")
    assert measure_forms(source, {"float32": build_plain})[0].score == pytest.approx(whole[0].score, abs=0.05)
    for file in (tmp_path / "sky").rglob("*.png"):
        file.write_bytes(b"")
    rows, origin = choose_rows(source, None)
    assert (len(rows), origin) == (1000, "the model's golden rows")
    with pytest.raises(UsageError, match="cannot be read any more"):
        measure_forms(source, {"float32": build_plain})
