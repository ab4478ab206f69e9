"""Texts: their lengths, and in how many texts each frequent word stands; words are kept as hashes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.matrix import Array
from automl.monitor import ColumnKind, Shift
from automl.monitor.statistics import compare_shares, make_sketch
from automl.monitor.values import compare_values
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd

WORDS = 100
FEWEST_TEXTS = 10  # a word of fewer texts may be a name
LARGE = 0.2  # Cohen's h of a word's share of texts from which it counts as large
_WORD = re.compile(r"\w+")
_CHARACTERS = 2_000  # of each text; what has changed shows at its beginning


class Text:
    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        counts = _count_texts(cells)
        frequent = sorted(((count, word) for word, count in counts.items() if count >= FEWEST_TEXTS), reverse=True)
        kept = dict(sorted((_hash(word), count) for count, word in frequent[:WORDS]))
        return {"texts": len(cells), "words": kept, "lengths": make_sketch(_lengths(cells))}

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        length = compare_values(reference["lengths"], _lengths(cells), name="median length")
        found: Counter[str] = Counter()
        for word, count in _count_texts(cells).items():
            found[_hash(word)] += count
        rows, new = int(reference["texts"]), len(cells)
        p_values, sizes = [], []
        for name, count in reference["words"].items():
            p_values.append(compare_shares(int(count), rows, found[name], new))
            sizes.append(_cohen(int(count) / rows, found[name] / max(1, new)))
        least = int(np.argmin(p_values)) if p_values else -1
        p_word = min(1.0, p_values[least] * len(p_values)) if p_values else 1.0
        size = abs(sizes[least]) if sizes else 0.0
        large = [abs(h) > LARGE for h in sizes]
        most = max(map(abs, sizes), default=0.0)
        said = f"{sum(large)} of {len(sizes)} frequent words have another share of texts (Cohen's h to {most:.2f})"
        is_word = p_word <= length.p_value
        return [
            Shift(
                what="values",
                p_value=min(1.0, 2 * min(p_word, length.p_value)),  # two tests
                effect=size if is_word else length.effect,
                measure="Cohen's h" if is_word else length.measure,
                is_large=any(large) if is_word else length.is_large,
                text=f"{said}; {length.text}",
                bars=length.bars,
            )
        ]


def _count_texts(cells: pd.Series) -> Counter[str]:
    """Word → texts it stands in."""
    counts: Counter[str] = Counter()
    for text in cells:
        counts.update(set(_WORD.findall(str(text)[:_CHARACTERS].lower())))
    return counts


def _lengths(cells: pd.Series) -> Array:
    return np.array([len(str(text)) for text in cells], dtype=np.float64)


def _hash(word: str) -> str:
    return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()


def _cohen(before: float, after: float) -> float:
    """Cohen's h, the difference of two shares on the scale on which they are equally sure."""
    return float(2 * (np.arcsin(np.sqrt(after)) - np.arcsin(np.sqrt(before))))


plugin: ColumnKind = Text()
