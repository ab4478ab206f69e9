"""The model as its user sees it: a table in, labelled predictions out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from automl.errors import DataError, UsageError, did_you_mean
from automl.intervals import Intervals
from automl.matrix import Array, FloatArray
from automl.schema import Notice, Schema
from automl.task import Task, TaskKind

if TYPE_CHECKING:
    import pandas as pd


class Model(Protocol):
    """Whatever turns a typed table (`Schema.parse`) into numbers."""

    def predict(self, frame: pd.DataFrame) -> FloatArray:
        """Probabilities (n, k) whose rows sum to 1, or values (n, 1)."""
        ...


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model with the schema and the task it was trained for. `automl.load(path)` reads one from disk.

    Attributes:
        threshold: binary only: the probability of the positive class from which on it is predicted.
        manifest: identity, versions, checksums and score, as stored beside the model.
        intervals: how far the truth lay from what was predicted for rows that no model had seen; of values only.
    """

    schema: Schema
    task: Task
    model: Model
    threshold: float = 0.5
    manifest: dict[str, Any] = dataclasses.field(default_factory=dict)
    intervals: Intervals | None = None

    def check(self, frame: pd.DataFrame) -> list[Notice]:
        """Hold a table against the schema: columns as in `Schema.check`, then cells that the model makes nothing of.

        The target's column may be there, and is not told as one that the model does not know.
        """
        from automl.strangers import describe_strangers

        names = frame.iloc[:0, [at for at, name in enumerate(frame.columns) if str(name) != self.task.target]]
        return [*self.schema.check(names), *describe_strangers(frame, self.schema.features)]

    def predict_outputs(self, frame: pd.DataFrame) -> FloatArray:
        """Raw outputs: (n, k) probabilities in the order of `task.classes`, or (n, 1) values."""
        typed = self.schema.parse(frame, coded=getattr(self.model, "reads_categoricals", False))
        if len(typed) == 0:
            return np.zeros((0, self.task.n_outputs), dtype=np.float32)
        return self.model.predict(typed)

    def predict(self, frame: pd.DataFrame) -> Array:
        """Labels, in the type they had in training, or values.

        Args:
            frame: any table with the model's columns, in any order; raw text or typed.

        Returns:
            (n,) in the order of the rows.

        Raises:
            SchemaMismatchError: if a column is missing.
        """
        return self.decide(self.predict_outputs(frame))

    def predict_proba(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Class probabilities, a frame (n, k) with the class labels as columns and the index of `frame`.

        Raises:
            DataError: for a regression model.
        """
        import pandas as pd

        if not self.task.is_classification:
            raise DataError("A regression model has no class probabilities", hint="Use predict")
        columns = [self.task.convert_label(label) for label in self.task.classes]
        return pd.DataFrame(self.predict_outputs(frame), columns=columns, index=frame.index)

    def predict_interval(self, frame: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
        """Between what the value lies with a chance of `level`, a frame (n, 2) of `low` and `high` with the index of
        `frame`; see `automl.intervals`.

        Raises:
            UsageError: for a model of classes, one that knows no intervals, or a level that it does not know.
        """
        import pandas as pd

        low, high = self.find_intervals().around(self.predict_outputs(frame)[:, 0], level)
        return pd.DataFrame({"low": low, "high": high}, index=frame.index)

    def find_intervals(self) -> Intervals:
        """The model's intervals.

        Raises:
            UsageError: if it has none, because it names classes, learned from too few rows or is of an older version.
        """
        if self.task.is_classification:
            raise UsageError(f"{self.task.target!r} has classes, and intervals are of numbers", hint="Use --proba")
        if self.intervals is None:
            raise UsageError(
                "The model knows no intervals: it was scored on fewer than 20 rows, or is of an older version",
                hint="Train it again: automl fit DATA --target Y",
            )
        return self.intervals

    def decide(self, outputs: FloatArray) -> Array:
        """Labels or values from raw outputs."""
        if not self.task.is_classification:
            return outputs[:, 0].astype(np.float64)
        labels = np.array([self.task.convert_label(label) for label in self.task.classes])
        return labels[self.decide_index(outputs)]

    def decide_index(self, outputs: FloatArray) -> Array:
        """Class index (n,) int64 from probabilities."""
        if self.task.kind is TaskKind.BINARY:
            return (outputs[:, 1] >= self.threshold).astype(np.int64)
        return np.asarray(outputs.argmax(axis=1), dtype=np.int64)

    def encode_target(self, values: pd.Series) -> Array:
        """The target column of a labelled table: class index (n,) int64, -1 if missing or unknown, or value (n,)."""
        return encode_target(values, self.task)

    def find_target(self, frame: pd.DataFrame) -> pd.Series:
        """The target column of a labelled table.

        Raises:
            DataError: if it is not there.
        """
        names = {str(name): name for name in frame.columns}
        if self.task.target not in names:
            raise DataError(
                f"The table has no target column {self.task.target!r}", hint=did_you_mean(self.task.target, names)
            )
        column: pd.Series = frame[names[self.task.target]]
        return column


def encode_target(values: pd.Series, task: Task) -> Array:
    """See `Predictor.encode_target`."""
    import pandas as pd

    from automl import cells

    if not task.is_classification:
        return cells.parse_numbers(values, task.format)
    index = {label: number for number, label in enumerate(task.classes)}
    for truth in ("True", "False"):  # where "true" or "TRUE" was written, a truth value means the same
        for label in {truth.lower(), truth.upper()} & index.keys():
            index.setdefault(truth, index[label])
    codes = None
    if isinstance(values.dtype, pd.StringDtype):  # each text is read once, however many rows have it
        codes, texts = pd.factorize(values)
        values = pd.Series(texts, dtype=values.dtype)
    labels = cells.to_labels(values, task.label_type)
    numbers = np.array([*(-1 if label is None else index.get(label, -1) for label in labels), -1], dtype=np.int64)
    return numbers[:-1] if codes is None else numbers[codes]
