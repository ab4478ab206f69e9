"""The pictures: how they are read, which classes are taken for each other and, if asked for, examples with maps."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Gallery, Paragraph, Picture, Section, Table
from automl.report.source import RunSource
from automl.report.text import format_figure, format_share, is_figure

PAIRS = 10


class Pictures:
    order = 65
    title = "Pictures"

    def build(self, source: RunSource) -> Section | None:
        listed = source.profile.get("columns")
        named = [
            (str(column.get("name")), str(column.get("reason")))
            for column in (listed if isinstance(listed, list) else [])
            if isinstance(column, dict) and column.get("role") == "image"
        ]
        if not named:
            return None
        blocks: list[Block] = [Table(headings=("column", "read as"), rows=tuple(named), caption="Picture columns")]
        built = [_confused(source.evaluation), *_examples(source.evaluation)]
        blocks += [block for block in built if block is not None]
        return Section(name="pictures", title=self.title, blocks=tuple(blocks))


def _confused(evaluation: dict[str, Any]) -> Table | None:
    """The pairs of classes that are taken for each other most often, as a share of the true class."""
    values = evaluation.get("confusion")
    entries = [entry for entry in evaluation.get("classes") or [] if isinstance(entry, dict)]
    labels = [str(entry.get("label")) for entry in entries]
    if not isinstance(values, list) or len(values) != len(labels) or len(labels) < 2:
        return None
    pairs = [
        (count, true, wrong, sum(row))
        for true, row in enumerate(values)
        for wrong, count in enumerate(row)
        if wrong != true and is_figure(count) and count > 0
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    if not pairs:
        return None
    rows = tuple(
        (labels[true], labels[wrong], int(count), format_share(count / max(1, total)))
        for count, true, wrong, total in pairs[:PAIRS]
    )
    return Table(
        headings=("is", "taken for", "pictures", "of the class"),
        rows=rows,
        numeric=(False, False, True, True),
        caption="Classes that are taken for each other",
        note="On pictures that the judging models had not seen.",
    )


def _examples(evaluation: dict[str, Any]) -> list[Block]:
    examples = evaluation.get("pictures")
    if not isinstance(examples, list):
        return []
    pictures = []
    for entry in examples:
        if not isinstance(entry, dict):
            continue
        caption = f"{entry.get('true')}, taken for {entry.get('predicted')}"
        if is_figure(entry.get("probability")):
            caption += f" ({format_share(entry['probability'])} sure)"
        elif is_figure(entry.get("true")) and is_figure(entry.get("predicted")):
            caption = f"{format_figure(entry['true'])}, predicted {format_figure(entry['predicted'])}"
        uris = tuple(str(entry[name]) for name in ("picture", "map") if entry.get(name))
        pictures.append(Picture(caption=caption, uris=uris))
    if not pictures:
        return [Paragraph(text="No picture was predicted wrong.", tone="good")]
    note = (
        "Beside each picture: red where covering it makes the model less sure of what it said, blue where it makes it "
        "surer. The models had not seen these pictures."
    )
    return [Gallery(title="Most surely wrong", pictures=tuple(pictures), caption=note)]


plugin = Pictures()
