"""Folders cross between machines whole, and nothing in them leads out of the folder they are put in."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

from automl.engines.cluster.parcel import (
    PIECE_BYTES,
    fingerprint,
    holds,
    list_files,
    pack,
    read_stream,
    unpack,
    write_pieces,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "from"
    (root / "data" / "golden").mkdir(parents=True)
    (root / "data" / "a.npy").write_bytes(b"12345")
    (root / "data" / "golden" / "größe.json").write_text("{}", encoding="utf-8")
    (root / "other").mkdir()
    (root / "other" / "secret").write_bytes(b"not asked for")
    return root


def test_a_packed_folder_is_the_same_elsewhere(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "to" / "there"
    unpack(pack(folder / "data"), place)
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        "a.npy",
        "golden/größe.json",
    ]
    assert (place / "a.npy").read_bytes() == b"12345"
    assert (place / "a.npy").stat().st_mode & 0o777 == 0o600  # nobody else's business there either
    assert [path.name for path in place.parent.iterdir()] == ["there"]


def test_what_lay_there_is_replaced_as_a_whole(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "there"
    place.mkdir()
    (place / "old").write_bytes(b"")
    unpack(pack(folder / "data"), place)
    assert not (place / "old").exists()


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with (
        zstandard.ZstdCompressor().stream_writer(buffer, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        member = tarfile.TarInfo(name)
        member.size = 3
        archive.addfile(member, io.BytesIO(b"bad"))
    place = tmp_path / "inside" / "there"
    outside = {path.name for path in tmp_path.iterdir()} | {"inside"}
    try:
        unpack(buffer.getvalue(), place)
    except tarfile.TarError:
        assert not place.exists()
    assert {path.name for path in tmp_path.iterdir()} <= outside
    assert not Path("/etc/out").exists()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """A link out of the folder, and a file that would go through it."""
    buffer = io.BytesIO()
    with (
        zstandard.ZstdCompressor().stream_writer(buffer, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        member = tarfile.TarInfo("a/out")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"bad"))
    with pytest.raises(tarfile.TarError):
        unpack(buffer.getvalue(), tmp_path / "inside" / "there")
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "inside").iterdir()) == []


def test_a_damaged_parcel_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    content = pack(folder / "data")
    with pytest.raises((tarfile.TarError, zstandard.ZstdError, EOFError)):
        unpack(content[: len(content) // 2], tmp_path / "place" / "there")
    assert list((tmp_path / "place").iterdir()) == []


def test_files_are_known_by_their_contents(folder: Path) -> None:
    manifest = list_files(folder, ("data",))
    assert sorted(manifest) == ["data/a.npy", "data/golden/größe.json"]
    # sha256 of "12345", as sha256sum gives it
    assert manifest["data/a.npy"] == (5, "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5")
    before = fingerprint(manifest)
    assert holds(folder, manifest)
    (folder / "data" / "a.npy").write_bytes(b"12346")
    assert not holds(folder, manifest)
    assert fingerprint(list_files(folder, ("data",))) != before
    (folder / "data" / "a.npy").unlink()
    assert not holds(folder, manifest)


def test_a_large_folder_goes_in_pieces_of_one_size(folder: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(2 * PIECE_BYTES)
    (folder / "data" / "large").write_bytes(noise)
    beside = tmp_path / "stream"
    pieces = list(write_pieces(beside, folder, ("data",)))
    assert [len(piece) for piece in pieces[:2]] == [PIECE_BYTES, PIECE_BYTES]
    assert len(pieces) == 3
    assert not beside.exists()
    joined = tmp_path / "joined"
    joined.write_bytes(b"".join(pieces))
    read_stream(joined, tmp_path / "place")
    assert holds(tmp_path / "place", list_files(folder, ("data",)))


def test_nothing_of_the_owner_goes_along(folder: Path) -> None:
    stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(pack(folder / "data")))
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        assert {(member.uid, member.uname, member.mode) for member in archive} == {(0, "", 0o600)}
    assert os.getuid() >= 0
