"""The log of a server: what it keeps, what it hides, how large it gets, and that it never hurts a request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.errors import DataError, UsageError
from automl.monitor.request_log import RequestLog, is_request_log, list_files, read_request_log
from automl.monitor.watch import watch
from tests.unit.monitor.conftest import World

COLUMNS = ("age", "name", "city")


def make_log(folder: Path, **options: object) -> RequestLog:
    return RequestLog(folder, columns=COLUMNS, **options)  # type: ignore[arg-type]


def test_a_request_is_one_line_a_row_and_reads_back(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    rows = {"age": [41, None], "name": ["Ann", "Bo\ud800"], "city": ["Ulm", "Köln"], "other": [1, 2]}
    log(rows, np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32), 0.0125)
    lines = [json.loads(line) for line in list_files(tmp_path / "log")[0].read_text("utf-8").splitlines()]
    assert lines[0]["row"] == {"age": 41, "name": "Ann", "city": "Ulm"}
    assert lines[1]["row"]["age"] is None
    assert (lines[0]["outputs"], lines[0]["seconds"]) == ([0.25, 0.75], 0.0125)
    found = read_request_log(tmp_path / "log")
    assert found.frame["city"].tolist() == ["Ulm", "Köln"]
    assert log.failures == 0


def test_hashed_cells_stay_equal_and_cannot_be_read_and_dropped_ones_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    log = make_log(folder, hashed=["name"], dropped=["city"])
    log({"age": [1, 2, 3], "name": ["Ann", "Bo", "Ann"], "city": ["Ulm"] * 3}, np.zeros((3, 1)), 0.0)
    text = list_files(folder)[0].read_text("utf-8")
    assert "Ann" not in text
    assert "Ulm" not in text
    names = [json.loads(line)["row"]["name"] for line in text.splitlines()]
    assert names[0] == names[2] != names[1]
    assert (folder / ".log.key").stat().st_mode & 0o777 == 0o600
    assert read_request_log(folder).hidden == ("name", "city")
    again = make_log(folder, hashed=["name"])
    again({"age": [1], "name": ["Ann"]}, np.zeros((1, 1)), 0.0)
    assert json.loads(list_files(folder)[-1].read_text("utf-8"))["row"]["name"] == names[0]


def test_the_oldest_lines_go_when_the_bytes_are_used_up(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", megabytes=0.0625)  # 64 KiB
    for number in range(2_000):
        log({"age": [number], "name": ["x" * 50], "city": [None]}, np.zeros((1, 2)), 0.001)
    assert sum(path.stat().st_size for path in list_files(tmp_path / "log")) <= 65_536
    ages = read_request_log(tmp_path / "log").frame["age"].tolist()
    assert ages == list(range(ages[0], 2_000))
    assert len(ages) > 200


def test_several_processes_write_into_one_log(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; from automl.monitor.request_log import RequestLog\n"
        "log = RequestLog(Path(sys.argv[1]), columns=('age',))\n"
        "[log({'age': [n]}, np.zeros((1, 1)), 0.0) for n in range(300)]; sys.exit(log.failures)"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")]) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(read_request_log(tmp_path / "log").frame["age"]) == sorted([*range(300), *range(300)])


def test_a_log_that_another_process_is_just_beginning_is_no_strange_folder(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / ".log.json.tmp-4711").write_text("{")
    assert is_request_log(make_log(tmp_path / "log").folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("Dear Ann")
    with pytest.raises(UsageError, match="holds other files"):
        make_log(tmp_path / "other")


def test_a_log_that_cannot_be_written_is_said_once_and_hurts_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = make_log(tmp_path / "log")
    log.folder = tmp_path / "gone"
    for _ in range(3):
        log({"age": [1]}, np.zeros((1, 1)), 0.0)
    assert log.failures == 3
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    log({"age": [1, 2]}, np.zeros((2, 1)), 0.0)
    with list_files(tmp_path / "log")[0].open("ab") as file:
        file.write(b'{"at": 1, "row": {"ag')
    assert read_request_log(tmp_path / "log").frame["age"].tolist() == [1, 2]


def test_a_folder_of_other_things_and_an_unknown_column_are_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("hello")
    with pytest.raises(UsageError, match="is no request log"):
        make_log(tmp_path)
    with pytest.raises(UsageError, match="no column 'nam' to hide"):
        make_log(tmp_path / "log", hashed=["nam"])
    make_log(tmp_path / "empty")
    assert is_request_log(tmp_path / "empty")
    with pytest.raises(DataError, match="holds no rows yet"):
        read_request_log(tmp_path / "empty")


def test_a_log_is_watched_like_a_table_and_hidden_columns_are_left_out(world: World, tmp_path: Path) -> None:
    names = [column.name for column in world.predictor.schema.features]
    frame = world.make_rows(400, 20)[names]
    moved = frame.assign(strong=frame["strong"] + 1)
    for folder, hashed in (("open", []), ("hidden", ["level"])):
        log = RequestLog(tmp_path / folder, columns=names, hashed=hashed)
        for start in range(0, 400, 50):
            part: pd.DataFrame = moved.iloc[start : start + 50]
            log(part, world.predictor.predict_outputs(part), 0.01)
        record = watch(world.run, tmp_path / folder)
        assert record["over_gate"]
        assert record["rows"] == 400
        # by folds, as training's were made, nothing can be predicted without `level`
        assert record["predictions"] is None if hashed else record["predictions"]["drifted"]
        assert any("predictions are not compared" in notice for notice in record["notices"]) == bool(hashed)
        assert [entry["column"] for entry in record["columns"]].count("level") == (0 if hashed else 1)


def test_a_column_that_a_later_model_lacks_need_not_be_hidden_any_more(tmp_path: Path) -> None:
    make_log(tmp_path / "log", hashed=("name",), dropped=("city",))
    later = RequestLog(tmp_path / "log", columns=("age",), hashed=("name",), dropped=("city",))
    assert later.columns == ("age",)
    with pytest.raises(UsageError, match="no column 'nmae' to hide"):
        RequestLog(tmp_path / "log", columns=("age",), hashed=("nmae",))


def test_many_writers_keep_the_size_together(tmp_path: Path) -> None:
    logs = [make_log(tmp_path / "log", megabytes=1.0, writers=32) for _ in range(32)]
    assert sum(log.file_bytes for log in logs) <= 2**20
