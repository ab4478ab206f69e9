"""Texts as weighted n-grams: sparse for linear models, a few SVD columns beside others, word numbers for networks.

TF-IDF after Salton and Buckley 1988 (doi:10.1016/0306-4573(88)90021-0); the columns that stand for all of it in a
dense matrix are its truncated singular value decomposition (Deerwester et al. 1990, latent semantic analysis).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from automl.graph import Graph, NoGraphError
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess._graph_texts import number_words_in_graph, weigh_in_graph
from automl.preprocess.corpus import Texts
from automl.preprocess.embeddings import ENCODERS, embed, list_encoders, load_encoder
from automl.preprocess.ngrams import match_keys, read_blocks, select_columns
from automl.preprocess.part import FitRows, State
from automl.preprocess.stop_words import find_empty_chains, find_stop_words
from automl.preprocess.table import Layout, Table, TableNames
from automl.preprocess.tokens import Kind, Points, find_ngrams
from automl.space import Choice, Condition, Int, Parameter, Params, SearchSpace

MAX_FEATURES = 200_000
MAX_DENSE = 10_000  # n-grams that SVD columns are made of
MAX_CELLS = 16_000_000  # coefficients of a linear model over all n-grams
LARGE_BYTES = 15_000_000  # texts beyond this are read by words, and by shorter chains of characters
MAX_TOKENS = 256
MAX_WORDS = 30_000
PAD, UNKNOWN, BETWEEN = 0, 1, 2
ACROSS = "across "
CHAR_CHOICES = ("none", "2-4", "2-5", "3-5", "1-6", "across 2-5", "across 1-6")
CHAR_RANGES: dict[str, tuple[int, ...]] = {
    "none": (),
    "2-4": (2, 3, 4),
    "2-5": (2, 3, 4, 5),
    "3-4": (3, 4),
    "3-5": (3, 4, 5),
    "1-6": (1, 2, 3, 4, 5, 6),
}
OVERSAMPLE, POWER_STEPS = 10, 3


def space(needs: Needs, layout: Layout) -> SearchSpace:
    """How texts may be read, by the form that the family takes them in."""
    large = layout.text_bytes > LARGE_BYTES
    if needs.text == "tokens":
        return SearchSpace({"word_min_df": Int(1, 5, 2)})
    if needs.text == "dense":
        few = 128 if layout.has_only_texts else 32
        themes: dict[str, Parameter] = {
            "text_components": Choice((0, 16, 32, 64, 128, 256), few),
            "text_chars": Choice((False, True), not large),
        }
        encoders = list_encoders(layout)
        if not encoders:
            return SearchSpace(themes)
        kind = {"text_features": Choice(("themes", *encoders), "themes")}
        return SearchSpace({**kind, **themes}, {name: Condition("text_features", ("themes",)) for name in themes})
    parameters: dict[str, Parameter] = {
        "words": Int(0, 3, 2) if not large else Int(1, 2, 1),
        "chars": Choice(CHAR_CHOICES, "2-5") if not large else Choice(("none",), "none"),
        "min_df": Int(1, 5, 1 if not large else 3),
        "char_min_df": Int(1, 8, 2),
        "max_df": Choice((0.3, 0.5, 1.0), 1.0),
        "stop_words": Choice((0, 50, 200), 0),  # words in most texts that are left out
        "sublinear": Choice((False, True), True),
        "idf": Choice((False, True), True),
        # what the columns beside the n-grams are multiplied with; 0 leaves them out
        "others": Choice((0.0, 0.03, 0.1, 0.3, 1.0), 0.1 if layout.has_only_texts else 1.0),
    }
    return SearchSpace(parameters)


class TextPart:
    """Fitted on training rows: the vocabulary, as sorted keys, and the weight of each n-gram.

    `state` holds keys, terms and idf of each block (column × word or char × n), in the order of `_blocks`.
    """

    kind = "text"

    def __init__(self, needs: Needs, params: Params, layout: Layout) -> None:
        self.needs = needs
        self.params = params
        self.columns = layout.texts
        self.state: State = {}
        if self.encoder == "sentences" and layout.backbone:
            self.state["backbone"] = np.array(layout.backbone)

    @property
    def encoder(self) -> str:
        """Name of the encoder whose embeddings stand for the texts; "" where none does."""
        name = str(self.params.get("text_features", ""))
        return name if self.needs.text == "dense" and name in ENCODERS else ""

    @property
    def _backbone(self) -> str:
        """Folder of the encoder that reads sentences; "" for that of the extra `text`."""
        return str(self.state.get("backbone", ""))

    # ---- what is read --------------------------------------------------------------------------------------------

    def _orders(self) -> list[tuple[Kind, int]]:
        if self.needs.text == "dense":
            words, chars = 2, CHAR_RANGES["3-4" if self.params.get("text_chars") else "none"]
        else:
            words, chars = int(self.params["words"]), CHAR_RANGES[str(self.params["chars"]).removeprefix(ACROSS)]
            if words == 0 and not chars:
                words = 1
        kind: Kind = "span" if str(self.params.get("chars", "")).startswith(ACROSS) else "char"
        return [*(("word", n) for n in range(1, words + 1)), *((kind, n) for n in chars)]

    def _blocks(self) -> list[tuple[int, Kind, int]]:
        return [(column, kind, n) for column in range(len(self.columns)) for kind, n in self._orders()]

    # ---- learning ------------------------------------------------------------------------------------------------

    def fit(self, table: Table, fit: FitRows) -> Any:
        if self.needs.text == "tokens":
            return self._fit_tokens(table)
        if self.needs.text == "dense":
            return self._fit_dense(table, fit)
        return self._fit_sparse(table, fit)

    def _fit_sparse(self, table: Table, fit: FitRows) -> Any:
        rows = len(table)
        found = [self._choose(table.texts[column], kind, n, rows) for column, kind, n in self._blocks()]
        most = min(MAX_FEATURES, MAX_CELLS // max(1, fit.task.n_outputs)) if self.needs.text == "sparse" else MAX_DENSE
        found = limit_features(found, most)
        self.state = {
            "keys": [block[0] for block in found],
            "df": [block[1] for block in found],
            "terms": [block[2] for block in found],
            "rows": np.array(rows),
        }
        return self._weigh(table)

    def _choose(self, texts: Texts, kind: Kind, n: int, rows: int) -> tuple[Array, Array, Array]:
        """Keys, document frequencies and spelled terms of the n-grams that training rows give reason to keep."""
        matrix, counts = texts.counts(kind, n)
        df = np.bincount(matrix.indices, minlength=len(counts.keys))
        if self.needs.text == "dense":
            least, most = 2, float(rows)
        else:
            least = int(self.params["min_df" if kind == "word" else "char_min_df"])
            most = max(float(self.params["max_df"]) * rows, least + 1) if kind == "word" and n == 1 else rows
        keep = np.flatnonzero((df >= max(1, min(least, rows))) & (df <= most))
        if kind == "word" and (stop := int(self.params.get("stop_words", 0))):
            words, known = texts.counts("word", 1)
            stop_words = find_stop_words(known.keys, np.bincount(words.indices, minlength=len(known.keys)), stop)
            keep = np.delete(keep, find_empty_chains(counts.keys[keep], stop_words, n))
        names = np.array(counts.spell(keep), dtype=object)
        return np.asarray(counts.keys[keep]), df[keep], names

    def _fit_dense(self, table: Table, fit: FitRows) -> FloatArray:
        if self.encoder:
            return np.asarray(self.transform(table))
        wanted = int(self.params.get("text_components", 0))
        if wanted == 0:
            return np.empty((len(table), 0), dtype=np.float32)
        store = None
        if fit.shared is not None:  # all families that want the same columns share them
            text = json.dumps([self.columns, wanted, self.params.get("text_chars"), fit.fold])
            store = fit.shared / f"svd-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.npz"
            if store.exists():
                self.state, block = _read_svd(store)
                return block
        matrix = self._fit_sparse(table, dataclasses.replace(fit, shared=None))
        width = max(1, min(wanted, matrix.shape[1] - 1, matrix.shape[0] - 1)) if min(matrix.shape) > 1 else 0
        axes = find_axes(matrix, width, fit.seed)
        block = np.asarray(matrix @ axes, dtype=np.float32)
        spread = float(np.sqrt(np.mean(block.astype(np.float64) ** 2))) if block.size else 1.0
        self.state["axes"] = np.ascontiguousarray(axes / max(spread, 1e-9), dtype=np.float32)
        block = _project(matrix, self.state["axes"])
        if store is not None:
            _write_svd(store, self.state, block)
        return block

    def _fit_tokens(self, table: Table) -> FloatArray:
        least, keys, terms = int(self.params["word_min_df"]), [], []
        total: dict[str, int] = {}
        for texts in table.texts:
            matrix, counts = texts.counts("word", 1)
            df = np.bincount(matrix.indices, minlength=len(counts.keys))
            keep = np.flatnonzero(df >= min(least, max(1, len(table) // 50)))
            keep = keep[np.argsort(-df[keep], kind="stable")[:MAX_WORDS]]
            for name, key, count in zip(counts.spell(keep), counts.keys[keep], df[keep], strict=True):
                if name not in total:
                    keys.append(int(key))
                    terms.append(name)
                total[name] = total.get(name, 0) + int(count)
        order = np.argsort(np.array(keys, dtype=np.uint64))
        self.state = {
            "keys": [np.array(keys, dtype=np.uint64)[order]],
            "terms": [_join([terms[place] for place in order])],
        }
        lengths = sum(np.asarray(texts.counts("word", 1)[0].sum(axis=1)).reshape(-1) for texts in table.texts)
        longest = float(np.quantile(lengths, 0.95)) + len(table.texts) if len(table) else 1.0
        self.state["length"] = np.array(int(np.clip(np.ceil(longest), 4, MAX_TOKENS)))
        return self._number_tokens(table)

    # ---- using ---------------------------------------------------------------------------------------------------

    def transform(self, table: Table) -> Any:
        if self.needs.text == "tokens":
            return self._number_tokens(table)
        if self.needs.text == "dense":
            if self.encoder:
                return np.hstack([embed(texts, self.encoder, self._backbone) for texts in table.texts])
            if "axes" not in self.state:
                return np.empty((len(table), 0), dtype=np.float32)
            return _project(self._weigh(table), self.state["axes"])
        return self._weigh(table)

    def _weigh(self, table: Table) -> Any:
        """CSR (n, v) float32: TF-IDF, each column's words and characters of length 1 by themselves."""
        from scipy.sparse import csr_matrix, hstack

        groups: dict[tuple[int, Kind], list[Any]] = {}
        for (column, kind, n), keys, df in zip(self._blocks(), self.state["keys"], self.state["df"], strict=True):
            matrix, counts = table.texts[column].counts(kind, n)
            block = _look_up(matrix, keys, counts.keys)
            # in float64, so that every runtime comes to the same float32: a tree tells neighbours of a split apart
            block.data = block.data.astype(np.float64)
            if self._sublinear:
                block.data = np.log(block.data) + 1.0
            block.data = block.data * self._weights(df)[block.indices]
            groups.setdefault((column, kind), []).append(block)
        parts = [_scale_rows(hstack(blocks, format="csr", dtype=np.float64)) for blocks in groups.values()]
        return hstack(parts, format="csr", dtype=np.float32) if parts else csr_matrix((len(table), 0), dtype=np.float32)

    def to_graph(self, graph: Graph, table: TableNames) -> Any:
        """`transform` in a graph: `SparseNames` where families take n-grams, else the name of a matrix.

        Raises:
            NoGraphError: if an encoder's embeddings stand for the texts.
        """
        if self.encoder:
            raise NoGraphError("The encoder that reads the sentences has no form as a graph")
        if self.needs.text == "tokens":
            keys, length = self.state["keys"][0], int(self.state["length"])
            return number_words_in_graph(graph, self.columns, keys, length, (PAD, UNKNOWN, BETWEEN))
        if self.needs.text == "dense" and "axes" not in self.state:
            return ""
        blocks = [
            (self.columns[column], kind, n, keys, self._weights(df))
            for (column, kind, n), keys, df in zip(self._blocks(), self.state["keys"], self.state["df"], strict=True)
        ]
        matrix = weigh_in_graph(graph, table, blocks, sublinear=self._sublinear)
        return matrix.multiply(graph, self.state["axes"], exact=True) if self.needs.text == "dense" else matrix

    @property
    def _sublinear(self) -> bool:
        return self.needs.text == "dense" or bool(self.params["sublinear"])

    def _weights(self, df: Array) -> FloatArray:
        """(v,) inverse document frequencies, or ones."""
        if self.needs.text != "dense" and not self.params["idf"]:
            return np.ones(len(df), dtype=np.float32)
        return np.asarray((np.log((1.0 + self.rows) / (1.0 + df)) + 1.0).astype(np.float32))

    def _number_tokens(self, table: Table) -> FloatArray:
        """(n, length) float32 word numbers: 0 after the end, 1 unknown, 2 between two texts, words from 3."""
        length = int(self.state["length"])
        numbers = np.zeros((len(table), length), dtype=np.float32)
        used = np.zeros(len(table), dtype=np.int64)
        for place, texts in enumerate(table.texts):
            if place:
                fits = used < length
                numbers[fits, used[fits]] = BETWEEN
                used += 1
            first = 0
            for points in read_blocks(texts):
                rows = slice(first, first + points.count)
                used[rows] += self._number_block(points, numbers[rows], used[rows])
                first = rows.stop
        return numbers

    def _number_block(self, points: Points, numbers: FloatArray, used: Array) -> Array:
        """Write the words of some texts into their rows of `numbers`, behind what is used; how many each text has."""
        keys, owners, _, _ = find_ngrams(points, "word", 1)
        codes = match_keys(keys, self.state["keys"][0])
        codes = np.where(codes < 0, UNKNOWN, codes + 3)
        counts = np.bincount(owners, minlength=points.count)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts) + used[owners]
        inside = within < numbers.shape[1]
        numbers[owners[inside], within[inside]] = codes[inside]
        return counts

    def features(self, table: Table) -> tuple[Feature, ...]:
        self._check_state()
        if self.needs.text == "tokens":
            codes = len(self.state["keys"][0]) + 3
            return tuple(
                Feature(name=f"token {place}", source=self.columns[0], cardinality=codes, token=True)
                for place in range(int(self.state["length"]))
            )
        if self.encoder:
            return tuple(
                Feature(name=f"{column} [sentence {place}]", source=column, computed=True)
                for column in self.columns
                for place in range(load_encoder(self.encoder, self._backbone).width)
            )
        if self.needs.text == "dense":
            count = self.state["axes"].shape[1] if "axes" in self.state else 0
            source = self.columns[0] if len(self.columns) == 1 else "(texts)"
            return tuple(Feature(name=f"{source} [theme {place}]", source=source) for place in range(count))
        width = sum(len(keys) for keys in self.state["keys"])
        source = self.columns[0] if len(self.columns) == 1 else "(texts)"
        return (Feature(name=f"{source} [n-grams]", source=source, width=width),)

    def _check_state(self) -> None:
        """Refuse a state that does not fit together, such as that of a damaged file.

        Raises:
            ValueError, KeyError: saying what is wrong.
        """
        if self.needs.text == "dense" and not set(self.state) - {"backbone"}:
            return
        keys = self.state["keys"]
        blocks = 1 if self.needs.text == "tokens" else len(self._blocks())
        if len(keys) != blocks or any(part.dtype != np.uint64 or part.ndim != 1 for part in keys):
            raise ValueError(f"{len(keys)} vocabularies in place of {blocks}")
        if any((part[1:] <= part[:-1]).any() for part in keys):
            raise ValueError("a vocabulary is out of order")
        if self.needs.text == "tokens":
            if not 0 < int(self.state["length"]) <= MAX_TOKENS:
                raise ValueError("texts of no length")
            return
        sizes = [len(part) for part in keys]
        if [len(part) for part in self.state["df"]] != sizes or self.rows < 0:
            raise ValueError("document frequencies do not fit their vocabulary")
        if "axes" in self.state and self.state["axes"].shape[0] != sum(sizes):
            raise ValueError("components do not fit their vocabulary")

    def shares(self) -> Array:
        """(v,) share of the training texts that each n-gram stands in."""
        return np.concatenate(self.state["df"]) / max(1, self.rows)

    @property
    def rows(self) -> int:
        """Texts that the weights were learned from."""
        return int(self.state["rows"])

    def terms(self) -> list[tuple[str, Kind, str]]:
        """Source column, kind and spelling of every n-gram, in the order of the sparse matrix."""
        listed: list[tuple[str, Kind, str]] = []
        for (column, kind, _), names in zip(self._blocks(), self.state["terms"], strict=True):
            listed += [(self.columns[column], kind, name) for name in split_terms(names)]
        return listed


