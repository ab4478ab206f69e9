"""Versions of a model: side by side, one in use, back the way they came; and what a kill may leave."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.errors import UsageError
from automl.versions import Versions


def make_versions(root: Path, *numbers: int) -> Versions:
    """A run's own model, and these versions beside it."""
    versions = Versions(root)
    (root / "model").mkdir()
    (root / "model/manifest.json").write_text("1")
    for number in numbers:
        (versions.path(number) / "model").mkdir(parents=True)
        (versions.path(number) / "model/manifest.json").write_text(str(number))
        (versions.path(number) / "retrain.json").write_text("{}")
    return versions


def test_versions_go_back_along_the_way_they_came(tmp_path: Path) -> None:
    versions = make_versions(tmp_path, 2, 3, 4)
    assert (versions.current, versions.previous(), versions.numbers()) == (1, None, [1, 2, 3, 4])
    versions.promote(2)
    versions.promote(4)
    assert (versions.current, versions.previous()) == (4, 2)
    assert (tmp_path / "model/manifest.json").read_text() == "4"
    versions.promote(2, action="rollback")
    assert versions.previous() == 1
    versions.promote(1, action="rollback")
    assert (versions.previous(), (tmp_path / "model/manifest.json").read_text()) == (None, "1")
    versions.promote(3)
    assert (versions.previous(), versions.next_number()) == (1, 5)
    assert versions.prune(keep=1) == [2]
    with pytest.raises(UsageError, match="has no version 2"):
        versions.promote(2)


def test_a_first_version_that_was_thrown_away_is_not_offered(tmp_path: Path) -> None:
    versions = make_versions(tmp_path, 2)
    versions.promote(2)
    shutil.rmtree(versions.path(1))
    assert (versions.numbers(), versions.previous()) == ([2], None)
    with pytest.raises(UsageError, match="has no version 1"):
        versions.promote(1)
    assert (tmp_path / "model" / "manifest.json").exists()


@pytest.mark.parametrize("system_exchanges", [True, False])
def test_the_first_version_is_the_model_that_a_run_resumed_after_a_rollback_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system_exchanges: bool
) -> None:
    if not system_exchanges:
        monkeypatch.setattr("automl.versions.exchange", lambda one, other: False)
    versions = make_versions(tmp_path, 2, 3)
    versions.promote(2)
    versions.promote(1, action="rollback")
    (tmp_path / "model").unlink()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/manifest.json").write_text("1, resumed")
    versions.promote(3)
    versions.promote(1, action="rollback")
    assert (tmp_path / "model/manifest.json").read_text() == "1, resumed"
    assert [path.name for path in versions.path(1).iterdir()] == ["model"]


def test_the_newest_version_stays_to_be_looked_at_where_none_is_to_be_kept(tmp_path: Path) -> None:
    versions = make_versions(tmp_path, 2, 3)
    assert versions.prune(keep=0) == [2]
    (versions.path(4) / "model").mkdir(parents=True)
    assert versions.prune(keep=0) == [3]
    assert versions.all_numbers() == [4]


def test_what_a_kill_left_of_a_retraining_is_cleared(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    (versions.path(2) / "model").mkdir(parents=True)
    (versions.folder / ".0002.rows").mkdir()
    (tmp_path / ".model.link-99").symlink_to("versions/0002/model")
    versions.clear_leftovers()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["versions"]
