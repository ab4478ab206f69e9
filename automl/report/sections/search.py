"""The search: how the best score grew, what families and workers did, which parameters mattered, what failed."""

from __future__ import annotations

import collections
import re
import statistics
from typing import Any

from automl.report.blocks import Block, Cell, Chart, Paragraph, Section, Series, Table, Tag, Tone
from automl.report.sections._work import describe_parameters, draw_workers
from automl.report.source import RunSource
from automl.report.text import format_count, is_figure, join_words

FAMILIES = 7
_TONES: dict[str, Tone] = {"ok": "good", "pruned": "neutral"}


class Search:
    order = 40
    title = "Search"

    def build(self, source: RunSource) -> Section | None:
        blocks: list[Block] = []
        chart = _history(source)
        if chart is not None:
            blocks.append(chart)
        if source.trials:
            blocks.append(_families(source))
            blocks += [block for block in (draw_workers(source), *describe_parameters(source)) if block is not None]
            failures = _failures(source)
            blocks.append(failures or Paragraph(text="No configuration failed.", tone="good"))
        skipped = _not_tried(source)
        if skipped is not None:
            blocks.append(skipped)
        return Section(name="search", title=self.title, blocks=tuple(blocks)) if blocks else None


def best_over_time(source: RunSource) -> list[tuple[float, float]]:
    """(seconds, score) of each improvement of the deployable model; of the trials where nothing else is known."""
    found = [(event["elapsed"], event["score"]) for event in source.of_kind("BestImproved")]
    if not found:
        history = source.ensemble.get("history") or []
        found = [(entry.get("elapsed"), entry.get("score")) for entry in history if isinstance(entry, dict)]
    if not found:
        best: float | None = None
        for elapsed, score in _finished_trials(source):
            if best is None or (score > best if source.metric.maximize else score < best):
                best = score
                found.append((elapsed, score))
    return [(float(elapsed), float(score)) for elapsed, score in found if is_figure(elapsed) and is_figure(score)]


def _finished_trials(source: RunSource) -> list[tuple[float, float]]:
    return [(elapsed, score) for elapsed, score, _, _ in _complete_trials(source)]


def _complete_trials(source: RunSource) -> list[tuple[float, float, str, str]]:
    """(seconds, score, family, name) of every complete configuration."""
    return [
        (
            float(trial["finished"]),
            float(trial["score"]),
            str(trial.get("candidate") or "?"),
            str(trial.get("label") or f"{trial.get('candidate')} #{trial.get('trial')}"),
        )
        for trial in source.trials
        if trial.get("status") == "ok" and is_figure(trial.get("score")) and is_figure(trial.get("finished"))
    ]


def _history(source: RunSource) -> Chart | None:
    best = best_over_time(source)
    points = _finished_trials(source)
    if not best:
        return None
    end = max([elapsed for elapsed, _ in (*best, *points)])
    if end > best[-1][0]:
        best = [*best, (end, best[-1][1])]
    unit, scale = ("minutes", 60.0) if end > 600 else ("seconds", 1.0)
    window = _window([score for _, score in best], [score for _, score in points], source.metric.maximize)
    hidden = sum(1 for _, score in points if not window[0] <= score <= window[1])
    caption = "The line is the deployable model; each point is a configuration scored on all folds."
    if hidden:
        caption += f" {format_count(hidden, 'point')} far off {'is' if hidden == 1 else 'are'} not drawn."
    series = [Series(name="best so far", x=tuple(x / scale for x, _ in best), y=tuple(y for _, y in best))]
    series += _points_by_family(source, scale)
    return Chart(
        kind="step",
        title=f"Best {source.metric.title} so far",
        x_label=f"{unit} since the start",
        y_label=source.metric.title,
        series=tuple(series),
        caption=caption,
        y_range=window,
    )


def _points_by_family(source: RunSource, scale: float) -> list[Series]:
    """A series a family, those with most trials first; beyond the colours there are, the others share one."""
    groups: dict[str, list[tuple[float, float, str, str]]] = collections.defaultdict(list)
    for trial in _complete_trials(source):
        groups[trial[2]].append(trial)
    names = sorted(groups, key=lambda name: (-len(groups[name]), name))
    kept = names if len(names) <= FAMILIES else names[: FAMILIES - 1]
    others = [trial for name in names if name not in kept for trial in groups[name]]
    shown = [(name, groups[name]) for name in kept] + ([("others", others)] if others else [])
    return [
        Series(
            name=name,
            x=tuple(elapsed / scale for elapsed, _, _, _ in trials),
            y=tuple(score for _, score, _, _ in trials),
            labels=tuple(label for _, _, _, label in trials),
            mark="scatter",
        )
        for name, trials in shown
    ]


