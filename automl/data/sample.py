"""A table too large for memory or time, as a random sample of its rows in their order, drawn in one pass."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from automl.data.stream import LEAST_BYTES, stream_table
from automl.data.table import Drawn, RawTable
from automl.matrix import Array
from automl.recipe import Recipe
from automl.schema import Notice, Schema

# Of the memory, what the cells of a table may take as they were read: typed columns, arrays and workers follow.
TABLE_SHARE = 0.15
# A file smaller than this share of that cannot exceed it, packed as well as Parquet packs.
PACKING = 12
# What a search can try a few dozen configurations on, times the root of its seconds: the longer it is, the more of it
# goes to trying more configurations. More rows are for the model that is fitted at its end.
CELLS_PER_ROOT_SECOND = 390_000
FEWEST_ROWS = 20_000
# So many rows too many are held before some are let go.
SLACK = 1.25


def read_sample(path: Path, recipe: Recipe) -> RawTable | None:
    """All rows of a large file or, if they are too many for the memory or the time, as many as are not; None for a
    file that need not be cut.

    Which rows follows from the recipe's seed and their number, so that the same file gives the same sample where the
    same time and memory are given (`--memory`; without it, what is free decides).

    Raises:
        DataError: as `automl.data.load.read_table`.
    """
    allowed = TABLE_SHARE * memory_bytes(recipe)
    least = int(allowed / PACKING)
    seconds = recipe.budget.seconds if recipe.budget.trials is None else None
    cells = None if seconds is None else CELLS_PER_ROOT_SECOND * math.sqrt(seconds)
    tables = stream_table(path, options=recipe.data, least_bytes=least if cells is None else min(least, LEAST_BYTES))
    return None if tables is None else draw_sample(tables, allowed, recipe.seed, cells)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Rows of a large file, drawn at random from what was read of it.

    Attributes:
        read_rows: how many were read.
        is_read_out: whether these are all rows of the file.
    """

    table: RawTable
    read_rows: int
    is_read_out: bool

    @property
    def is_whole(self) -> bool:
        return self.is_read_out and len(self.table.frame) == self.read_rows


def read_portion(
    path: Path, recipe: Recipe, schema: Schema, *, allowed_cells: float, deadline: float = math.inf
) -> Portion | None:
    """Rows of a large file that goes with the one that is learned from; None for one that is read whole.

    Args:
        schema: of the columns that are learned from.
        allowed_cells: as in `draw_sample`.
        deadline: `time.monotonic()` from which on no more is read: the rows are then the file's first ones.

    Raises:
        DataError: as `automl.data.load.read_table`.
    """
    allowed = TABLE_SHARE * memory_bytes(recipe)
    options = recipe.data.model_copy(update={"roles": schema.roles})
    tables = stream_table(path, options=options, least_bytes=min(int(allowed / PACKING), LEAST_BYTES))
    if tables is None:
        return None
    table = draw_sample(_read_until(tables, deadline), allowed, recipe.seed, allowed_cells)
    rows = len(table.frame) if table.drawn is None else table.drawn.total
    return Portion(table=table, read_rows=rows, is_read_out=next(tables, None) is None)


def _read_until(tables: Iterable[RawTable], deadline: float) -> Iterator[RawTable]:
    """The first table in any case, and those that are begun before the deadline."""
    for table in tables:
        yield table
        if time.monotonic() >= deadline:
            return


def memory_bytes(recipe: Recipe) -> float:
    """What the user allows all processes together, or what is free."""
    import psutil

    if recipe.budget.memory_mb is not None:
        return recipe.budget.memory_mb * 2**20
    return float(psutil.virtual_memory().available)


def draw_sample(
    tables: Iterable[RawTable], allowed_bytes: float, seed: int, allowed_cells: float | None = None
) -> RawTable:
    """Each row has a random number of its own; those with the lowest are kept, as many as memory allows.

    Args:
        tables: pieces, in order; at least one.
        allowed_bytes: what the cells that are kept may take.
        allowed_cells: how many they may be; None for any number.
    """
    rng = np.random.default_rng([seed, 47])
    first: RawTable | None = None
    notices: dict[Notice, None] = {}
    kept: list[pd.DataFrame] = []
    keys: list[Array] = []
    places: list[Array] = []
    total, held, most, bound, reason = 0, 0, 0, 1.0, ""
    for table in tables:
        first = first or table
        notices |= dict.fromkeys(table.notices)
        rows = len(table.frame)
        if not most and rows:
            most, reason = _count_allowed(table.frame, allowed_bytes, allowed_cells)
        drawn = rng.random(rows)
        chosen = np.flatnonzero(drawn < bound)
        kept.append(table.frame.iloc[chosen] if len(chosen) < rows else table.frame)
        keys.append(drawn[chosen])
        places.append(total + chosen)
        total, held = total + rows, held + len(chosen)
        if held > SLACK * most:
            bound = _cut(kept, keys, places, most)
            held = len(keys[0])
    assert first is not None
    if held > most:
        _cut(kept, keys, places, most)
        held = len(keys[0])
    frame = kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)
    if held == total:
        return dataclasses.replace(first, frame=frame, notices=tuple(notices))
    notices[Notice(topic="rows", text=f"searched on {held:,} of {total:,} rows, drawn at random", reason=reason)] = None
    drawn_from = Drawn(rows=np.concatenate(places), total=total)
    return dataclasses.replace(first, frame=frame, notices=tuple(notices), drawn=drawn_from)


def _count_allowed(frame: pd.DataFrame, allowed_bytes: float, allowed_cells: float | None) -> tuple[int, str]:
    """How many rows like these may be kept, and why no more."""
    rows = len(frame)
    fitting = max(1000, int(allowed_bytes / (frame.memory_usage(index=False, deep=True).sum() / rows)))
    timely = math.inf if allowed_cells is None else max(FEWEST_ROWS, int(allowed_cells / max(1, frame.shape[1])))
    if timely < fitting:
        return int(timely), "in the time that is given, trying more models gains more than trying them on more rows"
    return fitting, "all of them would not fit into memory"


def _cut(frames: list[pd.DataFrame], keys: list[Array], places: list[Array], most: int) -> float:
    """Leave the `most` rows with the lowest numbers, as one piece, copied, so that the others' memory is free.

    Returns:
        the highest number that is left.
    """
    bound = float(np.partition(np.concatenate(keys), most - 1)[most - 1])
    masks = [numbers <= bound for numbers in keys]
    left = [frame.loc[mask].copy() for frame, mask in zip(frames, masks, strict=True)]
    frames[:] = [pd.concat(left, ignore_index=True)]
    for arrays in (keys, places):
        arrays[:] = [np.concatenate([array[mask] for array, mask in zip(arrays, masks, strict=True)])]
    return bound
