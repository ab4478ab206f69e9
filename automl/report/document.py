"""A report put together: sections found by file, asked in their order."""

from __future__ import annotations

from typing import Any, Protocol

from automl.registry import Registry
from automl.report.blocks import Document, Section
from automl.report.source import RunSource
from automl.report.text import clean, format_moment, is_figure
from automl.run import Run


class SectionPlugin(Protocol):
    """One file of `automl.report.sections`, as its `plugin`.

    Attributes:
        order: sections stand in rising order.
        title: the heading.
    """

    order: int
    title: str

    def build(self, source: RunSource) -> Section | None:
        """The section, or None if the run has nothing to say here."""
        ...


registry: Registry[SectionPlugin] = Registry("automl.report.sections", noun="section")


def build_section(name: str, source: RunSource) -> Section | None:
    """One section by name, harmless and ready to be shown.

    Raises:
        UsageError: if there is no such section.
    """
    section = registry.get(name).build(source)
    return clean(section) if section is not None else None


def build_document(run: Run) -> Document:
    """The whole report of a run, finished or not: a section that has nothing to say is left out."""
    source = RunSource(run)
    names = sorted(
        (name for name in registry.names() if registry.is_available(name)),
        key=lambda name: (registry.get(name).order, name),
    )
    sections = [section for name in names if (section := build_section(name, source)) is not None]
    record = source.record
    data, target = str(record.get("data") or "a data set"), str(record.get("target") or "")
    title = f"{target} from {data.rsplit('/', 1)[-1]}" if target else data.rsplit("/", 1)[-1]
    started = format_moment(record.get("started"))
    parts = [str(record.get("id") or run.path.name), started, source.status]
    meta: dict[str, Any] = {
        "run": str(record.get("id") or run.path.name),
        "status": source.status,
        "metric": source.metric.name,
    }
    if source.task is not None:
        meta |= {"task": str(source.task.kind), "data": data.rsplit("/", 1)[-1]}
        score = source.evaluation.get("score")
        meta |= {"score": float(score)} if is_figure(score) else {}
    return clean(
        Document(title=title, subtitle=" · ".join(part for part in parts if part), sections=tuple(sections), meta=meta)
    )
