"""What is done to word numbers while a network learns, so that few texts go further: words lost, swapped, replaced.

Each is a layer that passes its input on where the network answers. A word is replaced as a smoothed bigram model would
back off from what it has seen to what may follow anything (Xie et al. 2017, arXiv:1703.02573, data noising as
smoothing): the more distinct followers a word has for its count, the likelier it is replaced, and the word in its place
is drawn by the number of distinct words that stand before it (Kneser and Ney 1995, doi:10.1109/ICASSP.1995.479394).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from automl.matrix import Array, FloatArray
from automl.space import Float, Parameter, Params

UNKNOWN, FIRST_WORD = 1, 3
SPACE: dict[str, Parameter] = {
    "word_dropout": Float(0.0, 0.3, 0.1),
    "word_swap": Float(0.0, 0.3, 0.0),
    "word_backoff": Float(0.0, 0.5, 0.0),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bigrams:
    """What pairs of neighbours tell of the words of some texts.

    Attributes:
        diversity: (vocabulary,) float32 distinct followers of each word by its count, 0 for what is no word.
        seconds: (b,) int32 the second word of each distinct pair: one drawn evenly is drawn by its predecessors.
    """

    diversity: FloatArray
    seconds: Array

    @staticmethod
    def count(tokens: Array, vocabulary: int) -> Bigrams:
        """Of word numbers (n, length); the end of a text follows its last word, as its beginning precedes the first."""
        numbers = np.pad(np.asarray(tokens, dtype=np.int64), ((0, 0), (1, 1)))
        first, second = numbers[:, :-1].ravel(), numbers[:, 1:].ravel()
        inside = (first > 0) | (second > 0)
        pairs = np.unique(first[inside] * vocabulary + second[inside])
        firsts, seconds = pairs // vocabulary, pairs % vocabulary
        counts = np.bincount(first[inside], minlength=vocabulary)
        diversity = np.bincount(firsts, minlength=vocabulary) / np.maximum(counts, 1)
        diversity[:FIRST_WORD] = 0.0
        return Bigrams(diversity=diversity.astype(np.float32), seconds=seconds[seconds >= FIRST_WORD].astype(np.int32))


def add_noise(keras: Any, tokens: Any, params: Params, bigrams: Bigrams | None, seed: int) -> Any:
    """Keras tensor (n, length) of word numbers, disturbed as chosen while the network learns.

    Args:
        bigrams: of the training rows; None where no word is to be replaced.
    """
    if bigrams is not None and len(bigrams.seconds):
        tokens = make_word_backoff(keras, float(params["word_backoff"]), bigrams, seed)(tokens)
    if (dropout := float(params["word_dropout"])) > 0:
        tokens = make_word_dropout(keras, dropout, seed)(tokens)
    if (swap := float(params.get("word_swap", 0.0))) > 0:
        tokens = make_word_swap(keras, swap, seed)(tokens)
    return tokens


def make_word_backoff(keras: Any, rate: float, bigrams: Bigrams, seed: int) -> Any:
    """A layer that replaces some words, each with a chance of `rate` times its diversity."""
    chances, seconds = bigrams.diversity * np.float32(rate), bigrams.seconds

    class WordBackoff(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.draws = keras.random.SeedGenerator(seed % 2**31 + 2)

        def call(self, tokens: Any, training: bool = False) -> Any:
            if not training:
                return tokens
            ops = keras.ops
            shape = ops.shape(tokens)
            gone = keras.random.uniform(shape, seed=self.draws) < ops.take(ops.convert_to_tensor(chances), tokens)
            places = keras.random.randint(shape, 0, len(seconds), seed=self.draws)
            drawn = ops.cast(ops.take(ops.convert_to_tensor(seconds), places), tokens.dtype)
            return ops.where(gone, drawn, tokens)

    return WordBackoff()


def make_word_dropout(keras: Any, rate: float, seed: int) -> Any:
    """A layer that makes some words unknown while the network learns."""

    class WordDropout(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.draws = keras.random.SeedGenerator(seed % 2**31)

        def call(self, tokens: Any, training: bool = False) -> Any:
            if not training:
                return tokens
            ops = keras.ops
            gone = keras.random.uniform(ops.shape(tokens), seed=self.draws) < rate
            return ops.where(ops.logical_and(gone, tokens > 0), ops.full_like(tokens, UNKNOWN), tokens)

    return WordDropout()


def make_word_swap(keras: Any, rate: float, seed: int) -> Any:
    """A layer that makes some neighbours change places during training (Wei and Zou 2019, arXiv:1901.11196)."""

    class WordSwap(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.draws = keras.random.SeedGenerator(seed % 2**31 + 1)

        def call(self, tokens: Any, training: bool = False) -> Any:
            if not training:
                return tokens
            ops = keras.ops
            places = ops.arange(ops.shape(tokens)[1])
            odd = ops.cast(keras.random.uniform((), seed=self.draws) < 0.5, places.dtype)
            after = ops.roll(tokens, -1, axis=1)
            drawn = keras.random.uniform(ops.shape(tokens), seed=self.draws) < rate
            first = ops.logical_and(drawn, (places + odd) % 2 == 0)  # pairs never overlap
            first = ops.logical_and(first, ops.logical_and(after > 0, places < ops.shape(tokens)[1] - 1))
            second = ops.roll(first, 1, axis=1)
            return ops.where(first, after, ops.where(second, ops.roll(tokens, 1, axis=1), tokens))

    return WordSwap()