def _window(best: list[float], points: list[float], maximize: bool) -> tuple[float, float]:
    """The y axis: from the final best back to the median of what was tried, so that the last steps can be seen."""
    final = best[-1]
    scores = [*points, *best]
    worst = statistics.median(scores)
    margin = abs(final - worst) or abs(final) * 0.01 or 0.01
    far = worst - 0.75 * margin if maximize else worst + 0.75 * margin
    extreme = min(scores) if maximize else max(scores)
    far = max(far, extreme - 0.1 * margin) if maximize else min(far, extreme + 0.1 * margin)
    near = max([final, *points]) + 0.15 * margin if maximize else min([final, *points]) - 0.15 * margin
    return (far, near) if maximize else (near, far)


def _families(source: RunSource) -> Table:
    groups: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for trial in source.trials:
        groups[str(trial.get("candidate") or "?")].append(trial)
    rows = [_family_row(name, trials, source.metric.maximize) for name, trials in groups.items()]
    worst = float("-inf") if source.metric.maximize else float("inf")
    rows.sort(
        key=lambda row: row[1] if isinstance(row[1], float) else worst,
        reverse=source.metric.maximize,
    )
    return Table(
        headings=("family", "best score", "tried", "complete", "pruned", "failed", "median s", "total s"),
        rows=tuple(rows),
        formats=("", f".{source.metric.decimals}f", "d", "d", "d", "d", ".1f", ".1f"),
        numeric=(False, True, True, True, True, True, True, True),
        caption="Model families",
    )


def _family_row(name: str, trials: list[dict[str, Any]], maximize: bool) -> tuple[Cell, ...]:
    statuses = collections.Counter(str(trial.get("status")) for trial in trials)
    scores = [
        float(trial["score"]) for trial in trials if trial.get("status") == "ok" and is_figure(trial.get("score"))
    ]
    seconds = [float(trial["seconds"]) for trial in trials if is_figure(trial.get("seconds"))]
    failed = len(trials) - statuses["ok"] - statuses["pruned"]
    best = (max(scores) if maximize else min(scores)) if scores else None
    median = statistics.median(seconds) if seconds else None
    return name, best, len(trials), statuses["ok"], statuses["pruned"], failed, median, sum(seconds)


def _failures(source: RunSource) -> Table | None:
    """Trials that did not end well, those with one cause together."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    for trial in source.trials:
        status = str(trial.get("status"))
        if status not in _TONES:
            # numbers differ from trial to trial (seconds, megabytes, row counts); the cause does not
            cause = re.sub(r"\d+(\.\d+)?", "#", str(trial.get("reason") or ""))
            groups[status, cause].append(trial)
    if not groups:
        return None
    rows = []
    for (status, _), trials in sorted(groups.items(), key=lambda item: -len(item[1])):
        families = sorted({str(trial.get("candidate")) for trial in trials})
        reason = str(trials[0].get("reason") or "no reason was recorded")
        rows.append((Tag(text=status.replace("_", " "), tone="bad"), len(trials), reason, join_words(families)))
    return Table(
        headings=("status", "count", "reason", "families"),
        rows=tuple(rows[:50]),
        formats=("", "d", "", ""),
        numeric=(False, True, False, False),
        caption="What failed",
        note="A failed configuration costs its own time and nothing else.",
    )


def _not_tried(source: RunSource) -> Table | None:
    """Families that were possible but never started, with the reason where one is known."""
    from automl.registry import Registry

    tried = {str(trial.get("candidate")) for trial in source.trials}
    asked = (source.recipe.get("search") or {}).get("candidates", "auto")
    listings = {listing.name: listing.reason for listing in Registry[Any]("automl.candidates", noun="model").listings()}
    names = [str(name) for name in asked] if isinstance(asked, list | tuple) else list(listings)
    reasons, apart = _reasons(source), _apart(source)
    rows = []
    for name in names:
        if name not in tried | apart and (source.trials or name in reasons):
            default = listings.get(name) or "its turn did not come within the budget"
            rows.append((name, reasons.get(name, default)))
    return Table(headings=("family", "why"), rows=tuple(rows), caption="Not tried") if rows else None


def _stage(source: RunSource) -> dict[str, Any]:
    """What the ledger of stages says of the search."""
    stages = source.record.get("stages")
    search = stages.get("search") if isinstance(stages, dict) else None
    return search if isinstance(search, dict) else {}


def _apart(source: RunSource) -> set[str]:
    """Families made for pictures or texts, where there are none: not worth a word."""
    apart = _stage(source).get("apart")
    return {str(name) for name in apart} if isinstance(apart, list) else set()


def _reasons(source: RunSource) -> dict[str, str]:
    """Why families were left out."""
    unused = _stage(source).get("unused")
    return {str(name): str(reason) for name, reason in unused.items()} if isinstance(unused, dict) else {}


plugin = Search()
