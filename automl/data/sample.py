"""A table too large for memory, as a random sample of its rows in their order, drawn in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from automl.data.stream import stream_table
from automl.data.table import RawTable
from automl.matrix import Array
from automl.recipe import Recipe
from automl.schema import Notice

# Of the memory, what the cells of a table may take as they were read: typed columns, arrays and workers follow.
TABLE_SHARE = 0.15
# A file smaller than this share of that cannot exceed it, packed as well as Parquet packs.
PACKING = 12
# So many rows too many are held before some are let go.
SLACK = 1.25


def read_sample(path: Path, recipe: Recipe) -> RawTable | None:
    """All rows of a large file or, if they would not fit, as many as do; None for a file that need not be cut.

    Which rows follows from the recipe's seed and their number, so that the same file gives the same sample where the
    same memory is given (`--memory`; without it, what is free decides).

    Raises:
        DataError: as `automl.data.load.read_table`.
    """
    allowed = TABLE_SHARE * memory_bytes(recipe)
    tables = stream_table(path, options=recipe.data, least_bytes=int(allowed / PACKING))
    return None if tables is None else draw_sample(tables, allowed, recipe.seed)


def memory_bytes(recipe: Recipe) -> float:
    """What the user allows all processes together, or what is free."""
    import psutil

    if recipe.budget.memory_mb is not None:
        return recipe.budget.memory_mb * 2**20
    return float(psutil.virtual_memory().available)


def draw_sample(tables: Iterable[RawTable], allowed_bytes: float, seed: int) -> RawTable:
    """Each row has a random number of its own; those with the lowest are kept, as many as memory allows.

    Args:
        tables: pieces, in order; at least one.
        allowed_bytes: what the cells that are kept may take.
    """
    rng = np.random.default_rng([seed, 47])
    first: RawTable | None = None
    notices: dict[Notice, None] = {}
    kept: list[pd.DataFrame] = []
    keys: list[Array] = []
    total, held, most, bound = 0, 0, 0, 1.0
    for table in tables:
        first = first or table
        notices |= dict.fromkeys(table.notices)
        rows = len(table.frame)
        if not most and rows:
            most = max(1000, int(allowed_bytes / (table.frame.memory_usage(index=False, deep=True).sum() / rows)))
        drawn = rng.random(rows)
        chosen = np.flatnonzero(drawn < bound)
        kept.append(table.frame.iloc[chosen] if len(chosen) < rows else table.frame)
        keys.append(drawn[chosen])
        total, held = total + rows, held + len(chosen)
        if held > SLACK * most:
            bound = float(np.partition(np.concatenate(keys), most - 1)[most - 1])
            kept, keys = _cut(kept, keys, bound)
            held = sum(map(len, keys))
    assert first is not None
    if held > most:
        bound = float(np.partition(np.concatenate(keys), most - 1)[most - 1])
        kept, keys = _cut(kept, keys, bound)
        held = sum(map(len, keys))
    if held < total:
        text = f"learned from {held:,} of {total:,} rows, drawn at random"
        notices[Notice(topic="rows", text=text, reason="all of them would not fit into memory")] = None
    return dataclasses.replace(first, frame=pd.concat(kept, ignore_index=True), notices=tuple(notices))


def _cut(frames: list[pd.DataFrame], keys: list[Array], bound: float) -> tuple[list[pd.DataFrame], list[Array]]:
    """The rows whose number is not above the bound; copies, so that the others' memory is free."""
    masks = [numbers <= bound for numbers in keys]
    left = [frame.loc[mask].copy() for frame, mask in zip(frames, masks, strict=True)]
    return [pd.concat(left, ignore_index=True)], [np.concatenate([n[m] for n, m in zip(keys, masks, strict=True)])]
