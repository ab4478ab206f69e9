"""The suite that every report section must pass: subclass `SectionConformance` and name the plug-in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from automl.report.blocks import Document, Section
from automl.report.console import print_section
from automl.report.document import SectionPlugin
from automl.report.html import render_html
from automl.report.markdown import render_model_card
from automl.report.source import RunSource
from automl.report.text import clean
from automl.run import Run
from tests.golden.runs import (
    write_empty_run,
    write_failed_run,
    write_full_run,
    write_interrupted_run,
    write_regression_run,
    write_single_run,
)
from tests.golden.studies import write_studied_run

WRITERS = (
    write_studied_run,
    write_full_run,
    write_regression_run,
    write_single_run,
    write_interrupted_run,
    write_empty_run,
    write_failed_run,
)


FILES = ("profile.json", "evaluation.json", "ensemble.json", "leaderboard.json", "details.json", "studies.json")
DAMAGES = (
    "{",
    "[]",
    '{"profile": 3, "models": [7], "importance": [{}], "classes": [null]}',
    '{"curves": {"roc": [7], "gain": 3}, "slices": {"overall": 1, "slices": [7]}, "columns": {"columns": 3}}',
    '{"residuals": {"columns": [7], "bands": [{}]}, "members": {"members": []}, "parameters": {"a": {"values": 3}}}',
    '{"shapley": 3, "stress": {"missing": [null]}, "skipped": [], "fairness": {"columns": {}}}',
)


class SectionConformance:
    """What holds for every section, on runs that came well through, and on runs that did not."""

    plugin: SectionPlugin

    def build(self, write_run: Callable[[Path], Run], folder: Path) -> Section | None:
        return self.plugin.build(RunSource(write_run(folder / "run")))

    def test_it_speaks_on_a_full_run(self, tmp_path: Path) -> None:
        section = self.build(write_studied_run, tmp_path)
        assert section is not None
        assert section.blocks
        assert section.title == self.plugin.title

    @pytest.mark.parametrize("write_run", WRITERS)
    def test_it_renders_as_html_or_leaves_itself_out(self, write_run: Callable[[Path], Run], tmp_path: Path) -> None:
        section = self.build(write_run, tmp_path)
        if section is not None:
            page = render_html(_document(section))
            assert f'<section id="{section.name}"' in page
            assert page.rstrip().endswith("</html>")

    @pytest.mark.parametrize("width", [40, 80, 140])
    @pytest.mark.parametrize("write_run", WRITERS)
    def test_it_fits_any_console(self, write_run: Callable[[Path], Run], width: int, tmp_path: Path) -> None:
        from rich.console import Console

        section = self.build(write_run, tmp_path)
        if section is not None:
            stream = io.StringIO()
            print_section(section, Console(file=stream, width=width, highlight=False, markup=False))
            assert section.title in stream.getvalue()
            assert max(map(len, stream.getvalue().splitlines())) <= width

    @pytest.mark.parametrize("write_run", WRITERS)
    def test_it_is_json_and_markdown(self, write_run: Callable[[Path], Run], tmp_path: Path) -> None:
        section = self.build(write_run, tmp_path)
        if section is not None:
            record = json.loads(json.dumps(_document(section).to_json(), allow_nan=False))
            assert [entry["name"] for entry in record["sections"]] == [section.name]
            assert render_model_card(_document(section)).startswith("# Model card: ")

    @pytest.mark.parametrize("name", FILES)
    def test_it_outlives_a_missing_and_a_damaged_file(self, name: str, tmp_path: Path) -> None:
        run = write_studied_run(tmp_path / "run")
        for damage in DAMAGES:
            (run.path / name).write_text(damage, encoding="utf-8")
            self.assert_it_speaks_or_leaves_itself_out(run)
        (run.path / name).unlink()
        self.assert_it_speaks_or_leaves_itself_out(run)

    def assert_it_speaks_or_leaves_itself_out(self, run: Run) -> None:
        section = self.plugin.build(RunSource(run))
        if section is not None:
            assert section.blocks
            assert f'<section id="{section.name}"' in render_html(_document(section))


def _document(section: Section) -> Document:
    return clean(Document(title="churn", subtitle="", sections=(section,)))
