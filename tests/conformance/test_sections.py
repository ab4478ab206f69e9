"""Every built-in section passes the section suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.files import read_json, write_json
from automl.report.blocks import Document, Section
from automl.report.document import registry
from automl.report.html import render_html
from automl.report.source import RunSource
from automl.report.text import clean
from automl.run import Run
from tests.conformance.sections import SectionConformance
from tests.golden.runs import write_full_run


def add_pictures(run: Run) -> None:
    """A picture column in the profile, and an example with a map that is no picture in the evaluation."""
    for path in (run.profile_path, run.evaluation_path):
        if not path.exists():
            continue
        record: Any = read_json(path)
        if path == run.profile_path:
            column = {"name": "photo", "role": "image", "reason": "pictures, read as 32×32 colour"}
            record.setdefault("profile", {}).setdefault("columns", []).append(column)
        else:
            uri = "data:image/png;base64,iVBORw0KGgo="
            example = {"true": "cat", "predicted": "dog", "probability": 0.9, "picture": uri, "map": "javascript:1"}
            record["pictures"] = [example]
        write_json(path, record)


class TestVerdict(SectionConformance):
    plugin = registry.get("verdict")


class TestData(SectionConformance):
    plugin = registry.get("data")


class TestDecisions(SectionConformance):
    plugin = registry.get("decisions")


class TestLeaderboard(SectionConformance):
    plugin = registry.get("leaderboard")


class TestSearch(SectionConformance):
    plugin = registry.get("search")


class TestImportance(SectionConformance):
    plugin = registry.get("importance")


class TestQuality(SectionConformance):
    plugin = registry.get("quality")


class TestExplanation(SectionConformance):
    plugin = registry.get("explanation")


class TestRobustness(SectionConformance):
    plugin = registry.get("robustness")


class TestFairness(SectionConformance):
    plugin = registry.get("fairness")


class TestUsage(SectionConformance):
    plugin = registry.get("usage")


class TestPictures(SectionConformance):
    """On the same runs, whose table has a picture column and whose evaluation has examples."""

    plugin = registry.get("pictures")

    def build(self, write_run: Callable[[Path], Run], folder: Path) -> Section | None:
        run = write_run(folder / "run")
        add_pictures(run)
        return self.plugin.build(RunSource(run))

    def test_examples_are_shown_as_pictures_and_nothing_else_is(self, tmp_path: Path) -> None:
        section = self.build(write_full_run, tmp_path)
        assert section is not None
        page = render_html(clean(Document(title="t", subtitle="", sections=(section,))))
        assert page.count('<img src="data:image/png;base64,iVBORw0KGgo="') == 1
        assert "javascript:" not in page
        assert "cat, taken for dog (90% sure)" in page


class TestWords(SectionConformance):
    """On the same runs, as if their ensemble had a linear model of words."""

    plugin = registry.get("words")

    def build(self, write_run: Callable[[Path], Run], folder: Path) -> Section | None:
        from automl.report.sections import words

        weights = {"cheap": np.array([-2.0]), "<b>good</b>": np.array([1.0])}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(words, "_list_members", lambda source: [{"name": "linear on words"}])
            patch.setattr(words, "_weigh_terms", lambda model, data, member, outputs: weights)
            return self.plugin.build(RunSource(write_run(folder / "run")))


class TestTexts(SectionConformance):
    """On the same runs, as if they had shown their texts."""

    plugin = registry.get("texts")

    def build(self, write_run: Callable[[Path], Run], folder: Path) -> Section | None:
        run = write_run(folder / "run")
        if run.evaluation_path.exists():
            entry = {"true": "cheap", "predicted": "<b>dear</b>", "probability": 0.9, "row": 3}
            examples = [{**entry, "texts": {"said": "<script>window.x=1</script>", "title": "a\nb"}}]
            write_json(run.evaluation_path, {**read_json(run.evaluation_path), "texts": examples})
        return self.plugin.build(RunSource(run))


class TestReproduce(SectionConformance):
    plugin = registry.get("reproduce")


def test_no_built_in_section_is_left_out_of_the_suite() -> None:
    tested = {suite.plugin for suite in SectionConformance.__subclasses__()}
    assert tested == {registry.get(name) for name in registry.names()}
