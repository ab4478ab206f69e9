"""A column whose groups a model should treat alike, such as sex or age: which group each row belongs to."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.files import write_array
from automl.matrix import Array, IntArray

if TYPE_CHECKING:
    import pandas as pd

MAX_GROUPS = 20
# A number with more different values than this is cut at its quartiles.
MAX_NUMBERS = 10
MISSING_NAME, OTHER_NAME = "(missing)", "(all others)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of one column.

    Attributes:
        column: its name.
        labels: name of each group, the most frequent first (of a number: from low to high).
        codes: (n,) int64 position of each row's group in `labels`.
    """

    column: str
    labels: tuple[str, ...]
    codes: IntArray

    def take(self, rows: Array) -> Groups:
        """These rows alone, with the same labels."""
        return dataclasses.replace(self, codes=self.codes[rows])


def read_groups(column: pd.Series, name: str) -> Groups:
    """Groups of a raw column. Rows without a value are a group; the rarest of many values are one together."""
    from automl import cells
    from automl.data.formats import MISSING

    numbers = cells.parse_numbers(column)
    texts = cells.to_text(column, MISSING)
    present = [text for text in texts if text is not None]
    known = numbers[~np.isnan(numbers)]
    if len(known) == len(present) and len(np.unique(known)) > MAX_NUMBERS:
        return _cut(numbers, name)
    counts: dict[str, int] = {}
    for text in present:
        counts[text] = counts.get(text, 0) + 1
    labels = sorted(counts, key=lambda text: (-counts[text], text))
    kept = labels if len(labels) <= MAX_GROUPS else labels[: MAX_GROUPS - 1]
    place = {text: at for at, text in enumerate(kept)}
    names = [*kept, *([OTHER_NAME] if len(kept) < len(labels) else [])]
    if len(present) < len(texts):
        names.append(MISSING_NAME)
    other, missing = names.index(OTHER_NAME) if OTHER_NAME in names else -1, len(names) - 1
    codes = [missing if text is None else place.get(text, other) for text in texts]
    return Groups(column=name, labels=tuple(names), codes=np.array(codes, dtype=np.int64))


def _cut(numbers: Array, name: str) -> Groups:
    """Quartiles of a number as groups."""
    known = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[known], (0.25, 0.5, 0.75)))
    codes = np.searchsorted(edges, numbers, side="left").astype(np.int64)
    names = [f"up to {edges[0]:g}"]
    names += [f"above {low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    names.append(f"above {edges[-1]:g}")
    if not known.all():
        codes[~known] = len(names)
        names.append(MISSING_NAME)
    return Groups(column=name, labels=tuple(names), codes=codes)


def store_groups(folder: Path, groups: tuple[Groups, ...]) -> None:
    """Write sensitive.npz."""
    arrays = {f"codes_{at}": group.codes for at, group in enumerate(groups)}
    names = json.dumps([[group.column, list(group.labels)] for group in groups]).encode()
    arrays["names"] = np.frombuffer(names, dtype=np.uint8)
    write_array(folder / "sensitive.npz", lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load_groups(folder: Path) -> tuple[Groups, ...]:
    """What `store_groups` wrote; empty if there is nothing."""
    path = folder / "sensitive.npz"
    if not path.exists():
        return ()
    with np.load(path, allow_pickle=False) as file:
        names = json.loads(file["names"].tobytes())
        return tuple(
            Groups(column=column, labels=tuple(labels), codes=file[f"codes_{at}"])
            for at, (column, labels) in enumerate(names)
        )
