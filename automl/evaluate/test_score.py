"""The score on the user's own test file: counted once, at the end, in the time that is left."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.cells import to_text
from automl.data.load import read_row_groups, read_table, read_weight
from automl.ensemble.artifact import load_predictor
from automl.errors import DataError
from automl.evaluate.in_time import predict_in_time
from automl.evaluate.quality import score_all
from automl.pictures import collect_faults, list_faults
from automl.recipe import Recipe
from automl.run import Run
from automl.schema import Role
from automl.search.trial import candidates
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd

# What importing the backend of nets and holding the model against its golden rows takes before the first prediction.
NET_START_SECONDS = 6.0
# Of targets that the model does not know.
MOST_NAMED = 5


def score_test_file(
    run: Run, recipe: Recipe, *, members: Collection[str], seconds: float, late_seconds: float
) -> tuple[dict[str, Any] | None, list[str]]:
    """Score the deployed model on the run's test file.

    Args:
        members: families of the ensemble's members; nets on pictures take seconds to start.
        seconds: the time left. Of pictures and texts as many rows are scored as it allows, drawn at random.
        late_seconds: what a table may take, whose rows are soon predicted: until the command would be late.

    Returns:
        {"file", "rows", "blank_rows", "unknown_rows", "metrics"}, or None if nothing could be scored; and what the user
        should be told. Rows without a target and rows whose target the model does not know cannot be scored. The file
        was read in the beginning: whatever has become of it since is no reason to lose a run, and is told as well.
    """
    try:
        return _score(run, recipe, members, seconds, late_seconds)
    except DataError as error:
        return None, [f"{run.record['test']} was not scored: {error.message}"]


def _score(
    run: Run, recipe: Recipe, members: Collection[str], seconds: float, late_seconds: float
) -> tuple[dict[str, Any] | None, list[str]]:
    test = run.record["test"]
    again = shlex.join(["automl", "evaluate", str(run.path), str(test)])
    began = time.monotonic()
    has_nets = any(candidates.get(name).needs.pictures == "pixels" for name in members)
    if has_nets and seconds < NET_START_SECONDS:
        return None, [f"{test} was not scored, for the time is over: {again}"]
    predictor = load_predictor(run.path)
    is_slow = any(feature.role in (Role.IMAGE, Role.TEXT) for feature in predictor.schema.features)
    deadline = began + (seconds if is_slow else late_seconds)
    frame = read_table(Path(test), options=recipe.data, part="test").frame
    target = predictor.find_target(frame)
    y = predictor.encode_target(target)
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    if not known.any():
        return None, [f"{test} was not scored: no row has a known value in {predictor.task.target!r}"]
    known_rows = np.flatnonzero(known).astype(np.int64)
    with collect_faults() as faults:
        rows, outputs = predict_in_time(predictor, frame, known_rows, deadline=deadline, seed=recipe.seed)
    unknown = _unknown_targets(target[~known], predictor.task)
    warnings = [_tell_unknown(test, unknown, predictor.task)] if unknown else []
    if faults:
        warnings.append(
            f"{len(faults)} picture(s) of {test} cannot be read and count as missing: {list_faults(faults)}"
        )
    if len(rows) < len(known_rows):
        some = f"{len(rows):,} of {len(known_rows):,} rows of {test}, drawn at random, were scored in the time left"
        none = f"none of the {len(known_rows):,} rows of {test} was scored, as the time was over"
        warnings.append(f"{some if len(rows) else none}: {again} scores all")
    if not len(rows):
        return None, warnings
    weight, groups = (
        _read_aside(frame, name, read, test, warnings)
        for name, read in ((recipe.data.weight, read_weight), (recipe.data.group, read_row_groups))
    )
    weight, groups = (None if part is None else part[rows] for part in (weight, groups))
    scores = score_all(
        predictor.task, y[rows], outputs, weight, seed=recipe.seed, threshold=predictor.threshold, units=groups
    )
    left_out = {"blank_rows": int((~known).sum()) - len(unknown), "unknown_rows": len(unknown)}
    return {"file": test, "rows": len(rows), **left_out, "metrics": scores}, warnings


def _unknown_targets(target: pd.Series, task: Task) -> list[str]:
    """Of targets that could not be read, those that are not blank: classes that are new to the model, or no numbers."""
    return [text for text in to_text(target, task.format.missing) if text is not None]


def _tell_unknown(test: str, unknown: list[str], task: Task) -> str:
    """A model is wrong on every row of a class that it has not learned, and the score does not show it."""
    named = ", ".join(repr(text) for text in list(dict.fromkeys(unknown))[:MOST_NAMED])
    why = "the model has not learned their class" if task.is_classification else f"their {task.target!r} is no number"
    return f"{len(unknown):,} row(s) of {test} are not in its score, as {why}: {named}"


def _read_aside(
    frame: pd.DataFrame, name: str | None, read: Callable[[pd.DataFrame, str], Any], test: str, warnings: list[str]
) -> Any:
    """Weights or groups of a test file's rows; None, and told, if it has none that can be used: it is scored without,
    as a finished run must not end for it."""
    if name is None:
        return None
    try:
        if name not in map(str, frame.columns):
            raise DataError(f"there is no column {name!r}")
        return read(frame, name)
    except DataError as error:
        warnings.append(f"{test} is scored as if {name!r} had not been asked for: {error.message}")
        return None
