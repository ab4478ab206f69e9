"""Plug-ins by name: a file in a folder of the package, or an entry point of another package.

The name is the file's name. Listing imports nothing (so that `automl --help` stays quick); a plug-in is imported on
first use. One whose libraries are not installed is listed as unavailable, with the reason, never passed over.

A plug-in file sets `plugin = …` and may set `REQUIRES = ("module", …)` and `EXTRA = "name"` as literals.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from automl.errors import AutoMLError, EngineError, MissingExtraError, UsageError, did_you_mean

P = TypeVar("P")
_DEFINITION = re.compile(r"^(?:class |def |async def |@)", re.MULTILINE)
_LITERAL = re.compile(r"^(?:REQUIRES|EXTRA)\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One line of `automl plugins`: `reason` says why a plug-in is unavailable, and is empty otherwise."""

    name: str
    summary: str
    origin: str
    reason: str = ""


class Registry(Generic[P]):
    """The plug-ins of one kind.

    Args:
        package: dotted name of the folder, such as "automl.candidates".
        noun: what one plug-in is called in messages, such as "model".
        group: entry-point group; the package's name unless given.
    """

    def __init__(self, package: str, *, noun: str, group: str | None = None) -> None:
        self.package = package
        self.noun = noun
        self.group = group or package
        self._loaded: dict[str, P] = {}

    @functools.cached_property
    def _files(self) -> dict[str, Path]:
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise AutoMLError(f"{self.package} is not a package")
        folder = Path(next(iter(spec.submodule_search_locations)))
        return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}

    @functools.cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            if point.name in found or point.name in self._files:
                raise UsageError(
                    f"Two packages offer the {self.noun} {point.name!r}",
                    hint=f"Uninstall one of them; {point.value} is the second",
                )
            found[point.name] = point
        return found

    def names(self) -> tuple[str, ...]:
        """All names, built-in ones first, available or not."""
        return (*self._files, *self._entry_points)

    def listings(self) -> Iterator[Listing]:
        """What is there, without importing any of it."""
        for name, path in self._files.items():
            facts = _facts(path)
            yield Listing(name=name, summary=facts.summary, origin="automl", reason=facts.missing_reason())
        for name, point in self._entry_points.items():
            yield Listing(name=name, summary="", origin=point.dist.name if point.dist else point.value)

    def is_available(self, name: str) -> bool:
        """Whether there is a plug-in of that name whose libraries are installed."""
        if name in self._files:
            return not _facts(self._files[name]).missing
        return name in self._entry_points

    def get(self, name: str) -> P:
        """The plug-in of that name, imported on first use.

        Raises:
            UsageError: if there is none of that name; the nearest one is suggested.
            MissingExtraError: if a library that it needs is not installed.
            EngineError: if it belongs to another package and cannot be imported.
        """
        if name not in self._loaded:
            if name in self._files:
                self.demand(name)
                module = importlib.import_module(f"{self.package}.{name}")
                self._loaded[name] = cast(P, module.plugin)
            elif name in self._entry_points:
                self._loaded[name] = cast(P, _load(self._entry_points[name], self.noun))
            else:
                self.check(name)
        return self._loaded[name]

    def demand(self, name: str) -> None:
        """Refuse a built-in plug-in whose libraries are not installed, without importing anything.

        Raises:
            MissingExtraError: the hint installs them.
        """
        facts = _facts(self._files[name])
        if facts.missing:
            raise MissingExtraError(
                f"The {self.noun} {name!r} needs {', '.join(facts.missing)}, which is not installed",
                hint=f"pip install 'automl[{facts.extra}]'" if facts.extra else "pip install automl",
            )

    def check(self, name: str) -> None:
        """Refuse a name that nothing has, without importing anything.

        Raises:
            UsageError: the nearest name is suggested.
        """
        if name not in self.names():
            raise UsageError(f"Unknown {self.noun} {name!r}", hint=did_you_mean(name, self.names()))


def _load(point: EntryPoint, noun: str) -> Any:
    try:
        return point.load()
    except Exception as error:  # a stranger's code: whatever it raises, the user needs to know whose it is
        owner = point.dist.name if point.dist else point.value
        raise EngineError(
            f"The {noun} {point.name!r} of the package {owner!r} cannot be imported: {type(error).__name__}: {error}",
            hint=f"pip install --upgrade {owner}" if point.dist else "",
        ) from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Facts:
    """What a plug-in file says of itself, read without running it."""

    summary: str
    missing: tuple[str, ...]
    extra: str

    def missing_reason(self) -> str:
        if not self.missing:
            return ""
        return f"needs {', '.join(self.missing)}" + (f" (pip install 'automl[{self.extra}]')" if self.extra else "")


def _facts(path: Path) -> _Facts:
    summary, requires, extra = _read_literals(path)
    return _Facts(summary, tuple(module for module in requires if not _is_installed(module)), extra)


@functools.cache
def _read_literals(path: Path) -> tuple[str, tuple[str, ...], str]:
    """First line of the file's docstring, `REQUIRES` and `EXTRA`; they stand above the first class or function."""
    text = path.read_text(encoding="utf-8")
    head = _DEFINITION.split(text, maxsplit=1)[0]
    try:
        tree = ast.parse(text if _LITERAL.search(text, len(head)) else head)
    except SyntaxError:  # it was cut within a text
        tree = ast.parse(text)
    literals: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in {"REQUIRES", "EXTRA"}:
                literals[name] = ast.literal_eval(node.value)
    summary = (ast.get_docstring(tree) or "").split("\n")[0]
    return summary, tuple(literals.get("REQUIRES", ())), str(literals.get("EXTRA", ""))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent of a dotted name is not there
        return False
