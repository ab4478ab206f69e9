"""The leaderboard: every complete model and the baselines, best first, ties shown as ties."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Cell, Interval, Paragraph, Section, Table, Tag
from automl.report.source import RunSource
from automl.report.text import format_figure, is_figure

LIMIT = 50


class Leaderboard:
    order = 30
    title = "Leaderboard"

    def build(self, source: RunSource) -> Section | None:
        if not source.leaderboard:
            if not source.trials:
                return None
            return Section(
                name="leaderboard", title=self.title, blocks=(Paragraph(text="No model finished on all folds."),)
            )
        metric = source.metric
        way = "higher is better" if metric.maximize else "lower is better"
        blocks: list[Block] = [leaderboard_table(source, f"{metric.title}, {way}")]
        settings = _settings(source.leaderboard)
        if settings:
            blocks.append(settings)
        return Section(name="leaderboard", title=self.title, blocks=tuple(blocks))


def leaderboard_table(source: RunSource, caption: str = "") -> Table:
    """The models as rows, in the order of importance for a narrow console."""
    models = source.leaderboard[:LIMIT]
    tied = any(model.get("tied") for model in models)
    weighted = any(is_figure(model.get("weight")) and model["weight"] for model in models)
    left_out = len(source.leaderboard) - len(models)
    notes = ["“=” marks a tie with the best: these rows cannot tell the two apart."] if tied else []
    notes += ["“weight” is a model's share in the ensemble."] if weighted else []
    if any(is_figure(model.get("raw_score")) and model["raw_score"] != model.get("score") for model in models):
        notes.append("The deployed model's score is corrected for its having been chosen; the others' are not.")
    notes += [f"{left_out:,} more in leaderboard.csv."] if left_out else []
    return Table(
        headings=("#", "model", source.metric.title, "kind", "weight", "fit s", "ms/row", "MB", "folds"),
        rows=tuple(_row(model) for model in models),
        formats=("", "", f".{source.metric.decimals}f", "", ".2f", ".1f", ".3g", ".3g", "d"),
        numeric=(True, False, True, False, True, True, True, True, True),
        caption=caption,
        note=" ".join(notes),
    )


def _row(model: dict[str, Any]) -> tuple[Cell, ...]:
    kind = str(model.get("kind") or "model")
    score = model.get("score")
    rank = str(model.get("rank", "–")) + ("=" if model.get("tied") else "")
    cell: Cell = None
    if is_figure(score):
        cell = Interval(value=float(score), low=_figure(model, "low"), high=_figure(model, "high"))
    return (
        rank,
        str(model.get("name") or model.get("candidate") or "–"),
        cell,
        Tag(text=kind, tone={"ensemble": "good", "baseline": "warn"}.get(kind, "neutral")),  # type: ignore[arg-type]
        (_figure(model, "weight") or None) if kind != "ensemble" else None,
        _figure(model, "fit_seconds"),
        _figure(model, "predict_ms"),
        _figure(model, "size_mb"),
        int(model["folds"]) if is_figure(model.get("folds")) else None,
    )


def _setting(value: Any) -> str:
    return "none" if value is None else format_figure(value)


def _figure(model: dict[str, Any], key: str) -> float | None:
    return float(model[key]) if is_figure(model.get(key)) else None


def _settings(models: list[dict[str, Any]]) -> Table | None:
    """Parameters of the best few, so that a model can be built again by hand."""
    rows = []
    for model in models[:10]:
        params = model.get("params")
        if isinstance(params, dict) and params:
            text = ", ".join(f"{name.removeprefix('model.')}={_setting(value)}" for name, value in params.items())
            rows.append((str(model.get("name") or "–"), text))
    if not rows:
        return None
    return Table(headings=("model", "parameters"), rows=tuple(rows), caption="Parameters of the best models")


plugin = Leaderboard()
