"""Files are whole or not there."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from automl.errors import EngineError
from automl.files import (
    check_writable,
    environment_error,
    read_json,
    replacing,
    sha256,
    telling_full_disk,
    write_array,
    write_json,
    write_text,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("failure", [RuntimeError("crash"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_the_old_file_stays_whole_when_the_block_fails(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    expected = EngineError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected), replacing(path) as file:
        file.write(b"half of the n")
        raise failure
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["model.bin"]


def test_the_name_is_taken_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["model.bin"]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    record = {"name": "größe", "file": "caf\udce9.csv", "values": [1, 2.5, None, True]}
    write_json(tmp_path / "a.json", record)
    assert read_json(tmp_path / "a.json") == record
    write_text(tmp_path / "a.txt", "étape\n")
    assert (tmp_path / "a.txt").read_bytes() == "étape\n".encode()
    write_array(tmp_path / "a.npy", lambda file: file.write(b"\x00\x01") and None)
    assert (tmp_path / "a.npy").read_bytes() == b"\x00\x01"


def test_a_json_file_never_holds_what_json_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert _names(tmp_path) == []


def test_a_path_below_a_file_is_an_error_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"Cannot write .*: Not a directory") as caught:
        write_text(tmp_path / "file" / "a.txt", "x")
    assert caught.value.exit_code == 5


def test_a_place_is_tried_before_there_is_something_to_write_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "deep" / "a")
    assert _names(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"Cannot write .*: Not a directory"):
        check_writable(tmp_path / "file" / "deep" / "a")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the superuser is refused nothing
    with pytest.raises(EngineError, match="No permission to write"):
        check_writable(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "The disk is full: cannot write runs/a"),
        (errno.EDQUOT, "The disk is full: cannot write runs/a"),
        (errno.EROFS, "No permission to write runs/a"),
        (errno.EACCES, "No permission to write runs/a"),
        (errno.EIO, "Cannot write runs/a: it broke"),
    ],
)
def test_a_failed_write_is_told_in_the_users_words(number: int, message: str) -> None:
    error = environment_error(OSError(number, "it broke"), Path("runs/a"))
    assert (error.message, error.exit_code) == (message, 5)
    assert error.hint


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "full", "runs/a/search/x"),
        environment_error(OSError(errno.ENOSPC, "full"), Path("runs/a/search/x")),
    ],
)
def test_where_the_disk_was_too_small_for_a_run_the_hint_names_the_run(failure: Exception) -> None:
    with pytest.raises(EngineError, match="cannot write runs/a/search/x") as caught, telling_full_disk(Path("runs/a")):
        raise failure
    assert caught.value.hint == "Free some space, then: automl resume runs/a"


def test_a_checksum_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
