"""Texts as code points, tokens and keys of n-grams: what training, prediction and export share, in plain numpy.

A text is brought to one form (`normalize`), its characters fall into four classes, and everything after that is
arithmetic on arrays, so that a model needs no locale, no dictionary and no code but this file to read a text. It stands
alone: it needs Python 3.10 or newer and numpy, and travels beside an exported graph.

Keys are polynomials of code points modulo 2^64 (Karp and Rabin 1987, doi:10.1147/rd.312.0249): the same n-gram has the
same key on every machine, and two of a vocabulary's share one with a chance below 1e-9.
"""

from __future__ import annotations

import dataclasses
import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["word", "char", "span"]
BASE = np.uint64(0x9E3779B97F4A7C15)
INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
MAX_TEXT_CHARACTERS = 20_000  # of a longer text the beginning is read
BLANK, WORD, SINGLE, SYMBOL = 0, 1, 2, 3

_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|center|code|div|em|font|h[1-6]|head|hr|html|i|img|li|ol|p|pre|script|small|span"
    r"|strong|style|sub|sup|table|tbody|td|th|title|tr|u|ul)(?:\s[^<>]{0,500})?/?>|<!--.{0,2000}?-->",
    re.IGNORECASE | re.DOTALL,
)
_APOSTROPHES = ("\u2019", "\u02bc")  # and the full-width one, which NFKC makes a plain one of
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
        text = unicodedata.normalize("NFKC", text)
        for apostrophe in _APOSTROPHES:  # `translate` would look each character up
            text = text.replace(apostrophe, "'")
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
    occurs = np.zeros(int(codes.max(initial=0)) + 1, dtype=bool)
    occurs[codes] = True
    distinct = np.flatnonzero(occurs)
    known = np.zeros(len(occurs), dtype=np.uint8)
    known[distinct] = [_classify_one(code) for code in distinct.tolist()]
    kinds = known[codes]
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


def find_ngrams(points: Points, kind: Kind, n: int) -> tuple[Array, Array, Array, Array]:
    """Every n-gram: key (g,) uint64, text (g,) int32, and where it lies in the code points: start and length."""
    if kind == "word":
        return _find_words(points, to_tokens(points), n)
    return _find_characters(points, n, across=kind == "span")


def _find_words(points: Points, tokens: Tokens, n: int) -> tuple[Array, Array, Array, Array]:
    keys = mix(hash_spans(points.codes, tokens.starts, tokens.ends))
    count = max(0, len(keys) - n + 1)
    combined = np.zeros(count, dtype=np.uint64)
    for at in range(n):
        combined = combined * BASE + keys[at : at + count]
    inside = tokens.texts[:count] == tokens.texts[n - 1 :][:count]
    starts, ends = tokens.starts[:count][inside], tokens.ends[n - 1 :][:count][inside]
    return combined[inside], tokens.texts[:count][inside], starts, ends - starts


def _find_characters(points: Points, n: int, *, across: bool) -> tuple[Array, Array, Array, Array]:
    codes = points.codes
    count = max(0, len(codes) - n + 1)
    combined = np.zeros(count, dtype=np.uint64)
    for at in range(n):
        combined = combined * BASE + (codes[at : at + count].astype(np.uint64) + np.uint64(1))
    blanks = np.concatenate([[0], np.cumsum(codes == ord(" "))])
    starts = np.arange(count)
    # a window is never blank; inside a word, blanks stand at its ends only
    alone = blanks[starts + n] - blanks[starts] == n
    inside = blanks[starts + max(n - 1, 1)] - blanks[starts + 1]
    valid = ~alone & (across | (inside == 0))
    valid &= points.texts[:count] == points.texts[n - 1 :][:count]
    starts = starts[valid]
    return mix(combined[valid]), points.texts[starts], starts, np.full(len(starts), n, dtype=np.int64)


def hash_spans(codes: Array, starts: Array, ends: Array) -> Array:
    """Polynomial keys (t,) uint64 of spans of code points, from running sums."""
    with np.errstate(over="ignore"):
        powers = np.concatenate([[np.uint64(1)], np.cumprod(np.full(len(codes), BASE, dtype=np.uint64))])
        inverse = np.concatenate([[np.uint64(1)], np.cumprod(np.full(len(codes), INVERSE, dtype=np.uint64))])
        sums = np.concatenate(
            [[np.uint64(0)], np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * powers[:-1], dtype=np.uint64)]
        )
        result: Array = (sums[ends] - sums[starts]) * inverse[starts]
    return result


def mix(keys: Array) -> Array:
    """Spread keys evenly over 64 bits, reversibly (Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    keys = (keys ^ (keys >> np.uint64(30))) * MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * MIX_2
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def count_keys(texts: Sequence[str | None], kind: Kind, n: int) -> tuple[Array, Array]:
    """The n-grams of each text as rows of the same length, for a graph that knows their weights.

    Args:
        kind, n: as of `find_ngrams`.

    Returns:
        keys (t, m) int64, 0 behind the last, and how often each stands in the text (t, m) float32, 1 behind the last.
    """
    keys, owners, _, _ = find_ngrams(to_points(texts), kind, n)
    order = np.lexsort((keys, owners))
    keys, owners = keys[order], owners[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1])
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, len(keys)))
    return _lay_out(keys[starts], owners[starts], len(texts), 0), _lay_out(
        counts.astype(np.float32), owners[starts], len(texts), 1
    )


def list_words(columns: Sequence[Sequence[str | None]]) -> Array:
    """Keys of the words of each row in their order, (t, m) int64, 0 behind the last; 1 stands between two columns."""
    parts = []
    for place, texts in enumerate(columns):
        keys, owners, _, _ = find_ngrams(to_points(texts), "word", 1)
        if place:
            parts.append((np.ones(len(texts), dtype=np.uint64), np.arange(len(texts), dtype=np.int32)))
        parts.append((keys, owners))
    keys, owners = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    order = np.argsort(owners, kind="stable")
    return _lay_out(keys[order], owners[order], len(columns[0]), 0)


def _lay_out(values: Array, owners: Array, rows: int, empty: int) -> Array:
    """Values of ascending owners as rows (rows, m), at least one column wide."""
    counts = np.bincount(owners, minlength=rows)
    dtype = np.int64 if values.dtype == np.uint64 else values.dtype
    laid = np.full((rows, max(1, int(counts.max(initial=0)))), empty, dtype=dtype)
    within = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    laid[owners, within] = values.view(np.int64) if values.dtype == np.uint64 else values
    return laid
