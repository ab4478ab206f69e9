"""What the parser complains of is told with the command that was meant."""

from __future__ import annotations

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
