"""Pictures: the tool beside the convolutional net of the Keras tutorial, in the same time, on the same test pictures.

    python -m tests.benchmark.pictures --data DIR --out FOLDER [--sets a,b] [--seconds 300] [--only automl|tutorial]

DIR holds a folder a set, with train.zip and test.zip (a folder a class), or is itself a zip with the parts train/ and
test/. The net is convolution with 32 and 64 channels, each with pooling, dropout of a half and one dense layer (the
MNIST example of keras.io), trained by a loop written here until its time is over; pictures are brought to one size of
at most 96 a side. A line a set and contestant goes to pictures.jsonl.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmark.scores import make_parser, score_labels

SIDE, BATCH, LEAVE = 96, 128, 2.0  # the last seconds are for predicting
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def main() -> None:
    parser = make_parser(__doc__, 300.0)
    parser.add_argument("--only", choices=("automl", "tutorial"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    contestants = {"automl": run_tool, "tutorial": run_tutorial}
    for name in list_sets(options):
        train, test, labels = lay_out(options.data, name, options.out / "sets" / name)
        for contestant, run in contestants.items():
            if options.only not in (None, contestant):
                continue
            began = time.monotonic()
            predicted, facts = run(train, test, options)
            scores = {key: round(value, 4) for key, value in score_labels(labels, predicted).items()}
            record = {"set": name, "contestant": contestant, "seconds": options.seconds, **scores, **facts}
            line = json.dumps({**record, "wall_in_all": round(time.monotonic() - began, 1)})
            with (options.out / "pictures.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            print(line, flush=True)


def list_sets(options: argparse.Namespace) -> list[str]:
    if options.data.is_file():
        return [options.data.stem]
    return options.sets.split(",") if options.sets else sorted(path.name for path in options.data.iterdir())


def lay_out(data: Path, name: str, place: Path) -> tuple[Path, Path, list[str]]:
    """The folder of training pictures, that of test pictures without their classes, and these in the order of names."""
    parts = {"train": data / name / "train.zip", "test": data / name / "test.zip"}
    shutil.rmtree(place, ignore_errors=True)
    labels = []
    for part in ("train", "test"):
        with zipfile.ZipFile(data if data.is_file() else parts[part]) as archive:
            members = [member for member in sorted(archive.namelist()) if member.lower().endswith(SUFFIXES)]
            if data.is_file():
                members = [member for member in members if member.split("/")[-3] == part]
            for number, member in enumerate(members):
                label, suffix = member.split("/")[-2], Path(member).suffix
                file = place / part / (label if part == "train" else "") / f"{number:05d}{suffix}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(member))
                labels += [label] if part == "test" else []
    return place / "train", place / "test", labels


def run_tool(train: Path, test: Path, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """The command line of a user."""
    run, answers = options.out / f"run_{train.parent.name}_{time.time_ns()}", options.out / "predicted.csv"
    began = time.monotonic()
    call("fit", train, "--time", f"{options.seconds:g}s", "--out", run, "--quiet")
    wall = time.monotonic() - began
    call("predict", run, test, "--quiet", "--out", answers)
    table = pd.read_csv(answers, dtype=str, keep_default_na=False).sort_values("path")
    return table["prediction"].tolist(), {"wall": round(wall, 1)}


def call(*words: Any) -> None:
    subprocess.run([sys.executable, "-m", "automl", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def run_tutorial(train: Path, test: Path, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """The net of the tutorial, until its time is over: reading pictures and starting Keras count, as for the tool."""
    began = time.monotonic()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    files = sorted(train.rglob("*.*"))
    classes = sorted({file.parent.name for file in files})
    pixels = read_pictures(files)
    learned = np.array([classes.index(file.parent.name) for file in files], dtype=np.int32)
    asked = read_pictures(sorted(test.iterdir()), like=pixels)
    model = build_tutorial(keras, pixels.shape[1:], len(classes))
    optimizer, loss = keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(rows: Any, truth: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(truth, model(tf.cast(rows, tf.float32) / 255.0, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

    epochs, rng = 0, np.random.default_rng(0)
    while time.monotonic() - began < options.seconds - LEAVE:
        order = rng.permutation(len(pixels))
        for at in range(0, len(order), BATCH):
            step(tf.constant(pixels[order[at : at + BATCH]]), tf.constant(learned[order[at : at + BATCH]]))
            if time.monotonic() - began >= options.seconds - LEAVE:
                break
        else:
            epochs += 1
    parts = [model(asked[at : at + 256].astype(np.float32) / 255.0) for at in range(0, len(asked), 256)]
    best = np.concatenate([np.asarray(part) for part in parts]).argmax(axis=1)
    facts = {"wall": round(time.monotonic() - began, 1), "epochs": epochs}
    return [classes[code] for code in best], facts


def build_tutorial(keras: Any, shape: tuple[int, ...], classes: int) -> Any:
    """keras.io/examples/vision/mnist_convnet, layer by layer."""
    layers = keras.layers
    stack = [
        keras.Input(shape),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(classes, activation="softmax"),
    ]
    low = min(shape[:2]) < 12  # pictures of 8 × 8 have no room for the borders that the convolutions take
    if low:
        stack = [stack[0], layers.ZeroPadding2D(2), *stack[1:]]
    return keras.Sequential(stack)


def read_pictures(files: list[Path], like: np.ndarray | None = None) -> np.ndarray:
    """(n, h, w, c) uint8 at the size and with the channels of the first picture, or of `like`."""
    from PIL import Image

    def read(file: Path) -> Image.Image:
        return Image.open(io.BytesIO(file.read_bytes()))

    if like is None:
        first = read(files[0])
        scale = min(1.0, SIDE / max(first.size))
        size = (max(1, round(first.width * scale)), max(1, round(first.height * scale)))
        mode = "L" if first.mode in {"L", "1", "I;16"} else "RGB"
    else:
        size, mode = (like.shape[2], like.shape[1]), "L" if like.shape[3] == 1 else "RGB"
    found = [np.asarray(read(file).convert(mode).resize(size, Image.Resampling.BILINEAR)) for file in files]
    return np.stack(found).reshape(len(files), size[1], size[0], -1)


if __name__ == "__main__":
    main()
