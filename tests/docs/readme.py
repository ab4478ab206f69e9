"""The README, taken apart: its code blocks, and the lists in it that are made from the code."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATH = ROOT / "README.md"
FENCE = re.compile(r"^```(?P<language>\w*)(?: file=(?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LIST = re.compile(r"(?P<start><!-- list:(?P<name>\w+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class CodeBlock:
    """What stands between two fences; `file` is the file whose copy it is, or empty."""

    language: str
    text: str
    file: str = ""


def code_blocks(text: str) -> list[CodeBlock]:
    return [CodeBlock(hit["language"], hit["text"], hit["file"] or "") for hit in FENCE.finditer(text)]


def command_lines(block: str) -> Iterator[list[str]]:
    """Each command of a shell block as its words; `a && b` is two commands."""
    for line in block.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in shlex.split(line, comments=True):
            if word in {"&&", "||", "|", ";"}:
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def click_commands() -> dict[str, Any]:
    """The commands of the tool by name, as click sees them; one of a group has two words."""
    import typer

    from automl.cli.main import app

    group: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        found |= {name: command} if below is None else {f"{name} {word}": inner for word, inner in below.items()}
    return {name: command for name, command in found.items() if not command.hidden}


def make_list(name: str) -> str:
    """The Markdown of one list, from what is there."""
    return "".join(f"{line}\n" for line in LISTS[name]())


def _plugins(registry: Any) -> Iterator[str]:
    for listing in registry.listings():
        if listing.origin == "automl":  # not what else happens to be installed here
            yield f"* `{listing.name}`: {listing.summary.rstrip('.')}."


def _candidates() -> Iterator[str]:
    from automl.search.trial import candidates

    return _plugins(candidates)


def _metrics() -> Iterator[str]:
    from automl.metrics import registry

    return _plugins(registry)


def _readers() -> Iterator[str]:
    from automl.data.readers import registry

    return _plugins(registry)


def _collections() -> Iterator[str]:
    from automl.data.collections import registry

    return _plugins(registry)


def _findings() -> Iterator[str]:
    from automl.profile.describe import registry

    return _plugins(registry)


def _sections() -> Iterator[str]:
    from automl.report.document import registry

    return _plugins(registry)


def _studies() -> Iterator[str]:
    from automl.evaluate.jobs import registry

    return _plugins(registry)


def _exports() -> Iterator[str]:
    from automl.export import formats

    return _plugins(formats)


def _trackers() -> Iterator[str]:
    from automl.track import trackers

    return _plugins(trackers)


def _recipes() -> Iterator[str]:
    from automl.recipe import recipe_paths

    for name, path in recipe_paths().items():
        sentence = path.read_text(encoding="utf-8").split(".", 1)[0].replace("\n# ", " ").removeprefix(f"# {name}: ")
        yield f"* `{name}`: {sentence}."


def _commands() -> Iterator[str]:
    yield "| command | does |"
    yield "|---|---|"
    for name, command in click_commands().items():
        arguments = [_spelling(param) for param in command.params if param.param_type_name == "argument"]
        summary = (command.help or "").strip().split("\n\n")[0].replace("\n", " ").rstrip(".")
        yield f"| `{' '.join([name, *arguments])}` | {summary} |"


def _spelling(argument: Any) -> str:
    name = (argument.metavar or argument.name).strip("[]").rstrip(".").upper()
    return name if argument.required else f"[{name}]"


LISTS = {
    "candidates": _candidates,
    "metrics": _metrics,
    "readers": _readers,
    "collections": _collections,
    "findings": _findings,
    "sections": _sections,
    "studies": _studies,
    "exports": _exports,
    "trackers": _trackers,
    "recipes": _recipes,
    "commands": _commands,
}


def refreshed(text: str) -> str:
    """The README with its lists made anew and its copies of files copied again."""

    def refresh_list(hit: re.Match[str]) -> str:
        return hit["start"] + make_list(hit["name"]) + hit["end"]

    def refresh_copy(hit: re.Match[str]) -> str:
        if not hit["file"]:
            return hit[0]
        return f"```{hit['language']} file={hit['file']}\n{(ROOT / hit['file']).read_text(encoding='utf-8')}```"

    return FENCE.sub(refresh_copy, LIST.sub(refresh_list, text))
