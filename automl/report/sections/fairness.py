"""The fairness: how the groups of the columns named by --sensitive fare, and what treating them alike would cost."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Alert, Block, Cell, Interval, Paragraph, Section, Table
from automl.report.source import RunSource
from automl.report.studies import entries_of, record_of, skipped_blocks
from automl.report.text import format_figure, format_share, is_figure, join_words

RATES = {
    "selection_rate": "selected",
    "base_rate": "truly positive",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "accuracy": "accuracy",
    "mean_error": "mean error",
    "mean_absolute_error": "mean absolute error",
    "calibration_gap": "probability minus truth",
}


class Fairness:
    order = 66
    title = "How groups fare"

    def build(self, source: RunSource) -> Section | None:
        studies = source.studies
        record = record_of(studies, "fairness")
        where = "Measured on out-of-fold predictions: each row by models that had not seen it."
        where += f" Not weighted by “{source.weight}”: every row counts the same." if source.weight else ""
        blocks = [block for entry in entries_of(record, "columns") for block in fairness_blocks(entry, where)]
        if not blocks and source.recipe.get("data") and (source.recipe["data"] or {}).get("sensitive"):
            blocks = skipped_blocks(studies, {"fairness": "how groups fare"}, source)
        return Section(name="fairness", title=self.title, blocks=tuple(blocks)) if blocks else None


def fairness_blocks(record: dict[str, Any], where: str) -> list[Block]:
    """One column: its groups, the gaps between them, what closing them would cost."""
    groups = entries_of(record, "groups", "rows")
    if not groups:
        return []
    blocks: list[Block] = [*_alerts(record), _group_table(record, groups, where), *_gap_blocks(record)]
    return [*blocks, *_mitigation_blocks(record)]


def _alerts(record: dict[str, Any]) -> list[Block]:
    """Gaps that chance does not explain, in a sentence."""
    beyond = [gap for gap in entries_of(record, "gaps", "gap", "chance") if gap["gap"] > gap["chance"]]
    if not beyond:
        return []
    parts = [f"{gap.get('name')} by {format_figure(float(gap['gap']), 3)}" for gap in beyond]
    text = (
        f"The groups differ in {join_words(parts)}: more than 95 of 100 random divisions of the rows would. "
        "A difference alone does not say which treatment is right."
    )
    return [Alert(tone="warn", title=f"Groups of {record.get('column')} fare differently", text=text)]


def _group_table(record: dict[str, Any], groups: list[dict[str, Any]], where: str) -> Table:
    names = [name for name in RATES if any(is_figure(group.get(name)) for group in groups)]
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        cells: list[Cell] = []
        for name in names:
            value, low, high = (group.get(f"{name}{end}") for end in ("", "_low", "_high"))
            ends = {"low": float(low), "high": float(high)} if is_figure(low) and is_figure(high) else {}
            cells.append(Interval(value=float(value), **ends) if is_figure(value) else None)
        rows.append((str(group.get("group")), int(group["rows"]), *cells))
    small = [str(group.get("group")) for group in groups if group.get("small")]
    note = f"{where} 95% intervals."
    if is_figure(record.get("threshold")):
        note += f" Selected: from a probability of {format_figure(float(record['threshold']))} on."
    if small:
        note += f" Too small to be compared: {join_words(small)}."
    return Table(
        headings=(str(record.get("column")), "rows", *(RATES[name] for name in names)),
        rows=tuple(rows),
        formats=("", "d", *(".3f" for _ in names)),
        numeric=(False, True, *(True for _ in names)),
        caption=f"Groups of {record.get('column')}",
        note=note,
    )


def _gap_blocks(record: dict[str, Any]) -> list[Block]:
    gaps = entries_of(record, "gaps", "gap", "low", "high", "chance")
    if not gaps:
        return [Paragraph(text=f"Fewer than two groups of {record.get('column')} are large enough to be compared.")]
    rows = tuple(
        (
            str(gap.get("name")),
            Interval(value=float(gap["gap"]), low=float(gap["low"]), high=float(gap["high"])),
            float(gap["chance"]),
            format_share(float(gap["ratio"])) if is_figure(gap.get("ratio")) else "",
        )
        for gap in gaps
    )
    return [
        Table(
            headings=("figure", "largest minus smallest", "by chance up to", "smallest of largest"),
            rows=rows,
            formats=("", ".3f", ".3f", ""),
            numeric=(False, True, True, True),
            caption=f"Gaps between the groups of {record.get('column')}",
            note="By chance: 95 of 100 random divisions of the rows into groups of these sizes stay below it.",
        )
    ]


def _mitigation_blocks(record: dict[str, Any]) -> list[Block]:
    entries = entries_of(record, "mitigation", "accuracy", "balanced_accuracy", "selection_gap", "tpr_gap", "fpr_gap")
    if len(entries) < 2:
        return []
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        bounded = all(is_figure(entry.get(key)) for key in ("cost", "cost_low", "cost_high"))
        cost = (
            Interval(value=float(entry["cost"]), low=float(entry["cost_low"]), high=float(entry["cost_high"]))
            if bounded
            else None
        )
        figures = ("selection_gap", "tpr_gap", "fpr_gap", "accuracy", "balanced_accuracy")
        rows.append((str(entry.get("aim")), cost, *(float(entry[key]) for key in figures)))
    return [
        Table(
            headings=(
                "thresholds",
                "cost in accuracy",
                "selection gap",
                "TPR gap",
                "FPR gap",
                "accuracy",
                "balanced accuracy",
            ),
            rows=tuple(rows),
            formats=("", ".4f", ".3f", ".3f", ".3f", ".4f", ".4f"),
            numeric=(False, *(True for _ in range(6))),
            caption=f"What a threshold for each group of {record.get('column')} would cost",
            note="TPR, FPR: true and false positive rate. Thresholds are chosen on one half of the rows and judged on "
            "the other. They need the group of each "
            "row when the model is used; whether that is allowed is a question of law.",
        )
    ]


plugin = Fairness()
