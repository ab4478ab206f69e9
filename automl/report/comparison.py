"""Two runs side by side as blocks: the verdict, where the difference comes from, and all that is not the same."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Cell, Interval, Paragraph, Table, Tone
from automl.report.source import metric_facts
from automl.report.text import format_count, format_figure, is_figure, join_words

# Kind of split → how its scores came about. Models of two ways to score have had two tasks of unequal difficulty: to
# foretell later rows from earlier ones is harder than to fill in rows among their neighbours.
SPLITS = {
    "stratified": "folds of shuffled rows",
    "shuffled": "folds of shuffled rows",
    "grouped": "folds of whole groups",
    "time": "later rows by models of earlier ones",
    "holdout": "one part held out",
}
REASONS = {
    "data": "Most of it shows in the linear baseline already: it comes from the data, the columns or the rows.",
    "models": "The baseline stays about the same; most of it comes from a better single model.",
    "ensemble": "The single models are about as good; most of it comes from how they are combined.",
    "several": "It comes from several steps at once.",
    "none": "",
}


def comparison_blocks(record: dict[str, Any]) -> tuple[Block, ...]:
    """What `automl.evaluate.comparison.compare_runs` found, for a reader."""
    facts = metric_facts(str(record["metric"]))
    spec = f".{facts.decimals}f"
    blocks: list[Block] = [_verdict(record, facts.title)]
    if not _name_splits(record):  # a difference of scores that cannot be compared says nothing, whatever its interval
        blocks.append(_steps(record, spec))
    blocks.append(_scores(record, spec))
    blocks += [_columns(record), _families(record, spec), _settings(record)]
    return tuple(block for block in blocks if not isinstance(block, Table) or block.rows)


def _verdict(record: dict[str, Any], title: str) -> Paragraph:
    found = record["difference"]
    rows = format_count(record["common_rows"], "row")
    figures = (
        f"{title} {format_figure(found['a'])} and {format_figure(found['b'])} on {rows} that both have scored; "
        f"{_lead(found)}, {_p(found['p'])}"
    )
    if splits := _name_splits(record):
        text = (
            "The two scores come from different kinds of split and cannot be compared. "
            f"A: {splits[0]}; B: {splits[1]}. "
            f"{title} {format_figure(found['a'])} and {format_figure(found['b'])} on {rows} that both have scored. "
            "Score both on one labelled file that neither has seen: automl evaluate RUN FILE"
        )
        return Paragraph(text=text, tone="warn")
    if found["low"] > 0:
        answer, tone = "B is better than A.", "good"
    elif found["high"] < 0:
        answer, tone = "A is better than B.", "warn"
    else:
        answer, tone = "A and B cannot be told apart.", "neutral"
    chosen: Tone = tone  # type: ignore[assignment]
    reason = REASONS[record["reason"]]
    return Paragraph(text=f"{answer} {figures}. {reason}".strip(), tone=chosen)


def _lead(found: dict[str, Any]) -> str:
    """Who is better by how much, whatever the direction of the metric."""
    name, sign = ("A", -1) if found["difference"] < 0 else ("B", 1)
    low, high = sorted((sign * found["low"], sign * found["high"]))
    return f"{name} is better by {sign * found['difference']:.3g}, 95% interval {low:.3g} to {high:.3g}"


def _name_splits(record: dict[str, Any]) -> tuple[str, str] | None:
    """How each run's rows were set apart for scoring, if it was not in the same way."""
    for entry in record["settings"]:
        if entry["name"] == "split" and entry["a"] and entry["b"]:
            a, b = (SPLITS.get(kind, kind) for kind in (str(entry["a"]), str(entry["b"])))
            return (a, b) if a != b else None
    return None


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def _steps(record: dict[str, Any], spec: str) -> Table:
    rows = []
    for step in record["steps"]:
        cell = Interval(value=step["difference"], low=step["low"], high=step["high"])
        rows.append((step["what"], step["a"], step["b"], cell, _p(step["p"]), step.get("name_a"), step.get("name_b")))
    return Table(
        headings=("step", "A", "B", "B is better by", "chance", "in A", "in B"),
        rows=tuple(rows),
        formats=("", spec, spec, spec, "", "", ""),
        numeric=(False, True, True, True, False, False, False),
        caption="Where the difference comes from",
        note=f"Out-of-fold scores on the common rows, matched by {record['matched_by']}; paired bootstrap with "
        f"{record['difference']['resamples']:,} samples. Both models were chosen on these rows, which flatters both.",
    )


def _scores(record: dict[str, Any], spec: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key in ("a", "b"):
        side = record[key]
        bounded = is_figure(side["low"]) and is_figure(side["high"])
        score: Cell = (
            Interval(value=side["score"], low=side["low"] if bounded else None, high=side["high"] if bounded else None)
            if is_figure(side["score"])
            else None
        )
        rows.append(
            (key.upper(), side["name"], score, side["deployed"], side["rows"], side["columns"], side["complete"])
        )
    return Table(
        headings=("", "run", "corrected score", "deployed", "rows", "columns", "complete configurations"),
        rows=tuple(rows),
        formats=("", "", spec, "", "d", "d", "d"),
        numeric=(False, False, True, False, True, True, True),
        caption="The two runs",
        note="Corrected scores are each on all rows of its own run.",
    )


def _columns(record: dict[str, Any]) -> Table:
    data = record["data"]
    rows: list[tuple[Cell, ...]] = []
    for key, where in (("only_a", "A only"), ("only_b", "B only")):
        entries = sorted(data[key], key=lambda entry: -(entry["importance"] or 0.0))
        rows += [(entry["column"], where, entry["role"], entry["importance"]) for entry in entries[:20]]
    rows += [
        (entry["column"], f"{entry['a']} in A, {entry['b']} in B", entry["b"], None) for entry in data["roles"][:20]
    ]
    return Table(
        headings=("column", "where", "role", "importance there"),
        rows=tuple(rows),
        formats=("", "", "", ".4f"),
        numeric=(False, False, False, True),
        caption="Columns that are not the same",
    )


def _families(record: dict[str, Any], spec: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for entry in record["families"]:
        a, b = entry["a"], entry["b"]
        better = (b - a) * (1 if record["maximize"] else -1) if a is not None and b is not None else None
        rows.append((entry["family"], a, b, better))
    alone = [str(row[0]) for row in rows if row[3] is None]
    headings = ("family", "best in A", "best in B", "B is better by")
    shown = 3 if _name_splits(record) else 4
    return Table(
        headings=headings[:shown],
        rows=tuple(row[:shown] for row in rows),
        formats=("", spec, spec, spec),
        numeric=(False, True, True, True),
        caption="Model families",
        note=f"In one run only: {join_words(alone)}." if alone else "",
    )


def _settings(record: dict[str, Any]) -> Table:
    rows = tuple((entry["name"], _show(entry["a"]), _show(entry["b"])) for entry in record["settings"])
    return Table(headings=("setting", "A", "B"), rows=rows, caption="Settings that are not the same")


def _show(value: Any) -> str:
    return "–" if value is None else format_figure(value) if is_figure(value) else str(value)
