"""The explanation: what the model goes by, over many rows and as each column moves alone, and rules that imitate it."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Cell, Chart, Interval, Paragraph, Section, Series, Swarm, Table
from automl.report.source import RunSource
from automl.report.studies import entries_of, record_of, skipped_blocks
from automl.report.text import format_count, format_figure, format_share, is_figure, join_words

BARS = 20
RULE_LIMIT = 10
# Study → what is said of it where it is missing.
STUDIES = {
    "shapley": "Shapley values",
    "dependence": "partial dependence",
    "surrogate": "rules that imitate the model",
    "coefficients": "the linear model's coefficients",
    "curve": "the curve of the model",
}


class Explanation:
    order = 61
    title = "What the model goes by"

    def build(self, source: RunSource) -> Section | None:
        studies = source.studies
        if not studies:
            return None
        blocks = [
            *shapley_blocks(record_of(studies, "shapley")),
            *_curve_blocks(record_of(studies, "curve")),
            *_dependence_blocks(record_of(studies, "dependence"), source),
            *_surrogate_blocks(record_of(studies, "surrogate")),
            *_coefficient_blocks(record_of(studies, "coefficients")),
            *skipped_blocks(studies, STUDIES, source),
        ]
        return Section(name="explanation", title=self.title, blocks=tuple(blocks)) if blocks else None


def _names(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(str(entry.get("column")) for entry in entries)


def _held_out(record: dict[str, Any]) -> str:
    rows = format_count(int(record["rows"]), "row") if is_figure(record.get("rows")) else "rows"
    return f"{rows} that the models asked had not seen (fold {record.get('fold', 1)})"


# ---- Shapley values --------------------------------------------------------------------------------------------------


def shapley_blocks(record: dict[str, Any]) -> list[Block]:
    """Bars, a beeswarm and the effect of categories' values."""
    entries = entries_of(record, "columns", "mean_abs", "low", "high")
    if not entries:
        return []
    shown, explained = entries[:BARS], str(record.get("explained"))
    sized = str(record.get("sized") or explained)
    noise = [float(entry["sampling_error"]) for entry in shown if is_figure(entry.get("sampling_error"))]
    text = (
        f"Mean size of what a column adds to or takes from the {sized} of a row, over {_held_out(record)}. "
        f"Intervals are over rows; estimated by sampling with {record.get('background_rows')} background rows and "
        f"{record.get('walks')} pairs of walks a row"
        + (f", which leaves a standard error of up to {format_figure(max(noise), 2)} a row." if noise else ".")
    )
    if len(entries) > BARS:
        text += f" The first {BARS} of {len(entries):,} columns."
    bars = Series(
        name="mean size",
        x=_names(shown),
        y=tuple(float(entry["mean_abs"]) for entry in shown),
        low=tuple(float(entry["low"]) for entry in shown),
        high=tuple(float(entry["high"]) for entry in shown),
    )
    blocks: list[Block] = [
        Chart(
            kind="bar",
            title="Shapley values: what moves predictions",
            x_label="column",
            y_label=f"mean change of {sized}",
            series=(bars,),
            caption=text,
        )
    ]
    return [*blocks, *_swarm(record, explained), *_levels(record, explained)]


def _swarm(record: dict[str, Any], explained: str) -> list[Block]:
    entries = [
        entry
        for entry in entries_of(record, "swarm")
        if isinstance(entry.get("values"), list)
        and isinstance(entry.get("shades"), list)
        and len(entry["values"]) == len(entry["shades"])
        and all(is_figure(value) for value in entry["values"])
    ]
    if not entries:
        return []
    return [
        Swarm(
            title="Shapley values: row by row",
            x_label=f"change of {explained}",
            names=_names(entries),
            values=tuple(tuple(float(value) for value in entry["values"]) for entry in entries),
            shades=tuple(tuple(entry["shades"]) for entry in entries),
            caption=(
                "Each point is one row. Orange: the row's value lies in the upper half of the column's range; "
                "blue: in the lower half; green: it has no order, or is missing."
            ),
        )
    ]


