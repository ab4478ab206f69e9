"""A new model follows another only if clients can go on, whoever asks: the server, its check, a replaced worker."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl.errors import ArtifactError
from automl.serve.contract import Contract

OLD = Contract(
    kind="binary", target="bought", classes=("no", "yes"), columns=("age", "city", "day"), required=("age", "city")
)


def test_a_model_that_needs_no_more_than_clients_send_keeps_the_contract() -> None:
    OLD.check(OLD)
    OLD.check(dataclasses.replace(OLD, columns=("age", "day", "member"), required=("day",)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "regression", "classes": ()}, "answers another question"),
        ({"target": "price"}, "answers another question"),
        ({"classes": ("maybe", "no", "yes")}, "answers another question"),
        ({"columns": ("age", "member"), "required": ("age", "member")}, "do not send yet: member"),
    ],
)
def test_a_model_of_another_kind_breaks_it(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason):
        OLD.check(dataclasses.replace(OLD, **change))


def test_it_travels_as_json() -> None:
    assert Contract.from_json(json.loads(json.dumps(OLD.to_json()))) == OLD


def check(export: Path, told: str) -> tuple[int, str]:
    """Exit code and words of the process that a server has check a new model."""
    words = [sys.executable, "-m", "automl.serve.check", str(export), "auto"]
    done = subprocess.run(words, input=told, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_the_check_of_a_new_model_holds_it_against_the_contract(export: Path) -> None:
    columns = ("age", "city", "member", "day", "account")
    kept = dataclasses.replace(OLD, columns=columns, required=columns)
    assert check(export, "") == check(export, json.dumps(kept.to_json())) == (0, "")
    broken = dataclasses.replace(kept, columns=columns[:3], required=columns[:3])
    code, text = check(export, json.dumps(broken.to_json()) + "\n")
    assert code not in (0, 1)
    assert "needs columns that clients do not send yet: day, account" in text
