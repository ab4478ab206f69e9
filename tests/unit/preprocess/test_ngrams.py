"""Counts of n-grams, worked by hand and held against scikit-learn's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.preprocess import ngrams
from automl.preprocess.ngrams import Counts, count_ngrams, match_keys, select_columns


def as_dict(counts: Counts, row: int) -> dict[str, int]:
    names = counts.spell(np.arange(len(counts.keys)))
    dense = counts.matrix.toarray()[row]
    return {name: int(count) for name, count in zip(names, dense, strict=True) if count}


def test_words_and_pairs_are_counted() -> None:
    texts = ["the cat the cat sat", "a cat"]
    assert as_dict(count_ngrams(texts, "word", 1), 0) == {"the": 2, "cat": 2, "sat": 1}
    assert as_dict(count_ngrams(texts, "word", 2), 0) == {"the cat": 2, "cat the": 1, "cat sat": 1}
    assert as_dict(count_ngrams(texts, "word", 2), 1) == {"a cat": 1}


def test_characters_are_counted_inside_a_word_and_its_blanks() -> None:
    assert as_dict(count_ngrams(["ab c"], "char", 3), 0) == {" ab": 1, "ab ": 1, " c ": 1}
    assert as_dict(count_ngrams(["ab c"], "char", 1), 0) == {"a": 1, "b": 1, "c": 1}


def test_pairs_never_reach_from_one_text_into_the_next() -> None:
    assert as_dict(count_ngrams(["a", "b"], "word", 2), 0) == {}


def test_what_stands_in_too_few_texts_is_left_out() -> None:
    counts = count_ngrams(["a b", "a a", "c"], "word", 1, least=2)
    assert counts.spell(np.arange(len(counts.keys))) == ["a"]
    assert counts.matrix.toarray().tolist() == [[1.0], [2.0], [0.0]]


def test_no_texts_and_empty_texts_have_no_ngrams() -> None:
    assert count_ngrams([], "word", 1).matrix.shape == (0, 0)
    assert count_ngrams([None, ""], "char", 3).matrix.shape == (2, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("abcé '\U0001f600漢!"), max_size=12), min_size=1, max_size=5), st.integers(1, 5)
)
def test_characters_are_those_of_scikit_learn(texts: list[str], n: int) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    forms = [" ".join(text.split()) for text in texts]
    # its words shorter than n count once as a whole: those are not chains of n characters
    theirs = CountVectorizer(analyzer="char_wb", ngram_range=(n, n))
    analyze = theirs.build_analyzer()
    for row, form in enumerate(forms):
        wanted = [term for term in analyze(form) if len(term) == n and term.strip()]
        expected = {term: wanted.count(term) for term in wanted}
        assert as_dict(count_ngrams(forms, "char", n), row) == expected


def test_counting_block_by_block_gives_the_same(monkeypatch) -> None:
    texts = [f"word{number % 7} and word{number % 3}" for number in range(50)]
    whole = count_ngrams(texts, "word", 2)
    monkeypatch.setattr(ngrams, "BLOCK_CHARACTERS", 40)
    parts = count_ngrams(texts, "word", 2)
    np.testing.assert_array_equal(parts.keys, whole.keys)
    np.testing.assert_array_equal(parts.matrix.toarray(), whole.matrix.toarray())
    assert parts.spell(np.arange(5)) == whole.spell(np.arange(5))


def test_keys_are_the_same_on_every_machine() -> None:
    counts = count_ngrams(["ab"], "word", 1)
    assert counts.keys.tolist() == [count_ngrams(["x ab y"], "word", 1).keys[at] for at in (_place("ab"),)]
    assert len(set(count_ngrams(["ab ba a b aa bb"], "word", 1).keys.tolist())) == 6


def _place(term: str) -> int:
    counts = count_ngrams(["x ab y"], "word", 1)
    return counts.spell(np.arange(3)).index(term)


def test_keys_are_matched_and_columns_chosen() -> None:
    keys = np.array([3, 5, 9], dtype=np.uint64)
    assert match_keys(np.array([9, 4, 3], dtype=np.uint64), keys).tolist() == [2, -1, 0]
    assert match_keys(np.array([9], dtype=np.uint64), keys[:0]).tolist() == [-1]
    counts = count_ngrams(["a b c", "b b"], "word", 1)
    place = counts.spell(np.arange(3)).index("b")
    assert select_columns(counts.matrix, np.array([place])).toarray().tolist() == [[1.0], [2.0]]


def test_spans_reach_across_words_but_never_across_texts() -> None:
    counts = count_ngrams(["ab c", "d"], "span", 3)
    assert as_dict(counts, 0) == {" ab": 1, "ab ": 1, "b c": 1, " c ": 1}
    assert as_dict(counts, 1) == {" d ": 1}


def make_zipf_texts(rows: int) -> list[str]:
    """Sentences of words of which some are common and most are rare."""
    rng = np.random.default_rng(3)
    words = np.minimum(rng.zipf(1.3, (rows, 8)), 5000)
    return [" ".join(f"w{number}" for number in row) for row in words]


def test_beyond_a_bound_the_rarest_are_left_out_and_the_others_are_counted_as_without_it(monkeypatch) -> None:
    texts = make_zipf_texts(2000)
    monkeypatch.setattr(ngrams, "BLOCK_CHARACTERS", 5000)
    whole = count_ngrams(texts, "word", 2)
    assert len(whole.keys) > 4000

    bounded = count_ngrams(texts, "word", 2, most=500)

    frequencies = np.bincount(bounded.matrix.indices, minlength=len(bounded.keys))
    floor = int(frequencies.min())
    assert 200 < len(bounded.keys) <= 500 and floor > 1
    same = count_ngrams(texts, "word", 2, least=floor)
    np.testing.assert_array_equal(bounded.keys, same.keys)
    np.testing.assert_array_equal(bounded.matrix.toarray(), same.matrix.toarray())
    np.testing.assert_array_equal(bounded.terms, same.terms)


def test_a_bound_that_is_not_reached_changes_nothing() -> None:
    texts = make_zipf_texts(50)
    bounded, whole = (count_ngrams(texts, "char", 3, most=most) for most in (10_000, None))
    np.testing.assert_array_equal(bounded.keys, whole.keys)
    np.testing.assert_array_equal(bounded.matrix.toarray(), whole.matrix.toarray())
