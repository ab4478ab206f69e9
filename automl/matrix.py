"""What a model sees of a table: float32 matrices, what their columns mean, and what a model family needs of them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Array = NDArray[Any]

DESCRIPTORS = 300  # columns that a picture becomes, more or less


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a model family asks of its matrix; `automl.preprocess.plan` builds just that.

    Attributes:
        missing: True if the family takes NaN as it is; otherwise values are imputed.
        scaled: True if numbers must be on one scale. Trees never ask for it: float32 rounding at a split changes
            their predictions after export.
        categories: "native": integer codes as float32, NaN for missing and unseen; "embed": integer codes from 0 to
            cardinality - 1, with a code of their own for missing and for unseen; "numeric": encoded as numbers
            (one-hot, target, ordinal: a choice of the search).
        text: "dense": a few columns that stand for the n-grams of all texts, beside the others; "sparse": the whole
            matrix is a scipy CSR matrix (n, m) float32 whose last columns are weighted n-grams; "tokens": the last
            columns are word numbers in the order of the text, 0 after its end; "none": texts are left out.
        pictures: "features": pictures become descriptors, columns like any others; "pixels": the matrix is the first
            picture column itself, (n, h·w·c) uint8, and nothing else.
    """

    missing: bool = False
    scaled: bool = False
    categories: Literal["native", "embed", "numeric"] = "numeric"
    text: Literal["dense", "sparse", "tokens", "none"] = "dense"
    pictures: Literal["features", "pixels"] = "features"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of a matrix: its name, the source column it comes from, and how many codes it has.

    Attributes:
        cardinality: 0 for a number; for a category column the number of codes.
        width: columns that it stands for: the n-grams of a sparse matrix share one feature.
        token: whether it is a place in a text, holding the number of the word that stands there.
        shape: (height, width, channels) where the feature is a whole picture; () otherwise.
        computed: whether linear algebra makes it of a picture or a text, so that its last bit depends on the machine.
    """

    name: str
    source: str
    cardinality: int = 0
    width: int = 1
    token: bool = False
    shape: tuple[int, ...] = ()
    computed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The size of a problem, for rules that must not look at the data itself.

    Attributes:
        rows: training rows of the whole table.
        numbers, categories: columns of each role (dates count as the numbers they become).
        levels: sum of the category columns' levels.
        outputs: classes, or 1 for regression.
        texts: text columns; four counts of each are among `numbers`.
        text_bytes: size of all texts.
        pictures: picture columns.
        pixels: values of a row's pictures together.
        colored: whether any picture column has colours.
        backbone_file: file of weights, given by the user, that nets on pictures may start from; "" for none.
    """

    rows: int
    numbers: int
    categories: int
    levels: int
    outputs: int
    texts: int = 0
    text_bytes: int = 0
    pictures: int = 0
    pixels: int = 0
    colored: bool = False
    backbone_file: str = ""

    @property
    def columns(self) -> int:
        return self.numbers + self.categories + DESCRIPTORS * self.pictures

    @property
    def cells(self) -> int:
        return self.rows * max(1, self.columns)
