"""The score on the user's own test file: counted once, at the end, in the time that is left."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.data.load import read_row_groups, read_table, read_weight
from automl.data.sample import Portion, read_portion
from automl.data.stream import is_large, stream_table
from automl.data.table import RawTable
from automl.ensemble.artifact import load_predictor
from automl.errors import DataError
from automl.evaluate.in_time import predict_in_time
from automl.evaluate.quality import score_all
from automl.evaluate.unscored import count_unknown, tell_unknown
from automl.matrix import Array, FloatArray, IntArray
from automl.pictures import collect_faults, list_faults
from automl.predictor import Predictor
from automl.recipe import DataOptions, Recipe
from automl.run import Run
from automl.schema import Role, Schema
from automl.search.trial import candidates

if TYPE_CHECKING:
    import pandas as pd

# What importing the backend of nets and holding the model against its golden rows takes before the first prediction.
NET_START_SECONDS = 6.0
# What loading the model and opening a large file takes before the first prediction, and some of those.
LARGE_SECONDS = 2.0
# Of the time left, what the pass over a large file may take; and of what is left after it, what is for the metrics.
READ_SHARE, SCORE_SHARE = 0.5, 0.15
# What is kept of a large file for each second: few models answer as many, and rows are taken sooner from fewer.
CELLS_PER_SECOND = 5e5


def score_test_file(
    run: Run, recipe: Recipe, *, members: Collection[str], seconds: float, late_seconds: float
) -> tuple[dict[str, Any] | None, list[str]]:
    """Score the deployed model on the run's test file.

    Args:
        members: families of the ensemble's members; nets on pictures take seconds to start.
        seconds: the time left. Of pictures and texts as many rows are scored as it allows, drawn at random.
        late_seconds: what a table may take, whose rows are soon predicted: until the command would be late. Of a large
            one as many rows are scored as it allows, drawn at random from what could be read.

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
    test, data = run.record["test"], recipe.data
    began = time.monotonic()
    has_nets = any(candidates.get(name).needs.pictures == "pixels" for name in members)
    is_too_late = late_seconds < LARGE_SECONDS and is_large(Path(test))
    if is_too_late or (has_nets and seconds < NET_START_SECONDS):
        again = _write_command(run, data, weight=data.weight, group=data.group)
        return None, [f"{test} was not scored, for the time is over: {again}"]
    predictor = load_predictor(run.path)
    task = predictor.task
    is_slow = any(feature.role in (Role.IMAGE, Role.TEXT) for feature in predictor.schema.features)
    deadline = began + (seconds if is_slow else late_seconds)
    tables, portion = _read_tables(Path(test), recipe, predictor.schema, deadline)
    if portion is not None:
        deadline -= SCORE_SHARE * (deadline - time.monotonic())
    aside = [name for name in (data.weight, data.group) if name is not None]
    with collect_faults() as faults:
        answers = _join([_answer(predictor, table.frame, aside, deadline, recipe.seed) for table in tables])
    if not answers.known:
        which, again = "no row", ""
        if portion is not None and not portion.is_whole:
            which = f"none of the {len(answers.aside):,} rows that there was time for"
            again = f"; {_write_command(run, data, weight=data.weight, group=data.group)} reads all"
        return None, [f"{test} was not scored: {which} has a known value in {task.target!r}{again}"]
    warnings = [tell_unknown(test, answers.unknown, task)] if answers.unknown else []
    if faults:
        warnings.append(
            f"{len(faults)} picture(s) of {test} cannot be read and count as missing: {list_faults(faults)}"
        )
    lacking: list[str] = []
    weight = _read_aside(answers.aside, data.weight, read_weight, test, lacking)
    groups = _read_aside(answers.aside, data.group, read_row_groups, test, lacking)
    scored = answers.rows
    if len(scored) < answers.known or not (portion is None or portion.is_whole):
        usable = {"weight": None if weight is None else data.weight, "group": None if groups is None else data.group}
        told = _tell_partial(len(scored), answers.known, test, portion)
        warnings.append(f"{told}: {_write_command(run, data, **usable)} scores all")
    if not len(scored):
        return None, warnings
    weight, groups = (None if part is None else part[scored] for part in (weight, groups))
    scores = score_all(
        task, answers.y, answers.outputs, weight, seed=recipe.seed, threshold=predictor.threshold, units=groups
    )
    unknown = answers.unknown.total()
    left_out = {"blank_rows": len(answers.aside) - answers.known - unknown, "unknown_rows": unknown}
    return {"file": test, "rows": len(scored), **left_out, "metrics": scores}, [*warnings, *lacking]


