"""A worker finds the data on shared storage, or keeps one copy a host; when the last session leaves, nothing stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automl.engines.cluster.parcel import Manifest, list_files, write_pieces
from automl.engines.cluster.store import (
    add_piece,
    begin_data,
    find_data,
    finish_data,
    forget,
    leave,
    leave_unused,
    mark_used,
    session_folder,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run" / "data").mkdir(parents=True)
    (tmp_path / "run" / "data" / "target.npy").write_bytes(b"yes no yes")
    return tmp_path / "run"


@pytest.fixture
def manifest(root: Path) -> Manifest:
    return list_files(root, ("data",))


def send(directory: str, root: Path, manifest: Manifest, spoil: bytes = b"") -> None:
    begin_data(directory, "token")
    pieces = b"".join(write_pieces(root / ".pieces", root, ("data",))) + spoil
    half = len(pieces) // 2
    add_piece(directory, "token", half, pieces[half:])
    add_piece(directory, "token", 0, pieces[:half])
    add_piece(directory, "token", 0, pieces[:half])
    finish_data(directory, "token", manifest)


def test_shared_storage_is_read_where_it_is(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    assert find_data(directory, "s", str(root), manifest)
    shown = session_folder(directory, "s") / "data" / "target.npy"
    assert shown.resolve() == root / "data" / "target.npy"
    assert list((tmp_path / "scratch" / "automl").glob("data-*")) == []


def test_a_path_that_holds_something_else_is_not_taken_for_the_data(
    tmp_path: Path, root: Path, manifest: Manifest
) -> None:
    (root / "data" / "target.npy").write_bytes(b"yes no  no")
    assert not find_data(str(tmp_path / "scratch" / "worker-1"), "s", str(root), manifest)


def test_what_one_worker_received_is_found_by_the_others_of_its_host(
    tmp_path: Path, root: Path, manifest: Manifest
) -> None:
    one, two = (str(tmp_path / "scratch" / name) for name in ("worker-1", "worker-2"))
    assert not find_data(one, "s", "/not/here", manifest)
    send(one, root, manifest)
    for directory in (one, two):
        assert find_data(directory, "s", "/not/here", manifest)
    assert (session_folder(two, "s") / "data" / "target.npy").read_bytes() == b"yes no yes"


def test_data_that_arrives_changed_is_refused_and_not_kept(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    (root / "data" / "target.npy").write_bytes(b"no no no !")
    with pytest.raises(ValueError, match="arrived changed"):
        send(directory, root, manifest)
    assert list((tmp_path / "scratch" / "automl").iterdir()) == []


def test_data_stays_as_long_as_a_session_shows_it(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    (tmp_path / "scratch").mkdir()
    send(directory, root, manifest)
    for session in ("a", "b"):
        assert find_data(directory, session, "/not/here", manifest)
    leave(directory, "a")
    assert (session_folder(directory, "b") / "data" / "target.npy").exists()
    leave(directory, "b")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_leaving_does_not_touch_shared_storage(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    assert find_data(directory, "s", str(root), manifest)
    leave(directory, "s")
    assert (root / "data" / "target.npy").read_bytes() == b"yes no yes"


def test_matrices_are_forgotten_by_their_pattern(tmp_path: Path) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    cache = session_folder(directory, "s") / "search" / "cache"
    for name in ("abc-0", "abc-1", "abd-0"):
        (cache / name).mkdir(parents=True)
    forget(directory, "s", "search/cache/abc-*")
    assert [path.name for path in cache.iterdir()] == ["abd-0"]


def test_a_session_that_nobody_uses_any_more_is_cleared(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    assert find_data(directory, "s", str(root), manifest)
    folder = session_folder(directory, "s")
    leave_unused(directory, "s", 100.0)
    assert folder.exists()
    os.utime(folder, (1e9, 1e9))
    mark_used(directory, "s")  # by another worker of the host
    os.utime(folder, (1e9, 1e9))
    leave_unused(directory, "s", 100.0)
    assert folder.exists()
    os.utime(folder / ".used", (1e9, 1e9))
    leave_unused(directory, "s", 100.0)
    assert not folder.exists()
    leave_unused(directory, "s", 100.0)


def test_what_another_session_has_sent_and_reads_stays_where_it_is(
    tmp_path: Path, root: Path, manifest: Manifest
) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    send(directory, root, manifest)
    (place,) = (tmp_path / "scratch" / "automl").glob("data-*")
    before = place.stat().st_ino
    send(directory, root, manifest)
    assert place.stat().st_ino == before


def test_a_stream_that_was_broken_off_goes_with_its_session(tmp_path: Path, root: Path, manifest: Manifest) -> None:
    directory = str(tmp_path / "scratch" / "worker-1")
    begin_data(directory, "one-token")
    add_piece(directory, "one-token", 0, b"x")
    begin_data(directory, "two-token")
    add_piece(directory, "two-token", 0, b"x")
    leave(directory, "one")
    assert [path.name for path in (tmp_path / "scratch" / "automl").iterdir()] == [".two-token.part"]
