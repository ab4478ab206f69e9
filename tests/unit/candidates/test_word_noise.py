"""Words that are lost, swapped or replaced while a network learns, and never when it answers."""

from __future__ import annotations

import numpy as np

from automl.candidates._keras import start_keras
from automl.candidates._word_noise import (
    FIRST_WORD,
    UNKNOWN,
    Bigrams,
    make_word_backoff,
    make_word_dropout,
    make_word_swap,
)

# "a b", "a c", "a b": a is followed by two words in three places, b and c always end a text
TOKENS = np.array([[3, 4, 0], [3, 5, 0], [3, 4, 0]])


def test_a_word_is_as_diverse_as_the_words_that_follow_it() -> None:
    bigrams = Bigrams.count(TOKENS, 6)
    np.testing.assert_allclose(bigrams.diversity, [0, 0, 0, 2 / 3, 1 / 2, 1], rtol=1e-6)


def test_a_word_is_drawn_by_the_number_of_distinct_words_before_it() -> None:
    # 5 stands behind 3 and 4, however often; 4 behind 3; 3 begins a text
    seconds = Bigrams.count(np.array([[3, 5, 0], [4, 5, 0], [3, 4, 5], [3, 5, 0]]), 6).seconds
    assert np.bincount(seconds, minlength=6).tolist() == [0, 0, 0, 1, 2, 2]


def test_unknown_words_and_ends_are_neither_replaced_nor_drawn() -> None:
    tokens = np.array([[3, UNKNOWN, 2, 4, 0]] * 40)
    bigrams = Bigrams.count(tokens, 5)
    assert not bigrams.diversity[:FIRST_WORD].any() and bigrams.seconds.min() >= FIRST_WORD
    backoff = make_word_backoff(
        start_keras(0, 1),
        1.0,
        Bigrams(diversity=np.ones(5, "f4") * (np.arange(5) > 2), seconds=bigrams.seconds),
        seed=1,
    )
    found = np.asarray(backoff(tokens, training=True))
    np.testing.assert_array_equal(found[:, [1, 2, 4]], tokens[:, [1, 2, 4]])
    assert set(found[:, [0, 3]].ravel().tolist()) == {3, 4}


def test_words_are_replaced_with_the_chance_that_their_diversity_gives() -> None:
    tokens = np.tile(np.arange(3, 7), (4000, 1))
    bigrams = Bigrams(
        diversity=np.array([0, 0, 0, 0, 0.2, 0.6, 1.0], dtype=np.float32), seconds=np.array([7], dtype=np.int32)
    )
    backoff = make_word_backoff(start_keras(0, 1), 0.5, bigrams, seed=1)
    np.testing.assert_array_equal(backoff(tokens), tokens)  # not when it predicts
    found = np.asarray(backoff(tokens, training=True))
    np.testing.assert_allclose((found == 7).mean(axis=0), [0.0, 0.1, 0.3, 0.5], atol=0.03)


def test_the_same_seed_replaces_the_same_words() -> None:
    keras, bigrams = start_keras(0, 1), Bigrams.count(TOKENS, 6)
    first, again, other = (
        np.asarray(make_word_backoff(keras, 1.0, bigrams, seed)(np.tile(TOKENS, (20, 1)), training=True))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_lost_words_become_unknown() -> None:
    tokens = np.tile(TOKENS, (50, 1))
    found = np.asarray(make_word_dropout(start_keras(0, 1), 0.5, seed=1)(tokens, training=True))
    assert set(found[found != tokens].tolist()) == {UNKNOWN}
    assert (found[tokens == 0] == 0).all()


def test_swapped_words_stay_the_words_of_their_text() -> None:
    keras = start_keras(0, 1)
    tokens = np.arange(3, 15).reshape(2, 6)
    tokens[1, 4:] = 0
    swap = make_word_swap(keras, 0.9, seed=1)
    np.testing.assert_array_equal(swap(tokens), tokens)  # not when it predicts
    found = np.asarray(swap(tokens, training=True))
    assert (found != tokens).any()
    np.testing.assert_array_equal(np.sort(found), np.sort(tokens))
    np.testing.assert_array_equal(found[1, 4:], 0)  # none is moved behind the end
