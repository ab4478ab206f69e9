"""Scores in words that someone who knows no metric understands."""

from __future__ import annotations

from typing import Any

from automl.report.source import RunSource
from automl.report.text import format_count, format_figure, format_score, format_share, is_figure
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

    def value(name: str) -> float | None:
        entry = metrics.get(name)
        found = entry.get("value") if isinstance(entry, dict) else None
        return float(found) if is_figure(found) else None

    if task.is_classification:
        accuracy = value("accuracy")
        entries = [entry for entry in source.evaluation.get("classes") or [] if isinstance(entry, dict)]
        counts = {str(entry.get("label")): int(entry["rows"]) for entry in entries if is_figure(entry.get("rows"))}
        if accuracy is None or not sum(counts.values()):
            return ""
        common = max(counts, key=lambda label: counts[label])
        share = counts[common] / sum(counts.values())
        return (
            f"Of 100 rows it has not seen, it names the right class for {100 * accuracy:.0f}; "
            f"always answering “{common}” would be right for {100 * share:.0f}."
        )
    middle, typical = value("median_absolute_error"), value("mae")
    target = source.profile.get("target")
    median = (target.get("values") or {}).get("median") if isinstance(target, dict) else None
    if middle is None:
        return ""
    text = f"Half of its predictions are within {format_figure(middle)} of the true {task.target}"
    if is_figure(median) and median:
        text += f" ({format_share(abs(middle / median))} of a typical one, {format_figure(median)})"
    return text + (f"; the mean error is {format_figure(typical)}." if typical is not None else ".")


def improvement(score: float, beside: float, maximize: bool) -> float:
    """How much better `score` is than `beside`, in the metric's units; negative if worse."""
    return score - beside if maximize else beside - score
