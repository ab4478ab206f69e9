"""The verdict: what was predicted, how well, beside what, and what to beware of."""

from __future__ import annotations

import shlex
from typing import Any

from automl.report.blocks import Alert, Block, Facts, Paragraph, Score, Section, Tone
from automl.report.checks import list_checks
from automl.report.source import RunSource
from automl.report.text import (
    format_count,
    format_duration,
    format_megabytes,
    format_score,
    is_figure,
    join_words,
    score_places,
)
from automl.report.wording import describe_accuracy, describe_budget, describe_task, explain_score, improvement
from automl.versions import FIRST

_TONES: dict[str, Tone] = {"risk": "bad", "warning": "warn"}
# What `automl.evaluate` measures last; up to so many that are missing are named.
_PARTS = {
    "slices": "the groups of rows where it is worse",
    "folds": "the scores of the single folds",
    "members": "what each member is worth",
    "columns": "how the answer goes along a column",
    "parameters": "the importance of the parameters",
}
_MOST_NAMED = 2
_BASELINES = {"constant": "constant guess", "linear": "linear model"}


class Verdict:
    order = 0
    title = "Verdict"

    def build(self, source: RunSource) -> Section | None:
        blocks: list[Block] = [Paragraph(text=describe_task(source))]
        score = _score(source)
        if score is not None:
            natural = describe_accuracy(source)
            blocks += [Paragraph(text=natural)] if natural else []
            blocks += [score, _comparison(source)]
        blocks.append(_facts(source))
        checks = list_checks(source)
        if checks is not None:
            blocks.append(checks)
        blocks += _alerts(source)
        # what is wrong with the run stands before its figures; what is damaged is known once everything is read
        blocks[1:1] = _status_alerts(source)
        return Section(name="verdict", title=self.title, blocks=tuple(blocks))


def _score(source: RunSource) -> Score | None:
    """The honest score if there is one, else that of the leaderboard, which says that it flatters."""
    evaluation, metric = source.evaluation, source.metric
    value, low, high = evaluation.get("score"), evaluation.get("low"), evaluation.get("high")
    if not is_figure(value):
        value, low, high = (source.deployed.get(key) for key in ("score", "low", "high"))
    if not is_figure(value):
        return None
    target = source.task.target if source.task else "the target"
    meaning = explain_score(metric.name, value, target, source.task.kind if source.task else None)
    weighted = f"Rows are weighted by “{source.weight}”." if source.weight else ""
    return Score(
        label=metric.title,
        value=float(value),
        low=low if is_figure(low) else None,
        high=high if is_figure(high) else None,
        decimals=score_places(float(value), metric.decimals),
        maximize=metric.maximize,
        marks=tuple((_BASELINES.get(name, name), figure) for name, figure in baselines(source).items()),
        tone=_tone(source),
        caption=" ".join(filter(None, (meaning, weighted))),
    )


def baselines(source: RunSource) -> dict[str, float]:
    """Scores of the constant and the linear baseline, by name, as far as they are known."""
    found = source.evaluation.get("baselines") or {}
    return {
        name: float(entry["score"])
        for name, entry in found.items()
        if isinstance(entry, dict) and is_figure(entry.get("score"))
    }


def _tone(source: RunSource) -> Tone:
    if source.evaluation.get("better_than_constant") is False:
        return "bad"
    if source.evaluation.get("better_than_linear") is False and not source.is_linear:
        return "warn"
    return "good" if source.evaluation.get("better_than_constant") else "neutral"


def _comparison(source: RunSource) -> Paragraph:
    """Whether the model is any better than a guess and than the plainest model, in one sentence each."""
    evaluation, metric = source.evaluation, source.metric
    value, sentences = evaluation.get("score"), []
    if not is_figure(value):
        text = "The run ended before this score was checked; the best of many is flattered by having been chosen."
        return Paragraph(text=text, tone="warn")
    for name, figure in baselines(source).items():
        better, gain = evaluation.get(f"better_than_{name}"), improvement(float(value), figure, metric.maximize)
        called = "always giving the same answer" if name == "constant" else f"a {_BASELINES.get(name, name)}"
        beside = format_score(figure, metric.decimals, like=float(value))
        if better and gain > 0:
            sentences.append(f"It is better than {called} ({beside}).")
        elif name == "linear" and source.is_linear:
            sentences.append("It is a linear model itself.")
        elif better is None:
            sentences.append(f"Beside it, {called} scores {beside}.")
        else:
            sentences.append(f"It is not clearly better than {called} ({beside}).")
    return Paragraph(text=" ".join(sentences) or "No baseline was scored beside it.", tone=_tone(source))


def _facts(source: RunSource) -> Facts:
    record, evaluation = source.record, source.evaluation
    items = _models_fact(source)
    raw, score = evaluation.get("raw_score"), evaluation.get("score")
    is_corrected = is_figure(evaluation.get("optimism")) and evaluation.get("bootstraps") != 0
    if is_figure(raw) and is_figure(score) and is_corrected:
        before = format_score(raw, source.metric.decimals, like=score)
        note = (
            "flattered by the choice among many" if evaluation["optimism"] else "the choice among many changed nothing"
        )
        items.append(("Before correction", before, note))
    used = source.seconds_used
    if used is not None:
        budget = describe_budget(record)
        given = f"for {budget}" if record.get("trials_budget") else f"of {budget} given"
        items.append(("Time used", format_duration(used), given if budget else ""))
    items += _cost_fact(source)
    test = evaluation.get("test")
    if isinstance(test, dict):
        entry = (test.get("metrics") or {}).get(source.metric.name) or {}
        shown = format_score(entry.get("value"), source.metric.decimals)
        items.append(("On the test file", shown, _test_note(test)))
    if is_figure(record.get("rows")) and is_figure(record.get("columns")):
        items.append(("Data", format_count(int(record["rows"]), "row"), format_count(int(record["columns"]), "column")))
    return Facts(items=tuple(items))


