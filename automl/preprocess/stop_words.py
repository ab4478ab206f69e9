"""Stop words that the texts themselves tell, in any language: the words that stand in most of them.

Luhn 1958 (doi:10.1147/rd.22.0159) left the most frequent words out as noise. A number of words does in short texts what
a largest share of texts does in long ones: in a sentence, few words are in a third of all texts. Left out are the words
and the chains of nothing but such words ("of the"), from the vocabulary alone: texts are read as before, so an export
needs no list. Chains of characters are not touched.
"""

from __future__ import annotations

import numpy as np

from automl.matrix import Array
from automl.preprocess.ngrams import match_keys
from automl.preprocess.tokens import BASE

LARGEST_SHARE = 0.1  # of the words: a small vocabulary has no two hundred that say nothing


def find_stop_words(keys: Array, frequencies: Array, count: int) -> Array:
    """Keys, ascending, of the `count` words of ascending `keys` (v,) that stand in most texts (v,)."""
    count = min(count, int(LARGEST_SHARE * np.count_nonzero(frequencies)))
    return np.sort(keys[np.argsort(-frequencies, kind="stable")[:count]])


def find_empty_chains(keys: Array, stop_words: Array, n: int) -> Array:
    """Places of the keys of chains of n words, each of them a stop word."""
    chains = stop_words
    for _ in range(n - 1):  # as `tokens.py` makes them
        chains = (chains[:, None] * BASE + stop_words).ravel()
    return np.flatnonzero(match_keys(keys, np.sort(chains)) >= 0)
