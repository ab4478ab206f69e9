"""Texts as matrices: TF-IDF by hand and by scikit-learn, SVD columns, word numbers; and the same from disk."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.errors import ArtifactError
from automl.matrix import Needs
from automl.preprocess import corpus, ngrams
from automl.preprocess.cache import get_fold_matrices
from automl.preprocess.corpus import Texts
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import Layout, Table
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"))
SPARSE, DENSE, TOKENS = Needs(scaled=True, text="sparse"), Needs(), Needs(scaled=True, text="tokens")
WORDS_ONLY = {"words": 1, "chars": "none", "others": 0.0}
TEXTS = ["good food", "bad food", "good good wine", None, "", "bad wine and bad food"]


def make_table(*columns: list[Any]) -> Table:
    names = tuple(f"t{place}" for place in range(len(columns)))
    texts = tuple(Texts.pack(column) for column in columns)
    layout = Layout(numbers=("x",), categories=(), levels=(), dates=(), texts=names, text_bytes=100)
    numbers = np.arange(len(columns[0]), dtype=np.float32)[:, None]
    empty = np.empty((len(numbers), 0))
    return Table(layout=layout, numbers=numbers, categories=empty.astype(np.int32), dates=empty, texts=texts)


def fit(table: Table, needs: Needs, **params: Any) -> tuple[Transformer, Any]:
    space = plan_space(needs, table.layout)
    transformer = Transformer(needs, space.complete(params), table.layout)
    return transformer, transformer.fit(table, FitRows(task=TASK, target=np.arange(len(table)) % 2, seed=1))


def ngrams_of(transformer: Transformer, matrix: Any) -> tuple[list[str], np.ndarray]:
    assert transformer.text is not None
    terms = [term for _, _, term in transformer.text.terms()]
    return terms, matrix.toarray()[:, -len(terms) :]


def test_the_weights_are_those_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [text or "" for text in TEXTS]
    theirs = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    expected = theirs.fit_transform(texts).toarray()
    transformer, matrix = fit(make_table(TEXTS), SPARSE, **{**WORDS_ONLY, "words": 2, "sublinear": True})
    terms, ours = ngrams_of(transformer, matrix)
    assert sorted(terms) == sorted(theirs.get_feature_names_out())
    order = [terms.index(term) for term in theirs.get_feature_names_out()]
    np.testing.assert_allclose(ours[:, order], expected, atol=1e-6)


def test_words_of_too_few_or_too_many_texts_are_left_out() -> None:
    transformer, matrix = fit(make_table(TEXTS), SPARSE, **{**WORDS_ONLY, "min_df": 2, "max_df": 0.5})
    assert sorted(ngrams_of(transformer, matrix)[0]) == ["bad", "food", "good", "wine"]
    transformer, matrix = fit(make_table([*["the cat"] * 8, "a dog", "a dog"]), SPARSE, **{**WORDS_ONLY, "max_df": 0.3})
    assert sorted(ngrams_of(transformer, matrix)[0]) == ["a", "dog"]


def test_the_most_common_words_and_pairs_of_them_can_be_left_out() -> None:
    texts = [f"the end of the word{number}" for number in range(30)]
    params = {**WORDS_ONLY, "words": 2}
    every = ngrams_of(*fit(make_table(texts), SPARSE, **params))[0]
    fewer = ngrams_of(*fit(make_table(texts), SPARSE, **params, stop_words=50))[0]
    assert set(every) - set(fewer) == {"the", "end", "of", "the end", "end of", "of the"}


def test_other_columns_stand_first_and_count_as_much_as_was_chosen() -> None:
    for share in (0.0, 0.1, 1.0):
        _, matrix = fit(make_table(TEXTS), SPARSE, **{**WORDS_ONLY, "others": share})
        scaled = (np.arange(6) - 2.5) / np.std(np.arange(6))
        np.testing.assert_allclose(matrix.toarray()[:, 0], share * scaled, atol=1e-6)


@pytest.mark.parametrize("needs", [SPARSE, DENSE, TOKENS])
def test_every_edge_of_every_choice_gives_a_finite_matrix_of_the_size_it_names(needs: Needs) -> None:
    table = make_table(TEXTS * 5, list(reversed(TEXTS * 5)))
    space = plan_space(needs, table.layout)
    for name, parameter in space.parameters.items():
        for edge in parameter.edges():
            transformer, matrix = fit(table, needs, **{name: edge})
            dense = matrix.toarray() if needs is SPARSE else matrix
            assert dense.dtype == np.float32 and np.isfinite(dense).all()
            assert dense.shape[1] == sum(feature.width for feature in transformer.features())


@pytest.mark.parametrize("needs", [SPARSE, DENSE, TOKENS])
def test_a_plan_on_disk_reads_new_texts_as_the_one_in_memory(needs: Needs, tmp_path: Path) -> None:
    table = make_table(TEXTS * 5)
    transformer, _ = fit(table, needs)
    transformer.save(tmp_path / "plan.npz")
    loaded = Transformer.load(tmp_path / "plan.npz", table.layout)
    new = make_table(["wine nobody knows", "bad food", None, "漢字"])
    one, other = transformer.transform(new), loaded.transform(new)
    if needs is SPARSE:
        one, other = one.toarray(), other.toarray()
    np.testing.assert_array_equal(one, other)


def test_a_damaged_plan_is_refused(tmp_path: Path) -> None:
    table = make_table(TEXTS * 5)
    fit(table, SPARSE)[0].save(tmp_path / "plan.npz")
    arrays = dict(np.load(tmp_path / "plan.npz"))
    arrays.pop("text/keys/0")
    np.savez(tmp_path / "plan.npz", **arrays)
    with pytest.raises(ArtifactError):
        Transformer.load(tmp_path / "plan.npz", table.layout).transform(table)


def test_a_row_has_the_matrix_that_it_has_among_others() -> None:
    table = make_table(TEXTS * 5)
    for needs in (SPARSE, DENSE, TOKENS):
        transformer, _ = fit(table, needs)
        together = transformer.transform(table)
        alone = transformer.transform(table.take(np.array([5])).detach())
        one, other = (part.toarray() if needs is SPARSE else part for part in (together[5:6], alone))
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_nothing_but_empty_texts_gives_no_ngrams_and_no_fault() -> None:
    for needs in (SPARSE, DENSE, TOKENS):
        transformer, matrix = fit(make_table([None, "", "  "] * 4), needs)
        assert matrix.shape[0] == 12
        assert transformer.transform(make_table(["words"])).shape[1] == matrix.shape[1]


def test_word_numbers_follow_the_text_and_two_texts_are_told_apart() -> None:
    table = make_table(["good food", "good wine good", None] * 4, ["wine", None, "food food"] * 4)
    transformer, matrix = fit(table, TOKENS)
    tokens = [place for place, feature in enumerate(transformer.features()) if feature.token]
    assert tokens == list(range(1, matrix.shape[1]))  # behind the one number
    good, food, wine = (matrix[0, 1], matrix[0, 2], matrix[1, 2])
    assert len({good, food, wine}) == 3 and min(good, food, wine) >= 3
    assert matrix[0, 1:].tolist()[:4] == [good, food, 2, wine]
    assert matrix[1, 1:].tolist()[:5] == [good, wine, good, 2, 0]
    assert matrix[2, 1:].tolist()[:4] == [2, food, food, 0]
    assert transformer.transform(make_table(["unheard of"], [None]))[0, 1:].tolist()[:4] == [1, 1, 2, 0]


def test_a_fold_knows_only_the_words_of_its_training_rows(tmp_path: Path) -> None:
    table = make_table(["common alpha", "common beta"] * 10 + ["common gamma"] * 10)
    space = plan_space(SPARSE, table.layout)
    read_fold = partial(
        get_fold_matrices,
        tmp_path,
        fold=0,
        table=table,
        train=np.arange(20),
        score=np.arange(20, 30),
        needs=SPARSE,
        params=space.complete(WORDS_ONLY),
        fit=FitRows(task=TASK, target=np.arange(20) % 2, seed=1),
    )
    fold = read_fold()
    transformer = Transformer.load(fold.transformer_path, table.layout)
    assert sorted(ngrams_of(transformer, fold.train)[0]) == ["alpha", "beta", "common"]
    assert (fold.score.toarray()[:, -3:] > 0).sum() == 10  # "common" alone
    again = read_fold()
    np.testing.assert_array_equal(again.train.toarray(), fold.train.toarray())


def test_a_huge_vocabulary_is_bounded_where_a_model_learns_and_not_where_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"common word{number % 9} rare{number}" for number in range(90)]
    params = {**WORDS_ONLY, "min_df": 3}
    _, expected = fit(make_table(texts), SPARSE, **params)
    monkeypatch.setattr(corpus, "MOST_STORED", 20)
    table = make_table(texts).keep_counts(tmp_path)

    transformer, matrix = fit(table, SPARSE, **params)

    np.testing.assert_array_equal(matrix.toarray(), expected.toarray())
    assert len(table.texts[0].counts("word", 1)[1].keys) == 10
    # nothing is left out of what is read to answer, however many words of its own it has
    others = make_table([*(f"new{number}" for number in range(60)), texts[0]])
    np.testing.assert_array_equal(transformer.transform(others).toarray()[-1, 1:], matrix.toarray()[0, 1:])


def test_missing_texts_have_no_size() -> None:
    texts = Texts.pack(["good", None, "漢字", None, "", None])
    assert texts.corpus.n_bytes == 10
    assert texts.take(np.array([2, 1, 0])).sizes().tolist() == [6, 0, 4]
    assert Texts.pack([]).corpus.n_bytes == 0


def test_words_are_numbered_alike_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table([*TEXTS, "", None], [None, "new wine", "", "it's 漢字 😀😀", "food", None, "good", "bad end"])
    transformer, fitted = fit(table, TOKENS)
    monkeypatch.setattr(ngrams, "BLOCK_CHARACTERS", 12)
    np.testing.assert_array_equal(transformer.transform(table), fitted)
    np.testing.assert_array_equal(fit(table, TOKENS)[1], fitted)
    assert transformer.transform(table.take(slice(0))).shape == (0, fitted.shape[1])


def test_memory_to_number_words_is_that_of_a_block_however_large_the_texts_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ngrams, "BLOCK_CHARACTERS", 20_000)
    transformer, _ = fit(make_table(TEXTS), TOKENS)
    table = make_table(["good wine and bad food " * 200] * 200)
    tracemalloc.start()
    try:
        transformer.transform(table)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000  # all at once they would take ten times as much
    finally:
        tracemalloc.stop()


def test_a_table_with_texts_is_the_same_from_disk(tmp_path: Path) -> None:
    table = make_table([*TEXTS, "lone \ud800", "漢字 😀"])
    table.save(tmp_path)
    loaded = Table.load(tmp_path)
    assert list(loaded.texts[0]) == [*TEXTS, "lone ?", "漢字 😀"]
    assert list(loaded.take(np.array([2, 0])).texts[0]) == ["good good wine", "good food"]
    assert loaded.layout == table.layout
