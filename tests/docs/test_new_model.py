"""The README's example model, offered by another package, is found, built, fitted, saved and read back."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from automl.candidates import Candidate, FitContext
from automl.matrix import Feature, Shape
from automl.registry import Registry
from automl.task import Task, TaskKind
from tests.docs.readme import ROOT

TASK = Task(kind=TaskKind.REGRESSION, target="y", metric="mae")
SHAPE = Shape(rows=200, numbers=2, categories=0, levels=0, outputs=1)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[Candidate]]:
    """The registry of models in an environment where a package that offers the example is installed."""
    shutil.copy(ROOT / "tests" / "docs" / "huber.py", tmp_path / "my_huber.py")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[automl.candidates]\nhuber = my_huber:plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield Registry("automl.candidates", noun="model")
    sys.modules.pop("my_huber", None)


def test_the_model_of_another_package_is_listed_with_its_origin(registry: Registry[Candidate]) -> None:
    listing = {listing.name: listing for listing in registry.listings()}["huber"]
    assert (listing.origin, listing.reason) == ("my-package", "")
    assert "linear" in registry.names()


def test_outliers_do_not_bend_it_and_it_reads_back_the_same(registry: Registry[Candidate], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(200, 2)).astype(np.float32)
    target = 2.0 * matrix[:, 0] - matrix[:, 1] + 5.0
    truth = target.copy()
    target[:10] += 100.0
    features = (Feature(name="a", source="a"), Feature(name="b", source="b"))
    context = FitContext(task=TASK, features=features, seed=0, stop_rows=np.zeros(0, dtype=np.int64))
    candidate = registry.get("huber")
    assert candidate.unsupported(TASK, SHAPE) == ""
    estimator = candidate.build(candidate.space(TASK, SHAPE).defaults(), context)
    estimator.fit(matrix, target, None)
    predicted = estimator.predict(matrix)
    assert predicted.shape == (200, 1)
    assert predicted.dtype == np.float32
    assert np.abs(predicted[:, 0] - truth).max() < 0.5
    folder = tmp_path / "saved"
    folder.mkdir()
    estimator.save(folder)
    np.testing.assert_array_equal(candidate.load(folder).predict(matrix), predicted)