def limit_features(found: list[tuple[Array, Array, Array]], most: int) -> list[tuple[Array, Array, Array]]:
    """At most so many n-grams over all blocks, those in most texts first; terms become bytes."""
    total = sum(len(keys) for keys, _, _ in found)
    if total > most:
        every = np.concatenate([df for _, df, _ in found])
        keep = np.zeros(total, dtype=bool)
        keep[np.argsort(-every, kind="stable")[:most]] = True
        parts = np.split(keep, np.cumsum([len(keys) for keys, _, _ in found])[:-1])
        found = [(k[p], d[p], t[p]) for (k, d, t), p in zip(found, parts, strict=True)]
    return [(keys, df.astype(np.int32), _join(list(names))) for keys, df, names in found]


def find_axes(matrix: Any, width: int, seed: int) -> FloatArray:
    """The `width` leading right singular vectors (v, width) of a CSR matrix (n, v).

    Randomised range finder with power steps (Halko et al. 2011, doi:10.1137/090771806).
    """
    from sklearn.utils.extmath import randomized_svd

    if width == 0:
        return np.zeros((matrix.shape[1], 0), dtype=np.float32)
    _, _, axes = randomized_svd(
        matrix, width, n_oversamples=OVERSAMPLE, n_iter=POWER_STEPS, random_state=seed % 2**32, flip_sign=True
    )
    return np.ascontiguousarray(axes.T, dtype=np.float32)


