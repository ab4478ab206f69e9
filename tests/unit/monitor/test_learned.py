"""A champion's rows are those that it read, whatever has become of their file since."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from automl.data import identity
from automl.data.identity import begins_with, identify_file
from automl.errors import UsageError
from automl.monitor.learned import TRAINING, read_learned, read_unlearned
from automl.monitor.request_log import RequestLog
from automl.recipe import Recipe

ROWS = "x,y\n1,a\n2,b\n3,a\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def champion_of(source: Path, folder: Path) -> Any:
    return SimpleNamespace(path=folder / "run", record={"data": str(source), "source": identify_file(source)})


def read_rows(champion: Any, *, is_needed: bool = True) -> tuple[list[str] | None, list[str]]:
    said: list[str] = []
    frame, _ = read_learned(champion, Recipe(), is_needed=is_needed, tell=said.append)
    return None if frame is None else frame["x"].astype(str).tolist(), said


def test_rows_appended_to_the_file_are_new(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    with source.open("a", encoding="utf-8") as file:
        file.write("4,b\n5,a\n")
    assert read_rows(champion) == (["1", "2", "3"], [])


def test_a_file_that_was_overwritten_is_refused_or_told(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    source.write_text(ROWS.replace("2,b", "9,b"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"has changed since .* learned from it") as caught:
        read_rows(champion)
    assert "--rows new" in caught.value.hint
    rows, said = read_rows(champion, is_needed=False)
    assert rows is None
    assert "cannot be told, and may judge" in said[0]


def test_a_file_that_is_gone_is_refused_only_where_its_rows_are_needed(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    source.unlink()
    with pytest.raises(UsageError, match=r"are not at .* any more"):
        read_rows(champion)
    assert read_rows(champion, is_needed=False)[0] is None


def test_a_version_that_was_moved_has_its_rows_beside_it(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    champion.path.mkdir()
    kept = champion.path / TRAINING
    pd.DataFrame({"x": ["8", "9"], "y": ["a", "b"]}).to_parquet(kept)
    champion.record.update(data="/elsewhere/run/versions/0002/training.parquet", source=identify_file(kept))
    assert read_rows(champion) == (["8", "9"], [])


def test_a_run_that_does_not_know_its_file_takes_it_as_it_is(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    del champion.record["source"]
    source.write_text(ROWS + "4,b\n", encoding="utf-8")
    assert read_rows(champion) == (["1", "2", "3", "4"], [])


def test_of_a_large_file_the_ends_speak(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "EDGE_BYTES", 4)
    facts = identify_file(source)
    assert facts is not None
    assert facts["bytes"] == len(ROWS)
    assert begins_with(source, facts)
    source.write_text(ROWS.replace("1,a", "1,c"), encoding="utf-8")
    assert begins_with(source, facts)  # the middle is not read
    source.write_text("X" + ROWS[1:], encoding="utf-8")
    assert not begins_with(source, facts)
    source.write_text(ROWS[:-1], encoding="utf-8")
    assert not begins_with(source, facts)


def test_a_folder_and_a_stream_have_no_bytes(tmp_path: Path) -> None:
    assert identify_file(tmp_path) is None
    assert identify_file(tmp_path / "-") is None


def test_rows_that_the_champion_knows_do_not_tell_that_all_is_as_it_was(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    champion.recipe_path = tmp_path / "recipe.yaml"
    champion.recipe_path.write_text(Recipe().dump_yaml(), encoding="utf-8")
    new = tmp_path / "new.csv"
    new.write_text(ROWS + "4,b\n", encoding="utf-8")
    said: list[str] = []
    fresh = read_unlearned(champion, new, encoding=None, tell=said.append)
    assert not isinstance(fresh, Path)
    assert fresh["x"].tolist() == ["4"]
    assert "3 of 4 new rows are rows that the champion has learned from" in said[0]
    new.write_text("x,y\n7,b\n", encoding="utf-8")
    assert read_unlearned(champion, new, encoding=None, tell=said.append) is new


def test_pictures_of_a_file_that_has_grown_are_found_where_they_were(tmp_path: Path) -> None:
    source = tmp_path / "photos.csv"
    source.write_text("photo,y\na/1.png,cat\na/2.png,dog\n", encoding="utf-8")
    champion = champion_of(source, tmp_path)
    with source.open("a", encoding="utf-8") as file:
        file.write("a/3.png,cat\n")
    frame, _ = read_learned(champion, Recipe(), is_needed=True, tell=print)
    assert frame is not None
    assert frame["photo"].tolist() == [str(tmp_path / "a/1.png"), str(tmp_path / "a/2.png")]


def test_a_log_is_left_as_it_is(source: Path, tmp_path: Path) -> None:
    champion = champion_of(source, tmp_path)
    champion.recipe_path = tmp_path / "recipe.yaml"
    champion.recipe_path.write_text(Recipe().dump_yaml(), encoding="utf-8")
    RequestLog(tmp_path / "log", columns=["x"])
    assert read_unlearned(champion, tmp_path / "log", encoding=None, tell=print) == tmp_path / "log"
