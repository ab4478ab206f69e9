"""The versions of a run's model: kept side by side, one of them in use, changed in one step that can be taken back.

    RUN/versions/0001/model/    what `fit` made; its run is RUN itself
    RUN/versions/0002/          a retrained run of its own: report, model, everything
    RUN/versions/history.jsonl  each promotion, rejection and rollback, append-only
    RUN/model                   from the first promotion on a link to the version in use

A link is replaced by a rename, so that a reader sees the old model or the new one, never a mixture: whoever loads
resolves the link first. A server need only look whether `RUN/model/manifest.json` is another file than before.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automl.errors import UsageError
from automl.events import cut_torn_tail, read_jsonl
from automl.files import environment_error, exchange, remove

FIRST = 1
FINISHED = "retrain.json"  # what became of a version; without it a kill cut it short


@dataclasses.dataclass(frozen=True)
class Versions:
    """The versions of one run folder.

    Args:
        root: the folder that `fit` made.
    """

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "versions"

    @property
    def history_path(self) -> Path:
        return self.folder / "history.jsonl"

    def path(self, number: int) -> Path:
        return self.folder / f"{number:04d}"

    @property
    def current(self) -> int:
        """The version in use; 1 until another is promoted."""
        model = self.root / "model"
        if not model.is_symlink():
            return FIRST
        name = model.resolve().parent.name
        return int(name) if name.isdigit() else FIRST

    def numbers(self) -> list[int]:
        """Versions that have a model and can be put in use, rising. The first stands in the run itself until another
        takes its place, and among the versions then."""
        kept = {number for number in self.all_numbers() if (self.path(number) / "model/manifest.json").is_file()}
        return sorted(kept if (self.root / "model").is_symlink() else {FIRST, *kept})

    def next_number(self) -> int:
        """A number that no version had before."""
        told = [int(entry.get("version", 0)) for entry in self.history()]
        return max([FIRST, *self.all_numbers(), *told]) + 1

    def history(self) -> Iterator[dict[str, Any]]:
        """What happened, in order."""
        return read_jsonl(self.history_path)

    def promote(self, number: int, *, action: str = "promote", **facts: Any) -> None:
        """Put a version in use.

        Raises:
            UsageError: if there is no such version.
            EngineError: if the folder cannot be written.
        """
        if number not in self.numbers():
            listed = ", ".join(str(kept) for kept in self.numbers())
            raise UsageError(f"{self.root} has no version {number}", hint=f"There are: {listed}")
        before = self.current
        try:
            self._keep_first()
            self._point(number)
        except OSError as error:
            raise environment_error(error, self.root) from error
        self.note(action=action, version=number, before=before, **facts)

    def note(self, **facts: Any) -> None:
        """Add a line to the history."""
        self.folder.mkdir(exist_ok=True)
        cut_torn_tail(self.history_path)
        line = {"at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **facts}
        with self.history_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def previous(self) -> int | None:
        """The version that was in use before the one that is now; None if there is none.

        A version that was rolled back from is not gone back to.
        """
        stack = [FIRST]
        for entry in self.history():
            if entry.get("action") == "promote":
                stack.append(int(entry["version"]))
            elif entry.get("action") == "rollback":
                number = int(entry["version"])
                stack = stack[: stack.index(number) + 1] if number in stack else [*stack, number]
        kept = set(self.numbers())
        return next((number for number in reversed(stack[:-1]) if number in kept), None)

    def prune(self, keep: int) -> list[int]:
        """Remove all but the newest `keep` versions besides the first, the current and the one before it; the newest of
        all stays in any case, for its maker is about to show it."""
        numbers = self.all_numbers()
        spared = {FIRST, self.current, self.previous() or FIRST}
        others = [number for number in numbers if number not in spared]
        gone = [number for number in others[: max(0, len(others) - keep)] if number != numbers[-1]]
        for number in gone:
            shutil.rmtree(self.path(number), ignore_errors=True)
        return gone

    def all_numbers(self) -> list[int]:
        """Every folder of a version, rejected ones as well."""
        return sorted(int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdigit())

    def clear_leftovers(self) -> None:
        """Remove what a kill left half done. Only for the process that holds the run's lock."""
        for number in self.all_numbers():
            if number != FIRST and number != self.current and not (self.path(number) / FINISHED).exists():
                shutil.rmtree(self.path(number), ignore_errors=True)
        for path in (*self.root.glob(".model.link*"), *self.folder.glob(".*.rows")):
            remove(path)

    def _keep_first(self) -> None:
        """The model that `fit` made gets a place among the versions: the same files under a second name.

        One that has its place already may have been made anew since: `resume` goes on with a run that was rolled back.
        """
        place, model = self.path(FIRST) / "model", self.root / "model"
        if model.is_symlink() or (place.exists() and not model.exists()):
            return
        beside = place.with_name(f".model.tmp-{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model, beside, copy_function=_link)
        if exchange(beside, place):
            remove(beside)
        else:  # there is none yet, or the system cannot
            remove(place)
            beside.rename(place)

    def _point(self, number: int) -> None:
        model, link = self.root / "model", self.root / f".model.link-{os.getpid()}"
        remove(link)
        link.symlink_to(Path("versions") / f"{number:04d}" / "model", target_is_directory=True)
        if model.is_symlink() or not model.exists():
            link.replace(model)
            return
        if not exchange(link, model):  # a reader between the two renames finds the old folder aside
            aside = self.root / ".model.old"
            remove(aside)
            model.rename(aside)
            link.rename(model)
            link = aside
        remove(link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
