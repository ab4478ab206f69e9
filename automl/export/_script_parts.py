"""What a script is written of, and how values are spelled in it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from automl.schema import Schema
from automl.space import Params, split_params
from automl.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Winner:
    """What a script is written of.

    Attributes:
        columns: width of the matrix that the model saw.
        rows: training rows of one fold.
        rounds: trees of a boosted model, as early stopping found.
        share: of the member in the ensemble.
        score: out-of-fold, of this member alone.
        levels: category column → how many levels there are.
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
    separator: str
    group: str | None
    time: str | None

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
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


class Raw(str):
    """Code, not a text."""


SEED = Raw("SEED")
