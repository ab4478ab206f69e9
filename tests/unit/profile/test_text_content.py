"""What is said of texts: their script, HTML, empty and long ones."""

from __future__ import annotations

import numpy as np
import pytest

from automl.profile.findings.text_content import find_scripts, plugin
from automl.schema import MAX_TEXT_CHARACTERS, Role
from tests.unit.profile.tables import make_dataset


def said_of(texts: list[str | None]) -> list[tuple[str, str]]:
    column = np.array(texts, dtype=object)
    dataset = make_dataset({"t": column}, np.arange(len(texts)) % 2, roles={"t": Role.TEXT})
    return [(finding.text, finding.action) for finding in plugin.find(dataset, None)]


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("Grüße aus Köln", ["Latin"]),
        ("Привет мир", ["Cyrillic"]),
        ("مرحبا بالعالم", ["Arabic"]),
        ("味道很好", ["Chinese characters"]),
        ("สวัสดีครับ", ["Thai"]),
        ("123 !? 😀", []),
    ],
)
def test_scripts_are_found(text: str, scripts: list[str]) -> None:
    assert list(find_scripts([text])) == scripts


def test_shares_of_scripts_are_of_letters() -> None:
    assert find_scripts(["abc", "я 12"]) == {"Latin": 0.75, "Cyrillic": 0.25}


def test_a_script_without_blanks_is_read_by_characters() -> None:
    ((text, action),) = said_of(["味道很好吃 ok", "送餐太慢了"] * 10)
    assert "Chinese characters" in text and "each character is a token" in action


def test_html_empty_and_long_texts_are_told() -> None:
    found = said_of(["<p>one</p>", "two &amp; more", None, "", "x" * (MAX_TEXT_CHARACTERS + 1)] * 4)
    said = " | ".join(text for text, _ in found)
    assert "8 texts of 't' (40%) hold remains of HTML" in said
    assert f"4 texts of 't' are longer than {MAX_TEXT_CHARACTERS:,} characters" in said
    assert "8 texts of 't' (40%) are empty" in said


def test_plain_texts_get_one_note() -> None:
    assert len(said_of(["a plain text", "and 1 < 2 another"] * 10)) == 1
