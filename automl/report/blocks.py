"""A document without a look: what a section says, for console, HTML and JSON alike."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Tone = Literal["neutral", "good", "warn", "bad"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A table cell that is a small histogram: the height of each bar, in order."""

    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A table cell that is a figure with its interval; HTML draws all of a column on one scale."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A table cell that is one word out of a few, in a colour."""

    text: str
    tone: Tone = "neutral"


Cell = str | int | float | None | Spark | Interval | Tag


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text; never markup."""

    text: str
    tone: Tone = "neutral"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, such as a verdict's figures: (label, value, note) triples."""

    items: tuple[tuple[str, str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The figure that matters: a score, its interval, and what it stands beside.

    Attributes:
        label: the metric's title.
        value, low, high: in the metric's own units; None where unknown.
        decimals: digits worth showing.
        maximize: True if larger is better.
        marks: (name, score) of the baselines.
        tone: the colour of the verdict.
        caption: one sentence in words for who does not know the metric.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    decimals: int = 4
    maximize: bool = True
    marks: tuple[tuple[str, float], ...] = ()
    tone: Tone = "neutral"
    caption: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings. Numbers stay numbers; `formats` gives each column's format spec, such as ".4f" or "".

    Columns stand in order of importance: a narrow console leaves out the last ones.
    `caption` stands above the table, `note` below it.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    formats: tuple[str, ...] = ()
    caption: str = ""
    numeric: tuple[bool, ...] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Counts of one thing against another, such as a confusion matrix: `values[i][j]` is row i, column j."""

    title: str
    row_label: str
    column_label: str
    labels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    caption: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, set of points or set of bars of a chart; `low`/`high` are interval ends for bars and points.

    `mark` overrides the chart's kind, so that points may lie under a line; "rule" is a thin dashed line.
    """

    name: str
    x: tuple[Any, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    mark: Literal["", "line", "step", "scatter", "rule"] = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart; in HTML an inline SVG with its figures as a table under it, on the console a few bars or a sparkline.

    Bars with names lie, bars with numbers stand. `y_range` cuts the y axis where outliers would flatten the rest.
    """

    kind: Literal["line", "step", "scatter", "bar"]
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    caption: str = ""
    y_range: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Something to type or to copy; `title` says what it does."""

    text: str
    language: str = "sh"
    title: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One risk, warning or note with its figures and what was done."""

    tone: Tone
    title: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the data, or several that belong together, as PNG data URIs; nothing else is ever shown."""

    caption: str
    uris: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures with captions; on the console the captions alone."""

    title: str
    pictures: tuple[Picture, ...]
    caption: str = ""


Block = Paragraph | Facts | Score | Table | Matrix | Chart | Code | Alert | Gallery


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and its blocks; `name` is the file's name, used as anchor and JSON key."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON twin: every block with its kind."""
        return {
            "schema_version": 1,
            "title": self.title,
            "subtitle": self.subtitle,
            "meta": self.meta,
            "sections": [
                {
                    "name": section.name,
                    "title": section.title,
                    "blocks": [{"kind": type(block).__name__.lower(), **_record(block)} for block in section.blocks],
                }
                for section in self.sections
            ],
        }


def _record(block: Block) -> dict[str, Any]:
    """A block as a dict; a chart has a `kind` of its own, which goes by the name `chart`."""
    record = dataclasses.asdict(block)
    if isinstance(block, Chart):
        record["chart"] = record.pop("kind")
    return record
