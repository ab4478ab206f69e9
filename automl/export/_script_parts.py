"""What a script is written of, and how values are spelled in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from automl.schema import Schema
from automl.space import Params, split_params
from automl.task import Task

LONGEST = 120  # of a line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Winner:
    """What a script is written of.

    Attributes:
        columns: width of the matrix that the model saw.
        rows: training rows of one fold.
        rounds: trees of a boosted model, as early stopping found.
        share: of the member in the ensemble.
        score: out-of-fold, of this member alone.
        reading: arguments of `pandas.read_csv` for the table that it learned from; None if that is no text table.
        weight: the column of row weights, which the script does without.
        unit: what the target is divided by before its logarithm is taken.
        threshold: from which probability on the second class is named.
        time_format: how the column `time` is written, as in `CellFormat`; "" if it holds plain numbers.
    """

    name: str
    candidate: str
    params: Params
    schema: Schema
    task: Task
    columns: int
    rows: int
    rounds: int
    seed: int
    share: float
    score: float
    folds: int
    reading: Mapping[str, Any] | None
    group: str | None
    time: str | None
    time_format: str = ""
    weight: str | None = None
    unit: float = 1.0
    threshold: float = 0.5

    @property
    def own(self) -> Params:
        return split_params(self.params, "model")

    @property
    def preparation(self) -> Params:
        return split_params(self.params, "preprocess")


@dataclasses.dataclass
class Code:
    """Parts of a script: imports by module, and lines."""

    imports: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    blocks: list[str] = dataclasses.field(default_factory=list)

    def use(self, module: str, *names: str) -> None:
        self.imports.setdefault(module, set()).update(names)


def literal(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, float):
        return repr(value)
    text = f"{value:.6g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"  # 1 would be one row or column, 1.0 is all


class Raw(str):
    """Code, not a text."""


SEED = Raw("SEED")
