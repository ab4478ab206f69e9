"""Every built-in section passes the section suite."""

from __future__ import annotations

from automl.report.document import registry
from tests.conformance.sections import SectionConformance


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


class TestReproduce(SectionConformance):
    plugin = registry.get("reproduce")


def test_no_built_in_section_is_left_out_of_the_suite() -> None:
    tested = {suite.plugin for suite in SectionConformance.__subclasses__()}
    assert tested == {registry.get(name) for name in registry.names()}
