"""Seconds an epoch of the tool's nets takes, beside loops that a person would write in Keras for the very same net.

    python -m tests.benchmark.epoch [--rows 10000] [--epochs 4] [--rounds 2] [--threads 1]

The nets are those that the families build with their default parameters, on grey pictures of 28 × 28 and on a table of
20 numbers and 4 categories; the values are drawn at random, as they change no time. One loop is `Model.fit`, the other
a compiled step (`tf.function`, `tf.data`) that is called batch by batch. Each epoch is timed by itself, the first of a
fit, which compiles, is left out, and the loops take turns; told is the median, and what it is of the faster loop's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._keras import Fitting, start_keras
from automl.matrix import Feature, Shape
from automl.search.trial import candidates
from automl.task import Task, TaskKind

SIDE, CLASSES, NUMBERS, LEVELS = 28, 10, 20, (3, 8, 20, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=4, help="of each fit, after the first; four or more")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--families", default="keras_cnn,keras_tabm,keras_mlp")
    options = parser.parse_args()
    for family in options.families.split(","):
        print(json.dumps(compare(family, options)), flush=True)


def compare(family: str, options: argparse.Namespace) -> dict[str, Any]:
    matrix, target, features = draw_pictures(options.rows) if family == "keras_cnn" else draw_table(options.rows)
    task = Task(
        kind=TaskKind.MULTICLASS, target="y", classes=tuple(map(str, range(CLASSES))), metric="log_loss", maximize=False
    )
    context = FitContext(
        task=task, features=features, seed=0, stop_rows=np.zeros(0, dtype=np.int64), threads=options.threads
    )
    numbers = sum(feature.cardinality == 0 and not feature.shape for feature in features)
    shape = Shape(
        rows=options.rows, numbers=numbers, categories=len(LEVELS), levels=sum(LEVELS), outputs=CLASSES,
        pictures=int(family == "keras_cnn"), pixels=SIDE * SIDE,
    )  # fmt: skip
    candidate = candidates.get(family)
    params = candidate.space(task, shape).complete({"epochs": options.epochs + 1})
    loops: dict[str, Callable[[], list[float]]] = {
        "tool": lambda: time_tool(candidate.build(params, context), matrix, target),
        "Model.fit": lambda: time_fit(*rebuild(candidate, params, context, matrix), matrix, target, options.epochs),
        "compiled step": lambda: time_steps(*rebuild(candidate, params, context, matrix), matrix, target, options),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _, (name, loop) in itertools.product(range(options.rounds), loops.items()):
        seconds[name] += loop()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["tool"] / min(medians["Model.fit"], medians["compiled step"])
    return {
        "family": family,
        "rows": options.rows,
        "batch": int(params["batch_size"]),
        **{name: round(value, 3) for name, value in medians.items()},
        "ratio": round(ratio, 3),
    }


def draw_pictures(rows: int) -> tuple[Any, Any, tuple[Feature, ...]]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (rows, SIDE * SIDE), dtype=np.uint8)
    return pixels, rng.integers(0, CLASSES, rows), (Feature(name="p", source="p", shape=(SIDE, SIDE, 1)),)


def draw_table(rows: int) -> tuple[Any, Any, tuple[Feature, ...]]:
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, levels, (rows, 1)) for levels in LEVELS]
    matrix = np.hstack([rng.normal(size=(rows, NUMBERS)), *codes]).astype(np.float32)
    features = [Feature(name=f"x{at}", source=f"x{at}") for at in range(NUMBERS)]
    features += [Feature(name=f"c{at}", source=f"c{at}", cardinality=levels) for at, levels in enumerate(LEVELS)]
    return matrix, rng.integers(0, CLASSES, rows), tuple(features)


def time_tool(estimator: Any, matrix: Any, target: Any) -> list[float]:
    """Seconds between the ends of epochs, where the fit looks at its stop rows."""
    moments: list[float] = []
    look = Fitting._look

    def noting(self: Fitting, *given: Any) -> Any:
        moments.append(time.monotonic())
        return look(self, *given)

    Fitting._look = noting  # type: ignore[method-assign]
    try:
        estimator.fit(matrix, target, None)
    finally:
        Fitting._look = look  # type: ignore[method-assign]
    spent = [late - early for early, late in itertools.pairwise(moments)]
    return [seconds for seconds in spent[1:] if seconds > 1e-3]


def rebuild(candidate: Any, params: Any, context: FitContext, matrix: Any) -> tuple[Any, Any, int, float]:
    """The same net, unfitted, with its loss, batch size and learning rate."""
    keras = start_keras(context.seed, context.threads)
    estimator = candidate.build(params, context)
    if hasattr(estimator, "network"):
        model = estimator.network.build_keras(keras, matrix, estimator.options)
    else:
        dropout, augment = float(params["dropout"]), estimator._augmentation()
        model = estimator.net.build_keras(keras, dropout=dropout, augment=augment)
    return model, estimator._loss(), int(params["batch_size"]), float(params["learning_rate"])


def time_fit(
    model: Any, loss: Any, batch: int, rate: float, matrix: Any, target: Any, epochs: int
) -> list[float]:  # fmt: skip
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.monotonic() - self.began)

    def mean_loss(truth: Any, scores: Any) -> Any:
        return keras.ops.mean(loss(keras.ops.reshape(keras.ops.cast(truth, "int32"), (-1,)), scores))

    clock = Clock()
    model.compile(optimizer=make_optimizer(keras, rate), loss=mean_loss)
    inputs = matrix.reshape(-1, *model.input_shape[1:]).astype(np.float32)
    model.fit(inputs, target.astype(np.int32), batch_size=batch, epochs=epochs + 1, verbose=0, callbacks=[clock])
    return clock.seconds[1:]


def time_steps(
    model: Any, loss: Any, batch: int, rate: float, matrix: Any, target: Any, options: argparse.Namespace
) -> list[float]:  # fmt: skip
    import keras
    import tensorflow as tf

    optimizer = make_optimizer(keras, rate)
    optimizer.build(model.trainable_variables)
    inputs = matrix.reshape(-1, *model.input_shape[1:])
    data = tf.data.Dataset.from_tensor_slices((inputs, target.astype(np.int32)))
    data = data.shuffle(len(inputs)).batch(batch, drop_remainder=True).prefetch(2)

    @tf.function
    def step(rows: Any, truth: Any) -> None:
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss(truth, model(tf.cast(rows, tf.float32), training=True)))
        optimizer.apply(tape.gradient(mean, model.trainable_variables), model.trainable_variables)

    seconds = []
    for _ in range(options.epochs + 1):
        began = time.monotonic()
        for rows, truth in data:
            step(rows, truth)
        seconds.append(time.monotonic() - began)
    return seconds[1:]


def make_optimizer(keras: Any, rate: float) -> Any:
    return keras.optimizers.AdamW(learning_rate=rate, weight_decay=1e-3, global_clipnorm=5.0)


if __name__ == "__main__":
    main()
