"""Fine-tuning: the linear model becomes the last layer of the net, and the net's last blocks learn along with it.

Normalisation stays as it was: the statistics of a few pictures would spoil what millions have told (Keras' guide to
transfer learning). That a tuned net mostly sees more than a frozen one: Kornblith et al. 2019, arXiv:1805.08974.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.candidates._backbone_nets import NETS, look
from automl.candidates._keras import Fitting, Schedule, cosine
from automl.candidates._mirror import has_mirror_classes
from automl.candidates._nets import Augmentation, make_layer
from automl.candidates._targets import regression_loss
from automl.matrix import Array, FloatArray, IntArray
from automl.space import Choice, Condition, Float, Int, Parameter, Params, SearchSpace

MAX_ROWS = 20_000  # above it, one pass over the pictures alone takes longer than most runs
SEEN_ROWS = 20_000  # pictures learned from, all passes together
SCORE_ROWS = 32
LEAST_GAIN = 0.01  # of the loss on the stop rows: the frozen net's linear model then learns from those as well
PATIENCE = 3


def tuning_space(rows: int) -> SearchSpace:
    """Whether to fine-tune, and how; by default where a few passes over all pictures can be paid for."""
    epochs = int(np.clip(SEEN_ROWS / max(1, rows), 2, 12))
    parameters: dict[str, Parameter] = {
        "tune": Choice((False, True), rows <= MAX_ROWS),
        "tune_blocks": Int(1, 3, 2),
        "tune_epochs": Int(1, 30, epochs, log=True),
        "tune_rate": Float(1e-5, 1e-3, 1e-4, log=True),
    }
    return SearchSpace(parameters, {name: Condition("tune", (True,)) for name in parameters if name != "tune"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What is learned from.

    Attributes:
        pixels: (n, h, w, c) uint8.
        target: class (n,) int32 as position among the linear model's, or value (n,) float32 on its scale.
        weight: (n,) or None.
        rows, stop_rows: those to learn from, and those that tell when to stop.
        seen: features of some of them, (m, d).
    """

    pixels: Array
    target: Array
    weight: Array | None
    rows: IntArray
    stop_rows: IntArray
    seen: FloatArray


def tune(
    net: Any, name: str, axes: FloatArray, offset: FloatArray, pictures: Pictures, params: Params, context: FitContext
) -> tuple[FloatArray, FloatArray] | None:
    """Go on learning with the net's last blocks; `net` is left as it was best on the stop rows.

    Args:
        net: Keras model of side × side pixels; see `automl.candidates._backbone_nets.look`.
        name: of the net.
        axes, offset: of the linear model over its outputs, (d, k) and (k,).

    Returns:
        Axes and offset of the linear model over the tuned net; None if that is no better than the frozen one.
    """
    # features as the linear model learned from them: of what is large, a step of Adam would be a leap
    mean, spread = pictures.seen.mean(axis=0), pictures.seen.std(axis=0) + 1e-3
    shape, flips = pictures.pixels.shape[1:], _may_flip(pictures, context)
    model = _assemble(net, name, shape, -mean / spread, 1.0 / spread, outputs=len(offset), flips=flips)
    model.layers[-1].set_weights([axes * spread[:, None], offset + mean @ axes])
    _freeze_all_but(net, NETS[name].blocks[: int(params["tune_blocks"])])
    schedule = Schedule(
        epochs=int(params["tune_epochs"]),
        batch_size=min(NETS[name].batch_size, max(4, len(pictures.rows) // 16)),
        learning_rate=float(params["tune_rate"]),
        weight_decay=1e-3,
        patience=PATIENCE,
        rate=cosine,
        beta_2=0.999,
        score_rows=SCORE_ROWS,
    )
    fitting = Fitting(model, _choose_loss(context), schedule, context)
    fitting.run(pictures.pixels, pictures.target, pictures.weight, pictures.rows, pictures.stop_rows)
    if not fitting.best_loss < (1.0 - LEAST_GAIN) * fitting.first_loss:
        return None
    kernel, bias = model.layers[-1].get_weights()
    return kernel / spread[:, None], bias - (mean / spread) @ kernel


def _may_flip(pictures: Pictures, context: FitContext) -> bool:
    """Whether left and right may be exchanged: in colour, as photographs are, where no class becomes another by it."""
    if pictures.pixels.shape[3] != 3:
        return False
    told = context.task.is_classification and has_mirror_classes(pictures.pixels, pictures.target, pictures.rows)
    return not told


def _assemble(
    net: Any, name: str, shape: tuple[int, ...], shift: FloatArray, factor: FloatArray, *, outputs: int, flips: bool
) -> Any:
    """Keras model of pixels (n, h, w, c) that gives raw scores (n, outputs), linear in the net's scaled features."""
    import keras

    side = int(net.input_shape[1])

    class Look(keras.layers.Layer):  # type: ignore[misc]
        """Pixels as the net wants them."""

        def call(self, pixels: Any) -> Any:
            return look(pixels, name, side)

    light = Augmentation(shift=0.08, rotate=8.0, zoom=0.1, flip=flips, color=0.1 if shape[2] == 3 else 0.0)
    inputs = keras.Input(shape, dtype="float32")
    seen = net(Look()(make_layer(keras, light)(inputs)))
    scaled = keras.layers.Rescaling(factor, offset=shift)(seen)
    return keras.Model(inputs, keras.layers.Dense(outputs)(scaled))


def _freeze_all_but(net: Any, blocks: tuple[str, ...]) -> None:
    """Leave what comes from the earliest of these blocks on to learn; but normalisation, which is then as in use."""
    import keras

    names = [layer.name for layer in net.layers]
    first = next((at for at, name in enumerate(names) if name.startswith(blocks)), len(names))
    for at, layer in enumerate(net.layers):
        layer.trainable = at >= first and not isinstance(layer, keras.layers.BatchNormalization)


def _choose_loss(context: FitContext) -> Callable[[Any, Any], Any]:
    from keras import ops

    if context.task.is_classification:
        return lambda target, scores: ops.sparse_categorical_crossentropy(target, scores, from_logits=True)
    power = ops.abs if regression_loss(context.task.metric) == "absolute" else ops.square
    return lambda target, scores: power(target - scores[:, 0])
