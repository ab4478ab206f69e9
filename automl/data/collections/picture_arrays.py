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
        return Path(f"{path}{INSIDE}test") if _find(arrays, _PICTURES, "test") else None

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        import pandas as pd

        outer, _, inner = str(path).partition(INSIDE)
        place = Path(outer).resolve()
        part = "test" if inner == "test" else part
        arrays = open_arrays(str(place))
        picked, labels, key = _pick_idx(place, arrays) if place.suffix.lower() != ".npz" else _pick(arrays, part, place)
        if picked.ndim not in (3, 4) or (picked.ndim == 4 and picked.shape[3] not in (1, 3, 4)):
            raise DataError(
                f"{place.name} holds an array {picked.shape}, not pictures (n, height, width) or (n, height, width, 3)",
                hint="Give a table of features as CSV or Parquet",
            )
        if labels is not None and len(labels) != len(picked):
            raise DataError(
                f"{place.name} has {len(picked)} pictures and {len(labels)} labels", hint="Write one label a picture"
            )
        columns: dict[str, object] = {PATH: [f"{place}{INSIDE}{key}/{row}" for row in range(len(picked))]}
        if labels is not None:
            columns[LABEL] = labels.reshape(len(picked), -1)[:, 0]
        names = tuple(f"{key}/{row}" for row in range(len(picked)))
        return RawTable(frame=pd.DataFrame(columns), target=LABEL, names=names, pictures=(PATH,))


def _pick(arrays: dict[str, Array], part: Part, place: Path) -> tuple[Array, Array | None, str]:
    if part == "test" and _find(arrays, _PICTURES, "test"):
        key, label = _find(arrays, _PICTURES, "test"), _find(arrays, _LABELS, "test")
    else:
        key = _find(arrays, _PICTURES, "train") or _find(arrays, _PICTURES, "")
        label = _find(arrays, _LABELS, "train") or _find(arrays, _LABELS, "")
    if not key:
        listed = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6]) or "nothing"
        raise DataError(f"{place.name} has no array of pictures, but {listed}", hint="Name the arrays x and y")
    return arrays[key], arrays.get(label), key


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
