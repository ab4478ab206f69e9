"""The data: what each column was taken for and why, what is missing, how values and the target are spread."""

from __future__ import annotations

import collections
from typing import Any, Literal

from automl.report.blocks import Block, Cell, Chart, Facts, Gallery, Heatmap, Section, Series, Spark, Table, Tag, Tone
from automl.report.source import RunSource
from automl.report.text import format_count, format_date, format_figure, format_share, is_figure, join_words

LIMIT = 100
GALLERY = 24
_NOUNS = {
    "number": ("number", "numbers"),
    "category": ("category", "categories"),
    "date": ("date", "dates"),
    "text": ("text", "texts"),
    "image": ("picture", "pictures"),
    "ignore": ("left out", "left out"),
}
_TONES: dict[str, Tone] = {"ignore": "warn"}


class Data:
    order = 10
    title = "Data"

    def build(self, source: RunSource) -> Section | None:
        profile = source.profile
        columns = [column for column in profile.get("columns") or [] if isinstance(column, dict)]
        blocks: list[Block] = []
        facts = _facts(source, columns)
        if facts.items:
            blocks.append(facts)
        target = _target_chart(source)
        if target is not None:
            blocks.append(target)
        if columns:
            blocks += [block for block in (_links(source, columns), _gallery(columns)) if block is not None]
            blocks.append(_columns_table(columns))
        likeness = _likeness(source)
        if likeness is not None:
            blocks.append(likeness)
        return Section(name="data", title=self.title, blocks=tuple(blocks)) if blocks else None


def _rows(source: RunSource) -> int:
    rows = source.profile.get("rows") or source.record.get("rows") or 0
    return int(rows) if is_figure(rows) else 0


def _facts(source: RunSource, columns: list[dict[str, Any]]) -> Facts:
    items: list[tuple[str, str, str]] = []
    rows, profile = _rows(source), source.profile
    if rows:
        items.append(("Rows", f"{rows:,}", ""))
    roles = collections.Counter(str(column.get("role") or "?") for column in columns)
    if roles:
        note = join_words([format_count(count, *_NOUNS.get(role, (role, role))) for role, count in roles.most_common()])
        items.append(("Columns", f"{len(columns):,}", note))
    elif is_figure(source.record.get("columns")):
        items.append(("Columns", f"{source.record['columns']:,}", ""))
    if is_figure(profile.get("missing_share")):
        items.append(("Missing cells", format_share(profile["missing_share"]), ""))
    if is_figure(profile.get("duplicate_rows")):
        duplicates = int(profile["duplicate_rows"])
        items.append(("Duplicate rows", f"{duplicates:,}", format_share(duplicates / rows) if rows else ""))
    split = source.record.get("split")
    if isinstance(split, dict) and split:
        items.append(("Scored by", *describe_split(split)))
    return Facts(items=tuple(items))


def describe_split(split: dict[str, Any]) -> tuple[str, str]:
    """How rows were set apart for scoring, and why.

    Args:
        split: as run.json has it: its "folds" are those of all "repeats" together.
    """
    text = str(split.get("kind") or "folds").replace("_", " ")
    every, given = split.get("folds"), split.get("repeats")
    repeats = given if isinstance(given, int) and given > 1 else 1
    folds = every // repeats if isinstance(every, int) else 0
    if folds > 1:
        text = f"{format_count(folds, 'fold')}, {text}"
    if repeats > 1:
        text += f", {repeats} times"
    return text, str(split.get("reason") or "")


def _target_chart(source: RunSource) -> Chart | None:
    target = source.profile.get("target")
    if not isinstance(target, dict):
        return None
    name = source.task.target if source.task else str(source.record.get("target") or "target")
    classes = [pair for pair in target.get("classes") or [] if isinstance(pair, list | tuple) and len(pair) == 2]
    if classes:
        shown = classes[:20]
        more = f" {len(classes) - 20:,} more are not drawn." if len(classes) > 20 else ""
        total = sum(count for _, count in classes if is_figure(count)) or 1
        largest = max((count for _, count in classes if is_figure(count)), default=0)
        caption = (
            f"{format_count(len(classes), 'class', 'classes')}; the largest holds {format_share(largest / total)}."
        )
        series = Series(name="rows", x=tuple(str(label) for label, _ in shown), y=tuple(count for _, count in shown))
        return Chart(
            kind="bar", title=f"Target: {name}", x_label=name, y_label="rows", series=(series,), caption=caption + more
        )
    values = target.get("values")
    if not isinstance(values, dict) or not values.get("counts"):
        return None
    series = Series(name="rows", x=tuple(values.get("edges") or ()), y=tuple(values["counts"]))
    caption = _describe_quantiles(values)
    return Chart(kind="bar", title=f"Target: {name}", x_label=name, y_label="rows", series=(series,), caption=caption)


def _describe_quantiles(values: dict[str, Any]) -> str:
    names = {"minimum": "least", "q25": "a quarter below", "median": "half below", "q75": "three quarters below"}
    names |= {"maximum": "most"}
    parts = [f"{name} {format_figure(values[key])}" for key, name in names.items() if is_figure(values.get(key))]
    return f"{join_words(parts, 12).capitalize()}." if parts else ""


