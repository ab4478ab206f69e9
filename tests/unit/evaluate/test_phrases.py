"""What a prediction rests on in one text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl import prepare
from automl.evaluate.phrases import explain_texts, find_pieces, replace_texts
from automl.preprocess.table import Table, TableEncoder
from automl.recipe import Recipe


def make_row(text: str | None) -> Table:
    """The first of thirty rows of a table with a text and a number."""
    said = [text, *(f"a chair of wood, number {at} of many in this old house" for at in range(29))]
    frame = pd.DataFrame({"said": said, "weight": np.arange(30.0), "price": np.arange(30.0) * 3 + 0.5})
    dataset = prepare.load(frame, target="price", recipe=Recipe())
    return TableEncoder(dataset.schema).encode(dataset.frame).take(np.array([0]))


def count_good(table: Table) -> Any:
    """Outputs 0.1, and 0.3 more for each "good"."""
    return np.array([[0.1 + 0.3 * (text or "").count("good")] for text in table.texts[0]], dtype=np.float32)


def test_the_words_that_the_output_needs_come_first() -> None:
    found = explain_texts(count_good, make_row("It is good, very good indeed for its age"), 0)
    assert [(phrase.text, phrase.at) for phrase in found[:2]] == [("good", 6), ("good", 17)]
    assert [phrase.effect for phrase in found[:2]] == pytest.approx([0.3, 0.3], abs=1e-6)
    assert all(phrase.effect == 0 for phrase in found[2:])
    assert found[0].column == "said"


def test_a_row_without_a_text_has_no_words() -> None:
    assert explain_texts(count_good, make_row(None), 0) == ()


def test_scripts_without_blanks_are_cut_into_pairs() -> None:
    text = "很好吃, fast送餐"
    assert [text[start:end] for start, end in find_pieces(text)] == ["很好", "吃", "fa", "st", "送餐"]


def test_of_a_long_text_the_first_words_are_tried() -> None:
    assert len(find_pieces("word " * 500)) == 80


def test_what_is_counted_of_a_text_follows_the_text() -> None:
    row = make_row("It is good, very good indeed for its age")
    changed = replace_texts(row, "said", ["short one", "It is good, very good indeed for its age"])
    names = list(changed.layout.numbers)
    assert changed.numbers[:, names.index("said (words)")].tolist() == [2.0, 9.0]
    assert np.array_equal(changed.numbers[1], row.numbers[0])
    assert list(changed.texts[0]) == ["short one", "It is good, very good indeed for its age"]
