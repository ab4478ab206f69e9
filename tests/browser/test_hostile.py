"""What stands in data is text: on the page, in a terminal and in the model card."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from automl.files import read_json, write_json
from automl.report.console import print_document, print_leaderboard, print_verdict
from automl.report.document import build_document
from automl.report.markdown import render_model_card
from automl.report.text import clean_line
from automl.report.write import write_report
from automl.run import Run
from tests.browser.conftest import Page
from tests.browser.hostile import HOSTILE
from tests.golden.runs import write_full_run

# Those that are also the name of the target, a class, a file and a model on a page; all thirty are columns of it.
NAMED = (0, 1, 2, 3, 4, 10, 11, 12, 15, 21, 27)

# Those that a terminal could obey; the first stands for what only a page could.
STEERING = (0, *range(15, 24), 27, 28, 29)


def replace_texts(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, str):
        for old, new in words.items():
            if old in value:
                return value.replace(old, new)
        return value
    if isinstance(value, list):
        return [replace_texts(item, words) for item in value]
    return {key: replace_texts(item, words) for key, item in value.items()} if isinstance(value, dict) else value


def write_hostile_run(folder: Path, text: str, columns: tuple[str, ...] = HOSTILE) -> Run:
    """A full run in which target, file, a column, a class and a model are called `text`; `columns` are in it, too."""
    run = write_full_run(folder)
    words = {"churn.csv": text, "churn": text, "plan": text, "yes": text, "xgboost": text, "different": text}
    paths = (run.record_path, run.profile_path, run.evaluation_path, run.details_path, run.ensemble_path)
    for path in (*paths, run.path / "leaderboard.json"):
        write_json(path, replace_texts(read_json(path), words))
    record = read_json(run.profile_path)
    age = record["profile"]["columns"][0]
    record["profile"]["columns"] += [{**age, "name": name, "reason": name, "association": None} for name in columns]
    write_json(run.profile_path, record)
    return run


def is_shown(text: str, page_text: str) -> bool:
    """Whether a text stands there, as it is once what steers is taken out, perhaps cut."""
    return " ".join(clean_line(text).split())[:1500] in " ".join(page_text.split())


def test_there_are_thirty_different_ones() -> None:
    assert len(set(HOSTILE)) == 30


def test_a_page_shows_them_all_and_runs_none(tmp_path: Path, page: Page) -> None:
    for place in NAMED:
        text = HOSTILE[place]
        report = write_report(write_hostile_run(tmp_path / str(place), text))
        page.open(report, width=390)
        assert page.run("return window.broken") is None, text
        assert page.requests() == [report.as_uri()], text
        assert page.complaints() == [], text
        assert page.run("return document.querySelectorAll('main img, main iframe, main script').length") == 0
        assert page.run("return document.documentElement.scrollWidth") <= 390, text
        shown = page.run("return document.querySelector('main').textContent")
        assert is_shown(text, shown), text
        if place == 0:
            missing = [name for name in HOSTILE if not is_shown(name, shown)]
            assert missing == []


@pytest.mark.parametrize("place", STEERING)
def test_a_terminal_gets_nothing_that_steers_it(place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.chdir(tmp_path)
    run = write_hostile_run(tmp_path / "run", HOSTILE[place], HOSTILE if place == 0 else ())
    stream = io.StringIO()
    console = Console(file=stream, width=80, highlight=False, markup=False, emoji=False, color_system=None)
    document = build_document(run)
    print_document(document, console)
    print_leaderboard(run, console)
    print_verdict(run, console)
    shown = stream.getvalue() + render_model_card(document)
    assert not [sign for sign in "\x00\x07\x08\x1b\x7f\x9b\u202e\u2066\u200f\u2028\r" if sign in shown]
    assert json.loads(json.dumps(document.to_json(), allow_nan=False))


@pytest.mark.slow
def test_a_whole_run_of_hostile_names_is_read_fitted_and_shown(tmp_path: Path, page: Page) -> None:
    import numpy as np
    import pandas as pd

    from tests.flow.command import Tool

    rng = np.random.default_rng(0)
    names = [text for text in HOSTILE if not {"\x00", "\r", "\n"} & set(text)]
    frame = pd.DataFrame({name: rng.normal(size=300) for name in names})
    frame[names[0]] = rng.choice([*HOSTILE[:3], HOSTILE[15]], 300)
    noisy = frame[names[1]].to_numpy(dtype=float) + rng.normal(0, 0.5, 300)
    frame["target <b>"] = np.where(noisy > 0, HOSTILE[2], HOSTILE[21])
    tool = Tool(tmp_path)
    frame.to_csv(tool.work / "<img src=x onerror=alert(1)>.csv", index=False)
    (tool.work / "short.yaml").write_text(
        "search: {candidates: [linear], tune: false}\nsplit: {folds: 3, repeats: 1}\n"
    )
    words = ("--trials", "3", "--jobs", "1", "--recipe", "short.yaml", "--out", "run")
    done = tool("fit", "<img src=x onerror=alert(1)>.csv", "--target", "target <b>", *words)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    report = tool.work / "run" / "report.html"
    page.open(report, width=390)
    assert page.run("return [typeof window.broken, document.documentElement.scrollWidth]") == ["undefined", 390]
    assert page.complaints() == []
    assert page.requests() == [report.as_uri()]
    shown = page.run("return document.querySelector('main').textContent")
    assert [name for name in names if not is_shown(name, shown)] == []
