"""Nets on pictures as one Keras file: read by Keras alone, it answers as the model does; other models are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.ensemble.bag import BagModel
from automl.ensemble.second_layer import SecondLayer
from automl.export._bundle import export_model, open_source, verify_export
from automl.export.keras import _join
from automl.flow import fit
from automl.graph import NoGraphError
from automl.recipe import Recipe, shared_folder
from tests.unit.export.models import store_model

SHAPES = """
import sys, keras, numpy
model = keras.models.load_model(sys.argv[1])
answer = model.predict(numpy.zeros((2, 8, 8, 1), dtype="uint8"), verbose=0)
assert "automl" not in sys.modules
print(model.input_shape, answer.shape, round(float(answer.sum()), 3))
"""


def test_a_model_of_a_table_is_no_keras_model(tmp_path: Path) -> None:
    stored = store_model(tmp_path / "run")
    with pytest.raises(NoGraphError, match="Only nets that tell pictures apart become a Keras model"):
        export_model(open_source(stored.run.path), "keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_nets_on_pictures_are_one_file_of_layers(tmp_path: Path) -> None:
    search = {"candidates": ("keras_dense", "keras_cnn"), "tune": False}
    recipe = Recipe().override({"search": search, "split": {"folds": 2, "repeats": 1}})
    run = fit(shared_folder("datasets") / "digits.zip", out=tmp_path / "run", recipe=recipe, trials=4, jobs=1)
    manifest = export_model(open_source(run.path), "keras", tmp_path / "out")
    assert manifest["parity"]["largest_difference"] < 1e-4
    assert manifest["parity"]["rows"] == 500
    assert verify_export(tmp_path / "out", trust=True)["largest_difference"] < 1e-4
    words = [sys.executable, "-I", "-c", SHAPES, str(tmp_path / "out/model.keras")]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=100).stdout
    assert said.strip() == "(None, 8, 8, 1) (2, 10) 2.0"


@pytest.mark.slow
def test_a_second_layer_answers_in_keras_as_it_does_in_numpy() -> None:
    import keras

    parts = [np.random.default_rng(seed).dirichlet((0.3, 1, 2), 20).astype(np.float32) for seed in range(3)]
    layer = SecondLayer((0.8, 0.0, 1.1), (0.2, -0.1, 0.0))
    unused: Any = None
    bag = BagModel(unused, unused, (), layer=layer)
    np.testing.assert_allclose(np.asarray(_join(keras, bag, parts)), layer.join(parts), atol=1e-6)
