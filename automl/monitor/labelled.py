"""The rows of a retraining: which of the new ones teach, which judge, and how both are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.data.load import read_row_groups, read_table, read_times, read_weight
from automl.data.readers.parquet import SEPARATOR
from automl.data.survey import find_day_order
from automl.errors import DataError, did_you_mean
from automl.matrix import Array, IntArray
from automl.monitor.decay import FEWEST_GROUPS
from automl.monitor.learned import find_repeated, join_rows, key_rows, read_learned
from automl.predictor import Predictor
from automl.recipe import Recipe, load_recipe
from automl.run import Run

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT = 0.3  # of the new rows
FEWEST_ROWS = 150  # new labelled ones
MOST_HELD_OUT = 20_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """The raw rows of a retraining, columns as in the file."""

    training: pd.DataFrame
    held_out: pd.DataFrame
    weight: Array | None  # of the rows held out, as are the groups
    units: IntArray | None
    known_rows: int  # new rows that the champion has learned from already
    separator: str = ""  # of the text table that they come from; see `automl.data.table.RawTable`


def read_labelled_rows(
    champion: Run,
    predictor: Predictor,
    new: Path | pd.DataFrame,
    *,
    rows: str = "all",
    encoding: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> LabelledRows:
    """Read new rows, and hold out some of them that neither model has seen.

    Args:
        rows: "all" teaches with the champion's rows and the new ones, "new" with the new ones alone.
        tell: hears of what is done, a sentence each.

    Raises:
        DataError: if the new rows have no labels, lack columns, or are too few to teach and to judge.
        UsageError: if the champion's own rows are asked for and gone, or their file has changed.
    """
    recipe = load_recipe(str(champion.recipe_path))
    options = recipe.data if encoding is None else recipe.data.model_copy(update={"encoding": encoding})
    table = read_table(new, options=options, part="all")
    fresh, separator = table.frame.rename(columns=str), table.separator
    for notice in predictor.check(fresh):
        tell(notice.text)
    _check_columns(fresh, recipe)
    data = recipe.data
    known = {*predictor.schema.names, predictor.task.target, data.group, data.time, data.weight}
    fresh = fresh[[name for name in fresh.columns if name in known]]  # what the champion does not know stays ignored
    labelled = _has_label(predictor, predictor.find_target(fresh))
    old, old_separator = read_learned(champion, recipe, is_needed=rows == "all", tell=tell)
    if old is not None:
        separator = old_separator  # the champion's numbers were read by it
    repeated = np.zeros(len(fresh), dtype=bool) if old is None else find_repeated(fresh, old)
    fresh = fresh[labelled & ~repeated].reset_index(drop=True)
    total = int(labelled.sum())
    if learned := int((labelled & repeated).sum()):
        tell(f"{learned:,} of {total:,} new rows are rows that the champion has learned from; they judge nobody")
    held, teaching, weight, groups = _part(fresh, predictor, recipe)
    kept = fresh[teaching].reset_index(drop=True)
    return LabelledRows(
        training=join_rows([old, kept]) if rows == "all" else kept,
        held_out=fresh[held].reset_index(drop=True),
        weight=None if weight is None else weight[held],
        units=None if groups is None else groups[held],
        known_rows=learned,
        separator=separator,
    )


def _part(
    fresh: pd.DataFrame, predictor: Predictor, recipe: Recipe
) -> tuple[Array, Array, Array | None, IntArray | None]:
    """Rows (n,) bool that judge and that teach, and weights and group numbers (n,) of all where there are any."""
    if len(fresh) < FEWEST_ROWS:
        raise DataError(
            f"{len(fresh)} labelled rows are new; {FEWEST_ROWS} are needed to learn from some and judge by the others",
            hint="Collect more labelled rows",
        )
    keys = np.array(key_rows(fresh), dtype=np.uint64)
    weight, groups = read_weight(fresh, recipe.data.weight), read_row_groups(fresh, recipe.data.group)
    held = _choose_held_out(fresh, keys, groups, predictor, recipe)
    teaching = ~held & ~np.isin(keys, keys[held])
    if groups is not None:
        _check_groups(groups[held], str(recipe.data.group))
        teaching &= ~np.isin(groups, groups[held])
    _check_judging(fresh[held], fresh[teaching], predictor)
    return held, teaching, weight, groups


def _check_columns(fresh: pd.DataFrame, recipe: Recipe) -> None:
    data = recipe.data
    for flag, name in (("--group", data.group), ("--time-column", data.time), ("--weight", data.weight)):
        if name is not None and name not in fresh.columns:
            hint = did_you_mean(name, list(fresh.columns))
            raise DataError(f"The new rows have no column {name!r}, which {flag} named", hint=hint)


def _has_label(predictor: Predictor, y: pd.Series) -> Array:
    """Rows with a label, a class that the champion does not know included."""
    if not predictor.task.is_classification:
        return np.isfinite(predictor.encode_target(y))
    from automl import cells

    missing = set(predictor.task.format.missing)
    return np.array([label is not None and label not in missing for label in cells.to_labels(y, "str")])


def _choose_held_out(
    fresh: pd.DataFrame, keys: Array, groups: IntArray | None, predictor: Predictor, recipe: Recipe
) -> Array:
    """Rows (n,) bool to judge by: the latest where rows have a time, whole groups where they have groups, else a draw
    by class in which rows that repeat each other stay together.

    Args:
        keys: (n,) the same for rows that repeat each other.
        groups: group number (n,), where rows have groups.
    """
    import pandas as pd

    count = min(MOST_HELD_OUT, round(HELD_OUT * len(fresh)))
    times = read_times(fresh, recipe.data.time, day_first=find_day_order(predictor.schema))
    if times is not None:
        held = np.zeros(len(fresh), dtype=bool)
        held[np.argsort(times, kind="stable")[-count:]] = True
        return held
    rng = np.random.default_rng([recipe.seed, 83])
    if groups is not None:
        return _draw_units(groups, np.zeros(len(fresh), dtype=np.int64), count, rng)
    strata = np.zeros(len(fresh), dtype=np.int64)
    if predictor.task.is_classification:
        strata = pd.factorize(predictor.find_target(fresh).astype(str))[0]
    return _draw_units(pd.factorize(keys)[0], strata, count, rng)


def _draw_units(units: IntArray, strata: IntArray, count: int, rng: np.random.Generator) -> Array:
    """Rows (n,) bool of units drawn at random, no more than `count` and no stratum beyond its share, but one unit.

    Args:
        units: number (n,) of rows that stay together.
        strata: class (n,); of a unit that of its first row counts.
    """
    quota = np.maximum(1, np.round(np.bincount(strata) * (count / len(units))).astype(np.int64))
    _, first, inverse, sizes = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    taken, left = np.zeros(len(sizes), dtype=bool), count
    for unit in rng.permutation(len(sizes)):
        stratum, size = strata[first[unit]], int(sizes[unit])
        if size <= min(left, quota[stratum]):
            taken[unit], left = True, left - size
            quota[stratum] -= size
    if not taken.any():
        taken[int(np.argmin(sizes))] = True
    return np.asarray(taken[inverse])


def _check_groups(judging: IntArray, name: str) -> None:
    """Refuse so few groups that no interval follows from them."""
    count = len(np.unique(judging))
    if count < FEWEST_GROUPS:
        raise DataError(
            f"{count} group(s) of {name!r} would judge the models; {FEWEST_GROUPS} are needed to tell how much a score "
            "varies from group to group",
            hint="Collect labelled rows of more groups",
        )


def _check_judging(judging: pd.DataFrame, kept: pd.DataFrame, predictor: Predictor) -> None:
    """Refuse, before anything is trained, rows that could judge nobody or leave nothing to learn from."""
    if kept.empty:
        raise DataError("All new rows are alike or of one group: none is left to learn from", hint="Collect other rows")
    if predictor.task.is_classification and predictor.find_target(judging).astype(str).nunique() < 2:
        raise DataError(
            f"The {len(judging):,} new rows that would judge the models are all of one class of "
            f"{predictor.task.target!r}, so that no score can be told",
            hint="Collect more labelled rows of each class",
        )


def write_rows(path: Path, frame: pd.DataFrame, *, separator: str = "") -> None:
    """Raw rows as Parquet, cells as they were read, with the text table's separator, which speaks for how its numbers
    are written."""
    from automl import cells
    from automl.files import replacing

    plain = frame.copy()
    plain.attrs = {SEPARATOR: separator}
    for name in plain.columns:
        if plain[name].dtype == object:
            plain[name] = [None if cells.is_missing(cell) else str(cell) for cell in plain[name]]
    with replacing(path) as file:
        plain.to_parquet(file, index=False)
