"""A table as plain arrays: what workers memory-map instead of pickling frames.

Levels of a category become integer codes once, for the whole table; this alone tells a model nothing about a row's
target, and a level that does not occur in a fold's training rows is treated as unseen by that fold's encoders.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from automl.files import read_json, write_array, write_json
from automl.graph import TREES, Graph
from automl.matrix import Array, FloatArray, Shape
from automl.pictures import read_cells
from automl.preprocess.corpus import Texts
from automl.schema import Column, PictureFormat, Role, Schema
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd

MISSING = -1
UNSEEN = -2
TEXT_FACTS = ("characters", "words", "digits", "capitals")
# Bytes that `str.split` splits at.
_BLANK = np.isin(np.arange(256), [*range(9, 14), *range(28, 33)])
# Below this many rows a dict look-up a cell beats building an index.
FEW_ROWS = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Names of a table's columns by kind, how many levels each category has, and how much text there is.

    Attributes:
        text_ascii: share of the texts' bytes that are ASCII; of Latin letters over .8, of other scripts below .4.
        encoder: whether a sentence encoder may read the texts, where one is installed.
        backbone: folder of the one that was asked for; "" for those of the extras.
        backbone_file: see `automl.matrix.Shape`.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    levels: tuple[int, ...]
    dates: tuple[str, ...]
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    texts: tuple[str, ...] = ()
    text_bytes: int = 0
    text_ascii: float = 1.0
    encoder: bool = True
    backbone: str = ""
    backbone_file: str = ""
    pictures: tuple[str, ...] = ()
    picture_shapes: tuple[tuple[int, int, int], ...] = ()

    @property
    def has_only_texts(self) -> bool:
        """Whether all other columns are but counts of the texts."""
        others = len(self.numbers) - len(TEXT_FACTS) * len(self.texts)
        return bool(self.texts) and not (others or self.categories or self.dates or self.pictures)

    @property
    def has_only_pictures(self) -> bool:
        """Whether there is no other column beside the pictures."""
        return bool(self.pictures) and not (self.numbers or self.categories or self.dates or self.texts)

    def source(self, name: str) -> str:
        """The column of the user's table that an array column was made from."""
        return self.sources.get(name, name)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> Layout:
        return Layout(
            numbers=tuple(record["numbers"]),
            categories=tuple(record["categories"]),
            levels=tuple(record["levels"]),
            dates=tuple(record["dates"]),
            sources=dict(record["sources"]),
            texts=tuple(record.get("texts", ())),
            text_bytes=int(record.get("text_bytes", 0)),
            text_ascii=float(record.get("text_ascii", 1.0)),
            encoder=bool(record.get("encoder", True)),
            backbone=str(record.get("backbone", "")),
            backbone_file=str(record.get("backbone_file", "")),
            pictures=tuple(record.get("pictures", ())),
            picture_shapes=tuple((int(h), int(w), int(c)) for h, w, c in record.get("picture_shapes", ())),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Feature columns as arrays, rows in the order of the data set.

    Attributes:
        numbers: (n, p) float32, NaN for missing; texts stand here as a few counts.
        categories: (n, q) int32 codes, `MISSING` and `UNSEEN` below zero.
        dates: (n, r) float64 seconds since the epoch, NaN for missing.
        texts: one a text column, of n texts each.
        pictures: an array (n, h, w, c) uint8 a picture column; missing ones are black.
    """

    layout: Layout
    numbers: FloatArray
    categories: Array
    dates: Array
    texts: tuple[Texts, ...] = ()
    pictures: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Array | slice) -> Table:
        """These rows, in this order."""
        return Table(
            layout=self.layout,
            numbers=np.asarray(self.numbers[rows]),
            categories=np.asarray(self.categories[rows]),
            dates=np.asarray(self.dates[rows]),
            texts=tuple(texts.take(rows) for texts in self.texts),
            pictures=tuple(np.asarray(pictures[rows]) for pictures in self.pictures),
        )

    def detach(self) -> Table:
        """The same rows, with texts that are counted by themselves: for rows that no other use shares."""
        return dataclasses.replace(self, texts=tuple(texts.detach() for texts in self.texts)) if self.texts else self

    def keep_counts(self, folder: Path) -> Table:
        """The same table, whose n-grams are counted once for all workers, and kept below `folder`."""
        texts = tuple(
            dataclasses.replace(texts, store=folder / f"ngrams-{place}") for place, texts in enumerate(self.texts)
        )
        return dataclasses.replace(self, texts=texts)

    def shape(self, task: Task) -> Shape:
        return Shape(
            rows=len(self),
            numbers=len(self.layout.numbers) + 4 * len(self.layout.dates),
            categories=len(self.layout.categories),
            levels=sum(self.layout.levels),
            outputs=task.n_outputs,
            texts=len(self.layout.texts),
            text_bytes=self.layout.text_bytes,
            pictures=len(self.layout.pictures),
            pixels=sum(h * w * c for h, w, c in self.layout.picture_shapes),
            colored=any(c == 3 for _, _, c in self.layout.picture_shapes),
            backbone_file=self.layout.backbone_file,
        )

    def save(self, folder: Path) -> None:
        """Write layout.json and .npy files: three, and three more a text column."""
        write_json(folder / "layout.json", self.layout.to_json())
        for name in ("numbers", "categories", "dates"):
            array = np.ascontiguousarray(getattr(self, name))
            write_array(folder / f"{name}.npy", lambda file, array=array: np.save(file, array))  # type: ignore[misc]
        for place, texts in enumerate(self.texts):
            texts.save(folder, f"text-{place}")
        for place, pictures in enumerate(self.pictures):
            path = folder / f"pictures_{place}.npy"
            write_array(path, lambda file, array=pictures: np.save(file, array))  # type: ignore[misc]

    @staticmethod
    def load(folder: Path) -> Table:
        """Memory-map what `save` wrote."""
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("numbers", "categories", "dates")
        }
        layout = Layout.from_json(read_json(folder / "layout.json"))
        texts = tuple(Texts.load(folder, f"text-{place}") for place in range(len(layout.texts)))
        pictures = tuple(
            np.load(folder / f"pictures_{place}.npy", mmap_mode="r", allow_pickle=False)
            for place in range(len(layout.pictures))
        )
        return Table(layout=layout, texts=texts, pictures=pictures, **arrays)


@dataclasses.dataclass(frozen=True, slots=True)
class TableNames:
    """A `Table` in a graph.

    Attributes:
        numbers, categories, dates: names of (n, p) float32, (n, q) int64 and (n, r) float64; empty if there are none.
        pictures: of each picture column the name of (n, h, w, c) uint8, and its (h, w, c).
    """

    numbers: str
    categories: str
    dates: str
    pictures: tuple[tuple[str, tuple[int, int, int]], ...] = ()


class TableEncoder:
    """Turns typed frames (`Schema.parse`) into tables, always in the same way.

    Args:
        sentences: see `Layout.encoder`.
        backbone, backbone_file: see `Layout`.
    """

    def __init__(self, schema: Schema, *, sentences: bool = True, backbone: str = "", backbone_file: str = "") -> None:
        self._numbers = schema.of(Role.NUMBER)
        self._categories = schema.of(Role.CATEGORY)
        self._dates = schema.of(Role.DATE)
        self._texts = schema.of(Role.TEXT)
        self._pictures = [column for column in schema.of(Role.IMAGE) if column.picture is not None]
        self._codes = [{level: code for code, level in enumerate(column.levels)} for column in self._categories]
        text_names = [(f"{column.name} ({fact})", column.name) for column in self._texts for fact in TEXT_FACTS]
        self.layout = Layout(
            numbers=(*(column.name for column in self._numbers), *(name for name, _ in text_names)),
            categories=tuple(column.name for column in self._categories),
            levels=tuple(len(column.levels) for column in self._categories),
            dates=tuple(column.name for column in self._dates),
            sources=dict(text_names),
            texts=tuple(column.name for column in self._texts),
            encoder=sentences,
            backbone=backbone,
            backbone_file=backbone_file,
            pictures=tuple(column.name for column in self._pictures),
            picture_shapes=tuple(column.picture.shape for column in self._pictures if column.picture),
        )

    def encode(self, frame: pd.DataFrame, pixels: Mapping[str, Array] | None = None) -> Table:
        """Arrays of a typed frame (n, d).

        Args:
            pixels: picture column → (n, h, w, c) uint8 where they have been decoded already.

        Raises:
            DataError: if a picture cannot be read; see `automl.pictures.read_cells`.
        """
        decoded = pixels or {}
        n = len(frame)
        numbers = np.empty((n, len(self.layout.numbers)), dtype=np.float32)
        for place, (values, column) in enumerate(zip(_cells(frame, self._numbers), self._numbers, strict=True)):
            # a float64 difference first: float32 would lose what sets large values apart
            numbers[:, place] = values - column.offset if column.offset else values
        np.copyto(numbers, np.nan, where=np.isinf(numbers))
        for place, column in enumerate(self._texts):
            start = len(self._numbers) + place * len(TEXT_FACTS)
            numbers[:, start : start + len(TEXT_FACTS)] = count_text(frame[column.name].to_numpy())
        categories = np.empty((n, len(self._categories)), dtype=np.int32)
        for place, (cells, column) in enumerate(zip(_cells(frame, self._categories), self._categories, strict=True)):
            categories[:, place] = encode_levels(cells, self._codes[place], column.levels)
        dates = np.empty((n, len(self._dates)), dtype=np.float64)
        for place, column in enumerate(self._dates):
            stamps = frame[column.name].to_numpy().astype("datetime64[s]")
            dates[:, place] = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64))
        texts = tuple(Texts.pack(frame[column.name].to_numpy()) for column in self._texts)
        layout = self.layout
        if texts:
            share = float(np.mean([part.corpus.ascii_share() for part in texts]))
            size = sum(part.corpus.n_bytes for part in texts)
            layout = dataclasses.replace(layout, text_bytes=size, text_ascii=round(share, 3))
        pictures = tuple(
            decoded[column.name]
            if column.name in decoded
            else read_cells(frame[column.name].to_numpy(dtype=object), cast("PictureFormat", column.picture))
            for column in self._pictures
        )
        return Table(layout=layout, numbers=numbers, categories=categories, dates=dates, texts=texts, pictures=pictures)

    def to_graph(self, graph: Graph) -> TableNames:
        """Inputs, one a column, and what `encode` makes of them.

        Numbers are float32, missing NaN (float64 where the training values are too large for float32 to tell apart);
        categories are texts, missing empty; dates are float64 seconds since 1970 in UTC, missing NaN; of a text its
        counts come as numbers of their own; pictures are uint8, missing zeros.
        """
        numbers = []
        for column in self._numbers:
            value = graph.input(column.name, "float64" if column.offset else "float32")
            if column.offset:
                value = graph.cast(graph.add("Sub", value, np.float64(column.offset)), "float32")
            numbers.append(value)
        for column in self._texts:
            numbers += [graph.input(f"{column.name} ({fact})", "float32") for fact in TEXT_FACTS]
        joined = graph.concat(numbers) if numbers else ""
        if joined:
            joined = graph.add("Where", graph.add("IsInf", joined), np.float32(np.nan), joined)
        codes = []
        for column in self._categories:
            texts, values = spell_levels(column)
            codes.append(
                graph.add(
                    "LabelEncoder",
                    graph.input(column.name, "str"),
                    domain=TREES,
                    keys_strings=texts,
                    values_int64s=values,
                    default_int64=UNSEEN,
                )
            )
        dates = [graph.input(column.name, "float64") for column in self._dates]
        pictures = []
        for column in self._pictures:
            form = cast("PictureFormat", column.picture)
            source = {"column": column.name, "kind": "picture", "picture": dataclasses.asdict(form)}
            pictures.append((graph.input(column.name, "uint8", form.shape, source), form.shape))
        return TableNames(
            joined, graph.concat(codes) if codes else "", graph.concat(dates) if dates else "", tuple(pictures)
        )


def spell_levels(column: Column) -> tuple[list[str], list[int]]:
    """Texts of a category's cells and their codes; what stands for no value has `MISSING`."""
    codes = {"": MISSING, **dict.fromkeys(column.format.missing, MISSING)}
    codes |= {level: code for code, level in enumerate(column.levels)}
    if column.levels and set(column.levels) <= {"True", "False"}:
        for text, level in (("true", "True"), ("TRUE", "True"), ("1", "True"), ("1.0", "True")):
            codes.setdefault(text, codes.get(level, UNSEEN))
        for text, level in (("false", "False"), ("FALSE", "False"), ("0", "False"), ("0.0", "False")):
            codes.setdefault(text, codes.get(level, UNSEEN))
    return list(codes), list(codes.values())


def _cells(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[Any]:
    """The cells (n,) of each of these columns, all of one dtype; of few rows from one array, for a column of a frame is
    an object that takes longer to make than a few cells to read."""
    if columns and len(frame) < FEW_ROWS:
        yield from frame[[column.name for column in columns]].to_numpy().T
    else:
        yield from (frame[column.name] for column in columns)


def encode_levels(series: Any, codes: dict[str, int], levels: Sequence[str]) -> Array:
    """Codes (n,) int32 of category cells (str or None, or a categorical of them)."""
    if hasattr(series, "cat"):
        each = [*(codes.get(text, UNSEEN) for text in series.cat.categories), MISSING]
        places: Array = series.cat.codes.to_numpy()
        return np.array(each, dtype=np.int32)[places]
    values = np.asarray(series)
    if len(values) < FEW_ROWS:
        return np.array(
            [codes.get(value, UNSEEN) if isinstance(value, str) else MISSING for value in values], dtype=np.int32
        )
    import pandas as pd

    # as Python objects, whose hashes are known: the index of texts would copy every cell
    known = pd.Index(np.array(levels, dtype=object), dtype=object)
    found = known.get_indexer(pd.Index(values, dtype=object))
    result: Array = found.astype(np.int32)
    unknown = np.flatnonzero(result < 0)
    if len(unknown):
        result[unknown] = np.where(pd.isna(values[unknown]), MISSING, UNSEEN)
    return result


def count_text(values: Array) -> FloatArray:
    """(n, 4) float32: characters, words, digits and capital letters of each text; NaN where there is none."""
    facts = np.full((len(values), len(TEXT_FACTS)), np.nan, dtype=np.float32)
    plain: list[int] = []
    for place, text in enumerate(values):
        if not isinstance(text, str):
            continue
        if text and text.isascii():
            plain.append(place)
        else:
            words, digits = len(text.split()), len(re.findall(r"\d", text))
            facts[place] = len(text), words, digits, sum(map(str.isupper, text))
    if plain:
        facts[plain] = _count_plain([values[place] for place in plain])
    return facts


def _count_plain(texts: list[str]) -> FloatArray:
    """The same of texts in ASCII, none of them empty: counted side by side, byte by byte."""
    letters = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    inside = ~_BLANK[letters]
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    begins[starts] = inside[starts]
    digits, capitals = (letters >= 48) & (letters <= 57), (letters >= 65) & (letters <= 90)
    counts = [np.add.reduceat(flags, starts, dtype=np.int64) for flags in (begins, digits, capitals)]
    return np.column_stack([lengths, *counts]).astype(np.float32)
