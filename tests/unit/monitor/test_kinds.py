"""What is kept of each kind of column, and that its comparison is quiet on the same world and loud on another."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from automl.matrix import Array
from automl.monitor import kinds
from automl.pictures import encode_uri
from automl.schema import Column, PictureFormat, Role

WORDS = ["river", "stone", "bread", "lamp", "winter", "paper", "door", "cloud", "music", "garden", "salt", "train"]
OTHER = ["Fluss", "Stein", "Brot", "Lampe", "Winter", "Papier", "Tür", "Wolke", "Musik", "Garten", "Salz", "Zug"]
PICTURE = PictureFormat(height=8, width=8, channels=1)


def make_numbers(rng: np.random.Generator, rows: int, moved: bool) -> pd.Series:
    return pd.Series(rng.gamma(2, 3, rows) * (1.6 if moved else 1))


def make_levels(rng: np.random.Generator, rows: int, moved: bool) -> pd.Series:
    return pd.Series(rng.choice(["a", "b", "c"], rows, p=[0.2, 0.3, 0.5] if moved else [0.5, 0.3, 0.2]), dtype=object)


def make_dates(rng: np.random.Generator, rows: int, moved: bool) -> pd.Series:
    hours = rng.integers(0, 24 * 200, rows)
    hours = hours // 24 * 24 + rng.integers(8, 12, rows) if moved else hours
    return pd.Series(pd.Timestamp("2026-01-05") + pd.to_timedelta(hours, unit="h"))


def make_texts(rng: np.random.Generator, rows: int, moved: bool) -> pd.Series:
    words = np.array(OTHER if moved else WORDS)
    return pd.Series([" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(rows)], dtype=object)


def make_pictures(rng: np.random.Generator, rows: int, moved: bool) -> pd.Series:
    bright = rng.integers(40, 160, rows)[:, None, None, None] + (60 if moved else 0)
    pixels = np.clip(bright + rng.normal(0, 20, (rows, 8, 8, 1)), 0, 255).astype(np.uint8)
    return pd.Series([encode_uri(picture) for picture in pixels], dtype=object)


MAKERS: dict[str, tuple[Column, Callable[[np.random.Generator, int, bool], pd.Series]]] = {
    "number": (Column(name="x", role=Role.NUMBER), make_numbers),
    "category": (Column(name="x", role=Role.CATEGORY, levels=("a", "b", "c")), make_levels),
    "date": (Column(name="x", role=Role.DATE), make_dates),
    "text": (Column(name="x", role=Role.TEXT), make_texts),
    "image": (Column(name="x", role=Role.IMAGE, picture=PICTURE), make_pictures),
}


def test_every_role_that_a_model_reads_has_its_kind() -> None:
    assert set(kinds.names()) == set(MAKERS) == {str(role) for role in Role if role is not Role.IGNORE}


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_world_is_quiet_and_another_is_not(name: str) -> None:
    column, make = MAKERS[name]
    rng = np.random.default_rng(11)
    plugin = kinds.get(name)
    kept = json.loads(json.dumps(plugin.summarize(column, make(rng, 800, False), None)))
    quiet = [min(shift.p_value for shift in plugin.compare(column, kept, make(rng, 200, False))) for _ in range(40)]
    assert sum(p_value < 0.05 for p_value in quiet) <= 6  # two are expected; seven or more come once in 200 times
    found = min(plugin.compare(column, kept, make(rng, 200, True)), key=lambda shift: shift.p_value)
    assert found.p_value < 1e-6
    assert found.is_large
    assert found.text


@pytest.mark.parametrize("name", MAKERS)
def test_a_single_row_and_a_column_that_never_changes_are_no_error(name: str) -> None:
    column, make = MAKERS[name]
    plugin = kinds.get(name)
    one = make(np.random.default_rng(0), 1, False)
    for rows in (one, one.repeat(60).reset_index(drop=True)):
        kept = plugin.summarize(column, rows, None)
        shifts = plugin.compare(column, kept, rows)
        assert all(0.5 < shift.p_value <= 1 for shift in shifts)
        assert not any(shift.is_large for shift in shifts)


def test_no_word_of_a_text_is_kept() -> None:
    kept = json.dumps(
        kinds.get("text").summarize(MAKERS["text"][0], make_texts(np.random.default_rng(0), 300, False), None)
    )
    assert len(json.loads(kept)["words"]) == 12
    assert not any(word in kept for word in WORDS)


def test_pictures_in_memory_and_from_their_addresses_measure_the_same() -> None:
    column = MAKERS["image"][0]
    pixels: Array = np.random.default_rng(2).integers(0, 255, (50, 8, 8, 1)).astype(np.uint8)
    uris = pd.Series([encode_uri(picture) for picture in pixels], dtype=object)
    plugin = kinds.get("image")
    assert plugin.summarize(column, uris, pixels) == plugin.summarize(column, uris, None)
