"""Every built-in metric passes the metric suite."""

from __future__ import annotations

from automl.metrics import get_metric, registry
from tests.conformance.metrics import MetricConformance


class TestRocAuc(MetricConformance):
    plugin = get_metric("roc_auc")


class TestLogLoss(MetricConformance):
    plugin = get_metric("log_loss")


class TestAccuracy(MetricConformance):
    plugin = get_metric("accuracy")


class TestBalancedAccuracy(MetricConformance):
    plugin = get_metric("balanced_accuracy")


class TestF1(MetricConformance):
    plugin = get_metric("f1")


class TestAveragePrecision(MetricConformance):
    plugin = get_metric("average_precision")


class TestBrier(MetricConformance):
    plugin = get_metric("brier")


class TestMcc(MetricConformance):
    plugin = get_metric("mcc")


class TestRmse(MetricConformance):
    plugin = get_metric("rmse")


class TestMae(MetricConformance):
    plugin = get_metric("mae")


class TestR2(MetricConformance):
    plugin = get_metric("r2")


class TestMedianAbsoluteError(MetricConformance):
    plugin = get_metric("median_absolute_error")


class TestF1Macro(MetricConformance):
    plugin = get_metric("f1_macro")


class TestMape(MetricConformance):
    plugin = get_metric("mape")


class TestRmsle(MetricConformance):
    plugin = get_metric("rmsle")


def test_every_built_in_metric_is_held_against_the_suite() -> None:
    held = {id(suite.plugin) for suite in MetricConformance.__subclasses__()}
    assert {name for name in registry.names() if id(get_metric(name)) not in held} == set()
