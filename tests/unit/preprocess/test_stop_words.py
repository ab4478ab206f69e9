"""Stop words of the texts themselves: the most common words, and chains of nothing but these."""

from __future__ import annotations

import numpy as np
import pytest

from automl.preprocess.ngrams import count_ngrams
from automl.preprocess.stop_words import find_empty_chains, find_stop_words

# 20 words, of which "the" is in all texts and "of" in most
TEXTS = [f"the word{at} of the day{at}" if at < 8 else f"the word{at} day{at}" for at in range(9)]


def spell_stop_words(count: int) -> list[str]:
    counts = count_ngrams(TEXTS, "word", 1)
    frequencies = np.bincount(counts.matrix.indices)
    stop_words = find_stop_words(counts.keys, frequencies, count)
    return sorted(counts.spell(np.searchsorted(counts.keys, stop_words)))


def test_the_words_in_most_texts_are_stop_words() -> None:
    assert spell_stop_words(0) == []
    assert spell_stop_words(1) == ["the"]


def test_never_more_than_a_tenth_of_the_words_are() -> None:
    assert spell_stop_words(200) == ["of", "the"]


@pytest.mark.parametrize(("n", "said"), [(1, ["of", "the"]), (2, ["of the"]), (3, [])])
def test_a_chain_is_empty_if_all_of_its_words_are(n: int, said: list[str]) -> None:
    words, chains = count_ngrams(TEXTS, "word", 1), count_ngrams(TEXTS, "word", n)
    stop_words = find_stop_words(words.keys, np.bincount(words.matrix.indices), 2)
    assert sorted(chains.spell(find_empty_chains(chains.keys, stop_words, n))) == said


def test_three_stop_words_in_a_row_are_found() -> None:
    texts = ["of the of x", *(f"of the w{at}" for at in range(30))]
    words, chains = count_ngrams(texts, "word", 1), count_ngrams(texts, "word", 3)
    stop_words = find_stop_words(words.keys, np.bincount(words.matrix.indices), 2)
    assert chains.spell(find_empty_chains(chains.keys, stop_words, 3)) == ["of the of"]
