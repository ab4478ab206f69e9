"""What is to be learned: binary or multiclass classification, or regression, of one target column."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from automl.schema import CellFormat


class TaskKind(StrEnum):
    """The three questions a table can answer."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The target and how success is measured.

    Attributes:
        kind: binary, multiclass or regression.
        target: name of the target column.
        classes: labels as text, in the order of the probability columns; the last one of two is the positive class.
            Empty for regression.
        metric: name of a plug-in of `automl.metrics`.
        maximize: True if a larger value of the metric is better.
        label_type: "str", "int", "float" or "bool": what a label was in the data, so that predictions of a frame come
            back in the same form.
        reason: why this kind was chosen.
        format: how its cells are written, so that labels that come later are read as those of training were.
        skewed: a number above zero whose logarithm is spread more evenly: a model may learn that in its place.
    """

    kind: TaskKind
    target: str
    classes: tuple[str, ...] = ()
    metric: str = ""
    maximize: bool = False
    label_type: str = "str"
    reason: str = ""
    skewed: bool = False
    format: CellFormat = dataclasses.field(default_factory=CellFormat)

    @property
    def is_classification(self) -> bool:
        return self.kind is not TaskKind.REGRESSION

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction array: one a class, or one for a value."""
        return len(self.classes) if self.is_classification else 1

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "kind": str(self.kind), "classes": list(self.classes)}

    @staticmethod
    def from_json(record: dict[str, Any]) -> Task:
        known = {**record, "kind": TaskKind(record["kind"]), "classes": tuple(record["classes"])}
        if "format" in record:  # runs of before have none
            known["format"] = CellFormat.from_json(record["format"])
        return Task(**known)

    def convert_label(self, label: str) -> Any:
        """A class label in the type it had in the training data."""
        if self.label_type == "int":
            return int(float(label))
        if self.label_type == "float":
            return float(label)
        if self.label_type == "bool":
            return label == "True"
        return label
