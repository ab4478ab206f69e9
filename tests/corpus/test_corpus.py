"""Bad input through the whole command line: each file is taken or refused as the corpus says, and nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import collect_cases

# A fresh process for all of them; what the readers' own tests hold is left to those.
SAMPLE = ("recipes: ", "paths: ", "stdin: ", "flags: a", "files: a zip", "files: JSON", "pictures in tables: ")


def run(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The outcomes; a broken promise is told with the case and what was wrong."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.corpus", "--out", str(folder), *words]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in collect_cases()]
    assert len(names) == len(set(names)) >= 500


@pytest.mark.timeout(600)
def test_a_sample_of_the_corpus_comes_out_as_it_says(tmp_path: Path) -> None:
    outcomes = run(tmp_path, "--only", *SAMPLE, "--every", "3")
    assert len(outcomes) > 40
    table = (tmp_path / "corpus.md").read_text(encoding="utf-8")
    assert table.count("\n| ") == len(outcomes) + 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_corpus_comes_out_as_it_says(tmp_path: Path) -> None:
    assert len(run(tmp_path)) == len(collect_cases())