def _levels(record: dict[str, Any], explained: str) -> list[Block]:
    rows: list[tuple[Cell, ...]] = []
    for entry in entries_of(record, "levels"):
        for level in entries_of(entry, "values", "mean", "low", "high", "rows"):
            cell = Interval(value=float(level["mean"]), low=float(level["low"]), high=float(level["high"]))
            rows.append((str(entry.get("column")), str(level.get("value")), cell, int(level["rows"])))
    if not rows:
        return []
    return [
        Table(
            headings=("column", "value", f"mean change of {explained}", "rows"),
            rows=tuple(rows),
            formats=("", "", ".3f", "d"),
            numeric=(False, False, True, True),
            caption="What the values of categories add",
        )
    ]


# ---- one column moves ------------------------------------------------------------------------------------------------


def _dependence_blocks(record: dict[str, Any], source: RunSource) -> list[Block]:
    is_share = source.task is not None and source.task.is_classification
    charts = [_dependence_chart(record, entry, is_share=is_share) for entry in entries_of(record, "columns")]
    found: list[Block] = [chart for chart in charts if chart is not None]
    if not found:
        return []
    text = (
        f"One column at a time is given other values in {_held_out(record)}, all else as it is. The line is the mean "
        "of the answers; thin lines are single rows, from low to high. Values may meet that never do."
    )
    return [Paragraph(text=text), *found]


def _dependence_chart(record: dict[str, Any], entry: dict[str, Any], *, is_share: bool) -> Chart | None:
    """Mean answers with their intervals; with `is_share` they are probabilities, which end at 0 and 1."""
    values, mean = entry.get("values"), entry.get("mean")
    low, high = entry.get("low"), entry.get("high")
    if not isinstance(values, list) or not isinstance(mean, list) or len(values) != len(mean) or len(values) < 2:
        return None
    if not isinstance(low, list) or not isinstance(high, list) or not len(low) == len(high) == len(mean):
        return None
    if is_share:
        low, high = ([min(max(end, 0.0), 1.0) if is_figure(end) else end for end in ends] for ends in (low, high))
    explained = str(record.get("explained"))
    title = f"{entry.get('column')}: mean answer"
    if not all(is_figure(value) for value in values):
        bars = Series(
            name="mean", x=tuple(str(value) for value in values), y=tuple(mean), low=tuple(low), high=tuple(high)
        )
        return Chart(kind="bar", title=title, x_label=str(entry.get("column")), y_label=explained, series=(bars,))
    x = tuple(float(value) for value in values)
    lines = [
        Series(name=f"row {number}", x=x, y=tuple(line), mark="rule")
        for number, line in enumerate(entry.get("lines") or [], start=1)
        if isinstance(line, list) and len(line) == len(x)
    ]
    series = (Series(name="mean", x=x, y=tuple(mean), low=tuple(low), high=tuple(high)), *lines)
    return Chart(kind="line", title=title, x_label=str(entry.get("column")), y_label=explained, series=series)


def _curve_blocks(record: dict[str, Any]) -> list[Block]:
    x = record.get("x")
    lines = [line for line in entries_of(record, "lines") if isinstance(line.get("y"), list)]
    if not isinstance(x, list) or not lines:
        return []
    series = [Series(name=str(line.get("label")), x=tuple(x), y=tuple(line["y"]), mark="step") for line in lines[:4]]
    seen = record_of(record, "seen")
    if isinstance(seen.get("x"), list) and isinstance(seen.get("y"), list):
        series.insert(0, Series(name="what was seen", x=tuple(seen["x"]), y=tuple(seen["y"]), mark="scatter"))
    columns = [str(name) for name in (record.get("column"), record.get("other")) if name]
    blocks: list[Block] = [
        Chart(
            kind="line",
            title=f"The whole model: {join_words(columns)}",
            x_label=str(record.get("column")),
            y_label=str(record.get("explained")),
            series=tuple(series),
            caption="The model's answer over the data's range. Points are means of the truth in bins of equal size.",
        )
    ]
    turns = entries_of(record, "turns", "x")
    if turns:
        rows = tuple((str(turn.get("label")), float(turn["x"])) for turn in turns)
        headings = ("where", f"the decision turns at {record.get('column')} =")
        blocks.append(Table(headings=headings, rows=rows, numeric=(False, True), caption="Decision boundary"))
    return blocks


# ---- imitations ------------------------------------------------------------------------------------------------------


