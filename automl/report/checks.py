"""What a reader should know before trusting a model, as traffic lights: each check from one part of the run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from automl.report.blocks import Check, Checks, Tone
from automl.report.source import RunSource
from automl.report.text import format_count, format_figure, format_score, format_share, is_figure, join_words
from automl.task import TaskKind

FEW_ROWS, VERY_FEW_ROWS = 500, 100
RARE_RECALL = 0.5
CALIBRATION_GOOD, CALIBRATION_BAD = 0.03, 0.08
# Spread of the folds, as a share of what the model gains over the constant one.
UNSTABLE = 0.5
WORSE_SLICE = 2.0
_ORDER: dict[Tone, int] = {"bad": 0, "warn": 1, "neutral": 2, "good": 3}


def list_checks(source: RunSource) -> Checks | None:
    """Every check that the run has figures for, the gravest first; None for a run without a checked score."""
    if not is_figure(source.evaluation.get("score")):
        return None
    found = [item for check in _CHECKS if (item := check(source)) is not None]
    return Checks(items=tuple(sorted(found, key=lambda item: _ORDER[item.tone])), title="What to know first")


def _findings(source: RunSource, *kinds: str) -> list[dict[str, Any]]:
    return [finding for finding in source.findings if finding.get("kind") in kinds]


def _skipped(source: RunSource, check: str, *, in_part: bool = False) -> str:
    """Why a check of the data did not look at all, or, `in_part`, at some columns; "" if it did."""
    told = [finding for finding in source.findings if check in (finding.get("skipped") or [])]
    texts = [str(finding.get("text") or "") for finding in told if bool(finding.get("columns")) is in_part]
    return f"{texts[0].rstrip('.')}." if texts else ""


def _baseline(source: RunSource) -> Check | None:
    constant, linear = (source.evaluation.get(f"better_than_{name}") for name in ("constant", "linear"))
    if constant is None:
        return None
    if not constant:
        text = "The columns hold nothing that predicts the target here, or too few rows show it. Do not use this model."
        return Check(tone="bad", title="No better than a guess", text=text)
    if source.is_linear:
        text = "Clearly better than a guess. The best model found is a linear one, and it is the one deployed."
        return Check(tone="good", title="A linear model is enough here", text=text)
    if linear is False:
        text = "It beats a guess; a linear model is as good within the interval, smaller and easier to explain."
        return Check(tone="warn", title="A plain linear model does as well", text=text)
    text = "Clearly better than a guess" + (" and than a linear model, on the same rows." if linear else ".")
    return Check(tone="good", title="It has learned something", text=text)


def _leak(source: RunSource) -> Check | None:
    if not source.profile:
        return None
    leaks = [finding for finding in _findings(source, "target_leak") if finding.get("severity") == "risk"]
    leaks = [finding for finding in leaks if not finding.get("taken")]
    if leaks:
        columns = [str(name) for finding in leaks for name in finding.get("columns") or []]
        text = f"{join_words(columns, 4) or 'A column'} may tell the answer. If it is known only afterwards, the score "
        return Check(tone="bad", title="Leak suspected", text=text + "is worth nothing; leave it out and fit again.")
    if unseen := _skipped(source, "target_leak"):
        return Check(tone="neutral", title="Leaks were not looked for", text=unseen)
    text = f"No single column tells the answer by itself. {_skipped(source, 'target_leak', in_part=True)}".strip()
    return Check(tone="good", title="No leak found", text=text)


def _rows(source: RunSource) -> Check | None:
    """Whether the rows that were scored suffice; where their number was not kept, those of the table, unnamed."""
    scored = source.scored_rows
    rows = source.record.get("rows") if scored is None else scored
    if not is_figure(rows):
        return None
    count = "rows" if scored is None else format_count(scored, "row")
    if rows < FEW_ROWS:
        tone: Tone = "bad" if rows < VERY_FEW_ROWS else "warn"
        text = f"A score of {'so few rows' if scored is None else count} says little; look at its interval."
        return Check(tone=tone, title="Few rows", text=text)
    return Check(tone="good", title="Enough rows to tell", text=f"The score comes from {count} not seen in training.")


def _drift(source: RunSource) -> Check | None:
    found = [finding for finding in _findings(source, "drift") if finding.get("severity") == "warning"]
    if found:
        return Check(tone="warn", title="The second file differs", text=str(found[0].get("text") or ""))
    if source.record.get("test"):
        if unseen := _skipped(source, "drift"):
            return Check(tone="neutral", title="Drift was not looked at", text=unseen)
        text = f"The second file looks like the training rows. {_skipped(source, 'drift', in_part=True)}".strip()
        return Check(tone="good", title="No drift found", text=text)
    text = "No second file was given. Before use: automl check DATA NEW tells whether new rows look like these."
    return Check(tone="neutral", title="Drift was not looked at", text=text)


def _grouping(source: RunSource) -> Check | None:
    found = [finding for finding in _findings(source, "repeated_groups", "time_order") if not finding.get("taken")]
    found = [finding for finding in found if finding.get("severity") == "risk"]
    if not found:
        return None
    return Check(tone="bad", title="Rows may not be independent", text=str(found[0].get("text") or ""))


def _folds(source: RunSource) -> Check | None:
    """How far the folds of the heaviest model lie apart, against what it gains over the constant."""
    constant = ((source.evaluation.get("baselines") or {}).get("constant") or {}).get("score")
    named = [model for model in source.leaderboard if model.get("kind") == "model"]
    trial = max(named, key=lambda model: model.get("weight") or 0.0).get("trial") if named else None
    scores = [] if trial is None else source.fold_scores(trial)
    if len(scores) < 2 or not is_figure(constant):
        return None
    gain = abs(statistics.mean(scores) - float(constant))
    spread = max(scores) - min(scores)
    ends = " to ".join(format_score(score, source.metric.decimals) for score in (min(scores), max(scores)))
    beside = format_score(float(constant), source.metric.decimals)
    text = f"{source.metric.title} of the folds: {ends}, where always the same answer has {beside}."
    if spread > UNSTABLE * gain:
        return Check(tone="warn", title="The folds disagree", text=text + " Another sample may give another score.")
    return Check(tone="good", title="The folds agree", text=text)


def _classes(source: RunSource) -> Check | None:
    """Classes that are missed, or taken for each other."""
    if source.task is None or not source.task.is_classification:
        return None
    confused = (source.details.get("curves") or {}).get("confused") or []
    if confused:
        pair = confused[0]
        share = format_share(pair.get("share"))
        text = f"{share} of the rows of “{pair.get('true')}” are taken for “{pair.get('taken_for')}”."
        return Check(tone="warn", title="Classes that are hard to tell apart", text=text)
    entries = [entry for entry in source.evaluation.get("classes") or [] if isinstance(entry, dict)]
    scored = [entry for entry in entries if entry.get("rows") != 0 and is_figure(entry.get("recall"))]
    missed = [entry for entry in scored if entry["recall"] < RARE_RECALL]
    if missed:
        worst = min(missed, key=lambda entry: entry["recall"])
        text = f"Only {format_share(worst['recall'])} of the rows of “{worst.get('label')}” are found"
        if source.task.kind is TaskKind.BINARY:  # the threshold is that of the second class
            text += (
                f"; a {'higher' if str(worst.get('label')) == source.task.classes[0] else 'lower'} threshold finds more"
            )
        return Check(tone="warn", title="A class is often missed", text=text + ".")
    if absent := [f"“{entry.get('label')}”" for entry in entries if entry.get("rows") == 0]:
        text = f"At least half of the rows of each other class are found; of {join_words(absent, 4)} none was scored."
        return Check(tone="neutral", title="Not every class was scored", text=text)
    return Check(tone="good", title="Every class is found", text="At least half of the rows of each class.")


def _calibration(source: RunSource) -> Check | None:
    error = source.evaluation.get("calibration_error")
    if not is_figure(error):
        return None
    text = f"Probabilities are off by {format_share(error)} on average."
    if error > CALIBRATION_BAD:
        return Check(tone="warn", title="Probabilities are not to be taken literally", text=text)
    if error > CALIBRATION_GOOD:
        return Check(tone="neutral", title="Probabilities are roughly right", text=text)
    return Check(tone="good", title="Probabilities mean what they say", text=text)


def _coverage(source: RunSource) -> Check | None:
    """Whether intervals set on half of the rows hold on the other half."""
    entries = (source.details.get("residuals") or {}).get("coverage") or []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("level") == 0.9 and is_figure(entry.get("observed")):
            half = format_figure(entry.get("half_width"), 3)
            text = (
                f"{format_share(entry['observed'])} of the truths lie in an interval meant for 90%, ±{half} on average."
            )
            good = abs(entry["observed"] - 0.9) < 0.05
            title = "Nine in ten predictions are this close" if good else "Intervals do not hold"
            return Check(tone="good" if good else "warn", title=title, text=text)
    return None


def _correction(source: RunSource) -> Check | None:
    evaluation = source.evaluation
    if evaluation.get("bootstraps") == 0:
        reason = "Rows were too few" if is_figure(evaluation.get("low")) else "Time was too short"
        text = f"{reason} to correct the score for having been chosen among many; it may be a little too good."
        return Check(tone="warn", title="The score is not corrected", text=text)
    if not is_figure(evaluation.get("optimism")):
        return None
    off = format_figure(abs(evaluation["optimism"]), 2)
    change = f"{off} was {'taken off' if source.metric.maximize else 'added to the error'} for it"
    if not evaluation["optimism"]:
        change = "here it made no difference"
    text = f"Choosing among many flatters; {change}."
    return Check(tone="good", title="The score is corrected", text=text)


def _slice(source: RunSource) -> Check | None:
    """The worst kind of rows."""
    record = source.details.get("slices") or {}
    found = [item for item in record.get("slices") or [] if isinstance(item, dict) and is_figure(item.get("error"))]
    if not found or not is_figure(record.get("overall")):
        return None
    worst, overall = found[0], float(record["overall"])
    write = format_share if record.get("rates") else lambda value: format_figure(value, 3)
    where = " and ".join(str(part) for part in worst.get("conditions") or [])
    errs = "is wrong for" if record.get("rates") else "is off by"
    text = f"Where {where} ({format_share(worst.get('share'))} of the rows) it {errs} {write(worst['error'])}"
    tone: Tone = "warn" if overall > 0 and worst["low"] > WORSE_SLICE * overall else "neutral"
    title = "Some rows are much harder" if tone == "warn" else "Some rows are harder"
    return Check(tone=tone, title=title, text=f"{text}; over all rows: {write(overall)}.")


_CHECKS: tuple[Callable[[RunSource], Check | None], ...] = (
    _baseline, _leak, _rows, _grouping, _drift, _folds, _classes, _calibration, _coverage, _correction, _slice,
)  # fmt: skip
