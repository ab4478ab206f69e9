"""The nets of keras.applications that a model may start from, and how a file is told to hold the weights of one.

A file is told by the shapes of its arrays, never by its name; h5py reads it, which executes nothing. What Keras calls a
layer differs from version to version, so that names tell less than shapes do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import UsageError

SPREADS = (0.229, 0.224, 0.225)  # standard deviations of ImageNet's red, green, blue
MEANS = (103.939, 116.779, 123.68)  # of ImageNet's blue, green, red
MAX_BYTES = 1 << 30
MIN_LAYERS = 10  # with weights, at the top of a file; a net that is one layer of another has fewer
# What `Model.load_weights` takes for which form of a file: it goes by the name's ending.
ENDINGS = {"legacy": ".h5", "keras": ".weights.h5", "archive": ".keras"}
SUFFIXES = (".h5", ".hdf5", ".keras")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """One of keras.applications.

    Attributes:
        cached: the file that the Keras cache has of it.
        arrays: how many arrays it has without a classifier.
        shapes: of some of them, which no other net has all of.
        top: shape of the classifier's last kernel without its last axis, the classes.
        top_arrays: how many arrays the classifier has.
        blocks: how the names of the last blocks' layers begin, the last block first.
        batch_size: pictures a step of fine-tuning: as many as a processor core learns from in a few tenths of a second.
        is_classic: whether its pixels are blue, green, red with the mean of ImageNet taken off.
    """

    cached: str
    arrays: int
    shapes: frozenset[tuple[int, ...]]
    top: tuple[int, ...]
    top_arrays: int
    blocks: tuple[str, str, str]
    batch_size: int
    is_classic: bool = False


# The smallest first.
NETS = {
    "MobileNetV3Small": Net(
        cached="weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        arrays=206,
        shapes=frozenset({(3, 3, 3, 16), (1, 1, 16, 72), (1, 1, 96, 576)}),
        top=(1, 1, 1024),
        top_arrays=4,
        blocks=("expanded_conv_10_", "expanded_conv_9_", "expanded_conv_8_"),
        batch_size=32,
    ),
    "EfficientNetB0": Net(
        cached="efficientnetb0_notop.h5",
        arrays=312,
        shapes=frozenset({(3, 3, 3, 32), (1, 1, 32, 8), (1, 1, 320, 1280)}),
        top=(1280,),
        top_arrays=2,
        blocks=("block7a_", "block6d_", "block6c_"),
        batch_size=8,
    ),
    "ResNet50": Net(
        cached="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        arrays=318,
        shapes=frozenset({(7, 7, 3, 64), (3, 3, 512, 512), (1, 1, 512, 2048)}),
        top=(2048,),
        top_arrays=2,
        blocks=("conv5_block3_", "conv5_block2_", "conv5_block1_"),
        batch_size=4,
        is_classic=True,
    ),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A file of weights that can be loaded.

    Attributes:
        net: name of the net.
        form: see `ENDINGS`.
        classes: of the classifier that it has on top; 0 if there is none.
    """

    path: Path
    net: str
    form: str = "legacy"
    classes: int = 0


def find_weights(given: str = "") -> dict[str, WeightsFile]:
    """Net → its weights: of the file that the user gave, and of those in the Keras cache (`~/.keras/models`, or below
    KERAS_HOME). A net that the given file holds stands first, and its weights are those of the file.

    Raises:
        UsageError: if the given file is not there, or is of another kind.
    """
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    found = {} if not given else {(file := check_weights(Path(given))).net: file}
    for name, net in NETS.items():
        if (folder / net.cached).is_file():
            found.setdefault(name, WeightsFile(path=folder / net.cached, net=name))
    return found


def check_weights(path: Path) -> WeightsFile:
    """What a file that the user gave holds.

    Raises:
        UsageError: if it is not there, or holds no weights of a net in `NETS`.
    """
    hint = "Name a .h5, .weights.h5 or .keras file of keras.applications, such as those in ~/.keras/models"
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r} with weights, and nothing is downloaded", hint=hint)
    facts = path.stat()
    try:
        file = _recognize(path, facts.st_size, facts.st_mtime_ns)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} holds no weights that can be read: {str(error)[:100]}", hint=hint) from error
    if file is None:
        raise UsageError(f"{path} holds no weights of {' or '.join(NETS)} as keras.applications builds them", hint=hint)
    return file


