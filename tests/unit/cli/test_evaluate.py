"""`automl evaluate` prints nothing that a metric cannot be."""

from __future__ import annotations

from automl.cli.evaluate import clip_intervals


def test_an_interval_ends_where_the_metric_does() -> None:
    clipped = clip_intervals(
        {
            "accuracy": {"value": 0.99, "low": 0.979, "high": 1.0008},
            "rmse": {"value": 2.0, "low": -0.3, "high": 4.3},
            "r2": {"value": None, "low": None, "high": None},
        }
    )
    assert clipped["accuracy"] == {"value": 0.99, "low": 0.979, "high": 1.0}
    assert clipped["rmse"] == {"value": 2.0, "low": 0.0, "high": 4.3}
    assert clipped["r2"] == {"value": None, "low": None, "high": None}
