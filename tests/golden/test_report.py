"""Both looks of the report are what they were; AUTOML_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from automl.report.console import print_document, print_leaderboard, print_verdict
from automl.report.document import build_document
from automl.report.html import render_html
from automl.report.markdown import render_model_card
from automl.run import Run
from tests.golden.runs import write_full_run, write_regression_run

FOLDER = Path(__file__).parent
WRITERS = {"full": write_full_run, "regression": write_regression_run}


@pytest.fixture(params=sorted(WRITERS))
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return WRITERS[request.param](tmp_path / request.param)


@pytest.mark.parametrize("width", [40, 80])
def test_console_report_is_as_it_was(run: Run, width: int) -> None:
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, color_system=None)
    print_document(build_document(run), console)
    console.print("\n--- leaderboard")
    print_leaderboard(run, console)
    console.print("\n--- verdict")
    print_verdict(run, console)
    compare(f"{run.path.name}-{width}.txt", stream.getvalue())


def test_html_report_is_as_it_was(run: Run) -> None:
    compare(f"{run.path.name}.html.txt", outline(render_html(build_document(run))))


def test_model_card_is_as_it_was(run: Run) -> None:
    compare(f"{run.path.name}.md.txt", render_model_card(build_document(run)))


def compare(name: str, text: str) -> None:
    """Hold `text` against the golden file of that name; trailing blanks do not count."""
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    path = FOLDER / name
    if os.environ.get("AUTOML_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{name} is not there; AUTOML_UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text(encoding="utf-8")


def outline(page: str) -> str:
    """The page's elements and texts, one a line, without style, scripts and the geometry of charts."""
    parser = Outline()
    parser.feed(page)
    return "\n".join(parser.lines)


class Outline(HTMLParser):
    """Lines such as `section#verdict`, `p.text` and the texts between them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"style", "script", "svg"}:
            self.silent += 1
            self.lines.append(tag)
        elif not self.silent:
            given = dict(attrs)
            name = tag + (f"#{given['id']}" if "id" in given else "")
            self.lines.append(".".join([name, *(given.get("class") or "").split()]))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"style", "script", "svg"}:
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        text = re.sub(r"\s+", " ", data).strip()
        if text and not self.silent:
            self.lines.append(f"    {text}")
