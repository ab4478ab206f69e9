"""The record beside a saved model: who wrote it, its facts, and the checksum of each of its files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import ArtifactError
from automl.files import sha256, write_array, write_json
from automl.matrix import Array

NAME = "record.json"
VERSION = 1
MAX_RECORD_BYTES = 4 * 1024 * 1024
_HINT = "Make the model again: automl fit DATA --target Y"


def refuse(folder: Path, reason: str) -> ArtifactError:
    """The error for a saved model that must not be used."""
    return ArtifactError(f"The saved model {folder} cannot be used: {reason}", hint=_HINT)


def write_record(folder: Path, candidate: str, facts: Mapping[str, Any]) -> None:
    """Write `record.json` over whatever files the model has already put into `folder`."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != NAME}
    write_json(folder / NAME, {"version": VERSION, "candidate": candidate, "facts": dict(facts), "files": files})


def read_record(folder: Path, candidate: str, files: tuple[str, ...]) -> dict[str, Any]:
    """The facts of a saved model, once the folder is seen to hold exactly `files`, unchanged.

    Raises:
        ArtifactError: if a file is missing, strange or altered, or another family wrote the folder.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise refuse(folder, f"{NAME} is too large")
        record = json.loads(path.read_text(encoding="utf-8"))
        found = sorted(entry.name for entry in folder.iterdir() if entry.name != NAME)
    except (OSError, ValueError, RecursionError) as error:
        raise refuse(folder, f"{NAME} cannot be read ({type(error).__name__})") from error
    if not isinstance(record, dict) or not isinstance(record.get("facts"), dict):
        raise refuse(folder, f"{NAME} is not a model's record")
    if record.get("version") != VERSION:
        raise refuse(folder, f"it has format version {record.get('version')!r}, this is version {VERSION}")
    if record.get("candidate") != candidate:
        raise refuse(folder, f"it is a {record.get('candidate')!r}, not a {candidate!r}")
    sums = record.get("files")
    if not isinstance(sums, dict) or found != sorted(files) or sorted(sums) != sorted(files):
        raise refuse(folder, f"it should hold {', '.join(files) or 'nothing else'}, and holds {', '.join(found)}")
    for name in files:
        if _checksum(folder, name) != sums[name]:
            raise refuse(folder, f"{name} is damaged (its checksum differs)")
    facts: dict[str, Any] = record["facts"]
    return facts


def _checksum(folder: Path, name: str) -> str:
    try:
        return sha256(folder / name)
    except OSError as error:
        raise refuse(folder, f"{name} cannot be read") from error


def check_fact(folder: Path, facts: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """One fact, of a known type.

    Raises:
        ArtifactError: if it is missing, of another type, or a number that is not finite.
    """
    value = facts.get(name)
    if not isinstance(value, kind) or (isinstance(value, float) and not np.isfinite(value)):
        raise refuse(folder, f"{name} is {value!r}")
    return value


def check_int(folder: Path, facts: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A whole number within [low, high].

    Raises:
        ArtifactError: if it is not.
    """
    value = facts.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise refuse(folder, f"{name} is {value!r}")
    return value


def check_numbers(folder: Path, facts: Mapping[str, Any], name: str, length: int | None = None) -> Array:
    """A list of finite numbers as a float64 array.

    Raises:
        ArtifactError: if it is anything else.
    """
    value = facts.get(name)
    if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
        raise refuse(folder, f"{name} is no list of numbers")
    numbers = np.asarray(value, dtype=np.float64)
    if not np.isfinite(numbers).all() or (length is not None and len(numbers) != length):
        raise refuse(folder, f"{name} has strange numbers")
    return numbers


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as one uncompressed .npz."""
    write_array(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Read exactly the arrays `names` from an .npz; nothing in it is executed.

    Raises:
        ArtifactError: if it is no .npz, or holds other arrays.
    """
    arrays = read_archive(path)
    if sorted(arrays) != sorted(names):
        raise refuse(path.parent, f"{path.name} holds other arrays than expected")
    return {name: arrays[name] for name in names}


def read_archive(path: Path) -> dict[str, Array]:
    """Read all arrays of an .npz by name; nothing in it is executed.

    Raises:
        ArtifactError: if it is no .npz.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise refuse(path.parent, f"{path.name} is no .npz")
        with archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise refuse(path.parent, f"{path.name} cannot be read ({type(error).__name__})") from error


def check_array(folder: Path, array: Array, name: str, dtype: str, shape: tuple[int, ...]) -> None:
    """Demand a dtype and a shape; -1 stands for any length.

    Raises:
        ArtifactError: if they differ.
    """
    fits = len(array.shape) == len(shape) and all(
        want in (-1, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        raise refuse(folder, f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}")
