"""Pictures as arrays: .npz files (x_train, y_train, x_test, y_test, or x and y) and the idx files of MNIST."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from automl.data.collections import Part
from automl.data.table import RawTable
from automl.errors import DataError
from automl.matrix import Array
from automl.picture_arrays import is_array_file, open_arrays
from automl.pictures import INSIDE
from automl.recipe import DataOptions

PATH, LABEL = "path", "label"
_PICTURES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "label", "target", "arr_1")


class PictureArrays:
    """Pictures (n, h, w) or (n, h, w, c) with a label each; labels of an idx file lie in a second one beside it."""

    def claims(self, path: Path) -> bool:
        outer, _, inner = str(path).partition(INSIDE)
        return (not inner or inner == "test") and is_array_file(Path(outer))

    def find_test(self, path: Path) -> Path | None:
        arrays = open_arrays(str(path)) if path.suffix.lower() == ".npz" else {}
        both = _find(arrays, _PICTURES, "test") and _find(arrays, _LABELS, "test")
        return Path(f"{path}{INSIDE}test") if both else None

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        outer, _, inner = str(path).partition(INSIDE)
        place = Path(outer).resolve()
        part = "test" if inner == "test" else part
        arrays = open_arrays(str(place))
        if place.suffix.lower() != ".npz":
            return _make_table(place, [_pick_idx(place, arrays)])
        return _make_table(place, _pick(arrays, part, place))


def _make_table(place: Path, parts: list[tuple[Array, Array | None, str]]) -> RawTable:
    """One row a picture of each array; labels where all arrays have them."""
    import pandas as pd

    names, labels = [], []
    for picked, found, key in parts:
        if picked.ndim not in (3, 4) or (picked.ndim == 4 and picked.shape[3] not in (1, 3, 4)):
            raise DataError(
                f"{place.name} holds an array {picked.shape}, not pictures (n, height, width) or (n, height, width, 3)",
                hint="Give a table of features as CSV or Parquet",
            )
        if found is not None and len(found) != len(picked):
            raise DataError(
                f"{place.name} has {len(picked)} pictures and {len(found)} labels", hint="Write one label a picture"
            )
        names += [f"{key}/{row}" for row in range(len(picked))]
        if found is not None:
            labels.append(found.reshape(len(picked), -1)[:, 0])
    columns: dict[str, object] = {PATH: [f"{place}{INSIDE}{name}" for name in names]}
    if len(labels) == len(parts):
        columns[LABEL] = np.concatenate(labels)
    return RawTable(frame=pd.DataFrame(columns), target=LABEL, names=tuple(names), pictures=(PATH,))


def _pick(arrays: dict[str, Array], part: Part, place: Path) -> list[tuple[Array, Array | None, str]]:
    """Pictures, labels and name of the arrays of a part; all of them where no part is asked for."""
    words = {"test": ("test", "train", ""), "train": ("train", ""), "all": ("train", "", "val", "test")}[part]
    pairs = [(_find(arrays, _PICTURES, word), _find_labels(arrays, word)) for word in words]
    pairs = [pair for pair in pairs if pair[0]]
    if not pairs:
        listed = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6]) or "nothing"
        raise DataError(f"{place.name} has no array of pictures, but {listed}", hint="Name the arrays x and y")
    return [(arrays[key], arrays.get(label), key) for key, label in (pairs if part == "all" else pairs[:1])]


def _find_labels(arrays: dict[str, Array], word: str) -> str:
    """The name of a part's labels; what is learned from may have "train" in the name of either or of none."""
    other = {"train": "", "": "train"}.get(word)
    return _find(arrays, _LABELS, word) or ("" if other is None else _find(arrays, _LABELS, other))


def _find(arrays: dict[str, Array], words: tuple[str, ...], part: str) -> str:
    """The name of the array that a word and a part are both in, such as "x_train" or "train_images"."""
    for name in arrays:
        pieces = set(re.split(r"[^a-z0-9]+", name.lower().replace("arr_", "arr-")))
        pieces = {piece for piece in pieces if piece} | ({name.lower()} & {"arr_0", "arr_1"})
        if pieces & set(words) and (part in pieces if part else not pieces & {"train", "test", "val"}):
            return name
    return ""


def _pick_idx(place: Path, arrays: dict[str, Array]) -> tuple[Array, Array | None, str]:
    beside = place.with_name(place.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = None
    if beside != place and is_array_file(beside):
        labels = open_arrays(str(beside))["array"].astype(np.int64)
    return arrays["array"], labels, "array"


plugin = PictureArrays()
