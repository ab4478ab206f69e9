"""Every built-in study passes the study suite."""

from __future__ import annotations

from automl.evaluate.jobs import registry
from tests.conformance.studies import StudyConformance


class TestFairness(StudyConformance):
    study, plugin = "fairness", registry.get("fairness")


class TestShapley(StudyConformance):
    study, plugin = "shapley", registry.get("shapley")


class TestDependence(StudyConformance):
    study, plugin = "dependence", registry.get("dependence")


class TestCurve(StudyConformance):
    study, plugin = "curve", registry.get("curve")


class TestSurrogate(StudyConformance):
    study, plugin = "surrogate", registry.get("surrogate")


class TestCoefficients(StudyConformance):
    study, plugin = "coefficients", registry.get("coefficients")


class TestStress(StudyConformance):
    study, plugin = "stress", registry.get("stress")


class TestLearningCurve(StudyConformance):
    study, plugin = "learning_curve", registry.get("learning_curve")


def test_no_built_in_study_is_left_out_of_the_suite() -> None:
    tested = {suite.study for suite in StudyConformance.__subclasses__()}
    assert tested == set(registry.names())