def _surrogate_blocks(record: dict[str, Any]) -> list[Block]:
    rules = entries_of(record, "rules", "output", "share")
    if not rules:
        return []
    has_class = any("class" in rule for rule in rules)
    rows: list[tuple[Cell, ...]] = [
        (
            *((str(rule.get("class")),) if has_class else ()),
            float(rule["output"]),
            format_share(float(rule["share"])),
            describe_rule(rule),
        )
        for rule in rules[:RULE_LIMIT]
    ]
    parts = []
    if is_figure(record.get("r2")):
        parts.append(f"it follows {format_share(max(0.0, float(record['r2'])))} of the differences between its answers")
    if is_figure(record.get("agreement")):
        parts.append(f"it names the same class for {format_share(float(record['agreement']))} of the rows")
    note = (
        f"A tree of three questions, taught by the model's answers on {record.get('taught_rows')} held-out rows. On "
        f"{record.get('tested_rows')} others, {join_words(parts)}. What it leaves out, the model knows besides."
    )
    explained = str(record.get("explained"))
    return [
        Table(
            headings=(*(("class",) if has_class else ()), "probability" if has_class else explained, "of rows", "if"),
            rows=tuple(rows),
            formats=(*(("",) if has_class else ()), ".3f", "", ""),
            numeric=(*((False,) if has_class else ()), True, True, False),
            caption="Rules that imitate the model",
            note=note,
        )
    ]


def describe_rule(rule: dict[str, Any]) -> str:
    """The conditions of a rule as one sentence part."""
    parts = []
    for condition in entries_of(rule, "conditions"):
        value = condition.get("value")
        shown = format_figure(value, 6) if is_figure(value) else f"“{value}”"
        missing = " or missing" if condition.get("or_missing") else ""
        parts.append(f"{condition.get('column')} {condition.get('test')} {shown}{missing}")
    return " and ".join(parts) or "always"


def _coefficient_blocks(record: dict[str, Any]) -> list[Block]:
    entries = [entry for entry in entries_of(record, "entries", "size") if _is_whole(entry)]
    if not entries:
        return []
    classes = [str(label) for label in record.get("classes") or []]
    which = "The deployed model" if record.get("deployed") else "The linear model beside the deployed one"
    unit = str(record.get("unit"))
    caption = (
        f"{which}: change of {unit} for one standard deviation of a number, or for a category's value (a category "
        "that stands without a value is one number, the mean target of its values). Mean over "
        f"{record.get('folds')} folds with 1.96 standard deviations between them."
    )
    if is_figure(record.get("features")) and record["features"] > len(entries):
        caption += f" The largest {len(entries)} of {record['features']:,}."
    blocks: list[Block] = [_coefficient_table(entries, classes, caption)]
    line = record_of(record, "line")
    if all(isinstance(line.get(key), list) for key in ("x", "y", "seen_x", "seen_y")):
        fitted = Series(name="linear model", x=tuple(line["x"]), y=tuple(line["y"]))
        seen = Series(name="what was seen", x=tuple(line["seen_x"]), y=tuple(line["seen_y"]), mark="scatter")
        blocks.append(
            Chart(
                kind="line",
                title=f"The fitted line through {line.get('column')}",
                x_label=str(line.get("column")),
                y_label=str(line.get("explained")),
                series=(fitted, seen),
                caption="Mean answer of the linear model as the column moves alone, beside means of the truth on "
                "held-out rows.",
            )
        )
    return blocks


def _is_whole(entry: dict[str, Any]) -> bool:
    lists = [entry.get(key) for key in ("values", "low", "high")]
    return all(isinstance(part, list) and part and all(is_figure(value) for value in part) for part in lists)


def _coefficient_table(entries: list[dict[str, Any]], classes: list[str], caption: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        for place, value in enumerate(entry["values"]):
            cell = Interval(value=float(value), low=float(entry["low"][place]), high=float(entry["high"][place]))
            label = (classes[place] if place < len(classes) else "",) if classes else ()
            rows.append((str(entry.get("feature")), *label, cell))
            if len(rows) == 40:
                break
    return Table(
        headings=("feature", *(("class",) if classes else ()), "coefficient"),
        rows=tuple(rows[:40]),
        formats=("", *(("",) if classes else ()), ".3f"),
        numeric=(False, *((False,) if classes else ()), True),
        caption="Linear coefficients",
        note=caption,
    )


plugin = Explanation()
