"""What the parser complains of is told with the command that was meant, what the system refuses with its place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from automl.cli.main import run as run_command


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["cluster", "chek"], "Did you mean 'check'?"),
        (["cluster", "fit"], "check"),
        (["--debug", "cluster", "chek"], "Did you mean 'check'?"),
        (["chek", "a.csv"], "Did you mean 'check'?"),
    ],
)
def test_a_command_that_is_not_there_is_held_against_those_of_its_own_group(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOML_DEBUG", raising=False)
    assert run_command(words) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("hint: ") and hint in told
    assert "leaderboard" not in told


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EACCES, 5, "error: No permission to read or write alice/run/model"),
        (errno.EPERM, 5, "error: No permission to read or write alice/run/model"),
        (errno.ENAMETOOLONG, 2, "error: A name is too long: alice/run/model"),
        (errno.EROFS, 5, "error: No permission to write alice/run/model"),
        (errno.EBADF, 1, "error: This is a bug: OSError: [Errno 9] Bad file descriptor: 'alice/run/model'"),
    ],
)
def test_what_the_system_refuses_is_no_bug_of_ours(
    number: int, code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Path:
        raise OSError(number, os.strerror(number), str(path / "model"))

    monkeypatch.delenv("AUTOML_DEBUG", raising=False)
    monkeypatch.setattr("automl.run.find_version", refuse)  # the superuser, who may run the tests, is refused nothing
    assert run_command(["status", "alice/run"]) == code
    error, hint = capsys.readouterr().err.splitlines()
    assert error == said
    assert hint.startswith("hint: ")


def test_a_name_that_no_file_can_have_is_an_error_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status", "x" * 300]) == 2
    assert "A name is too long: xxx" in capsys.readouterr().err
