"""The quality: all metrics, figures per class, curves, a threshold chosen by cost, residuals, where it errs most."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Interval, Matrix, Paragraph, Section, Table
from automl.report.sections._curves import draw_calibration, draw_curves
from automl.report.sections._residuals import draw_residuals
from automl.report.source import RunSource, metric_facts
from automl.report.text import format_count, format_figure, format_score, format_share, is_figure, join_words

MATRIX_LIMIT = 20


class Quality:
    order = 60
    title = "Quality in detail"

    def build(self, source: RunSource) -> Section | None:
        evaluation = source.evaluation
        counted: list[Block | None] = [
            _classes(evaluation),
            _confusion(evaluation),
            draw_calibration(source),
            *draw_curves(source),
            *draw_residuals(source),
            _slices(source),
        ]
        built: list[Block | None] = [
            _metrics_table(evaluation.get("metrics"), caption="All metrics", note=_method(source)),
            _test(evaluation),
            _unweighted(source) if any(block is not None for block in counted) else None,
            *counted,
        ]
        blocks: tuple[Block, ...] = tuple(block for block in built if block is not None)
        return Section(name="quality", title=self.title, blocks=blocks) if blocks else None


def _unweighted(source: RunSource) -> Paragraph | None:
    """That rows are counted from here on otherwise than in the metrics, where they have weights."""
    if not source.weight:
        return None
    return Paragraph(text=f"What follows is not weighted by “{source.weight}”: every row counts the same.")


def _metrics_table(metrics: Any, *, caption: str, note: str = "") -> Table | None:
    """Metrics with their intervals."""
    entries = metrics if isinstance(metrics, dict) else {}
    rows = []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not is_figure(entry.get("value")):
            continue
        facts = metric_facts(str(name))
        value, interval = format_score(entry["value"], facts.decimals), ""
        if is_figure(entry.get("low")) and is_figure(entry.get("high")):
            ends = (facts.clip(entry["low"]), facts.clip(entry["high"]))
            interval = " to ".join(format_score(end, facts.decimals, like=entry["value"]) for end in ends)
        rows.append((facts.title, value, interval, "higher" if facts.maximize else "lower"))
    if not rows:
        return None
    headings = ("metric", "value", "95% interval", "better")
    return Table(headings=headings, rows=tuple(rows), numeric=(False, True, True, False), caption=caption, note=note)


def _test(evaluation: dict[str, Any]) -> Table | None:
    test = evaluation.get("test")
    if not isinstance(test, dict):
        return None
    rows = format_count(int(test["rows"]), "row") if is_figure(test.get("rows")) else "rows"
    note = f"The file was scored once, by the finished model; nothing was chosen by it.{_left_out(test)}"
    return _metrics_table(test.get("metrics"), caption=f"On {rows} of the test file", note=note)


def _left_out(test: dict[str, Any]) -> str:
    """The rows of the test file that have no known answer; a model is wrong on all that are of a class it never saw."""
    reasons = {"unknown_rows": "whose target is unknown to the model", "blank_rows": "without a target"}
    counts = {reason: test.get(key) for key, reason in reasons.items()}
    told = [f"{format_count(int(count), 'row')} {why}" for why, count in counts.items() if is_figure(count) and count]
    return f" Not scored: {join_words(told)}." if told else ""


def _method(source: RunSource) -> str:
    """What the rows of the table are, and what they have to do with the headline."""
    evaluation, decimals = source.evaluation, source.metric.decimals
    raw, score = evaluation.get("raw_score"), evaluation.get("score")
    is_corrected = is_figure(evaluation.get("optimism")) and evaluation.get("bootstraps") != 0
    if not (is_figure(raw) and is_figure(score) and is_corrected):
        return "On rows not seen in training. Neither these nor the score are corrected for the choice among many."
    before, after = format_score(raw, decimals, like=score), format_score(score, decimals)
    each = bool(evaluation.get("optimism_by_metric"))
    what = "the score at the top" if each else "it"
    changed = f"made {what} {after}, which was {before} before" if before != after else f"left {what} at {after}"
    rows = (
        "each metric corrected for the choice among many"
        if each
        else "before the correction for the choice among many: only the score at the top is corrected"
    )
    return (
        f"On rows not seen in training, {rows}. The 95% intervals are by bootstrap over rows. "
        f"Bootstrap bias corrected cross-validation {changed}."
    )


def _classes(evaluation: dict[str, Any]) -> Table | None:
    rows = [
        (
            str(entry.get("label")),
            *(_fraction(entry, key) for key in ("precision", "recall", "f1")),
            int(entry["rows"]) if is_figure(entry.get("rows")) else None,
        )
        for entry in (evaluation.get("classes") or [])[:100]
        if isinstance(entry, dict)
    ]
    if not rows:
        return None
    threshold = evaluation.get("threshold")
    note = (
        "Precision: of the rows given this class, how many are of it. "
        "Recall: of the rows of this class, how many were found."
    )
    if is_figure(threshold) and len(rows) == 2:
        note += f" The second class is named from a probability of {format_figure(threshold, 3)} on."
    return Table(
        headings=("class", "precision", "recall", "F1", "rows"),
        rows=tuple(rows),
        formats=("", ".3f", ".3f", ".3f", ",d"),
        numeric=(False, True, True, True, True),
        caption="Per class",
        note=note,
    )


def _fraction(entry: dict[str, Any], key: str) -> float | None:
    return float(entry[key]) if is_figure(entry.get(key)) else None


def _confusion(evaluation: dict[str, Any]) -> Matrix | None:
    values = evaluation.get("confusion")
    labels = [str(entry.get("label")) for entry in evaluation.get("classes") or [] if isinstance(entry, dict)]
    if not isinstance(values, list) or not values or len(values) != len(labels) or len(labels) > MATRIX_LIMIT:
        return None
    return Matrix(
        title="Confusion",
        row_label="true",
        column_label="predicted",
        labels=tuple(labels),
        values=tuple(tuple(row) for row in values),
        caption="Rows of the true class by the class predicted; shades are shares of the row. The diagonal is right.",
    )


def _slices(source: RunSource) -> Table | Paragraph | None:
    """The kinds of rows on which the model errs most."""
    record = source.details.get("slices")
    if not record or not is_figure(record.get("overall")):
        return None
    overall, rates = float(record["overall"]), bool(record.get("rates"))
    found = [item for item in record.get("slices") or [] if isinstance(item, dict) and is_figure(item.get("error"))]
    if record.get("skipped"):
        return Paragraph(text=f"Where it errs most was not looked at: {record['skipped']}.")
    if not found:
        return Paragraph(text="No kind of rows was found on which the model errs more than by chance.", tone="good")
    rows = [
        (
            " and ".join(str(part) for part in item.get("conditions") or []),
            Interval(value=float(item["error"]), low=item.get("low"), high=item.get("high")),
            float(item["error"]) / overall if overall > 0 else None,
            int(item["rows"]) if is_figure(item.get("rows")) else None,
            format_share(item.get("share")),
        )
        for item in found
    ]
    what = "share of wrong answers" if rates else "mean absolute error"
    shown = format_share(overall) if rates else format_figure(overall)
    return Table(
        headings=("rows where", what, "times the mean", "rows", "share"),
        rows=tuple(rows),
        formats=("", ".3f" if rates else ".4f", ".1f", ",d", ""),
        numeric=(False, True, True, True, True),
        caption="Where it errs most",
        note=f"Found by a small tree on the errors of one half of the rows and measured on the other; 95% intervals. "
        f"Over all rows: {shown}.",
    )


plugin = Quality()
