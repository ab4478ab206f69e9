"""Series are there from the first scrape on, and tell nothing of a model that is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from automl.schema import Column, Role
from automl.serve.metrics import Metrics
from automl.task import Task, TaskKind
from tests.unit.serve.models import make_model

COLUMNS = (
    Column(name="age", role=Role.NUMBER),
    Column(name="city", role=Role.CATEGORY, levels=("Graz",)),
    Column(name="note", role=Role.TEXT),
)
BOUGHT = Task(kind=TaskKind.BINARY, target="bought", classes=("no", "yes"))
TELL = """
import sys
from automl.serve.metrics import Metrics

metrics = Metrics()
metrics._columns = frozenset(("age", "city"))
metrics.show_drift({"age": 3.0, "city": float(sys.argv[1])}, 400)
metrics.show_drift({"city": float(sys.argv[1])} if sys.argv[2] else {}, 400)
print(metrics.render().decode())
"""


def series(text: str, name: str) -> dict[str, float]:
    """Labels → value."""
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return {line.rpartition(" ")[0].removeprefix(name): float(line.rpartition(" ")[2]) for line in lines}


def test_what_has_not_happened_yet_is_told_as_zero() -> None:
    metrics = Metrics()
    metrics.show_model(make_model(*COLUMNS, task=BOUGHT))
    text = metrics.render().decode()
    names = ("age", "city", "note")
    assert series(text, "automl_missing_values_total") == {f'{{column="{name}"}}': 0 for name in names}
    assert series(text, "automl_unseen_values_total") == {'{column="city"}': 0}
    assert series(text, "automl_unreadable_values_total") == {'{column="age"}': 0}
    assert series(text, "automl_predictions_total") == {'{class="no"}': 0, '{class="yes"}': 0}
    assert series(text, "automl_reloads_total") == {'{outcome="done"}': 0, '{outcome="refused"}': 0}


def test_values_have_one_series_and_what_has_too_many_shares_one() -> None:
    metrics = Metrics()
    metrics.show_model(make_model(*COLUMNS))
    assert series(metrics.render().decode(), "automl_predictions_total") == {'{class=""}': 0}
    many = Metrics()
    classes = tuple(f"c{place:03}" for place in range(120))
    columns = tuple(Column(name=f"x{place}", role=Role.NUMBER) for place in range(300))
    many.show_model(make_model(*columns, task=Task(kind=TaskKind.MULTICLASS, target="kind", classes=classes)))
    text = many.render().decode()
    assert len(series(text, "automl_predictions_total")) == 101
    assert len(series(text, "automl_missing_values_total")) == 201
    assert series(text, "automl_predictions_total")['{class="(other)"}'] == 0


def test_the_drift_of_a_model_that_is_gone_is_told_no_longer() -> None:
    metrics = Metrics()
    metrics.show_model(make_model(*COLUMNS, task=BOUGHT))
    metrics.show_drift({"age": 3.0, "city": 0.5}, 400)
    assert series(metrics.render().decode(), "automl_drift_psi") == {'{column="age"}': 3.0, '{column="city"}': 0.5}
    metrics.show_model(make_model(*COLUMNS, task=BOUGHT))
    metrics.show_drift({}, 0)
    assert series(metrics.render().decode(), "automl_drift_psi") == {}
    metrics.show_drift({"city": 0.25}, 200)
    assert series(metrics.render().decode(), "automl_drift_psi") == {'{column="city"}': 0.25}


def test_of_several_workers_the_one_that_tells_is_heard(tmp_path: Path) -> None:
    def tell(drift: str, told: str) -> str:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        words = [sys.executable, "-c", TELL, drift, told]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    assert series(tell("7", ""), "automl_drift_psi") == {}
    assert series(tell("0.5", "yes"), "automl_drift_psi") == {'{column="city"}': 0.5}
    assert series(tell("9", ""), "automl_drift_psi") == {'{column="city"}': 0.5}
