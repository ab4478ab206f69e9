"""One text explained: how much a prediction rests on each of its words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np

from automl.matrix import FloatArray
from automl.preprocess.table import TEXT_FACTS, Table, count_text

MAX_PIECES = 80
WORD = re.compile(r"\w+")
# Thai, kana and Chinese have no blanks between words: pairs of characters stand for them.
UNPARTED, PAIR = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"), 2


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """A word of a text, or a pair of characters where no blanks part the words.

    Attributes:
        at: where it begins, in characters.
        effect: by how much the output falls when it is left out.
    """

    column: str
    text: str
    at: int
    effect: float


def explain_texts(predict: Callable[[Table], FloatArray], row: Table, place: int) -> tuple[Phrase, ...]:
    """Leave out one word of each text at a time, and see what becomes of output `place`.

    Args:
        predict: the model's outputs (n, k) of an encoded table.
        row: a table of one row.

    Returns:
        The words of all texts, those with the largest effect first; of long texts the first 80.
    """
    base = float(predict(row)[0, place])
    found: list[Phrase] = []
    for name, cells in zip(row.layout.texts, row.texts, strict=True):
        text = next(iter(cells)) or ""
        spans = find_pieces(text)
        if not spans:
            continue
        without = [text[:start] + text[end:] for start, end in spans]
        outputs = predict(replace_texts(row, name, without))[:, place]
        found += [
            Phrase(name, text[start:end], start, base - float(output))
            for (start, end), output in zip(spans, outputs, strict=True)
        ]
    return tuple(sorted(found, key=lambda phrase: -abs(phrase.effect)))


def find_pieces(text: str) -> list[tuple[int, int]]:
    """Where the first words of a text begin and end."""
    words: list[tuple[int, int]] = []
    for match in WORD.finditer(text):
        start, end = match.span()
        step = PAIR if UNPARTED.search(match[0]) else end - start
        words += [(at, min(at + step, end)) for at in range(start, end, step)]
    return words[:MAX_PIECES]


def replace_texts(row: Table, name: str, texts: list[str]) -> Table:
    """The one row of a table, repeated with another text each time; what is counted of the text follows."""
    layout = row.layout
    repeated = row.take(np.zeros(len(texts), dtype=np.int64))
    place = layout.texts.index(name)
    changed = [*repeated.texts]
    changed[place] = type(changed[place]).pack(texts)
    numbers = np.array(repeated.numbers)
    counts = [layout.numbers.index(f"{name} ({fact})") for fact in TEXT_FACTS if f"{name} ({fact})" in layout.numbers]
    if len(counts) == len(TEXT_FACTS):
        numbers[:, counts] = count_text(np.array(texts, dtype=object))
    return dataclasses.replace(repeated, texts=tuple(changed), numbers=numbers)
