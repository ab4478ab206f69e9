"""The memory of a search: what was written is read, whatever end the writer came to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl.errors import EngineError
from automl.search.records import Records, append_line, read_results
from automl.search.trial import TrialResult, TrialSpec

ROOT = Path(__file__).parents[3]


def make_spec(number: int, **changes: Any) -> TrialSpec:
    params = {"model.C": 0.5, "model.penalty": "l2", "model.depth": None}
    facts = {"candidate": "linear", "params": params, "origin": "tpe", "label": f"linear #{number}"} | changes
    return TrialSpec(number=number, **facts)


def make_result(trial: int, **changes: Any) -> TrialResult:
    facts: dict[str, Any] = {
        "candidate": "linear",
        "label": f"linear #{trial}",
        "params": {"model.C": 0.5},
        "origin": "tpe",
        "status": "ok",
        "score": 0.75,
        "fold_scores": (0.7, 0.8),
        "fold_seconds": (1.5, 2.5),
    }
    return TrialResult(trial=trial, **(facts | changes))


def test_what_is_added_is_read_back_as_it_was(tmp_path: Path) -> None:
    records = Records(tmp_path)
    specs = [make_spec(0, raced=False), make_spec(1, label="größe \u2028 #1")]
    results = [
        make_result(0),
        make_result(1, status="failed", score=None, fold_scores=(), reason="OSError: \n\x85 \udcff"),
    ]
    for spec, result in zip(specs, results, strict=True):
        records.add_spec(spec)
        records.add_result(result)
    again = Records(tmp_path)
    assert again.specs == {0: specs[0], 1: specs[1]}
    assert again.results == {0: results[0], 1: results[1]}
    assert read_results(tmp_path) == results
    assert again.torn_bytes == 0


def test_an_empty_folder_has_no_records_and_starts_at_0(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert (records.specs, records.results, records.unfinished()) == ({}, {}, [])
    assert records.next_number() == 0
    assert list(tmp_path.iterdir()) == []


def test_numbers_go_on_after_the_highest_ever_begun(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in (0, 4, 2):
        records.add_spec(make_spec(number))
    assert records.next_number() == 5
    assert Records(tmp_path).next_number() == 5


def test_what_was_begun_and_has_no_result_is_unfinished_in_order(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in (3, 0, 1, 2):
        records.add_spec(make_spec(number))
    records.add_result(make_result(1, status="pruned"))
    for reader in (records, Records(tmp_path)):
        assert [spec.number for spec in reader.unfinished()] == [0, 2, 3]


def test_attempts_count_how_often_a_trial_was_begun(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add_spec(make_spec(0))
    records.add_spec(make_spec(1))
    assert Records(tmp_path).attempts == {0: 1, 1: 1}
    taken_up = Records(tmp_path)
    taken_up.add_spec(make_spec(1))
    assert taken_up.attempts == {0: 1, 1: 2}
    assert Records(tmp_path).attempts == {0: 1, 1: 2}


def test_a_kill_at_any_byte_of_the_last_line_costs_that_line_alone(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add_result(make_result(0))
    whole = (tmp_path / "trials.jsonl").read_bytes()
    records.add_result(make_result(1, label="größe"))
    both = (tmp_path / "trials.jsonl").read_bytes()
    for cut in range(len(whole), len(both)):
        (tmp_path / "trials.jsonl").write_bytes(both[:cut])
        assert read_results(tmp_path) == [make_result(0)]  # a reader beside the writer
        survivor = Records(tmp_path)
        assert list(survivor.results) == [0]
        assert survivor.torn_bytes == cut - len(whole)
        survivor.add_result(make_result(2))
        assert [result.trial for result in read_results(tmp_path)] == [0, 2]


def test_a_torn_first_line_leaves_nothing(tmp_path: Path) -> None:
    Records(tmp_path).add_spec(make_spec(0))
    path = tmp_path / "specs.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert Records(tmp_path).specs == {}
    assert path.read_bytes() == b""


def test_a_number_that_json_lacks_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    records = Records(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        records.add_result(make_result(0, score=float("nan")))
    assert not (tmp_path / "trials.jsonl").exists()


def test_a_folder_that_is_gone_is_an_error_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"trials\.jsonl"):
        append_line(tmp_path / "gone" / "trials.jsonl", {})


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from automl.errors import EngineError
from automl.search.records import append_line

path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
written = 0
try:
    for number in range(100):
        append_line(path, {"number": number, "text": "x" * 20})
        written += 1
except EngineError as error:
    print(written, error.exit_code, error.message, sep="|")
"""


def test_a_full_disk_is_told_and_leaves_only_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    line = b'{"number": 0, "text": "xxxxxxxxxxxxxxxxxxxx"}\n'
    assert len(line) == 46
    assert said == f"2|5|The disk is full: cannot write {path}"
    assert path.read_bytes() == line + line.replace(b"0", b"1")


@pytest.mark.parametrize("wrong", [b'"trial": 1', b'"fold_scores"', b'"label"'])
def test_a_damaged_line_is_as_good_as_never_written(tmp_path: Path, wrong: bytes) -> None:
    records = Records(tmp_path)
    for number in range(3):
        records.add_spec(make_spec(number))
        records.add_result(make_result(number))
    lines = (tmp_path / "trials.jsonl").read_bytes().splitlines(keepends=True)
    damaged = lines[1].replace(wrong, wrong[:3] + b"~" + wrong[4:])
    assert damaged != lines[1]
    (tmp_path / "trials.jsonl").write_bytes(lines[0] + damaged + lines[2])
    again = Records(tmp_path)
    assert (set(again.results), again.damaged) == ({0, 2}, 1)
    assert [spec.number for spec in again.unfinished()] == [1]
    assert [result.trial for result in read_results(tmp_path)] == [0, 2]
    again.add_result(make_result(1))
    assert set(Records(tmp_path).results) == {0, 1, 2}


def test_a_number_is_not_given_twice_because_its_specification_was_damaged(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add_spec(make_spec(0))
    records.add_result(make_result(0))
    (tmp_path / "specs.jsonl").write_bytes(b"{ damaged\n")
    assert Records(tmp_path).next_number() == 1


def test_the_disk_is_waited_for_once_for_all_that_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr("os.fsync", lambda handle: waited.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    records = Records(tmp_path)
    for number in range(3):
        records.add_spec(make_spec(number))
        records.add_result(make_result(number))
    assert waited == []
    assert [result.trial for result in read_results(tmp_path)] == [0, 1, 2]  # a kill takes nothing of them
    records.sync()
    records.sync()
    assert sorted(waited) == ["specs.jsonl", "trials.jsonl"]


def test_a_disk_that_takes_nothing_is_an_error_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(tmp_path)
    records.add_spec(make_spec(0))

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(EngineError, match=r"specs\.jsonl"):
        records.sync()
