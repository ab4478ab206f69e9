"""What a classifier does at every threshold: parts of the quality section."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Chart, Explorer, Series, Table
from automl.report.source import RunSource
from automl.report.text import format_count, format_figure, format_share, is_figure

RATIOS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def draw_curves(source: RunSource) -> list[Block]:
    """The charts of `details.json`, as far as they were measured."""
    record = source.details.get("curves")
    if not record:
        return []
    gain = _gain(record, source)
    built = [_roc(record), _precision_recall(record, source), *gain[:1], _scores(record, source), *gain[1:]]
    return [*(block for block in built if block is not None), *_explorer(record, source)]


def draw_calibration(source: RunSource) -> Chart | None:
    """Reliability of the probabilities, after calibration and before it where there was one."""
    bins = _bins(source.evaluation.get("calibration"))
    if len(bins) < 2:
        return None
    before = (source.details.get("curves") or {}).get("calibration_before")
    before = before if isinstance(before, dict) else {}
    earlier = _bins(before.get("bins"))
    error = source.evaluation.get("calibration_error")
    caption = "Where the line follows the diagonal, a probability of 30% comes true 30 times in 100."
    if is_figure(error):
        caption += f" On average it is off by {format_share(error)}"
        caption += (
            f", before calibration by {format_share(before['error'])}." if is_figure(before.get("error")) else "."
        )
    series = [_reliability("calibrated" if len(earlier) > 1 else "observed", bins)]
    series += [_reliability("before calibration", earlier)] if len(earlier) > 1 else []
    return Chart(
        kind="line",
        title="Calibration",
        x_label="probability predicted",
        y_label="share observed",
        series=(*series, Series(name="perfect", x=(0.0, 1.0), y=(0.0, 1.0), mark="rule")),
        caption=caption,
        y_range=(0.0, 1.0),
        square=True,
    )


def _bins(entries: Any) -> list[dict[str, Any]]:
    return [
        entry
        for entry in entries or []
        if isinstance(entry, dict) and is_figure(entry.get("predicted")) and is_figure(entry.get("observed"))
    ]


def _reliability(name: str, bins: list[dict[str, Any]]) -> Series:
    return Series(
        name=name,
        x=tuple(float(entry["predicted"]) for entry in bins),
        y=tuple(float(entry["observed"]) for entry in bins),
    )


def _roc(record: dict[str, Any]) -> Chart | None:
    curves = [curve for curve in record.get("roc") or [] if isinstance(curve, dict) and curve.get("fpr")]
    if not curves:
        return None
    series = [
        Series(
            name=f"{curve.get('label')} ({format_figure(curve.get('auc'), 3)})",
            x=tuple(curve["fpr"]),
            y=tuple(curve["tpr"]),
        )
        for curve in curves
    ]
    one = len(curves) == 1
    caption = "Each point is a threshold: how many of the others are called wrongly to find this share. "
    caption += f"The area under it is {format_figure(curves[0].get('auc'))}" if one else "Each class against the rest"
    return Chart(
        kind="line",
        title="ROC" if one else "ROC of each class against the rest",
        x_label="false alarms, share of the others",
        y_label="found, share of the class",
        series=(*series, Series(name="guess", x=(0.0, 1.0), y=(0.0, 1.0), mark="rule")),
        caption=f"{caption}; the dashed line is guessing.",
        y_range=(0.0, 1.0),
        square=True,
    )


def _precision_recall(record: dict[str, Any], source: RunSource) -> Chart | None:
    curve = record.get("precision_recall")
    if not isinstance(curve, dict) or not curve.get("recall"):
        return None
    base = float(curve.get("base_rate") or 0.0)
    return Chart(
        kind="line",
        title="Precision and recall",
        x_label="recall: found, of all there are",
        y_label="precision: right, of all called",
        series=(
            Series(name="model", x=tuple(curve["recall"]), y=tuple(curve["precision"])),
            Series(name="guess", x=(0.0, 1.0), y=(base, base), mark="rule"),
        ),
        caption=f"Average precision {format_figure(curve.get('average_precision'))}; guessing reaches "
        f"{format_share(base)}, the share of “{_positive(source)}”.",
        y_range=(0.0, 1.0),
        square=True,
    )


def _positive(source: RunSource) -> str:
    return source.task.classes[1] if source.task and len(source.task.classes) == 2 else "positive"


def _scores(record: dict[str, Any], source: RunSource) -> Chart | None:
    scores = record.get("scores")
    if not isinstance(scores, dict) or not scores.get("counts") or source.task is None:
        return None
    edges = tuple(scores["edges"])
    # shares, so that a rare class can be seen beside a common one
    series = tuple(
        Series(name=str(label), x=edges, y=tuple(round(count / (sum(counts) or 1), 5) for count in counts))
        for label, counts in zip(source.task.classes, scores["counts"], strict=False)
    )
    return Chart(
        kind="bar",
        title="How far apart the classes are",
        x_label=f"probability of “{_positive(source)}”",
        y_label="share of the class",
        series=series,
        caption="Bars that do not overlap are classes that are easily told apart.",
    )


def _gain(record: dict[str, Any], source: RunSource) -> list[Block]:
    curve = record.get("gain")
    if not isinstance(curve, dict) or not curve.get("share"):
        return []
    share, gain = tuple(curve["share"]), tuple(curve["gain"])
    chart = Chart(
        kind="line",
        title="Gain",
        x_label="share of rows taken, the likeliest first",
        y_label=f"share of all “{_positive(source)}” found",
        series=(
            Series(name="model", x=share, y=gain),
            Series(name="at random", x=(0.0, 1.0), y=(0.0, 1.0), mark="rule"),
        ),
        caption="For calls, letters or checks of which only so many can be made.",
        y_range=(0.0, 1.0),
        square=True,
    )
    rows = [
        (format_share(taken), rows, found, gained, gained * curve["rows"][-1] / rows if rows else None)
        for taken, gained, rows, found in zip(share, gain, curve["rows"], curve["found"], strict=True)
        if any(abs(taken - wanted) < 1e-9 for wanted in (0.05, 0.1, 0.2, 0.3, 0.5))
    ]
    table = Table(
        headings=("likeliest", "rows", "found", "gain", "lift"),
        rows=tuple(rows),
        formats=("", ",d", ",d", ".3f", ".2f"),
        numeric=(True, True, True, True, True),
        caption="Lift",
        note="Lift: how many times more are found than among as many rows taken at random.",
    )
    return [chart, table] if rows else [chart]


def _explorer(record: dict[str, Any], source: RunSource) -> list[Block]:
    figures, task = record.get("thresholds"), source.task
    if not isinstance(figures, dict) or not figures.get("threshold") or task is None or len(task.classes) != 2:
        return []
    current = source.evaluation.get("threshold")
    block = Explorer(
        title="Choose a threshold by what errors cost",
        positive=task.classes[1],
        negative=task.classes[0],
        threshold=tuple(figures["threshold"]),
        hits=tuple(figures["hits"]),
        alarms=tuple(figures["alarms"]),
        positives=int(figures["positives"]),
        negatives=int(figures["negatives"]),
        current=float(current) if is_figure(current) else 0.5,
        caption=f"Predictions name “{task.classes[1]}” from {format_figure(current, 3)} on. For another threshold use "
        "automl predict with --proba and compare the column of probabilities with it.",
    )
    return [block, tabulate_costs(block)]


def tabulate_costs(block: Explorer) -> Table:
    """The cheapest threshold for each of a few ratios of the costs of both errors."""
    rows = []
    for ratio in RATIOS:
        costs = [ratio * (block.positives - hit) + alarm for hit, alarm in zip(block.hits, block.alarms, strict=True)]
        best = min(range(len(costs)), key=lambda place: (costs[place], abs(block.threshold[place] - block.current)))
        hits, alarms = block.hits[best], block.alarms[best]
        name = "the same" if ratio == 1 else f"{ratio:g} times as much" if ratio > 1 else f"1/{1 / ratio:g} as much"
        rows.append((name, block.threshold[best], hits, block.positives - hits, alarms))
    count = format_count(block.positives + block.negatives, "row")
    return Table(
        headings=("missing one costs", "cheapest threshold", "found", "missed", "false alarms"),
        rows=tuple(rows),
        formats=("", ".2f", ",d", ",d", ",d"),
        numeric=(False, True, True, True, True),
        caption="The cheapest threshold by what an error costs",
        note=f"Missing a “{block.positive}” against one false alarm, on {count} not seen in training.",
    )