def _cost_fact(source: RunSource) -> list[tuple[str, str, str]]:
    """What the deployed model costs: as it was measured or else, of a row among many, as the search saw it."""
    cost, deployed = source.evaluation.get("cost"), source.deployed
    if isinstance(cost, dict) and is_figure(cost.get("row_ms")):
        size = f"folder {format_megabytes(cost['size_mb'])}" if is_figure(cost.get("size_mb")) else ""
        return [("Prediction", f"one row {cost['row_ms']:.3g} ms", size)]
    if is_figure(deployed.get("predict_ms")):
        size = format_megabytes(deployed["size_mb"]) if is_figure(deployed.get("size_mb")) else ""
        return [("Prediction", f"{deployed['predict_ms']:.3g} ms a row", size)]
    return []


def _test_note(test: dict[str, Any]) -> str:
    rows = format_count(int(test.get("rows") or 0), "row")
    unknown = test.get("unknown_rows")
    return f"{rows}; {unknown:,} more have targets unknown to it" if is_figure(unknown) and unknown else rows


def _models_fact(source: RunSource) -> list[tuple[str, str, str]]:
    items: list[tuple[str, str, str]] = []
    deployed = source.deployed
    if deployed:
        names = [str(member.get("name")) for member in source.members]
        notes = [join_words(names, 4)] if deployed.get("kind") == "ensemble" else []
        is_first = deployed is source.leaderboard[0]
        notes += [] if is_first else [f"number {deployed.get('rank')} of the leaderboard"]
        title = "Best model" if is_first else "Deployed model"
        items.append((title, str(deployed.get("name", "")), "; ".join(notes)))
    if source.trials:
        ok = sum(1 for trial in source.trials if trial.get("status") == "ok")
        items.append(("Configurations tried", f"{len(source.trials):,}", f"{ok:,} complete"))
    return items


def _alerts(source: RunSource) -> list[Alert]:
    """Ties, findings and warnings that the checks do not tell."""
    return [*_tie_alerts(source), *_finding_alerts(source), *_skipped_alerts(source)]


def _tie_alerts(source: RunSource) -> list[Alert]:
    first, *others = [*source.leaderboard] or [{}]
    tied = [model for model in others if model.get("tied")]
    if not tied:
        return []
    names, deployed = [str(model.get("name")) for model in tied], source.deployed
    text = f"{join_words(names, 4)} cannot be told apart from the first within what these rows can show."
    if deployed is not first:
        among = "is one of them" if deployed in tied else "is none of them"
        text = f"{text} The first is {first.get('name')}; the deployed model, {deployed.get('name')}, {among}."
    return [Alert(tone="neutral", title=f"{format_count(len(tied), 'model')} tied with the best", text=text)]


def _finding_alerts(source: RunSource) -> list[Alert]:
    alerts = []
    for finding in source.findings:
        if finding.get("severity") in _TONES:
            title = str(finding.get("kind", "finding")).replace("_", " ").capitalize()
            text = _finding_text(finding)
            alerts.append(Alert(tone=_TONES[str(finding["severity"])], title=title, text=text))
    told = [str(finding.get("text", "")) for finding in source.findings]
    for event in source.of_kind("WarningRaised"):
        if any(text and str(event["text"]).startswith(text) for text in told):
            continue
        alerts.append(Alert(tone="warn", title="Warning", text=str(event["text"])))
    return alerts


def _skipped_alerts(source: RunSource) -> list[Alert]:
    if not source.skipped:
        return []
    rest = f"automl report {shlex.quote(source.shown_path)} --full"
    parts = [_PARTS[name] for name in source.skipped if name in _PARTS]
    if len(parts) == len(source.skipped) <= _MOST_NAMED:
        text = f"Time did not allow for {join_words(parts)}. To have it measured: {rest}"
        return [Alert(tone="neutral", title="Not all was measured", text=text)]
    text = f"Time did not allow every measurement. For the rest: {rest}"
    return [Alert(tone="neutral", title="This report is a short one", text=text)]


def _finding_text(finding: dict[str, Any]) -> str:
    """What was found and what to do about it; no stop is put behind a command that may be copied."""
    text, action = str(finding.get("text") or ""), str(finding.get("action") or "")
    return f"{text.rstrip('.')}. {action}" if text and action else text or action


def _status_alerts(source: RunSource) -> list[Alert]:
    alerts = [Alert(tone="warn", title="A file of this run is damaged", text=problem) for problem in source.problems]
    alerts += _version_alerts(source)
    status, path = source.status, shlex.quote(source.shown_path)
    if status == "failed":
        reason = str(
            source.record.get("error") or source.record.get("reason") or "The run ended before a usable model."
        )
        alerts.insert(0, Alert(tone="bad", title="This run failed", text=f"{reason} Go on with: automl resume {path}"))
    elif status in {"running", "interrupted", "stopped"}:
        words = {"running": "is not finished", "interrupted": "was interrupted", "stopped": "was stopped early"}
        text = f"What is here is the best so far. Go on with: automl resume {path}"
        alerts.insert(0, Alert(tone="warn", title=f"This run {words[status]}", text=text))
    return alerts


def _version_alerts(source: RunSource) -> list[Alert]:
    """That another model answers than the one of this report. A version's report is written before it is put in use."""
    if source.version is not None or source.version_in_use == FIRST:
        return []
    number, path = source.version_in_use, source.shown_path
    text = f"What follows is about the first model. The one that answers: {path}/versions/{number:04d}/report.html"
    return [Alert(tone="warn", title=f"Version {number} is in use", text=text)]


plugin = Verdict()
