"""What clients of a server go by, held against the model that is to follow the one that answers them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from automl.errors import ArtifactError

if TYPE_CHECKING:
    from automl.serve.model import ServedModel

MOST_NAMED = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The question that a model answers, and the columns that its clients send: plain, it travels between processes.

    Attributes:
        kind, target, classes: of its task.
        columns: all that it knows.
        required: those that no request may lack.
    """

    kind: str
    target: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    required: tuple[str, ...]

    @staticmethod
    def of(model: ServedModel) -> Contract:
        features = model.schema.features
        return Contract(
            kind=str(model.task.kind),
            target=model.task.target,
            classes=tuple(model.task.classes),
            columns=tuple(column.name for column in features),
            required=tuple(column.name for column in features if column.required),
        )

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> Contract:
        lists = {name: tuple(value) for name, value in record.items() if isinstance(value, list)}
        return Contract(**{**record, **lists})

    def check(self, new: Contract) -> None:
        """Whether clients of this one can go on with a new one.

        Raises:
            ArtifactError: if not.
        """
        hint = "Start another server for it, or restart this one"
        if (self.kind, self.target, self.classes) != (new.kind, new.target, new.classes):
            raise ArtifactError("The new model answers another question than the one that is served", hint=hint)
        known = frozenset(self.columns)
        added = [name for name in new.required if name not in known]
        if added:
            listed = ", ".join(added[:MOST_NAMED])
            raise ArtifactError(f"The new model needs columns that clients do not send yet: {listed}", hint=hint)
