"""The robustness: folds, seeds, missing columns, noise, and whether more rows would help."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Chart, Interval, Paragraph, Section, Series, Table, Tone
from automl.report.source import RunSource
from automl.report.studies import entries_of, record_of, skipped_blocks
from automl.report.text import format_count, format_figure, format_score, format_share, is_figure

STUDIES = {"stress": "missing columns and noise", "learning_curve": "the learning curve"}
SHOWN = 15


class Robustness:
    order = 64
    title = "How it holds up"

    def build(self, source: RunSource) -> Section | None:
        studies = source.studies
        if not studies:
            return None
        blocks = [
            *learning_blocks(record_of(studies, "learning_curve"), source),
            *_fold_blocks(source),
            *_stress_blocks(record_of(studies, "stress"), source),
            *skipped_blocks(studies, STUDIES, source),
        ]
        return Section(name="robustness", title=self.title, blocks=tuple(blocks)) if blocks else None


def learning_blocks(record: dict[str, Any], source: RunSource) -> list[Block]:
    """A verdict in words and the curve it comes from."""
    points = entries_of(record, "points", "rows", "score", "low", "high")
    if len(points) < 2:
        return []
    series = Series(
        name=str(record.get("model")),
        x=tuple(float(point["rows"]) for point in points),
        y=tuple(float(point["score"]) for point in points),
        low=tuple(source.metric.clip(float(point["low"])) for point in points),
        high=tuple(source.metric.clip(float(point["high"])) for point in points),
    )
    scored = format_count(int(record["scored_rows"]), "row") if is_figure(record.get("scored_rows")) else "rows"
    chart = Chart(
        kind="line",
        title="Would more rows help?",
        x_label="rows learned from",
        y_label=source.metric.title,
        series=(series,),
        caption=f"{record.get('model')}, trained on growing parts of the rows of fold {record.get('fold', 1)} and "
        f"scored on the same {scored} it had not seen; {_deployed(record, source)}.{_counted(record)}",
    )
    return [verdict_on_rows(record, source), chart, *_seed_blocks(record, source)]


def _counted(record: dict[str, Any]) -> str:
    """What intervals count where it is not the groups that the user named."""
    alone = " The rows scored are of one group, so that intervals count rows and not groups."
    return alone if record.get("is_one_group") else ""


def _deployed(record: dict[str, Any], source: RunSource) -> str:
    """What the model of the curve is to the one that is deployed."""
    names = [str(member.get("name")) for member in source.members]
    if len(names) > 1:
        return "one quick model, not the deployed ensemble"
    if names == [str(record.get("model"))]:
        return "it is the deployed model, trained anew"
    return "one quick model, not the deployed one"


def verdict_on_rows(record: dict[str, Any], source: RunSource) -> Paragraph:
    """Whether more rows would help, as far as the last step of the curve tells."""
    last = record_of(record, "last_gain")
    if not all(is_figure(last.get(key)) for key in ("gain", "low", "high", "from_rows", "to_rows")):
        return Paragraph(text="The curve has too few points to say whether more rows would help.")
    step = (
        f"From {int(last['from_rows']):,} to {int(last['to_rows']):,} rows {source.metric.title} became "
        f"better by {format_figure(float(last['gain']), 2)} (95% interval {format_figure(float(last['low']), 2)} to "
        f"{format_figure(float(last['high']), 2)})."
    )
    tone: Tone = "neutral"
    if last["low"] > 0:
        answer, tone = "More rows would probably help.", "good"
    elif last["high"] < 0:
        answer = "More rows of this kind did not help."
    else:
        answer = "Whether more rows would help cannot be told from chance; large gains are unlikely."
        if last["gain"] > 0 and last["high"] > 4 * last["gain"]:
            answer = "Whether more rows would help cannot be told: too few rows are scored to see small gains."
    return Paragraph(text=f"{answer} {step}", tone=tone)


def _seed_blocks(record: dict[str, Any], source: RunSource) -> list[Block]:
    seeds = [float(score) for score in record.get("seeds") or [] if is_figure(score)]
    if len(seeds) < 2:
        return []
    ends = [format_score(end, source.metric.decimals) for end in (min(seeds), max(seeds))]
    text = f"With {len(seeds)} seeds the same configuration scored {ends[0]} to {ends[1]} on the same rows."
    return [Paragraph(text=text)]


def _fold_blocks(source: RunSource) -> list[Block]:
    """Fold scores of the deployed members."""
    rows = []
    for member in source.members:
        scores = source.fold_scores(member["trial"]) if is_figure(member.get("trial")) else []
        if len(scores) > 1:
            rows.append((str(member.get("name")), min(scores), sum(scores) / len(scores), max(scores), len(scores)))
    if not rows:
        return []
    spec = f".{source.metric.decimals}f"
    return [
        Table(
            headings=("member", "lowest fold", "mean", "highest fold", "folds"),
            rows=tuple(rows),
            formats=("", spec, spec, spec, "d"),
            numeric=(False, True, True, True, True),
            caption="From fold to fold",
            note="Folds differ by the rows that they are scored on as well as by those that they learned from.",
        )
    ]


def _stress_blocks(record: dict[str, Any], source: RunSource) -> list[Block]:
    missing = entries_of(record, "missing", "loss", "low", "high")
    metric = source.metric.title
    held = f"{format_count(int(record['rows']), 'row')}" if is_figure(record.get("rows")) else "rows"
    blocks: list[Block] = []
    if missing:
        shown = missing[:SHOWN]
        bars = Series(
            name="loss",
            x=tuple(str(entry.get("column")) for entry in shown),
            y=tuple(float(entry["loss"]) for entry in shown),
            low=tuple(float(entry["low"]) for entry in shown),
            high=tuple(float(entry["high"]) for entry in shown),
        )
        blocks.append(
            Chart(
                kind="bar",
                title="If a column were missing",
                x_label="column",
                y_label=f"loss of {metric}",
                series=(bars,),
                caption=f"The model is not trained again: the column comes empty, in {held} of fold "
                f"{record.get('fold', 1)} that its models had not seen.{_counted(record)}",
            )
        )
    noise = entries_of(record, "noise", "share", "loss", "low", "high")
    unseen = record_of(record, "unseen_categories")
    rows = [
        (f"noise of {format_share(float(entry['share']))}", _loss(entry), float(entry.get("score") or 0.0))
        for entry in noise
    ]
    if all(is_figure(unseen.get(key)) for key in ("loss", "low", "high", "score")):
        rows.append(("all categories never seen", _loss(unseen), float(unseen["score"])))
    if rows:
        spec = f".{source.metric.decimals}f"
        blocks.append(
            Table(
                headings=("what happens", f"loss of {metric}", metric),
                rows=tuple(rows),
                formats=("", spec, spec),
                numeric=(False, True, True),
                caption="If values were noisy",
                note="Numbers get normal noise of that share of their standard deviation; that share of the categories "
                "gets another row's value.",
            )
        )
    return blocks


def _loss(entry: dict[str, Any]) -> Interval:
    return Interval(value=float(entry["loss"]), low=float(entry["low"]), high=float(entry["high"]))


plugin = Robustness()