def split_terms(names: Array) -> list[str]:
    """Terms from bytes that `_join` made."""
    return names.tobytes().decode("utf-8").split("\n") if len(names) else []


def _join(names: list[str]) -> Array:
    return np.frombuffer("\n".join(names).encode("utf-8"), dtype=np.uint8)


def _look_up(matrix: Any, keys: Array, known: Array) -> Any:
    """The columns of `keys` from a count matrix whose columns are `known`; zeros where it has none."""
    from scipy.sparse import csr_matrix

    places = match_keys(known, keys)  # for each column of the matrix its place in the vocabulary
    chosen = np.flatnonzero(places >= 0)
    block = select_columns(matrix, chosen)
    indices = places[chosen].astype(np.int32)[block.indices] if len(chosen) else block.indices
    wide = csr_matrix((block.data.copy(), indices, block.indptr), shape=(matrix.shape[0], len(keys)))
    wide.sort_indices()
    return wide


def _project(matrix: Any, axes: FloatArray) -> FloatArray:
    """The product, summed in float64 for the same reason as the weights are."""
    return np.asarray((matrix.astype(np.float64) @ axes.astype(np.float64)).astype(np.float32))


def _scale_rows(matrix: Any) -> Any:
    """Rows of length 1; a row of zeros stays one."""
    owners = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    squares = np.bincount(owners, matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0])
    norms = np.sqrt(squares)
    norms[norms == 0] = 1.0
    matrix.data = (matrix.data / norms[owners]).astype(np.float32)
    return matrix


def _write_svd(path: Path, state: State, block: FloatArray) -> None:
    from automl.files import write_array

    arrays: dict[str, Any] = {"block": block, "rows": state["rows"], "axes": state["axes"]}
    for name in ("keys", "df", "terms"):
        arrays |= {f"{name}/{number}": array for number, array in enumerate(state[name])}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_array(path, lambda file: np.savez(file, **arrays))


def _read_svd(path: Path) -> tuple[State, FloatArray]:
    with np.load(path, allow_pickle=False) as file:
        count = sum(name.startswith("keys/") for name in file.files)
        state: State = {name: [file[f"{name}/{at}"] for at in range(count)] for name in ("keys", "df", "terms")}
        return {**state, "rows": file["rows"], "axes": file["axes"]}, file["block"]
