"""Texts of options become values, or one sentence and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.cli.main import run as run_command
from automl.cli.options import parse_duration, parse_megabytes, parse_roles, parse_size_mb
from automl.errors import UsageError
from automl.run import Run


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("60s", 60),
        ("5m", 300),
        ("5min", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2 H ", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("0", 0),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5 minutes",
        "m",
        "-5m",
        "5,5m",
        "1h30",
        "90 60",
        "1e3",
        "inf",
        "nan",
        "5mm",
        "5m!",
        "1..5s",
        "five",
        "9" * 400,
    ],
)
def test_what_is_no_duration_is_refused_with_the_next_thing_to_type(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert caught.value.message == f"--time {text!r} is not a duration"
    assert caught.value.hint == "Write it as 90s, 5m or 1h30m: --time 5m"


def test_another_option_is_named_in_its_place() -> None:
    with pytest.raises(UsageError, match="--max-latency 'x' is not a duration"):
        parse_duration("x", option="--max-latency")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except UsageError as error:
        assert repr(text) in error.message


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("800", 800), ("800M", 800), ("800 MB", 800), ("4G", 4096), ("4gib", 4096), ("1.5G", 1536), (" 2gb ", 2048)],
)
def test_a_size_is_read(text: str, megabytes: int) -> None:
    assert parse_size_mb(text) == megabytes


@pytest.mark.parametrize("text", ["", "G", "-4G", "4T", "4,5G", "1e3M", "inf", "4G2", "9" * 400, "9" * 308 + "G"])
def test_what_is_no_size_is_refused_with_the_next_thing_to_type(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size_mb(text)
    assert caught.value.message == f"--memory {text!r} is not a size"
    assert caught.value.hint == "Write it as 4G or 800M: --memory 4G"


@pytest.mark.parametrize(
    ("text", "megabytes"), [("500KB", 0.5), ("2 MB", 2.0), ("1.5", 1.5), ("50M", 50.0), ("1g", 1000.0)]
)
def test_what_a_model_may_weigh_is_read(text: str, megabytes: float) -> None:
    assert parse_megabytes(text) == megabytes


@pytest.mark.parametrize("text", ["small", "", "-1MB", "2TB", "9" * 400])
def test_what_no_model_weighs_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size") as caught:
        parse_megabytes(text)
    assert caught.value.hint == "Write it as 2MB or 500KB: --max-size 2MB"


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_usage_error(text: str) -> None:
    try:
        assert parse_size_mb(text) >= 0
    except UsageError as error:
        assert repr(text) in error.message


def test_roles_are_read_and_a_name_may_hold_an_equals_sign() -> None:
    assert parse_roles(["zip=category", "a=b=number", "größe = text"]) == {
        "zip": "category",
        "a=b": "number",
        "größe ": "text",
    }
    assert parse_roles(["zip=category", "zip=text"]) == {"zip": "text"}
    assert parse_roles([]) == parse_roles(None) == {}


@pytest.mark.parametrize("pair", ["zip", "", "=category"])
def test_what_is_no_pair_is_refused_with_the_next_thing_to_type(pair: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_roles(["a=text", pair])
    assert caught.value.message == f"--role {pair!r} is not COL=ROLE"
    assert caught.value.hint == "Write it as --role zip=category"


@given(st.text(min_size=1), st.sampled_from(["number", "category", "date", "text", "ignore"]))
def test_any_column_can_be_given_a_role(name: str, role: str) -> None:
    assert parse_roles([f"{name}={role}"]) == {name: role}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retrain", "runs/none", "new.csv", "--gate", "0.3"], "--gate is that of --if drift"),
        (["explain", "{run}", "--row", "1", "--encoding", "cp1252"], "--encoding is that of --data"),
        (["fit", "{table}", "--target", "y", "--drop", "x", "--role", "x=number"], "'x' has a role, and is dropped"),
    ],
)
def test_an_option_without_effect_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tmp_path / "run", data_name="table", record={})
    (tmp_path / "table.csv").write_text("x,z,y\n" + "1,2,a\n2,3,b\n" * 20, encoding="utf-8")
    filled = [word.format(run=run.path, table=tmp_path / "table.csv") for word in words]
    assert run_command(filled) in (2, 3)
    assert said in " ".join(capsys.readouterr().err.split())
