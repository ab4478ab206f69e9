"""Folders and zip archives of text files, one folder a class."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from automl.data.collections import text_files
from automl.data.load import find_test, load_dataset, read_table
from automl.errors import DataError
from automl.recipe import Recipe
from automl.schema import Role

WORDS = {"sport": "the goal of the match was late", "money": "the bank lowers its rate again"}


def write_folder(root: Path, rows: int = 12) -> Path:
    for label, words in WORDS.items():
        (root / label).mkdir(parents=True)
        for number in range(rows):
            (root / label / f"{number}.txt").write_text(f"{words} {number}", encoding="utf-8")
    return root


def test_a_folder_of_classes_is_a_table_of_texts(tmp_path: Path) -> None:
    dataset = load_dataset(write_folder(tmp_path / "news"), target=None, recipe=Recipe())
    assert dataset.task.target == "label" and dataset.task.classes == ("money", "sport")
    assert dataset.schema["text"].role is Role.TEXT
    assert dataset.frame["text"][0] == "the bank lowers its rate again 0"


def test_a_zip_reads_as_its_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "news")
    with zipfile.ZipFile(tmp_path / "news.zip", "w") as archive:
        for path in sorted(folder.rglob("*.txt")):
            archive.write(path, path.relative_to(tmp_path))
    one, other = read_table(folder), read_table(tmp_path / "news.zip")
    assert one.frame.equals(other.frame) and one.names == other.names


def test_train_and_test_above_the_classes_are_told_apart(tmp_path: Path) -> None:
    write_folder(tmp_path / "news" / "train"), write_folder(tmp_path / "news" / "test", rows=3)
    assert load_dataset(tmp_path / "news", target=None, recipe=Recipe()).n_rows == 24
    assert find_test(tmp_path / "news") == tmp_path / "news" / "test"
    assert len(read_table(tmp_path / "news", part="test").frame) == 6
    whole = read_table(tmp_path / "news").frame
    assert len(whole) == 30
    assert set(whole["label"]) == {"sport", "money"}  # train/ and test/ are no classes


def test_rows_are_named_after_their_files_and_keep_no_class_without_folders(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("two words", encoding="utf-8")
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    table = read_table(tmp_path)
    assert table.names == ("a.txt", "b.txt") and list(table.frame.columns) == ["text"]


def test_older_encodings_empty_and_binary_files_are_read_or_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "news")
    (folder / "sport" / "x.txt").write_bytes("Müller schießt übers Tor, größte Chance für Köln".encode("cp1252"))
    (folder / "sport" / "y.txt").write_bytes(b"")
    (folder / "sport" / "z.txt").write_bytes(b"\x00\x01\x02")
    (folder / "sport" / "w.bin").write_bytes(b"\x00")
    table = read_table(folder)
    cells = dict(zip(table.names, table.frame["text"], strict=True))
    assert "Müller schießt" in cells["sport/x.txt"]
    said = " ".join(notice.text for notice in table.notices)
    assert "sport/z.txt" in said and "sport/w.bin" in said
    assert cells["sport/z.txt"] != cells["sport/z.txt"]  # missing


def test_a_very_long_file_is_read_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 5)
    (tmp_path / "a.txt").write_text("ab€€", encoding="utf-8")  # the second € is cut
    (tmp_path / "b.txt").write_text("abc", encoding="utf-8")
    table = read_table(tmp_path)
    assert list(table.frame["text"]) == ["ab€", "abc"]
    assert "a.txt" in table.notices[0].text


def test_files_that_are_mostly_no_text_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_bytes(b"\x00\x01")
    with pytest.raises(DataError, match="3 of 3 files are not text"):
        read_table(tmp_path)


def test_a_packed_table_called_txt_stays_a_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "table.zip", "w") as archive:
        archive.writestr("table.txt", "a,b\n1,2\n3,4\n")
    assert list(read_table(tmp_path / "table.zip").frame.columns) == ["a", "b"]


def test_parts_of_texts_may_have_longer_names_and_lie_beside_others(tmp_path: Path) -> None:
    root = tmp_path / "news"
    write_folder(root / "20news-bydate-train"), write_folder(root / "20news-bydate-test", rows=3)
    (root / "unread").mkdir()
    (root / "unread" / "0.txt").write_text("whatever", encoding="utf-8")
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert dataset.task.classes == ("money", "sport") and dataset.n_rows == 24
    assert find_test(root) == root / "20news-bydate-test"


def test_short_texts_in_an_older_encoding_tell_it_together(tmp_path: Path) -> None:
    """By itself each may seem to be Chinese: `hält` in Latin-1 is also two bytes of Big5."""
    lines = [
        "Der Akku hält nur kurz, schade", "Très bon appareil, livré à l'heure", "Größe passt, Farbe schön",
        "Lieferung kam verspätet, Gerät läuft", "Für den Preis völlig in Ordnung", "Élégant et très léger",
    ]  # fmt: skip
    for at, line in enumerate(lines * 3):
        place = tmp_path / "reviews" / ("good" if at % 2 else "bad")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{at:02d}.txt").write_bytes(f"{line} {at}".encode("latin-1"))
    table = read_table(tmp_path / "reviews")
    assert {text.rsplit(" ", 1)[0] for text in table.frame["text"]} == set(lines)
    assert [notice.text for notice in table.notices if notice.topic == "encoding"] == ["18 text(s) decoded as Latin-1"]


def test_a_text_that_was_cut_within_a_character_is_read_without_it(tmp_path: Path) -> None:
    for at in range(12):
        place = tmp_path / "news" / ("a" if at % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{at}.txt").write_bytes((f"{at}" + "今天的天气很好我们去公园" * 20).encode()[:400])
    table = read_table(tmp_path / "news")
    assert table.frame["text"].notna().all() and not table.notices
    assert all(text.lstrip("0123456789").startswith("今天的天气") for text in table.frame["text"])


def test_long_texts_tell_their_encodings_each_by_itself(tmp_path: Path) -> None:
    german = "Der Akku hält nur kurz, schade. Größe passt, die Farbe ist schön. " * 40
    russian = "Привет, это длинный русский текст о погоде и о людях. " * 40
    for label, text, codec in (("de", german, "latin-1"), ("ru", russian, "cp1251")):
        (tmp_path / "news" / label).mkdir(parents=True)
        for at in range(30):
            (tmp_path / "news" / label / f"{at}.txt").write_bytes(f"{at} {text}".encode(codec))
    frame = read_table(tmp_path / "news").frame
    assert frame["text"][frame["label"] == "ru"].str.contains("Привет").all()
    assert frame["text"][frame["label"] == "de"].str.contains("hält").all()


def test_a_short_text_that_was_cut_within_a_character_is_read_without_it(tmp_path: Path) -> None:
    for at in range(12):
        place = tmp_path / "news" / ("a" if at % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{at}.txt").write_bytes(f"{at} Café très bon, livré".encode() + b"\xc3")
    table = read_table(tmp_path / "news")
    assert table.frame["text"].str.endswith("Café très bon, livré").all() and not table.notices
