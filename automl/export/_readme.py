"""README.md of an export folder, for whoever deploys it."""

from __future__ import annotations

from typing import Any

from automl.export import Facts, Source
from automl.schema import Column, Role


def make_readme(source: Source, facts: Facts, manifest: dict[str, Any]) -> str:
    """Markdown: what it is, inputs, outputs, limits, how to run it, how to check it."""
    task = source.predictor.task
    parity = manifest["parity"]
    what = f"one of {', '.join(map(repr, task.classes[:10]))}" if task.classes else "a number"
    unit = "of a probability" if task.is_classification else "of the value"
    lines = [
        f"# {source.name}: {source.predictor.task.target}",
        "",
        f"{facts.summary} It predicts `{task.target}`, {what}.",
        "",
        "## Run",
        "",
        "```sh",
        *facts.run,
        "```",
        "",
        "## Inputs",
        "",
        "| column | kind | |",
        "|---|---|---|",
        *(
            f"| `{_cell(column.name)}` | {column.role} | {_about(column)} |"
            for column in source.predictor.schema.features
        ),
        "",
        "A cell without a value is empty, null or NaN; a value that training did not see is taken as unseen.",
        "",
        "## Outputs",
        "",
        *_outputs(source),
        "",
        "## Limits",
        "",
        *(f"* {limit}" for limit in facts.limits),
        "* A model knows what it was trained on. Watch whether the columns drift, and whether the answers stay right.",
        "",
        "## Check",
        "",
        _proof(parity, unit),
        "`manifest.json` has the checksum of each file; `golden.json` has rows with their answers.",
        "",
        "```sh",
        "automl verify .",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _proof(parity: dict[str, Any], unit: str) -> str:
    if not parity["rows"]:
        return str(parity["said"])
    exact = parity["proof"] == "answers"
    return (
        f"Held against the model on {parity['rows']} rows and on {parity['planted_rows']} with planted missing, "
        f"unseen and extreme values: the largest differences are {parity['largest_difference']:.1e} and "
        f"{parity['planted_largest_difference']:.1e} {unit}"
        + (f" (allowed: {parity['tolerance']:g})." if exact else f". {parity['said']}")
    )


def _outputs(source: Source) -> list[str]:
    task = source.predictor.task
    if not task.is_classification:
        return [f"`value`: the predicted `{task.target}`."]
    lines = [
        f"`label`: the predicted class. `probabilities`: one a class, in this order: "
        f"{', '.join(f'`{_cell(label)}`' for label in task.classes)}."
    ]
    if task.n_classes == 2:
        threshold = source.predictor.threshold
        lines.append(f"`{_cell(task.classes[1])}` is said from a probability of {threshold:g} on.")
    return lines


def _about(column: Column) -> str:
    if column.role is Role.CATEGORY:
        shown = ", ".join(f"`{_cell(level)}`" for level in column.levels[:6])
        return shown + (f", … ({len(column.levels)} in all)" if len(column.levels) > 6 else "")
    if column.role is Role.DATE:
        return f"`{column.format.date_format or 'iso'}`"
    form = column.format
    units = [f"{name} `{_cell(mark)}`" for name, mark in (("prefix", form.prefix), ("suffix", form.suffix)) if mark]
    return ", ".join(units) + ("" if column.required else " optional")


def _cell(text: str) -> str:
    return " ".join(text.replace("`", "'").replace("|", "\\|").split())
