"""The leaderboard: every complete model in order, score against latency, and what the ensemble is made of."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Cell, Chart, Heatmap, Interval, Paragraph, Section, Series, Table, Tag
from automl.report.source import MetricFacts, RunSource
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
        blocks += [block for block in (_trade(source), _weights(source), _members(source)) if block is not None]
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
    notes += ["“weight” is a model's share in the ensemble's mean."] if weighted and not source.slopes else []
    if any(is_figure(model.get("raw_score")) and model["raw_score"] != model.get("score") for model in models):
        notes.append("The deployed model's score is corrected for its having been chosen; the others' are not.")
    notes += [f"{left_out:,} more in leaderboard.csv."] if left_out else []
    return Table(
        headings=("#", "model", source.metric.title, "kind", "weight", "fit s", "ms/row", "MB", "folds"),
        rows=tuple(_row(model, source.metric) for model in models),
        formats=("", "", f".{source.metric.decimals}f", "", ".2f", ".1f", ".3g", ".3g", "d"),
        numeric=(True, False, True, False, True, True, True, True, True),
        caption=caption,
        note=" ".join(notes),
    )


def _row(model: dict[str, Any], metric: MetricFacts) -> tuple[Cell, ...]:
    kind = str(model.get("kind") or "model")
    score = model.get("score")
    rank = str(model.get("rank", "–")) + ("=" if model.get("tied") else "")
    cell: Cell = None
    if is_figure(score):
        ends = (_figure(model, key) for key in ("low", "high"))
        low, high = (None if end is None else metric.clip(end) for end in ends)
        cell = Interval(value=float(score), low=low, high=high)
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


def _trade(source: RunSource) -> Chart | None:
    """Score against the time of a prediction, with the models that none beats in both."""
    maximize = source.metric.maximize
    points = [
        (float(model["predict_ms"]), float(model.get("raw_score") or model["score"]), str(model.get("name") or "–"))
        for model in source.leaderboard[:LIMIT]
        if is_figure(model.get("predict_ms")) and is_figure(model.get("score")) and model["predict_ms"] > 0
        if model.get("kind") != "baseline"
    ]
    if len(points) < 3:
        return None
    points.sort()
    front: list[tuple[float, float, str]] = []
    for point in points:
        if not front or (point[1] > front[-1][1] if maximize else point[1] < front[-1][1]):
            front.append(point)
    rest = [point for point in points if point not in front]
    scores = sorted((score for _, score, _ in points), reverse=maximize)
    near, far = scores[0], scores[min(len(scores) - 1, max(3, 3 * len(scores) // 4))]
    margin = abs(near - far) or abs(near) * 0.01 or 0.01
    window = (far - 0.2 * margin, near + 0.2 * margin) if maximize else (near - 0.2 * margin, far + 0.2 * margin)
    hidden = sum(1 for _, score, _ in points if not window[0] <= score <= window[1])
    caption = "The line joins the models that no other beats in both. Better is " + ("up" if maximize else "down")
    caption += " and to the left. Scores here are not corrected for the choice."
    if hidden:
        caption += f" {hidden} far worse {'is' if hidden == 1 else 'are'} not drawn."

    def make(name: str, of: list[tuple[float, float, str]], mark: Any) -> Series:
        x, y = tuple(ms for ms, _, _ in of), tuple(score for _, score, _ in of)
        return Series(name=name, x=x, y=y, labels=tuple(label for _, _, label in of), mark=mark)

    shown = [point for point in front if window[0] <= point[1] <= window[1]]
    steps = Series(name="front", x=tuple(p[0] for p in shown), y=tuple(p[1] for p in shown), mark="rule")
    series = [make("not beaten in both", shown, "named")]
    series += [make("beaten", rest, "scatter")] if rest else []
    return Chart(
        kind="scatter",
        title=f"{source.metric.title} against the time of a prediction",
        x_label="ms a row",
        y_label=source.metric.title,
        series=(*series, steps),
        caption=caption,
        y_range=window,
        x_scale="log",
    )


def _weights(source: RunSource) -> Chart | None:
    slopes = source.slopes
    shares: list[Any] = [*slopes] or [member.get("weight") for member in source.members]
    members = [
        (str(member.get("name") or member.get("candidate") or "–"), float(weight))
        for member, weight in zip(source.members, shares, strict=True)
        if is_figure(weight)
    ]
    total = sum(weight for _, weight in members)
    if len(members) < 2 or total <= 0:
        return None
    members.sort(key=lambda member: -member[1])
    series = Series(
        name="weight", x=tuple(name for name, _ in members), y=tuple(round(w / total, 4) for _, w in members)
    )
    caption = "Each prediction is the mean of these models' predictions, by these shares."
    if slopes:
        caption = (
            "A second layer adds up the logarithms of these models' probabilities, by slopes that it learned in these "
            f"proportions; together they are {format_figure(total)}, where the shares of a mean would be 1."
        )
    return Chart(
        kind="bar",
        title="What the ensemble is made of",
        x_label="model",
        y_label="share of the vote",
        series=(series,),
        caption=caption,
    )


def _members(source: RunSource) -> Heatmap | None:
    record = source.details.get("members") or {}
    names, values = record.get("members"), record.get("values")
    if not isinstance(names, list) or not isinstance(values, list) or len(names) < 2 or len(names) != len(values):
        return None
    known = [value for row in values for value in row if is_figure(value)]
    return Heatmap(
        title="How alike the members err",
        rows=tuple(str(name) for name in names),
        columns=tuple(str(name) for name in names),
        values=tuple(tuple(row) for row in values),
        low=min([*known, 0.5]),
        caption="Correlation of the errors on rows not seen in training: 1 if two models err alike on every row. The "
        "less alike, the more an ensemble gains.",
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
    return Table(
        headings=("model", "parameters"), rows=tuple(rows), caption="Parameters of the best models", folded=True
    )


plugin = Leaderboard()
