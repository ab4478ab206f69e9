"""The tokeniser: one form for what means the same, and tokens in every script."""

from __future__ import annotations

import pytest

from automl.preprocess.tokens import normalize, to_points, to_tokens
from automl.schema import MAX_TEXT_CHARACTERS


def tokens_of(text: str) -> list[str]:
    points = to_points([text])
    tokens = to_tokens(points)
    spans = zip(tokens.starts, tokens.ends, strict=True)
    return [points.codes[start:end].tobytes().decode("utf-32-le") for start, end in spans]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Hello   World\n", "hello world"),
        ("<p class='x'>Fish &amp; chips</p><br/>now", "fish & chips now"),
        ("I <3 you, <user>", "i <3 you, <user>"),
        ("ＦＵＬＬ width ﬁ", "full width fi"),
        ("don\u2019t", "don't"),
        ("Rock\u02bcn\uff07Roll", "rock'n'roll"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("", ""),
    ],
)
def test_what_means_the_same_has_one_form(text: str, form: str) -> None:
    assert normalize(text) == form


def test_of_a_very_long_text_the_beginning_is_read() -> None:
    assert len(normalize("ab " * MAX_TEXT_CHARACTERS)) <= MAX_TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop, it's 9:30!!!", ["don't", "stop", ",", "it's", "9", ":", "30", "!!!"]),
        ("'quoted'", ["'", "quoted", "'"]),
        ("味道很好", ["味", "道", "很", "好"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("ひらカナ漢字 and words", ["ひ", "ら", "カ", "ナ", "漢", "字", "and", "words"]),
        ("Привет, мир", ["привет", ",", "мир"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("ok 😀😀👍", ["ok", "😀😀", "👍"]),
        ("❤\ufe0f", ["❤"]),
        ("snake_case", ["snake_case"]),
        (" \t ", []),
    ],
)
def test_tokens_are_words_characters_or_symbols(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


def test_tokens_of_several_texts_stay_apart_and_nothing_is_an_empty_text() -> None:
    points = to_points(["a b", None, "", "c"])
    assert to_tokens(points).texts.tolist() == [0, 0, 3]
    assert points.count == 4
