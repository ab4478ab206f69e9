"""Scores in words that someone who knows no metric understands."""

from __future__ import annotations

from typing import Any

from automl.report.source import RunSource
from automl.report.text import format_count, format_duration, format_figure, format_score, format_share, is_figure
from automl.task import TaskKind

_MEANINGS = {
    "roc_auc": "Shown one row of each class, the model ranks the right one higher {of_hundred} times in 100. "
    "Guessing does so 50 times.",
    "accuracy": "The model names the right class for {of_hundred} rows in 100.",
    "balanced_accuracy": "Averaged over the classes, the model is right for {of_hundred} rows in 100 of each.",
    "r2": "The model explains {share} of the differences between rows. 0% is no better than always answering the mean.",
    "rmse": "A typical error, large ones weighing more, is {value} in the units of {target}.",
    "mae": "On average a prediction is {value} away from the truth, in the units of {target}.",
    "median_absolute_error": "Half of the predictions are closer to the truth than {value}, in the units of {target}.",
    "mape": "On average a prediction is {share} away from the truth.",
    "log_loss": "The mean penalty for the probability given to what turned out true: 0 is certainty without a fault.",
    "brier": "The mean squared gap between the probabilities given and what turned out true: 0 is perfect.",
    "average_precision": "Averaged over all cut-offs, {share} of the rows picked out are of the class looked for.",
    "f1": "The balance of finding the class and being right about it: 1 is perfect.",
    "f1_macro": "The balance of finding each class and being right about it, all classes alike: 1 is perfect.",
}
# Of several classes each is held against all others, and the mean is taken.
_OF_SEVERAL = {
    "roc_auc": "Shown one row of a class and one of any other, the model ranks the right one higher {of_hundred} times "
    "in 100, averaged over the classes. Guessing does so 50 times.",
}
_KINDS = {
    TaskKind.BINARY: "one of two classes",
    TaskKind.MULTICLASS: "one of {count} classes",
    TaskKind.REGRESSION: "a number",
}


def explain_score(metric: str, value: Any, target: str, kind: TaskKind | None = None) -> str:
    """One sentence on what `value` means; empty if the metric is not a known one."""
    if not is_figure(value) or metric not in _MEANINGS:
        return ""
    if metric == "r2" and value < 0:
        return "The model is worse than always answering the mean."
    meanings = _MEANINGS | (_OF_SEVERAL if kind is TaskKind.MULTICLASS else {})
    return meanings[metric].format(
        of_hundred=f"{100 * value:.0f}", share=format_share(value), value=format_score(value), target=target
    )


def describe_task(source: RunSource) -> str:
    """What is predicted from what, in one sentence."""
    record, task = source.record, source.task
    if task is None and not record.get("target"):
        return "This run has not read its data."
    target = task.target if task else str(record.get("target") or "the target")
    kind = ""
    if task:
        kind = _KINDS[task.kind].format(count=task.n_classes)
        if task.kind is TaskKind.BINARY and len(task.classes) == 2:
            kind += f", “{task.classes[0]}” or “{task.classes[1]}”"
    sizes = []
    if is_figure(record.get("columns")):
        sizes.append(format_count(int(record["columns"]), "column"))
    if is_figure(record.get("rows")):
        sizes.append(format_count(int(record["rows"]), "row"))
    sentence = f"Predicts {target}" + (f" ({kind})" if kind else "")
    if len(sizes) == 2:
        sentence += f" from {sizes[0]}, learned from {sizes[1]}"
    elif sizes:
        sentence += f" from {sizes[0]}"
    data = str(record.get("data") or "")
    return sentence + (f" of {data.rsplit('/', 1)[-1]}." if data else ".")


def describe_accuracy(source: RunSource) -> str:
    """How good that is in natural units, beside always giving the same answer; empty where it is not known."""
    metrics, task = source.evaluation.get("metrics"), source.task
    if not isinstance(metrics, dict) or task is None:
        return ""
    values = {
        str(name): float(entry["value"])
        for name, entry in metrics.items()
        if isinstance(entry, dict) and is_figure(entry.get("value"))
    }
    return _of_hundred(source, values) if task.is_classification else _how_far(source, values, task.target)


def _of_hundred(source: RunSource, values: dict[str, float]) -> str:
    """Of 100 rows how many are right, and how many would be if all were given the commonest class."""
    common, share = _majority(source)
    if "accuracy" not in values or (not common and not source.weight):
        return ""
    text = f"Of 100 rows it has not seen{_weighed(source)}, it names the right class for {100 * values['accuracy']:.0f}"
    return text + (f"; always answering “{common}” would be right for {100 * share:.0f}." if common else ".")


def _majority(source: RunSource) -> tuple[str, float]:
    """The commonest class and its share, counted as the accuracy is; "" if not known, as by weight in earlier runs."""
    majority = source.evaluation.get("majority")
    if isinstance(majority, dict) and is_figure(majority.get("share")):
        return str(majority.get("label")), float(majority["share"])
    entries = [entry for entry in source.evaluation.get("classes") or [] if isinstance(entry, dict)]
    counts = {str(entry.get("label")): int(entry["rows"]) for entry in entries if is_figure(entry.get("rows"))}
    if source.weight or not sum(counts.values()):
        return "", 0.0
    common = max(counts, key=lambda label: counts[label])
    return common, counts[common] / sum(counts.values())


def _how_far(source: RunSource, values: dict[str, float], name: str) -> str:
    """How far predictions of a number are off, beside a typical one."""
    middle, typical = values.get("median_absolute_error"), values.get("mae")
    target = source.profile.get("target")
    median = (target.get("values") or {}).get("median") if isinstance(target, dict) else None
    if middle is None:
        return ""
    weighed = f"{_weighed(source)}," if source.weight else ""
    text = f"Half of its predictions{weighed} are within {format_figure(middle)} of the true {name}"
    if is_figure(median) and median:
        text += f" ({format_share(abs(middle / median))} of a typical one, {format_figure(median)})"
    return text + (f"; the mean error is {format_figure(typical)}." if typical is not None else ".")


def _weighed(source: RunSource) -> str:
    return f", counted by “{source.weight}”" if source.weight else ""


def describe_budget(record: dict[str, Any]) -> str:
    """What a search was given: configurations, time, or whichever ends first; empty if it is not known."""
    trials, seconds = record.get("trials_budget"), record.get("budget_seconds")
    parts = [format_count(int(trials), "configuration")] if is_figure(trials) and trials else []
    parts += [format_duration(seconds)] if is_figure(seconds) else []
    return " or ".join(parts) + (", whichever is first" if len(parts) > 1 else "")


def improvement(score: float, beside: float, maximize: bool) -> float:
    """How much better `score` is than `beside`, in the metric's units; negative if worse."""
    return score - beside if maximize else beside - score
