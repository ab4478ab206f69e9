"""From a trained model to a folder that serves: one file a format, each reloaded and compared before it is done."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.registry import Registry
from automl.run import Run

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4  # of a probability
VALUE_TOLERANCE = 1e-5  # of a value, relative to it or to the spread of all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What is exported.

    Attributes:
        folder: the model folder.
        predictor: the model in it, loaded.
        run: the run it belongs to, if it stands in one.
        name: what the model is called.
    """

    folder: Path
    predictor: Predictor
    run: Run | None
    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What a format says of what it wrote, for README.md and manifest.json.

    Attributes:
        summary: one sentence: what the folder is.
        run: lines of shell that put it to work, from inside the folder.
        needs: distributions that running it takes, with versions.
        limits: sentences that a deployer must know.
        proof: one sentence on how its score was proven, where that and not its answers is the proof.
        notes: further facts for the manifest.
    """

    summary: str
    run: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    proof: str = ""
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)


class Format(Protocol):
    """A format, as `plugin` of its file.

    Attributes:
        title: what it is called in a sentence.
        executes: True if loading it runs code that the folder holds: it is then loaded only when asked for.
        from_graph: True if it is made of the model's graph, so that a part of the ensemble can be exported.
        proof: "answers" if what was written must answer every row as the model does; "score" if it is another model by
            design (rounded, trained anew) that `write` itself holds against the model's score. See `proof_of`.
    """

    title: str
    executes: bool
    from_graph: bool

    def write(self, source: Source, folder: Path) -> Facts:
        """Write the model into an existing empty folder.

        Raises:
            NoGraphError: if the model has no faithful form; the part is named.
        """
        ...

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        """Outputs (n, k) of the rows in a JSON-lines file, by a fresh process that loads the folder anew.

        Raises:
            ArtifactError: if the folder cannot be loaded or does not answer.
        """
        ...


def proof_of(plugin: Format) -> str:
    """What a format must prove; "answers" unless it says otherwise."""
    return str(getattr(plugin, "proof", "answers"))


formats: Registry[Format] = Registry("automl.export", noun="export format")


def rows_to_json(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a raw or typed frame as JSON values: texts, numbers, ISO dates, None for missing."""
    import numpy as np
    import pandas as pd

    from automl.cells import is_missing

    records = []
    for cells in frame.to_dict(orient="records"):
        record: dict[str, Any] = {}
        for name, cell in cells.items():
            if is_missing(cell):
                cell = None
            elif isinstance(cell, pd.Timestamp | np.datetime64):
                cell = pd.Timestamp(cell).isoformat()
            elif isinstance(cell, np.generic):
                cell = cell.item()
            elif not isinstance(cell, str | int | float | bool):
                cell = str(cell)
            record[str(name)] = cell
        records.append(record)
    return records
