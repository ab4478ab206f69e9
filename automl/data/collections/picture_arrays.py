"""Pictures as arrays: .npz files (x_train, y_train, x_test, y_test, or x and y) and the idx files of MNIST."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from automl.data.collections import Part
from automl.data.table import RawTable
from automl.errors import DataError
from automl.matrix import Array
from automl.picture_arrays import is_array_file, open_arrays
from automl.picture_places import INSIDE, split_inside
from automl.recipe import DataOptions
from automl.schema import Notice

PATH, LABEL = "path", "label"
_PICTURES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "label", "target", "arr_1")
_PARTS = {"train": {"train", "training"}, "test": {"test", "testing"}, "val": {"val", "valid", "validation"}}

_Names = tuple[str, str]  # of an array of pictures and of that of its labels, "" if there are none
_Arrays = tuple[Array, Array | None, str, str]  # both, and their names


class PictureArrays:
    """Pictures (n, h, w) or (n, h, w, c) with a label each; labels of an idx file lie in a second one beside it."""

    def claims(self, path: Path) -> bool:
        outer, inner = split_inside(str(path))
        return (not inner or inner == "test") and is_array_file(Path(outer))

    def find_test(self, path: Path) -> Path | None:
        arrays = open_arrays(str(path)) if path.suffix.lower() == ".npz" else {}
        test = _best_test(_name_parts(arrays))
        return Path(f"{path}{INSIDE}test") if test and test[1] else None

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        outer, inner = split_inside(str(path))
        place = Path(outer).resolve()
        part = "test" if inner == "test" else part
        arrays = open_arrays(str(place))
        if place.suffix.lower() != ".npz":
            return _make_table(place, [_pick_idx(place, arrays)], [])
        return _make_table(place, *_pick(arrays, part, place))


def _make_table(place: Path, parts: list[_Arrays], notices: list[Notice]) -> RawTable:
    """One row a picture of each array; labels where all arrays have them."""
    import pandas as pd

    names: list[str] = []
    labels: list[Array] = []
    has_classes = False
    for picked, found, key, label in parts:
        if picked.ndim not in (3, 4) or (picked.ndim == 4 and picked.shape[3] not in (1, 3, 4)):
            raise DataError(
                f"{place.name} holds an array {picked.shape}, not pictures (n, height, width) or (n, height, width, 3)",
                hint="Give a table of features as CSV or Parquet",
            )
        names += [f"{key}/{row}" for row in range(len(picked))]
        if found is not None:
            if found.ndim == 0 or len(found) != len(picked):
                count = len(found) if found.ndim else "no array of"
                raise DataError(
                    f"{place.name} has {len(picked)} pictures and {count} labels", hint="Write one label a picture"
                )
            flat, remarks = _flatten_labels(found, label, place)
            labels.append(flat)
            notices += remarks
            has_classes |= bool(remarks)
    columns: dict[str, object] = {PATH: [f"{place}{INSIDE}{name}" for name in names]}
    if len(labels) == len(parts):
        columns[LABEL] = np.concatenate(labels)
    return RawTable(
        frame=pd.DataFrame(columns),
        target=LABEL,
        has_classes=has_classes,
        names=tuple(names),
        pictures=(PATH,),
        notices=tuple(notices),
    )


def _flatten_labels(labels: Array, name: str, place: Path) -> tuple[Array, list[Notice]]:
    """One label a picture (n,); of columns with a single 1 in a row, as `keras.utils.to_categorical` makes them, the
    place of the 1."""
    wide = labels.reshape(len(labels), math.prod(labels.shape[1:]))
    if wide.shape[1] == 1:
        return wide[:, 0], []
    if wide.dtype.kind not in "biuf" or not (((wide == 0) | (wide == 1)).all() and (wide.sum(axis=1) == 1).all()):
        raise DataError(
            f"{place.name} has {wide.shape[1]} labels a picture in {name!r}",
            hint="Write one label a picture, or columns of zeros with a single 1 a row",
        )
    text = f"{name} has {wide.shape[1]} columns with a single 1 a row: its place is the class, 0 to {wide.shape[1] - 1}"
    return wide.argmax(axis=1), [Notice(topic="target", text=text)]


def _pick(arrays: dict[str, Array], part: Part, place: Path) -> tuple[list[_Arrays], list[Notice]]:
    """The arrays of a part, all of them where no part is asked for; and what is said of the others."""
    parts = _name_parts(arrays)
    learned, test = parts.get("train") or parts.get(""), _best_test(parts)
    chosen = learned if part == "train" else test or learned
    names = list(parts.values()) if part == "all" else [chosen] if chosen else []
    if not names:
        listed = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6]) or "nothing"
        raise DataError(f"{place.name} has no array of pictures, but {listed}", hint="Name the arrays x and y")
    notices = [] if part == "all" else _describe_parts(parts, names[0], test, part)
    return [(arrays[key], arrays.get(label), key, label) for key, label in names], notices


def _best_test(parts: dict[str, _Names]) -> _Names | None:
    """The arrays kept for a test, rather those with labels; those for validation where there are no others."""
    tests = [parts[part] for part in ("test", "val") if part in parts]
    return next((pair for pair in tests if pair[1]), tests[0] if tests else None)


def _describe_parts(parts: dict[str, _Names], chosen: _Names, test: _Names | None, part: Part) -> list[Notice]:
    """What is said of a file with several arrays of pictures: which is used, and which are not."""
    if len(parts) == 1:
        return []
    told = [(f"{chosen[0]} is {'learned from' if part == 'train' else 'scored'}", f"the file has {_join(parts)}")]
    if part == "train":
        is_scored = test is not None and bool(test[1])
        if test and not is_scored:
            told.append((f"{test[0]} is not scored", "it has no labels: automl predict answers it"))
        reason = f"{test[0]} is scored" if test and is_scored else f"{chosen[0]} is learned from"
        told += [(f"{pair[0]} is not used", reason) for pair in parts.values() if pair not in (chosen, test)]
    return [Notice(topic="pictures", text=text, reason=reason) for text, reason in told]


def _join(parts: dict[str, _Names]) -> str:
    *most, last = [key for key, _ in parts.values()]
    return f"{', '.join(most)} and {last}"


def _name_parts(arrays: dict[str, Array]) -> dict[str, _Names]:
    """Part → its arrays; "" is what has the name of none."""
    words = ("train", "", "val", "test")
    found = {word: (_find(arrays, _PICTURES, word), _find_labels(arrays, word)) for word in words}
    return {part: pair for part, pair in found.items() if pair[0]}


def _find_labels(arrays: dict[str, Array], word: str) -> str:
    """The name of a part's labels; what is learned from may have "train" in the name of either or of none."""
    other = {"train": "", "": "train"}.get(word)
    return _find(arrays, _LABELS, word) or ("" if other is None else _find(arrays, _LABELS, other))


def _find(arrays: dict[str, Array], words: tuple[str, ...], part: str) -> str:
    """The name of the array that a word and a part are both in, such as "x_train" or "train_images"."""
    for name in arrays:
        pieces = set(re.split(r"[^a-z0-9]+", name.lower().replace("arr_", "arr-")))
        pieces = {piece for piece in pieces if piece} | ({name.lower()} & {"arr_0", "arr_1"})
        if pieces & set(words) and (pieces & _PARTS[part] if part else not pieces & set().union(*_PARTS.values())):
            return name
    return ""


def _pick_idx(place: Path, arrays: dict[str, Array]) -> _Arrays:
    beside = place.with_name(place.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = None
    if beside != place and is_array_file(beside):
        labels = open_arrays(str(beside))["array"].astype(np.int64)
    return arrays["array"], labels, "array", beside.name


plugin = PictureArrays()
