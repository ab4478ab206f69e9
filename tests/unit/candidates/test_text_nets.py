"""Networks over words: what numpy answers is what Keras would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.candidates import FitContext
from automl.candidates._keras import start_keras
from automl.candidates._text_nets import TextNetEstimator
from automl.candidates.keras_text_bag import Bag
from automl.candidates.keras_text_cnn import Convolutions
from automl.candidates.keras_text_gru import Recurrent
from automl.candidates.keras_text_transformer import Attention
from automl.matrix import Feature
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss")
OTHERS = (Feature(name="x", source="x"), Feature(name="z", source="z"))
PLACES = tuple(Feature(name=f"token {at}", source="t", cardinality=30, token=True) for at in range(7))


@pytest.mark.parametrize("net", [Bag(), Convolutions(), Recurrent(), Attention()], ids=lambda net: type(net).__name__)
@pytest.mark.parametrize("layers", [1, 2])
def test_numpy_answers_as_keras_does(net: Any, layers: int) -> None:
    params = {"embedding": 12, "units": 8, "dropout": 0.2, "word_dropout": 0.1, "layers": layers, "epochs": 1}
    context = FitContext(task=TASK, features=(*OTHERS, *PLACES), seed=1, stop_rows=np.zeros(0, dtype=np.int64))
    estimator = TextNetEstimator("net", net, params, context)
    model = estimator._build(start_keras(1, 1))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(scale=0.5, size=array.shape) for array in model.get_weights()])
    estimator.weights = estimator._read(model)
    words = rng.integers(1, 30, (6, 7)) * (np.arange(7) < np.array([0, 1, 2, 4, 6, 7])[:, None])
    matrix = np.column_stack([rng.normal(size=(6, 2)), words]).astype(np.float32)
    np.testing.assert_allclose(estimator.forward(matrix), model(matrix).numpy(), atol=2e-4)
    for row in range(6):  # a batch is cut to its longest text, which must change nothing
        np.testing.assert_allclose(
            estimator.forward(matrix[row : row + 1]), model(matrix).numpy()[row : row + 1], atol=2e-4
        )


def test_a_network_whose_words_are_replaced_while_it_learns_learns_the_same_again() -> None:
    rng = np.random.default_rng(5)
    target = np.arange(60) % 3
    words = np.where(rng.random((60, 7)) < 0.5, 3 + target[:, None], rng.integers(6, 30, (60, 7)))
    matrix = words.astype(np.float32)
    params = {"embedding": 12, "units": 8, "dropout": 0.1, "word_dropout": 0.1, "word_swap": 0.1, "layers": 1}
    params |= {"epochs": 12, "learning_rate": 0.02, "weight_decay": 1e-4, "word_backoff": 0.4}
    answers = []
    for _ in range(2):
        context = FitContext(task=TASK, features=PLACES, seed=1, stop_rows=np.zeros(0, dtype=np.int64))
        estimator = TextNetEstimator("net", Bag(), params, context)
        estimator.fit(matrix, target, None)
        answers.append(estimator.predict(matrix))
    np.testing.assert_array_equal(*answers)
    assert (answers[0].argmax(axis=1) == target).mean() > 0.9


def test_of_long_texts_few_are_looked_at_at_once() -> None:
    """Of 4,096 texts of 256 words, attention would hold 4 GB."""
    params = {"embedding": 64, "units": 128, "epochs": 4, "learning_rate": 1e-3, "weight_decay": 1e-3}
    long = tuple(Feature(name=f"token {at}", source="t", cardinality=30, token=True) for at in range(256))

    def rows_at_once(net: Any, features: tuple[Feature, ...]) -> int:
        context = FitContext(task=TASK, features=features, seed=1, stop_rows=np.zeros(0, dtype=np.int64))
        return TextNetEstimator("net", net, params, context)._schedule(1_000).score_rows

    assert rows_at_once(Attention(), long) == 20_000_000 // (4 * 256**2)
    assert rows_at_once(Convolutions(), long) == 20_000_000 // (128 * 256)
    assert rows_at_once(Attention(), PLACES) == 4096
