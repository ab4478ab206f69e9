"""The reproduction: seed, versions, command, recipe and the data's fingerprint."""

from __future__ import annotations

import shlex
from typing import Any

from automl.picture_places import INSIDE
from automl.report.blocks import Block, Code, Facts, Section, Table
from automl.report.source import RunSource
from automl.report.text import format_moment, is_figure
from automl.report.wording import describe_budget


class Reproduce:
    order = 80
    title = "How to repeat it"

    def build(self, source: RunSource) -> Section | None:
        blocks: list[Block] = []
        argv = source.record.get("argv")
        in_memory = source.record.get("data") == "a data frame"
        if isinstance(argv, list) and argv and _is_own(str(argv[0])) and not in_memory:
            blocks.append(Code(title="The command", text=_command([str(part) for part in argv])))
        if source.run.recipe_path.exists() and not in_memory:
            data = shlex.quote(str(source.record.get("data") or "DATA"))
            target = shlex.quote(str(source.record.get("target") or "Y"))
            recipe = shlex.quote(f"{source.shown_path}/recipe.yaml")
            text = f"automl fit {data} --target {target} --recipe {recipe}{_test(source.record)}"
            title = "The same from the recipe, which holds every setting, with the same data and target"
            blocks.append(Code(title=title, text=text))
        facts = _facts(source)
        if facts.items:
            blocks.append(facts)
        blocks += _tables(source.record)
        return Section(name="reproduce", title=self.title, blocks=tuple(blocks)) if blocks else None


def _test(record: dict[str, Any]) -> str:
    """The option that names the test file, unless the data brings it."""
    data, test = (str(record.get(key) or "") for key in ("data", "test"))
    own = (f"{data}/", f"{data}{INSIDE}")
    return f" --test {shlex.quote(test)}" if test and not test.startswith(own) else ""


def _is_own(program: str) -> bool:
    """Whether the tool was called by its name, and not from a program or a notebook."""
    return program.rsplit("/", 1)[-1] in {"automl", "main.py", "__main__.py"}


def _command(argv: list[str]) -> str:
    """What was typed; the interpreter's path to the tool is not part of it."""
    return shlex.join(["automl", *argv[1:]])


def _facts(source: RunSource) -> Facts:
    record = source.record
    items: list[tuple[str, str, str]] = []
    if is_figure(record.get("seed")):
        items.append(("Seed", str(record["seed"]), ""))
    fingerprint = record.get("fingerprint") or source.profile.get("fingerprint")
    if fingerprint:
        items.append(("Data fingerprint", str(fingerprint), ""))
    if is_figure(record.get("jobs")):
        items.append(("Workers", str(record["jobs"]), ""))
    if record.get("device"):
        items.append(("Device", str(record["device"]), "what neural networks learned on"))
    budget = describe_budget(record)
    if budget:
        note = "repeats exactly with the same seed"
        if is_figure(record.get("budget_seconds")):
            note = "how far a search gets in a time depends on the machine"
        items.append(("Budget", budget, note))
    if record.get("started"):
        items.append(("Started", format_moment(record["started"]), ""))
    return Facts(items=tuple(items))


def _tables(record: dict[str, Any]) -> list[Table]:
    tables = []
    stages = record.get("stages")
    if isinstance(stages, dict):
        rows = tuple(
            (
                str(name),
                str(facts.get("status") or ""),
                float(facts["seconds"]) if is_figure(facts.get("seconds")) else None,
            )
            for name, facts in stages.items()
            if isinstance(facts, dict)
        )
        if rows:
            numeric = (False, False, True)
            headings = ("stage", "status", "seconds")
            tables.append(
                Table(
                    headings=headings,
                    rows=rows,
                    formats=("", "", ".1f"),
                    numeric=numeric,
                    caption="Stages",
                    folded=True,
                )
            )
    versions = record.get("versions")
    if isinstance(versions, dict) and versions:
        rows_of = tuple((str(name), str(version)) for name, version in sorted(versions.items()))
        tables.append(Table(headings=("library", "version"), rows=rows_of, caption="Versions", folded=True))
    return tables


plugin = Reproduce()
