"""The columns of a table: what role each plays, why, and how its cells are read at training and ever after."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from automl.errors import SchemaMismatchError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


# Of a longer text only so many characters are read: what a text is about stands at its beginning.
MAX_TEXT_CHARACTERS = 20_000


class Role(StrEnum):
    """What a column is to a model. Modalities are roles, not parallel worlds."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"
    IMAGE = "image"
    IGNORE = "ignore"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellFormat:
    """How the text of a cell becomes a value; a plain number or an ISO date needs none of it.

    Attributes:
        decimal: the decimal mark, "." or ",".
        thousands: the mark between groups of three digits, or "".
        prefix, suffix: a unit that every cell carries, such as "$" or "%"; cut off.
        negative: how numbers below zero are marked, if not by a sign before them: "()" around or "-" behind.
        missing: texts that mean "no value" besides the empty one.
        date_format: a strptime format, "iso", "epoch_s" or "epoch_ms"; "" if the column is not a date.
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    negative: str = ""
    missing: tuple[str, ...] = ()
    date_format: str = ""

    @staticmethod
    def from_json(record: dict[str, Any]) -> CellFormat:
        return CellFormat(**{**record, "missing": tuple(record["missing"])})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureFormat:
    """What every picture of a column is brought to; its sides are stretched where its shape differs.

    Attributes:
        height, width: pixels.
        channels: 1 for grey, 3 for red, green and blue.
        low, high: of 16-bit and float pictures, the values that become black and white.
    """

    height: int
    width: int
    channels: int
    low: float = 0.0
    high: float = 255.0

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One feature column.

    Attributes:
        role: what it is to a model; IGNORE columns are kept here with their reason but never read.
        reason: why this role, in words a user understands.
        format: how to read its cells.
        levels: for a category, the values seen in training, most frequent first (ties by name).
        offset: for a number, subtracted before the cast to float32, so that large values keep their differences.
        has_missing: whether training rows lacked a value.
        required: False if a table may come without the column at prediction time.
        picture: for an image, what its pictures are brought to.
    """

    name: str
    role: Role
    reason: str = ""
    format: CellFormat = CellFormat()
    levels: tuple[str, ...] = ()
    offset: float = 0.0
    has_missing: bool = False
    required: bool = True
    picture: PictureFormat | None = None

    def to_json(self) -> dict[str, Any]:
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # levels are many
        picture = None if self.picture is None else dataclasses.asdict(self.picture)
        return {**record, "format": dataclasses.asdict(self.format), "picture": picture}

    @staticmethod
    def from_json(record: dict[str, Any]) -> Column:
        return Column(
            **{
                **record,
                "role": Role(record["role"]),
                "format": CellFormat.from_json(record["format"]),
                "levels": tuple(record["levels"]),
                "picture": PictureFormat(**record["picture"]) if record.get("picture") else None,
            }
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that was guessed or changed, with its reason; all of them are shown to the user."""

    topic: str
    text: str
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Schema:
    """The feature columns of a table, in the order of the training file (the target is not among them)."""

    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def roles(self) -> dict[str, str]:
        """Column → role, as `DataOptions.roles` takes them: what is read again is read as it was at first."""
        return {column.name: column.role.value for column in self.columns}

    def of(self, *roles: Role) -> tuple[Column, ...]:
        """The columns of these roles, in order."""
        return tuple(column for column in self.columns if column.role in roles)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that models see."""
        return tuple(column for column in self.columns if column.role is not Role.IGNORE)

    def check(self, frame: pd.DataFrame) -> list[Notice]:
        """Hold a table against the schema.

        Args:
            frame: any table, columns in any order.

        Returns:
            Notices of extra columns (ignored) and of optional ones that are not there.

        Raises:
            SchemaMismatchError: if a column that models see is missing; all of them are told together, with the
                nearest name that is there.
        """
        have = [str(name) for name in frame.columns]
        known_names, there = set(self.names), set(have)
        missing = [column.name for column in self.features if column.required and column.name not in there]
        if missing:
            spare = [name for name in have if name not in known_names]
            known = did_you_mean(missing[0], spare) if spare else ""
            listed = ", ".join(repr(name) for name in missing[:8]) + (" …" if len(missing) > 8 else "")
            raise SchemaMismatchError(
                f"The table lacks {len(missing)} of the model's columns: {listed}",
                hint=(f"{known} " if known.startswith("Did") else "") + f"The model needs: {_listed(self.features)}",
            )
        notices = []
        extra = [name for name in have if name not in known_names]
        if extra:
            listed = ", ".join(repr(name) for name in extra[:8]) + (" …" if len(extra) > 8 else "")
            text = f"ignored {len(extra)} column(s) unknown to the model: {listed}"
            notices.append(Notice(topic="columns", text=text))
        return notices

    def parse(self, frame: pd.DataFrame, *, coded: bool = False) -> pd.DataFrame:
        """The typed table that models are made from, columns `features` in order.

        Args:
            coded: categories of many rows may come as pandas categoricals, which are made and read many times faster.

        Returns:
            A frame (n, d): numbers float64 (missing NaN, infinities NaN), categories and texts object (str or None),
            dates datetime64[us] in UTC without zone. What cannot be read as the column's role is missing.

        Raises:
            SchemaMismatchError: as `check`.
        """
        from automl import cells  # pandas is heavy, and the command line imports this module

        self.check(frame)
        return cells.parse_frame(frame, self.features, coded=coded)

    def to_json(self) -> dict[str, Any]:
        return {"columns": [column.to_json() for column in self.columns]}

    @staticmethod
    def from_json(record: dict[str, Any]) -> Schema:
        return Schema(tuple(Column.from_json(column) for column in record["columns"]))


def _listed(columns: Iterable[Column]) -> str:
    names = [column.name for column in columns]
    return ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
