"""Events: they read back as they were, a kill in the middle of a write costs that line only, Ctrl-C takes its turn."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
import types
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl import events
from automl.events import Bus, Event, JsonlSink, StageStarted, cut_torn_tail, read_events, read_jsonl
from automl.interrupts import Interrupts

KINDS = sorted(Event.kinds.values(), key=lambda kind: kind.__name__)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    types.NoneType: st.none(),
}


def _strategy(annotation: Any) -> st.SearchStrategy[Any]:
    return st.one_of([VALUES[kind] for kind in typing.get_args(annotation) or (annotation,)])


def _events(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: _strategy(hints[field.name]) for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_event_reads_back_from_its_json_line_as_an_equal_object(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(_events(kind))
    line = json.dumps(event.to_json(), ensure_ascii=False)
    assert "\n" not in line
    again = Event.from_json(json.loads(line))
    assert again == event
    assert type(again) is kind


@given(written=st.lists(st.one_of([_events(kind) for kind in KINDS]), max_size=6))
def test_a_file_of_events_gives_back_what_was_written(written: list[Event], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    sink = JsonlSink(path)
    for event in written:
        sink(event)
    sink.close()
    assert list(read_events(path)) == written


def test_a_file_name_that_is_no_utf8_can_be_written_and_reads_back(tmp_path: Path) -> None:
    event = events.WarningRaised(text="caf\udce9.csv – 電")
    sink = JsonlSink(tmp_path / "events.jsonl")
    sink(event)
    sink.close()
    assert list(read_events(tmp_path / "events.jsonl")) == [event]


def test_cutting_at_every_byte_keeps_all_whole_lines_and_the_next_append_is_whole(tmp_path: Path) -> None:
    whole = "".join(json.dumps({"event": "StageStarted", "at": 1.5, "stage": f"étape {i}"}) + "\n" for i in range(3))
    content = whole.encode()
    path = tmp_path / "events.jsonl"
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        lines_left = content[:cut].count(b"\n")
        dropped = cut_torn_tail(path)
        assert dropped == cut - (content[:cut].rfind(b"\n") + 1)
        assert path.read_bytes() == content[: cut - dropped]
        sink = JsonlSink(path)
        sink(StageStarted(stage="next", at=2.0))
        sink.close()
        stages = [event.stage for event in read_events(path) if isinstance(event, StageStarted)]
        assert stages == [f"étape {i}" for i in range(lines_left)] + ["next"]


@pytest.mark.parametrize("length", [65535, 65536, 65537, 200_000])
def test_a_torn_line_longer_than_one_block_is_cut_whole(tmp_path: Path, length: int) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n' + b"x" * length)
    assert cut_torn_tail(path) == length
    assert path.read_bytes() == b'{"a": 1}\n'


def test_a_file_that_is_one_torn_line_becomes_empty_and_a_missing_one_stays_missing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert cut_torn_tail(path) == 0
    assert not path.exists()
    assert list(read_jsonl(path)) == []
    path.write_bytes(b"x" * 70_000)
    assert cut_torn_tail(path) == 70_000
    assert path.read_bytes() == b""


def test_reading_passes_over_a_torn_last_line_and_over_kinds_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"event": "StageStarted", "at": 1.0, "stage": "load", "colour": "a field of tomorrow"}\n'
        '{"event": "MoonLanded", "at": 2.0}\n'
        '{"event": "StageStarted", "at": 3.0, "sta'
    )
    assert list(read_events(path)) == [StageStarted(stage="load", at=1.0)]


def test_a_reader_that_fails_is_switched_off_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []
    seen: list[Event] = []

    def broken(event: Event) -> None:
        calls.append("broken")
        raise RuntimeError("no screen")

    bus = Bus(broken, seen.append)
    first, second = StageStarted(stage="load"), StageStarted(stage="split")
    bus(first)
    bus(second)
    assert seen == [first, second]
    assert calls == ["broken"]
    assert capsys.readouterr().err == "warning: an event reader failed and was switched off: no screen\n"


def test_ctrl_c_while_an_event_is_handed_out_waits_for_its_turn() -> None:
    lock = threading.Lock()
    said: list[StageStarted] = []

    def view(event: Event) -> None:
        assert isinstance(event, StageStarted)
        assert lock.acquire(timeout=1), "the view was entered again before it had done with the event before"
        try:
            if not said:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)  # the handler runs here, within the view
            said.append(event)
        finally:
            lock.release()

    bus = Bus(view)
    with Interrupts(lambda name: bus(StageStarted(stage=name))) as interrupts:
        bus(StageStarted(stage="search"))
    assert interrupts.received == "SIGINT"
    assert [event.stage for event in said] == ["search", "SIGINT"]


def test_a_bus_that_was_ended_in_the_middle_of_an_event_hands_out_the_next() -> None:
    seen: list[Event] = []

    def view(event: Event) -> None:
        if not seen:
            seen.append(event)
            raise KeyboardInterrupt

        seen.append(event)

    bus = Bus(view)
    first, second = StageStarted(stage="search"), StageStarted(stage="evaluate")
    with pytest.raises(KeyboardInterrupt):
        bus(first)
    bus(second)
    assert seen == [first, second]


def test_what_a_crash_left_behind_line_ends_is_cut_back_to_the_last_record(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n' + bytes(50) + b"\n{ not a record\n\n[1]\n")
    assert list(read_jsonl(path)) == [{"a": 1}]
    assert cut_torn_tail(path) == 50 + 1 + 15 + 1 + 4
    assert path.read_bytes() == b'{"a": 1}\n'
