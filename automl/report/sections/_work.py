"""What the workers did when, and which parameters mattered: parts of the search section."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Chart, Gallery, Series, Span, Timeline
from automl.report.source import RunSource
from automl.report.text import describe_fold, format_count, format_share, is_figure

MOST_SPANS = 600
MOST_FAMILIES = 4
MOST_SLICES = 6


def draw_workers(source: RunSource) -> Timeline | None:
    """One lane a worker, one bar a fold of a configuration."""
    spans = list_spans(source)
    if len(spans) < 2:
        return None
    workers = sorted({worker for worker, *_ in spans})
    lanes = {worker: lane for lane, worker in enumerate(workers)}
    kept = sorted(spans, key=lambda span: span[1] - span[2])[:MOST_SPANS]
    end = max(span[2] for span in spans)
    busy = sum(span[2] - span[1] for span in spans) / (len(workers) * end) if end > 0 else 0.0
    caption = f"A bar is one fold of one configuration; the workers were busy for {format_share(busy)} of the time."
    if len(kept) < len(spans):
        caption += f" The longest {MOST_SPANS} of {format_count(len(spans), 'job')}."
    return Timeline(
        title="What the workers did",
        lanes=tuple(f"worker {worker}" for worker in workers),
        spans=tuple(
            Span(lane=lanes[worker], start=start, end=stop, group=family, label=label)
            for worker, start, stop, family, label in sorted(kept)
        ),
        caption=caption,
    )


def list_spans(source: RunSource) -> list[tuple[int, float, float, str, str]]:
    """(worker, start, end, family, label) of each finished job, seconds since the run began; pauses between sessions
    are cut out."""
    spans: list[tuple[int, float, float, str, str]] = []
    began: dict[int, tuple[float, dict[str, Any]]] = {}
    zero, last = None, 0.0
    for event in source.events:
        kind, at = type(event).__name__, event.at
        if kind == "RunStarted":
            zero = at if zero is None else zero + max(0.0, at - last)
            began.clear()
        last = at
        if zero is None or kind not in {"JobStarted", "JobFinished"}:
            continue
        record = event.to_json()
        worker = int(record.get("worker") or 0)
        if kind == "JobStarted":
            began[worker] = (at - zero, record)
        elif worker in began:
            start, job = began.pop(worker)
            label = f"{job.get('candidate')} #{job.get('trial')}, {describe_fold(int(job.get('fold') or 0))}"
            if record.get("status") not in {"ok", None, ""}:
                label += f" ({str(record['status']).replace('_', ' ')})"
            spans.append((worker, round(start, 3), round(at - zero, 3), str(job.get("candidate") or "?"), label))
    return spans


def describe_parameters(source: RunSource) -> list[Block]:
    """Importance and slices of the parameters of the families that were tuned most."""
    families = {
        str(name): record
        for name, record in (source.details.get("parameters") or {}).items()
        if isinstance(record, dict) and record.get("importances")
    }
    names = sorted(families, key=lambda name: -(families[name].get("trials") or 0))[:MOST_FAMILIES]
    if not names:
        return []
    blocks: list[Block] = [
        Gallery(
            title="Which parameters mattered",
            charts=tuple(_importances(name, families[name]) for name in names),
            caption="Share of each parameter in what sets a family's good trials apart from its others (PED-ANOVA).",
        )
    ]
    first = names[0]
    slices = [
        chart
        for name, record in (families[first].get("values") or {}).items()
        if isinstance(record, dict) and (chart := _slice(source, name, record)) is not None
    ]
    if slices:
        blocks.append(
            Gallery(
                title=f"Where {first} was tried",
                charts=tuple(slices[:MOST_SLICES]),
                caption="A point is a trial; those given up after their first fold are scored on that fold alone.",
            )
        )
    return blocks


def _short(name: str) -> str:
    return name.split(".", 1)[-1]


def _importances(family: str, record: dict[str, Any]) -> Chart:
    shares = {_short(str(name)): float(share) for name, share in record["importances"].items() if is_figure(share)}
    series = Series(name="importance", x=tuple(shares), y=tuple(shares.values()))
    return Chart(
        kind="bar",
        title=family,
        x_label="parameter",
        y_label="share",
        series=(series,),
        caption=format_count(int(record.get("trials") or 0), "trial"),
    )


def _slice(source: RunSource, name: str, record: dict[str, Any]) -> Chart | None:
    """Score against one parameter; of names, the best of each value."""
    pairs = [
        (value, float(score))
        for value, score in zip(record.get("values") or [], record.get("scores") or [], strict=False)
        if is_figure(score)
    ]
    metric = source.metric
    if len(pairs) < 3:
        return None
    if all(is_figure(value) for value, _ in pairs):
        scores = sorted((score for _, score in pairs), reverse=metric.maximize)
        near, far = scores[0], scores[max(1, 3 * len(scores) // 4)]
        margin = abs(near - far) or abs(near) * 0.01 or 0.01
        far = far - margin if metric.maximize else far + margin
        window = (far, near + 0.2 * margin) if metric.maximize else (near - 0.2 * margin, far)
        series = Series(name="trial", x=tuple(value for value, _ in pairs), y=tuple(score for _, score in pairs))
        return Chart(
            kind="scatter",
            title=_short(name),
            x_label=_short(name),
            y_label=metric.title,
            series=(series,),
            y_range=window,
            x_scale="log" if record.get("log") else "linear",
        )
    best: dict[str, float] = {}
    for value, score in pairs:
        label = "none" if value is None else str(value)
        best[label] = score if label not in best else (max if metric.maximize else min)(best[label], score)
    series = Series(name="best", x=tuple(best), y=tuple(best.values()), mark="scatter")
    label = f"best {metric.title}"
    return Chart(kind="bar", title=_short(name), x_label=_short(name), y_label=label, series=(series,), caption=label)
