"""The rows that a champion has learned from, as its files hold them, and which new rows repeat them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.data.identity import begins_with, copy_beginning
from automl.data.load import read_table
from automl.data.table import RawTable
from automl.errors import UsageError
from automl.matrix import Array
from automl.monitor.request_log import is_request_log
from automl.recipe import Recipe, load_recipe
from automl.run import Run

if TYPE_CHECKING:
    import pandas as pd

# Where fewer of the old rows than this share differ from each other, a new row that repeats one is no sign that it was
# learned from; so many in the same order at the beginning are.
DISTINCT_SHARE, FEWEST_ALIKE, MOST_COMPARED = 0.5, 50, 1_000
# The rows of a version, beside its run.
TRAINING = "training.parquet"


def read_learned(
    champion: Run, recipe: Recipe, *, is_needed: bool, tell: Callable[[str], None]
) -> tuple[pd.DataFrame | None, str]:
    """All rows that the champion has learned from or was judged by, columns as in the file, and their separator.

    A file that has grown since is read as far as it reached then, so that what was appended is new.

    Returns:
        None and "" if the rows are gone and not needed.

    Raises:
        UsageError: if they are gone, or no longer what they were, and are needed.
    """
    own = champion.path / TRAINING  # of a version; its record says where that lay before the run was moved or copied
    source = own if own.exists() else Path(str(champion.record["data"]))
    held_out = champion.path / "held_out.parquet"
    if reason := _find_change(champion, source):
        if is_needed:
            raise UsageError(reason, hint="Learn from the new rows alone: --rows new")
        tell(f"{reason}: new rows that it has learned from cannot be told, and may judge")
        return None, ""
    tables = [_read_as_it_was(champion, source, recipe)]
    if held_out.exists():
        tables.append(read_table(held_out, options=recipe.data, part="train"))
    return join_rows([table.frame for table in tables]).rename(columns=str), tables[0].separator


def read_unlearned(
    champion: Run, new: Path | pd.DataFrame, *, encoding: str | None, tell: Callable[[str], None]
) -> Path | pd.DataFrame:
    """The new rows without those that the champion has learned from, which would tell that all is as it was.

    Returns:
        `new` itself if there are none, or it is a server's log, which has no labels to learn from.
    """
    if isinstance(new, Path) and is_request_log(new):
        return new
    recipe = load_recipe(str(champion.recipe_path))
    old, _ = read_learned(champion, recipe, is_needed=False, tell=tell)
    if old is None:
        return new
    options = recipe.data if encoding is None else recipe.data.model_copy(update={"encoding": encoding})
    fresh = read_table(new, options=options, part="all").frame.rename(columns=str)
    known = find_repeated(fresh, old)
    if not known.any():
        return new
    tell(f"{int(known.sum()):,} of {len(fresh):,} new rows are rows that the champion has learned from; left aside")
    return fresh[~known].reset_index(drop=True)


def _find_change(champion: Run, source: Path) -> str:
    """Why the file is not what the champion read; "" if it is, or has only grown."""
    if not source.exists():
        return f"The rows that {champion.path} learned from are not at {str(source)!r} any more"
    facts = champion.record.get("source")  # runs of earlier versions and of folders have none
    if facts and source.is_file() and not begins_with(source, facts):
        return f"{str(source)!r} has changed since {champion.path} learned from it"
    return ""


def _read_as_it_was(champion: Run, source: Path, recipe: Recipe) -> RawTable:
    facts = champion.record.get("source")
    if not facts or not source.is_file() or source.stat().st_size == facts["bytes"]:
        return read_table(source, options=recipe.data, part="train")
    with tempfile.TemporaryDirectory(prefix="automl-") as place:
        copy = copy_beginning(source, facts["bytes"], Path(place))
        return read_table(copy, options=recipe.data, part="train", folder=source.resolve().parent)


def join_rows(frames: Sequence[pd.DataFrame | None]) -> pd.DataFrame:
    """Rows below each other. A column that one frame lacks is missing in its rows."""
    import pandas as pd

    there = [frame for frame in frames if frame is not None]
    if len({tuple(map(str, frame.dtypes)) for frame in there}) > 1:  # a number here, a text there: cells as they are
        there = [frame.astype(object) for frame in there]
    return pd.concat(there, ignore_index=True)


def find_repeated(fresh: pd.DataFrame, old: pd.DataFrame) -> Array:
    """Rows (n,) bool that repeat an old row cell by cell, each as often as it is there; where most old rows repeat each
    other, only if both begin alike."""
    names = [name for name in fresh.columns if name in old.columns]
    keys, known = key_rows(fresh[names]), key_rows(old[names])
    found = np.zeros(len(fresh), dtype=bool)
    if len(set(known)) < DISTINCT_SHARE * len(known) and not _begin_alike(keys, known):
        return found
    left = Counter(known)
    for row, key in enumerate(keys):
        if left[key] > 0:
            left[key] -= 1
            found[row] = True
    return found


def _begin_alike(keys: Sequence[int], known: Sequence[int]) -> bool:
    """Whether both begin with so many of the same rows that it is no chance: a file that has grown."""
    least = min(len(keys), len(known), MOST_COMPARED)
    common = next((place for place in range(least) if keys[place] != known[place]), least)
    return common >= min(least, FEWEST_ALIKE)


def key_rows(frame: pd.DataFrame) -> list[int]:
    """The same number for rows whose cells say the same: 12.50, "12.5" and 12.5 are one number."""
    import pandas as pd

    texts = pd.DataFrame({name: _spell(frame[name]) for name in frame.columns}, dtype=object)
    return [int(key) for key in pd.util.hash_pandas_object(texts.fillna("\0"), index=False)]


def _spell(series: pd.Series) -> Array:
    """Cells (n,) as str or None, with numbers spelled one way, whichever program wrote them."""
    import pandas as pd

    from automl import cells

    codes, texts = cells.code_text(series)
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    spelled = np.empty(len(texts) + 1, dtype=object)  # the last for code -1, which is missing
    spelled[:-1] = texts
    for place in np.flatnonzero(np.abs(numbers) < cells.EXACT):
        spelled[place] = repr(float(numbers[place]))
    return np.asarray(spelled[codes], dtype=object)
