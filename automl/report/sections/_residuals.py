"""Where a model of numbers errs: parts of the quality section."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Chart, Gallery, Series, Table
from automl.report.source import RunSource
from automl.report.text import format_count, format_figure, format_share, is_figure, join_words


def draw_residuals(source: RunSource) -> list[Block]:
    """Truth against prediction, residuals along prediction and columns, their distribution, and interval coverage."""
    record = source.details.get("residuals") or {}
    target = source.task.target if source.task else "target"
    built: list[Block | None] = [
        _plane(record, target),
        _bands(record, target),
        _histogram(source.evaluation),
        _along(record),
        _coverage(record),
    ]
    return [block for block in built if block is not None]


def _plane(record: dict[str, Any], target: str) -> Chart | None:
    plane = record.get("plane")
    if not isinstance(plane, dict) or not plane.get("rows"):
        return None
    ends = (min(plane["predicted"]), max(plane["predicted"]))
    left_out = int(plane.get("left_out") or 0)
    caption = "On the dashed line a prediction is right; the stronger the colour, the more rows."
    if left_out:
        caption += f" {format_count(left_out, 'row')} far out {'is' if left_out == 1 else 'are'} not drawn."
    return Chart(
        kind="scatter",
        title="Predicted against true",
        x_label=f"predicted {target}",
        y_label=f"true {target}",
        series=(
            Series(
                name="rows",
                x=tuple(plane["predicted"]),
                y=tuple(plane["true"]),
                weights=tuple(plane["rows"]),
                mark="cells",
            ),
            Series(name="right", x=ends, y=ends, mark="rule"),
        ),
        caption=caption,
        square=True,
    )


def _band(name: str, entries: Any) -> Series | None:
    bands = [entry for entry in entries or [] if isinstance(entry, dict) and is_figure(entry.get("median"))]
    if len(bands) < 2:
        return None
    return Series(
        name=name,
        x=tuple(float(entry["at"]) for entry in bands),
        y=tuple(float(entry["median"]) for entry in bands),
        low=tuple(float(entry["low"]) for entry in bands),
        high=tuple(float(entry["high"]) for entry in bands),
        mark="band",
    )


def _bands(record: dict[str, Any], target: str) -> Chart | None:
    series = _band("truth minus prediction", record.get("bands"))
    if series is None:
        return None
    return Chart(
        kind="line",
        title="Errors along the prediction",
        x_label=f"predicted {target}",
        y_label="truth minus prediction",
        series=(series, Series(name="right", x=(series.x[0], series.x[-1]), y=(0.0, 0.0), mark="rule")),
        caption="The line is the median error, the area holds nine errors in ten. An area that widens says that large "
        "predictions are less certain; a line off zero, that they are too high or too low there.",
    )


def _histogram(evaluation: dict[str, Any]) -> Chart | None:
    residuals = evaluation.get("residuals")
    if not isinstance(residuals, dict):
        return None
    histogram = residuals.get("histogram")
    if not isinstance(histogram, dict) or not histogram.get("counts"):
        return None
    quantiles = residuals.get("quantiles") or {}
    parts = [f"{level}%: {format_figure(value)}" for level, value in quantiles.items() if is_figure(value)]
    caption = "Truth minus prediction on rows the model had not seen." + (
        f" Quantiles: {join_words(parts, 12)}." if parts else ""
    )
    series = Series(name="rows", x=tuple(histogram.get("edges") or ()), y=tuple(histogram["counts"]))
    return Chart(
        kind="bar",
        title="Residuals",
        x_label="truth minus prediction",
        y_label="rows",
        series=(series,),
        caption=caption,
    )


def _along(record: dict[str, Any]) -> Gallery | None:
    charts = [
        chart
        for entry in record.get("columns") or []
        if isinstance(entry, dict) and (chart := _along_one(entry)) is not None
    ]
    if not charts:
        return None
    return Gallery(
        title="Errors along the columns that go with the target most",
        charts=tuple(charts),
        caption="Truth minus prediction: of numbers the median and nine in ten, of categories the mean with its 95% "
        "interval. What lies off zero the model has not learned.",
    )


def _along_one(entry: dict[str, Any]) -> Chart | None:
    name = str(entry.get("column") or "?")
    label = "truth minus prediction"
    if entry.get("kind") == "category":
        levels = [
            level for level in entry.get("levels") or [] if isinstance(level, dict) and is_figure(level.get("mean"))
        ]
        if not levels:
            return None
        series = Series(
            name=label,
            x=tuple(str(level.get("level")) for level in levels),
            y=tuple(float(level["mean"]) for level in levels),
            low=tuple(float(level["low"]) for level in levels),
            high=tuple(float(level["high"]) for level in levels),
        )
        return Chart(kind="bar", title=name, x_label=name, y_label=label, series=(series,))
    band = _band(label, entry.get("bands"))
    if band is None:
        return None
    scale: Any = "date" if entry.get("kind") == "date" else "linear"
    zero = Series(name="right", x=(band.x[0], band.x[-1]), y=(0.0, 0.0), mark="rule")
    return Chart(kind="line", title=name, x_label=name, y_label=label, series=(band, zero), x_scale=scale)


def _coverage(record: dict[str, Any]) -> Table | None:
    entries = [
        entry for entry in record.get("coverage") or [] if isinstance(entry, dict) and is_figure(entry.get("observed"))
    ]
    if not entries:
        return None
    return Table(
        headings=("wanted", "observed", "half width on average"),
        rows=tuple(
            (
                format_share(entry.get("level")),
                format_share(entry["observed"]),
                format_figure(entry.get("half_width"), 4),
            )
            for entry in entries
        ),
        numeric=(True, True, True),
        caption="Do intervals hold?",
        note="Intervals as predict --interval gives them, set on one half of the rows and checked on the "
        "other, and the other way round.",
    )