def _read_tables(
    test: Path, recipe: Recipe, schema: Schema, deadline: float
) -> tuple[Iterable[RawTable], Portion | None]:
    """The file as one table; of a large one all pieces or, where the time is limited, rows drawn at random."""
    left, portion = deadline - time.monotonic(), None
    options = recipe.data.model_copy(update={"roles": schema.roles})
    if math.isinf(left):
        pieces = stream_table(test, options=options)
        if pieces is not None:
            return pieces, None
    else:
        read_by = time.monotonic() + READ_SHARE * left
        portion = read_portion(test, recipe, schema, allowed_cells=CELLS_PER_SECOND * max(0.0, left), deadline=read_by)
    whole = read_table(test, options=options, part="test") if portion is None else portion.table
    return [whole], portion


@dataclasses.dataclass(frozen=True, slots=True)
class _Answers:
    """A model on rows of the test file.

    Attributes:
        y, outputs: target (m,) and outputs (m, k) of the rows that were scored.
        rows: their places (m,) int64 among all rows that were read.
        aside: the columns of weights and groups, of all rows that were read.
        known: how many of those have a target that the model knows.
        unknown: the targets of others that are not blank, with their numbers.
    """

    y: Array
    outputs: FloatArray
    rows: IntArray
    aside: pd.DataFrame
    known: int
    unknown: Counter[str]


def _answer(predictor: Predictor, frame: pd.DataFrame, aside: list[str], deadline: float, seed: int) -> _Answers:
    target = predictor.find_target(frame)
    y = predictor.encode_target(target)
    known = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    known_rows = np.flatnonzero(known).astype(np.int64)
    rows, outputs = predict_in_time(predictor, frame, known_rows, deadline=deadline, seed=seed)
    kept = frame[[label for label in frame.columns if str(label) in aside]]
    return _Answers(y[rows], outputs, rows, kept, len(known_rows), count_unknown(target[~known], predictor.task))


def _join(parts: list[_Answers]) -> _Answers:
    """The pieces of a file as one."""
    import pandas as pd

    starts = np.cumsum([0, *(len(part.aside) for part in parts)])
    return _Answers(
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.outputs for part in parts]),
        np.concatenate([start + part.rows for start, part in zip(starts, parts, strict=False)]),
        pd.concat([part.aside for part in parts], ignore_index=True),
        sum(part.known for part in parts),
        sum((part.unknown for part in parts), Counter()),
    )


def _tell_partial(scored: int, known: int, test: str, portion: Portion | None) -> str:
    """How many rows were scored, of those with a known target or, where not all were kept, of those that were read."""
    if portion is None or portion.is_whole:
        rows, first, limits = known, "", "time"
    else:
        rows, first, limits = portion.read_rows, "" if portion.is_read_out else "first ", "time and memory"
    if not scored:
        return f"none of the {first}{rows:,} rows of {test} was scored, as the time was over"
    those = f"the {first}{rows:,}" if first else f"{rows:,}"
    return f"{scored:,} of {those} rows of {test}, drawn at random, were scored in the {limits} left"


def _write_command(run: Run, data: DataOptions, *, weight: str | None, group: str | None) -> str:
    """What to type to have all rows scored, and in the same way."""
    asked = {"--weight": weight, "--group": group, "--encoding": data.encoding}
    words = [word for option, value in asked.items() if value is not None for word in (option, value)]
    return shlex.join(["automl", "evaluate", str(run.path), str(run.record["test"]), *words])


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