@lru_cache(maxsize=8)
def _recognize(path: Path, size: int, modified: int) -> WeightsFile | None:
    """The net whose arrays a file holds, by their number and shapes; `size` and `modified` tell a new file."""
    if size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 20:,} MB")
    form, shapes = _read_shapes(path)
    for name, net in NETS.items():
        tops = [shape for shape in shapes if len(shape) > 1 and shape[:-1] == net.top]
        counts = {net.arrays: 0, net.arrays + net.top_arrays: tops[0][-1] if len(tops) == 1 else 0}
        if net.shapes <= set(shapes) and len(shapes) in counts and (len(shapes) == net.arrays) != bool(tops):
            return WeightsFile(path=path, net=name, form=form, classes=counts[len(shapes)])
    return None


def _read_shapes(path: Path) -> tuple[str, list[tuple[int, ...]]]:
    """The form of a file and the shapes of its arrays; none of a net that is a layer of another."""
    import h5py

    is_archive = zipfile.is_zipfile(path)
    if not is_archive and not h5py.is_hdf5(path):
        raise ValueError("it is neither HDF5 nor an archive of Keras")
    with _open_content(path) if is_archive else path.open("rb") as content, h5py.File(content, "r") as file:
        is_keras = "layers" in file
        group = file["layers"] if is_keras else file.get("model_weights", file)
        found: dict[str, tuple[int, ...]] = {}

        def note(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and (not is_keras or name.split("/")[1] == "vars"):
                found[name] = tuple(item.shape)

        group.visititems(note)
    layers = {name.split("/")[0] for name in found}
    form = "archive" if is_archive else "keras" if is_keras else "legacy"
    return form, list(found.values()) if len(layers) > MIN_LAYERS else []


def _open_content(path: Path) -> io.BytesIO:
    """The weights in a .keras archive; what else stands there, such as how to build the model, is not looked at."""
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("model.weights.h5").file_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 20:,} MB")
        return io.BytesIO(archive.read("model.weights.h5"))


def build_net(keras: Any, name: str, side: int) -> Any:
    """The Keras model of a net whose outputs are its last maps, averaged, with random weights."""
    options = {"include_top": False, "pooling": "avg", "input_shape": (side, side, 3)}
    return getattr(keras.applications, name)(weights=None, **options)


def load_net(keras: Any, file: WeightsFile, side: int) -> Any:
    """The Keras model of a net with the weights of a file."""
    model = source = build_net(keras, file.net, side)
    if file.classes:  # Keras wants the very layers that were saved; the classifier is left behind
        source = getattr(keras.applications, file.net)(weights=None, classes=file.classes, classifier_activation=None)
    with _with_ending(file.path, ENDINGS[file.form]) as path:
        source.load_weights(path)
    if source is not model:
        model.set_weights(source.get_weights()[: len(model.weights)])
    _set_scale(model)
    return model


@contextlib.contextmanager
def _with_ending(path: Path, ending: str) -> Iterator[Path]:
    """The file by a name from which Keras tells its form."""
    others = [other for other in ENDINGS.values() if len(other) > len(ending)]
    if path.name.endswith(ending) and not path.name.endswith(tuple(others)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"net{ending}"
        link.symlink_to(path.absolute())
        yield link


def restore_net(keras: Any, name: str, side: int, weights: list[Any], *, finalizes: bool = True) -> Any:
    """The Keras model of a net with these weights.

    Args:
        finalizes: False only for models of earlier versions, whose heads have learned without it.
    """
    model = build_net(keras, name, side)
    model.set_weights([values.astype(np.float32) for values in weights])
    for layer in model.layers if finalizes else ():
        if hasattr(layer, "finalize_state"):  # it has made copies of the weights that it was built with
            layer.finalize_state()
    return model


def _set_scale(model: Any) -> None:
    """What keras.applications does with weights that it fetched itself and not with those of a file: EfficientNet's
    colours are divided by the root of their spread once more, as in its training; here within the variances. Of a net
    that was trained from nothing, whose colours have spread 1, they stay as they are."""
    layer = next((layer for layer in model.layers if hasattr(layer, "adapt_variance")), None)
    if layer is None:
        return
    variance = layer.adapt_variance.value.numpy()
    if not np.allclose(variance, 1.0):
        layer.adapt_variance.assign(variance * np.array(SPREADS, dtype=np.float32).reshape(variance.shape[-1:]))
    layer.finalize_state()


def look(pixels: Any, name: str, side: int) -> Any:
    """Pixels (n, h, w, c) of 0 to 255, in TensorFlow, as the net wants them: (n, side, side, 3) float32."""
    import tensorflow as tf

    large = tf.image.resize(tf.cast(pixels, tf.float32), (side, side))
    colored = tf.repeat(large, 3 if pixels.shape[-1] == 1 else 1, axis=3)
    return colored[..., ::-1] - tf.constant(MEANS) if NETS[name].is_classic else colored
