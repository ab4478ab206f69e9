"""The live panel's top five tells what the last change did to it."""

from __future__ import annotations

import io

from rich.console import Console

from automl.events import BestImproved, DataLoaded, Event, RunStarted, TrialFinished
from automl.report.panel import draw_panel
from automl.report.progress import Progress


def follow(*events: Event) -> Progress:
    progress = Progress()
    for event in (
        RunStarted(at=0.0, run="r", data="churn.csv", target="churn", seconds=60.0),
        DataLoaded(at=1.0, rows=100, columns=4, task="binary", metric="roc_auc", folds=5),
        *events,
    ):
        progress.apply(event)
    return progress


def trial(number: int, candidate: str, score: float) -> TrialFinished:
    return TrialFinished(at=2.0 + number, trial=number, candidate=candidate, status="ok", score=score, seconds=1.0)


def moves(progress: Progress) -> dict[str, str]:
    return {entry.name: progress.move_of(entry) for entry in progress.top()}


def test_the_first_model_is_no_news() -> None:
    assert moves(follow(trial(0, "dummy", 0.5))) == {"dummy #0": ""}


def test_a_better_model_pushes_the_others_down() -> None:
    told = moves(follow(trial(0, "dummy", 0.5), trial(1, "linear", 0.7), trial(2, "xgboost", 0.8)))
    assert told == {"xgboost #2": "new", "linear #1": "▼1", "dummy #0": "▼1"}


def test_a_growing_ensemble_is_the_same_entry() -> None:
    progress = follow(
        trial(0, "dummy", 0.5),
        trial(1, "linear", 0.7),
        trial(2, "xgboost", 0.8),
        BestImproved(at=6.0, score=0.75, model="ensemble", members=2, elapsed=6.0),
        BestImproved(at=7.0, score=0.85, model="ensemble", members=3, elapsed=7.0),
    )
    assert moves(progress) == {"ensemble of 3": "▲1", "xgboost #2": "▼1", "linear #1": "", "dummy #0": ""}


def test_a_worse_model_that_stays_below_changes_nothing() -> None:
    five = [trial(number, "linear", 0.9 - number / 100) for number in range(5)]
    before = moves(follow(*five))
    assert moves(follow(*five, trial(9, "linear", 0.1))) == before


def test_the_panel_draws_the_moves() -> None:
    progress = follow(trial(0, "dummy", 0.5), trial(1, "linear", 0.7))
    for width in (80, 140):
        stream = io.StringIO()
        Console(file=stream, width=width, color_system=None).print(draw_panel(progress, 5.0, width, 30))
        text = stream.getvalue()
        assert "new" in text
        assert "▼1" in text
        assert max(map(len, text.splitlines())) <= width
