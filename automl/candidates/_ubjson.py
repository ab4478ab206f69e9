"""Universal binary JSON, as XGBoost writes its models: read without copying an array number by number."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

# Marker → big-endian dtype of a number.
NUMBERS = {
    ord(marker): np.dtype(code)
    for marker, code in {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}.items()
}
SCALARS = {
    ord(marker): struct.Struct(code)
    for marker, code in {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}.items()
}
WORDS = {ord("T"): True, ord("F"): False, ord("Z"): None}
OBJECT, OBJECT_END, LIST, LIST_END, TEXT, TYPE, COUNT = (ord(mark) for mark in "{}[]S$#")
MAX_DEPTH = 64


def read_ubjson(data: bytes) -> Any:
    """The value that `data` holds; arrays of one type of number are numpy arrays over it, big-endian.

    Only what XGBoost writes is known of the format (ubjson.org, draft 12): no counted objects, no optimised types but
    those of arrays of numbers.

    Raises:
        ValueError: if the bytes are anything else, or end too soon.
    """
    try:
        return _Reader(data).read(data[0], 1, 0)[0]
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError("these bytes are no binary JSON of XGBoost") from error


class _Reader:
    """Every reader of a value is given where the value begins, behind its marker, and tells where it ends."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.readers: dict[int, Callable[[int, int], tuple[Any, int]]] = {
            OBJECT: self.read_object,
            LIST: self.read_list,
            TEXT: self.read_text,
        }

    def read(self, marker: int, at: int, depth: int) -> tuple[Any, int]:
        if marker in SCALARS:
            scalar = SCALARS[marker]
            return scalar.unpack_from(self.data, at)[0], at + scalar.size
        if marker in WORDS:
            return WORDS[marker], at
        if depth > MAX_DEPTH:
            raise ValueError("these bytes are nested too deep")
        return self.readers[marker](at, depth)

    def read_count(self, at: int) -> tuple[int, int]:
        scalar = SCALARS[self.data[at]]
        count = int(scalar.unpack_from(self.data, at + 1)[0])
        if not 0 <= count <= len(self.data):
            raise ValueError("these bytes tell of more than there is")
        return count, at + 1 + scalar.size

    def read_text(self, at: int, depth: int = 0) -> tuple[str, int]:
        size, at = self.read_count(at)
        return self.data[at : at + size].decode(), at + size

    def read_object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while self.data[at] != OBJECT_END:
            key, at = self.read_text(at)
            found[key], at = self.read(self.data[at], at + 1, depth + 1)
        return found, at + 1

    def read_list(self, at: int, depth: int) -> tuple[Any, int]:
        if self.data[at] == TYPE:
            return self.read_array(at + 1)
        if self.data[at] == COUNT:
            count, at = self.read_count(at + 1)
            values = []
            for _ in range(count):
                value, at = self.read(self.data[at], at + 1, depth + 1)
                values.append(value)
            return values, at
        values = []
        while self.data[at] != LIST_END:
            value, at = self.read(self.data[at], at + 1, depth + 1)
            values.append(value)
        return values, at + 1

    def read_array(self, at: int) -> tuple[Any, int]:
        dtype = NUMBERS[self.data[at]]
        if self.data[at + 1] != COUNT:
            raise ValueError("an array of one type tells no length")
        count, at = self.read_count(at + 2)
        return np.frombuffer(self.data, dtype, count, at), at + count * dtype.itemsize