def _links(source: RunSource, columns: list[dict[str, Any]]) -> Chart | None:
    """The columns that go with the target most."""
    linked = [column for column in columns if is_figure(column.get("association"))]
    linked.sort(key=lambda column: -column["association"])
    shown = [column for column in linked[:12] if column["association"] > 0]
    if len(shown) < 2:
        return None
    series = Series(
        name="link",
        x=tuple(str(column.get("name")) for column in shown),
        y=tuple(round(float(column["association"]), 4) for column in shown),
    )
    measures = join_words(sorted({str(column["measure"]) for column in shown if column.get("measure")}))
    return Chart(
        kind="bar",
        title="What goes with the target, each column alone",
        x_label="column",
        y_label="strength, 0 to 1",
        series=(series,),
        caption=f"Strength from 0 (none) to 1: {measures}. The first {len(shown)} of {len(linked):,} columns.",
    )


def _gallery(columns: list[dict[str, Any]]) -> Gallery | None:
    """The distributions of the columns that go with the target most, in the order of the file."""
    drawn = [column for column in columns if column.get("role") != "ignore" and (column.get("counts") or _top(column))]
    kept = sorted(drawn, key=lambda column: -(column.get("association") or 0))[:GALLERY]
    charts = [_distribution(column) for column in drawn if any(column is other for other in kept)]
    if not charts:
        return None
    more = len(drawn) - len(charts)
    caption = (
        f"The {len(charts)} columns that go with the target most; {more:,} more in the table below." if more else ""
    )
    return Gallery(title="How values are spread", charts=tuple(charts), caption=caption)


def _distribution(column: dict[str, Any]) -> Chart:
    name = str(column.get("name", "?"))
    missing = column.get("missing")
    caption = f"{format_share(missing)} missing" if is_figure(missing) and missing > 0 else ""
    counts, edges = column.get("counts") or [], column.get("edges") or []
    if counts and len(edges) == len(counts) + 1:
        series = Series(name="rows", x=tuple(edges), y=tuple(counts))
        scale: Literal["linear", "date"] = "date" if column.get("role") == "date" else "linear"
        return Chart(
            kind="bar", title=name, x_label=name, y_label="rows", series=(series,), caption=caption, x_scale=scale
        )
    top = [(str(value), count) for value, count in _top(column) if is_figure(count)]
    distinct = column.get("distinct")
    if is_figure(distinct) and distinct > len(top):
        caption = "; ".join([f"{int(distinct) - len(top):,} rarer values", *([caption] if caption else [])])
    series = Series(name="rows", x=tuple(value for value, _ in top), y=tuple(count for _, count in top))
    return Chart(kind="bar", title=name, x_label=name, y_label="rows", series=(series,), caption=caption)


def _likeness(source: RunSource) -> Heatmap | None:
    record = source.details.get("columns") or {}
    names, values = record.get("columns"), record.get("values")
    if not isinstance(names, list) or not isinstance(values, list) or len(names) < 3 or len(names) != len(values):
        return None
    return Heatmap(
        title="Columns that go together",
        rows=tuple(str(name) for name in names),
        columns=tuple(str(name) for name in names),
        values=tuple(tuple(row) for row in values),
        caption="From 0 (nothing in common) to 1 (one tells the other): |Spearman| of numbers, Cramér's V of "
        f"categories, the correlation ratio of a mixed pair; on {format_count(int(record.get('rows') or 0), 'row')}.",
    )


def _columns_table(columns: list[dict[str, Any]]) -> Table:
    shown = columns
    if len(columns) > LIMIT:
        shown = sorted(columns, key=lambda column: -(column.get("association") or 0))[:LIMIT]
    measures = sorted({str(column["measure"]) for column in shown if column.get("measure")})
    notes = (
        [f"Link: how strongly the column alone goes with the target, 0 to 1 ({join_words(measures)})."]
        if measures
        else []
    )
    if len(columns) > len(shown):
        notes.append(f"The {LIMIT} most related columns; {len(columns) - LIMIT:,} more are in profile.json.")
    return Table(
        headings=("column", "role", "missing", "distinct", "spread", "link", "values", "why this role"),
        rows=tuple(_column_row(column) for column in shown),
        formats=("", "", "", "", "", ".2f", "", ""),
        numeric=(False, False, True, True, False, True, False, False),
        caption="Columns",
        note=" ".join(notes),
    )


def _column_row(column: dict[str, Any]) -> tuple[Cell, ...]:
    role = str(column.get("role") or "?")
    missing, distinct, link = column.get("missing"), column.get("distinct"), column.get("association")
    described = role != "ignore" and bool(distinct)  # nothing is counted in what is left out, or had no time
    return (
        str(column.get("name", "?")),
        Tag(text=role, tone=_TONES.get(role, "neutral")),
        format_share(missing) if is_figure(missing) and described else None,
        int(distinct) if is_figure(distinct) and described else None,
        _spread(column),
        float(link) if is_figure(link) else None,
        _describe_values(column),
        str(column.get("reason") or ""),
    )


def _spread(column: dict[str, Any]) -> Cell:
    """The histogram of a number or date, the counts of the commonest values of a category."""
    counts = column.get("counts") or [pair[1] for pair in _top(column)]
    values = tuple(float(count) for count in counts if is_figure(count))
    return Spark(values=values) if values else None


def _top(column: dict[str, Any]) -> list[Any]:
    return [pair for pair in column.get("top") or [] if isinstance(pair, list | tuple) and len(pair) == 2]


def _describe_values(column: dict[str, Any]) -> str:
    """Least, middle and largest of numbers and dates, or the commonest values."""
    known = [column.get(key) for key in ("minimum", "median", "maximum")]
    figures = [figure for figure in known if is_figure(figure)]
    if len(figures) == len(known):
        write = format_date if column.get("role") == "date" else format_figure
        return " … ".join(write(figure) for figure in figures)
    return ", ".join(str(value) if len(str(value)) <= 24 else str(value)[:23] + "…" for value, _ in _top(column)[:3])


plugin = Data()
