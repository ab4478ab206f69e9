"""One .keras file of an ensemble of nets on pictures: layers of Keras alone, from bytes to probabilities."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.candidates._pictures import PictureNet
from automl.ensemble.bag import BagModel
from automl.export import Facts, Format, Source
from automl.export._process import run_python
from automl.files import read_json, write_json
from automl.graph import NoGraphError
from automl.matrix import FloatArray
from automl.preprocess.table import TableEncoder
from automl.schema import Column, Role, Schema
from automl.search.calibration import EDGE, Calibrator

if TYPE_CHECKING:
    import pandas as pd

REQUIRES = ("keras", "tensorflow")
FILE = "model.keras"
LOAD = """
import sys, keras, numpy
model = keras.models.load_model(sys.argv[1], compile=False)
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), batch_size=256, verbose=0))
"""


class Keras:
    """Nets of the families on pictures alone: what prepares a table is no layer, and the SavedModel has it inside."""

    title = "a Keras model"
    executes = True
    from_graph = False

    def write(self, source: Source, folder: Path) -> Facts:
        column = find_picture(source)
        from automl.export._tensorflow import start_tensorflow

        with start_tensorflow() as tf:
            model = build_model(source, column)
            with warnings.catch_warnings():  # of Keras' own way to read its variables
                warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
                model.save(folder / FILE)
        predictor = source.predictor
        record = {"schema": predictor.schema.to_json(), "classes": list(predictor.task.classes)}
        write_json(folder / "signature.json", record)
        assert column.picture is not None
        shape = " × ".join(map(str, column.picture.shape))
        return Facts(
            summary=f"One Keras model from pictures as uint8 ({shape}) to the probabilities of the classes, every net "
            "of the ensemble inside, in layers of Keras alone.",
            run=(
                "pip install keras tensorflow",
                "python -c \"import keras; keras.models.load_model('model.keras').summary()\"",
            ),
            needs=("keras>=3.15", f"tensorflow>={tf.__version__}"),
            limits=(
                f"Pictures are stretched to {shape} before, as Pillow's resize((width, height), BILINEAR, "
                "reducing_gap=3.0) does it. Files are read before as training read them: turned by their EXIF "
                "orientation, laid on white where they are transparent, as grey or RGB, more than 8 bits brought to "
                "0 to 255 by the range in signature.json.",
            ),
            notes={"layers": len(model.layers), "parameters": int(model.count_params())},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        schema = Schema.from_json(read_json(folder / "signature.json")["schema"])
        table = TableEncoder(schema).encode(schema.parse(_read_rows(rows)))
        with tempfile.TemporaryDirectory() as place:
            pixels, out = Path(place) / "pixels.npy", Path(place) / "outputs.npy"
            np.save(pixels, np.asarray(table.pictures[0]))
            words = ["-I", "-c", LOAD, str((folder / FILE).resolve()), str(pixels), str(out)]
            run_python(words, step=f"Running {FILE}", folder=Path(place))
            return np.asarray(np.load(out, allow_pickle=False), dtype=np.float32)


def _read_rows(path: Path) -> pd.DataFrame:
    import pandas as pd

    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = dict.fromkeys(name for record in records for name in record)
    return pd.DataFrame({name: [record.get(name) for record in records] for name in names}, dtype=object)


def find_picture(source: Source) -> Column:
    """The one column of pictures that the model reads.

    Raises:
        NoGraphError: if it reads anything else, or has members that are no such nets; they are named.
    """
    predictor = source.predictor
    columns = predictor.schema.features
    hint = "automl export RUN --format savedmodel has the preparation inside; --format skops keeps the model as it is"
    if len(columns) != 1 or columns[0].role is not Role.IMAGE or not predictor.task.is_classification:
        raise NoGraphError(
            "Only nets that tell pictures apart become a Keras model, and this is another one", hint=hint
        )
    assert isinstance(predictor.model, BagModel)
    others = [m.name for m in predictor.model.members if not all(isinstance(f.estimator, PictureNet) for f in m.models)]
    if others:
        listed = ", ".join(repr(name) for name in others[:4])
        raise NoGraphError(f"Not all members are nets of Keras layers on pictures: {listed}", hint=hint)
    return columns[0]


def build_model(source: Source, column: Column) -> Any:
    """The functional model: (n, h, w, c) uint8 to (n, k) float32."""
    import keras

    bag = source.predictor.model
    assert isinstance(bag, BagModel)
    assert column.picture is not None
    inputs = keras.Input(column.picture.shape, dtype="uint8", name="pictures")
    pixels = keras.ops.cast(inputs, "float32")
    parts = []
    for member in bag.members:
        answers = [_answer(keras, fold.estimator, pixels) for fold in member.folds]
        mean = sum(answers[1:], start=answers[0]) * (1 / len(answers))
        parts.append(_calibrate(keras, member.calibrator, mean))
    return keras.Model(inputs, _join(keras, bag, parts), name="automl")


def _join(keras: Any, bag: BagModel, parts: list[Any]) -> Any:
    """The ensemble's outputs from those of its members."""
    if bag.layer is not None:
        logs = [keras.ops.log(keras.ops.clip(part, EDGE, 1.0)) for part in parts]
        shares = [part * slope for part, slope in zip(logs, bag.layer.slopes, strict=True)]
        shifts = np.array(bag.layer.shifts, dtype=np.float32)
        return keras.ops.softmax(sum(shares[1:], start=shares[0]) + shifts, axis=-1)
    shares = [part * member.weight for part, member in zip(parts, bag.members, strict=True)]
    return _calibrate(keras, bag.calibrator, sum(shares[1:], start=shares[0]))


def _answer(keras: Any, estimator: Any, pixels: Any) -> Any:
    """One net's probabilities: pictures made smaller as it learned them, mirrored where it knows them so."""
    net, factor = estimator.net, estimator.factor
    height, width = estimator.shape[:2]
    if factor > 1:
        crop = ((0, height % factor), (0, width % factor))
        small = keras.layers.AveragePooling2D(factor)(keras.layers.Cropping2D(crop)(pixels))
        pixels = keras.ops.round(small)
    model = net.build_keras(keras, dropout=0.0, augment=None)
    model.set_weights(estimator.weights)
    views = [pixels, keras.ops.flip(pixels, axis=2)] if estimator.flip else [pixels]
    answers = [keras.ops.softmax(model(view), axis=-1) for view in views]
    return answers[0] if len(answers) == 1 else (answers[0] + answers[1]) * 0.5


def _calibrate(keras: Any, calibrator: Calibrator, outputs: Any) -> Any:
    ops = keras.ops
    if calibrator.is_identity:
        return outputs
    if outputs.shape[-1] > 2:
        return ops.softmax(ops.log(ops.clip(outputs, EDGE, 1.0)) * calibrator.slope, axis=-1)
    positive = ops.clip(outputs[:, 1:], EDGE, 1.0 - EDGE)
    odds = (ops.log(positive) - ops.log(1.0 - positive)) * calibrator.slope + calibrator.shift
    moved = ops.sigmoid(odds)
    return ops.concatenate([1.0 - moved, moved], axis=1)


plugin: Format = Keras()
