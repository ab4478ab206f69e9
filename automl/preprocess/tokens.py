"""Texts as code points and tokens: the one tokeniser, in plain numpy, that training, prediction and export share.

A text is brought to one form (`normalize`), its characters fall into four classes, and everything after that is
arithmetic on arrays, so that a model needs no locale, no dictionary and no code but this file to read a text.
"""

from __future__ import annotations

import dataclasses
import html
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from automl.matrix import Array
from automl.schema import MAX_TEXT_CHARACTERS

BLANK, WORD, SINGLE, SYMBOL = 0, 1, 2, 3

_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|center|code|div|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|script|small|span"
    r"|strong|style|sub|sup|table|tbody|td|th|title|tr|u|ul)(?:\s[^<>]{0,500})?/?>|<!--.{0,2000}?-->",
    re.IGNORECASE | re.DOTALL,
)
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\uff07": "'"})
# Scripts that put no blanks between words: there each character is a token, and n-grams do a segmenter's work.
_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),  # ideographs
)


def normalize(text: str) -> str:
    """One form for what means the same: HTML undone, NFKC, lower case, single blanks."""
    text = text[:MAX_TEXT_CHARACTERS]
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    # a lone surrogate is no character and has no UTF-8
    return " ".join(text.lower().split()).encode("utf-8", "replace").decode("utf-8")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Normalised texts, one after the other, each between two blanks.

    Attributes:
        codes: (c,) uint32 code points.
        texts: (c,) int32 number of the text that each belongs to.
        count: number of texts.
    """

    codes: Array
    texts: Array
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Where tokens lie in `Points.codes`.

    Attributes:
        starts, ends: (t,) int64.
        texts: (t,) int32 number of each token's text, ascending.
    """

    starts: Array
    ends: Array
    texts: Array


def to_points(texts: Sequence[str | None]) -> Points:
    """Normalise texts and lay them out as code points; None counts as an empty text."""
    forms = [f" {normalize(text)} " if text else "" for text in texts]
    lengths = np.array([len(form) for form in forms], dtype=np.int64)
    codes = np.frombuffer("".join(forms).encode("utf-32-le"), dtype=np.uint32)
    return Points(codes=codes, texts=np.repeat(np.arange(len(forms), dtype=np.int32), lengths), count=len(forms))


def to_tokens(points: Points) -> Tokens:
    """Words, characters of scripts without blanks, and runs of one symbol ("!!!", an emoji)."""
    kinds = classify(points.codes)
    if len(kinds) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Tokens(starts=empty, ends=empty, texts=np.zeros(0, dtype=np.int32))
    before, codes_before = np.roll(kinds, 1), np.roll(points.codes, 1)
    before[0] = BLANK  # every text begins with a blank, so texts never touch
    starts = (kinds != BLANK) & (
        (kinds != before) | (kinds == SINGLE) | ((kinds == SYMBOL) & (points.codes != codes_before))
    )
    first = np.flatnonzero(starts)
    # a token ends where the next one begins or at the first blank, whichever comes first
    borders = np.flatnonzero(starts | (kinds == BLANK))
    ends = borders[np.searchsorted(borders, first, side="right")]
    return Tokens(starts=first, ends=ends, texts=points.texts[first])


def classify(codes: Array) -> Array:
    """BLANK, WORD, SINGLE or SYMBOL of each code point (c,) uint8; an apostrophe inside a word belongs to it."""
    distinct, places = np.unique(codes, return_inverse=True)
    kinds = np.array([_classify_one(int(code)) for code in distinct], dtype=np.uint8)[places.reshape(-1)]
    inner = np.flatnonzero(codes == ord("'"))
    inner = inner[(inner > 0) & (inner < len(codes) - 1)]
    inner = inner[(kinds[inner - 1] == WORD) & (kinds[inner + 1] == WORD)]
    kinds[inner] = WORD
    return kinds


def _classify_one(code: int) -> int:
    if any(low <= code <= high for low, high in _SPACELESS):
        return SINGLE if unicodedata.category(chr(code))[0] in "LMN" else SYMBOL
    category = unicodedata.category(chr(code))
    if code == ord("_") or category[0] in "LN":
        return WORD
    if category[0] == "M":  # accents belong to their word; selectors of an emoji's look say nothing
        return BLANK if 0xFE00 <= code <= 0xFE0F else WORD
    return BLANK if category[0] in "ZC" else SYMBOL
