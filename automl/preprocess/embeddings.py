"""Embeddings of texts: which encoders may read a table, and what the one that a configuration names makes of its texts,
each encoded once a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

import numpy as np

from automl.files import write_array
from automl.matrix import FloatArray
from automl.preprocess import multilingual, sentences
from automl.preprocess.corpus import Texts
from automl.preprocess.table import Layout

CHUNK = 256  # texts that are encoded and kept together
# Texts beyond so many bytes would take an encoder too long.
MOST_BYTES = {"sentences": 2_000_000, "multilingual": 10_000_000}
LATIN_ASCII = 0.6  # share of ASCII bytes from which on texts are taken for Latin letters


class SentenceEncoder(Protocol):
    """Turns each text into as many numbers."""

    @property
    def width(self) -> int: ...

    def encode(self, texts: list[str | None]) -> FloatArray:
        """(n, width) float32, each number about 1 in size; zeros for an empty text."""
        ...


# How a configuration names an encoder → how it is had; a folder of the user's own is one for "sentences".
_LOADERS: dict[str, Callable[[str], SentenceEncoder]] = {
    "sentences": sentences.load_encoder,
    "multilingual": lambda backbone: multilingual.load_encoder(),
}
ENCODERS = tuple(_LOADERS)


def list_encoders(layout: Layout, *, in_time: bool = True) -> tuple[str, ...]:
    """Names of the encoders that may read the table's texts: the user's own alone, else those of the extras.

    That of English sentences is left out where the texts are in another script and there is one that knows it.

    Args:
        in_time: leave out those that the texts would take too long; of the user's own it is not asked.
    """
    if not layout.texts or not layout.encoder:
        return ()
    if layout.backbone:
        return ("sentences",)
    found = ["multilingual"] if multilingual.is_available() else []
    if sentences.is_available() and (not found or layout.text_ascii >= LATIN_ASCII):
        found.insert(0, "sentences")
    return tuple(name for name in found if not in_time or layout.text_bytes <= MOST_BYTES[name])


def load_encoder(name: str, backbone: str = "") -> SentenceEncoder:
    """One of `ENCODERS`, read once a process.

    Raises:
        MissingExtraError: if its package is not installed, or the folder not there.
    """
    return _LOADERS[name](backbone)


def embed(texts: Texts, name: str, backbone: str = "") -> FloatArray:
    """(n, width) float32, each number about 1 in size; zeros for an empty text.

    Each text is encoded once a run: finished chunks of the corpus are kept below `texts.store`, where workers share
    the work, and what a killed worker had finished is not lost.

    Args:
        name: one of `ENCODERS`.
        backbone: folder of the encoder of "sentences"; "" for that of the package, whose width is 384.

    Raises:
        MissingExtraError: see `load_encoder`.
    """
    corpus = texts.corpus
    wanted = np.unique(texts.rows // CHUNK)
    folder = texts.store / name if texts.store is not None else None
    start = os.getpid() % max(1, len(wanted))  # workers begin at different places
    found: dict[int, FloatArray] = corpus.memo.setdefault(name, {})
    for chunk in np.roll(wanted, -start).tolist():
        if chunk in found:
            continue
        path = folder / f"{chunk:06d}.npy" if folder is not None else None
        if path is not None and path.exists():
            found[chunk] = np.load(path, allow_pickle=False)
            continue
        rows = np.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, len(corpus)))
        found[chunk] = load_encoder(name, backbone).encode(list(Texts(corpus, rows)))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_array(path, lambda file, array=found[chunk]: np.save(file, array))  # type: ignore[misc]
    width = found[int(wanted[0])].shape[1] if len(wanted) else load_encoder(name, backbone).width
    result = np.zeros((len(texts.rows), width), dtype=np.float32)
    for chunk in wanted.tolist():
        here = texts.rows // CHUNK == chunk
        result[here] = found[chunk][texts.rows[here] - chunk * CHUNK]
    return result
