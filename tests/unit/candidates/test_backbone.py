"""Weights of keras.applications from a file see what Keras' own do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl.candidates import FitContext
from automl.candidates._backbone_nets import NETS, SPREADS
from automl.candidates._keras import start_keras
from automl.candidates.keras_backbone import Backbone
from automl.matrix import Feature
from automl.task import Task, TaskKind
from tests.unit.candidates.backbones import write_legacy


@pytest.mark.slow
def test_colours_reach_the_net_as_its_weights_want_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EfficientNet's first layers take the mean off and divide by the spread, the numbers being part of the weights;
    of a file Keras leaves one of the steps out."""
    keras = start_keras(0, 1)
    net = keras.applications.EfficientNetB0(weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3))
    normal = next(layer for layer in net.layers if hasattr(layer, "adapt_variance"))
    normal.adapt_mean.assign(np.array([0.485, 0.456, 0.406]))
    normal.adapt_variance.assign(np.array(SPREADS))  # as the published files have it
    (tmp_path / "models").mkdir()
    write_legacy(tmp_path / "models" / NETS["EfficientNetB0"].cached, net)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(40, 32, 32, 3), dtype=np.uint8)
    task = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"), metric="accuracy", maximize=True)
    feature = Feature(name="p", source="p", shape=(32, 32, 3))
    context = FitContext(task=task, features=(feature,), seed=0, stop_rows=np.zeros(0, dtype=np.int64))
    estimator = Backbone().build({"net": "EfficientNetB0", "side": 32, "C": 1.0}, context)
    estimator.fit(pixels, np.arange(40) % 2, None)

    weights = [values.astype(np.float32) for values in estimator.weights]  # type: ignore[attr-defined]
    net.set_weights(weights)
    normal.finalize_state()
    seen = np.asarray(normal(pixels[:1].astype(np.float32) / 255.0))[0]
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array(SPREADS)
    np.testing.assert_allclose(seen, (pixels[0] / 255.0 - mean) / spread, atol=1e-4)
    expected = np.asarray(net(pixels[:4].astype(np.float32), training=False))
    np.testing.assert_allclose(estimator._see(pixels[:4]), expected, rtol=1e-3, atol=1e-3)  # type: ignore[attr-defined]
