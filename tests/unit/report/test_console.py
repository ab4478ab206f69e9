"""What a terminal gets: no escapes from data, no markup, no overlong lines."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from automl.files import read_json, write_json
from automl.report.blocks import Code, Facts, Interval, Paragraph, Table
from automl.report.console import open_console, print_blocks, print_command, print_leaderboard, print_verdict
from automl.report.row import row_blocks
from automl.report.tables import format_interval, sparkline
from tests.golden.runs import write_empty_run, write_full_run, write_regression_run


def printed(*blocks: object, width: int = 80) -> str:
    stream = io.StringIO()
    print_blocks(blocks, Console(file=stream, width=width, highlight=False, markup=False))  # type: ignore[arg-type]
    return stream.getvalue()


def test_escapes_and_bidi_overrides_in_data_are_taken_out() -> None:
    nasty = "a\x1b[31mb\x9b2Jc\u202ed\x07"
    table = Table(headings=(nasty, "n"), rows=((nasty, 1),))
    text = printed(Paragraph(text=nasty), table, Facts(items=((nasty, nasty, nasty),)), Code(text=nasty))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "a[31mb2Jcd" in text


def test_rich_markup_in_data_stays_text() -> None:
    text = printed(Paragraph(text="[bold]x[/bold] :smile: [link=file:///etc]y"))
    assert "[bold]x[/bold] :smile: [link=file:///etc]y" in text


def test_rich_markup_stays_text_on_a_console_that_reads_markup() -> None:
    stream = io.StringIO()
    print_blocks([Table(headings=("[red]a",), rows=(("[/nothing]",),))], Console(file=stream, width=60))
    assert "[red]a" in stream.getvalue()
    assert "[/nothing]" in stream.getvalue()


def test_no_colour_codes_without_a_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    print_verdict(write_full_run(tmp_path / "run"), open_console(stream))
    assert "\x1b" not in stream.getvalue()


def test_no_color_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = write_full_run(tmp_path / "run"), []
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        stream = io.StringIO()
        print_verdict(run, Console(file=stream, force_terminal=True, width=80, color_system="standard"))
        seen.append(bool(re.search(r"\x1b\[[0-9;]*3[1-6]m", stream.getvalue())))
    assert seen == [True, False]


def test_the_last_line_of_a_verdict_is_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = []
    for write_run in (write_full_run, write_empty_run):
        stream = io.StringIO()
        print_verdict(write_run(tmp_path / f"my {write_run.__name__}"), open_console(stream))
        lines.append(stream.getvalue().splitlines()[-1])
    assert lines == [
        "next: automl predict 'my write_full_run' NEW.csv --out predictions.csv",
        "next: automl resume 'my write_empty_run'",
    ]


def test_a_long_path_in_the_next_command_is_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    print_verdict(write_full_run(tmp_path / ("run" * 30)), Console(file=stream, width=40))
    assert stream.getvalue().splitlines()[-1] == f"next: automl predict {'run' * 30} NEW.csv --out predictions.csv"


@pytest.mark.parametrize("width", [40, 80])
def test_every_line_of_a_leaderboard_fits_and_shows_the_score(tmp_path: Path, width: int) -> None:
    for name, write_run, score in (("a", write_full_run, "0.8452"), ("b", write_regression_run, "31,235")):
        stream = io.StringIO()
        print_leaderboard(write_run(tmp_path / name), Console(file=stream, width=width))
        assert score in stream.getvalue()
        assert max(map(len, stream.getvalue().splitlines())) <= width


def test_a_very_long_model_name_does_not_push_the_score_out(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    board = read_json(run.path / "leaderboard.json")
    board["models"][0]["name"] = "x" * 300
    write_json(run.path / "leaderboard.json", board)
    stream = io.StringIO()
    print_leaderboard(run, Console(file=stream, width=60))
    assert "0.8493" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 60


LONG = "timestamp: read as dates written like '01.05.2023 08:00' (%d.%m.%Y %H:%M), as all of them are"
REASON = "no day is above 12, so that day and month could be the other way round"


def test_a_long_first_text_leaves_room_for_the_reason_beside_it() -> None:
    text = printed(Table(headings=("guessed or changed", "why"), rows=((LONG, REASON),)))
    heading, *_ = text.splitlines()
    assert 2 + 24 <= heading.index("why") <= 80 - 24
    parts = [line[heading.index("why") :].strip() for line in text.splitlines()[2:]]
    assert " ".join(parts).strip() == REASON
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [5, 12, 24, 40, 60, 80, 200])
def test_no_table_is_wider_than_the_terminal(width: int) -> None:
    cells = (LONG, "größe 📏", 0.12345, "x" * 90, None)
    table = Table(
        headings=("change", "to", f"probability of “{'y' * 40}”", "a note of several words", ""),
        rows=(cells, cells),
        numeric=(False, False, True, False, False),
        formats=("", "", ".4f", "", ""),
    )
    lines = printed(table, width=width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    if width >= 40:
        assert "0.1235" in "".join(lines) or "0.1234" in "".join(lines)


def test_the_answer_to_a_change_is_shown_before_what_was_changed() -> None:
    long = "a value as long as those of surveys, which are sentences"
    change = {"column": "question", "value": long, "instead": long, "output": 0.25, "flips": True}
    record = {"class": "yes, certainly", "output": 0.5, "prediction": "yes", "base": 0.5, "background_rows": 9}
    record |= {"contributions": [], "walks": 1, "places": [], "words": [], "what_if": [change, change]}
    *_, table = row_blocks({**record, "check": {"output_minus_base": 0.0}}, number=1, target="y", known={})
    assert printed(table, width=44).count("0.25") == 2
    assert printed(table, width=80).count("other class") == 2


def test_headings_fold_before_columns_are_left_out() -> None:
    headings = ("fold", "mean of the others", "lowest of them all", "highest of them all")
    table = Table(headings=headings, rows=(("a", 0.5, 0.25, 0.75),), numeric=(False, True, True, True))
    text = printed(table, width=40)
    assert "not shown here" not in text
    assert "0.75" in text


def test_a_command_is_never_broken() -> None:
    command = "automl fit data.csv " + " ".join(f"--drop 'column {at}'" for at in range(20))
    stream = io.StringIO()
    print_command(command, Console(file=stream, width=40))
    assert stream.getvalue() == f"\n{command}\n"


def test_an_ascii_stream_gets_question_marks_not_an_error(tmp_path: Path) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_verdict(write_full_run(tmp_path / "run"), open_console(stream))
    stream.flush()
    assert b"0.8471" in raw.getvalue()


def test_sparkline_runs_from_the_lowest_to_the_highest_bar() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5], 8) == "▄▄▄"
    assert sparkline([], 8) == ""
    assert sparkline(list(range(100)), 4) == "▁▃▆█"


def test_an_interval_has_the_digits_of_its_figure() -> None:
    assert format_interval(Interval(value=31234.56, low=29876.1, high=33011.9), ".4f") == "31,235 (29,876–33,012)"
    assert format_interval(Interval(value=0.84521, low=0.8291, high=0.8613), ".4f") == "0.8452 (0.8291–0.8613)"
    assert format_interval(Interval(value=0.5), ".2f") == "0.50"
