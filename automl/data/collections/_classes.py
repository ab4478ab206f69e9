"""Files of one kind in class folders: which part of them is read, the class of each, what is said of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from automl.data.collections import Part
from automl.data.collections._members import Members, list_members
from automl.errors import DataError
from automl.schema import Notice

MOST_NAMED = 5


@dataclasses.dataclass(frozen=True, slots=True)
class ClassFiles:
    """The files that are read.

    Attributes:
        members: where `names` are found.
        labels: the class folder of each, None for a file that lies in none.
        notices: what was left out or taken for granted.
    """

    members: Members
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    notices: tuple[Notice, ...]

    @property
    def has_labels(self) -> bool:
        return any(label is not None for label in self.labels)


def are_most(members: Members, is_one: Callable[[str], bool]) -> bool:
    """Whether more than half of the files, and at least one, are of the kind."""
    count = sum(is_one(name) for name in members.names)
    return count > 0 and 2 * count > len(members.names)


def find_test_part(path: Path) -> Path | None:
    """The folder kept for a test beside the one to learn from; None without the two, or without classes in it."""
    members = _open(path)
    train, test = members.split_parts()
    if not (train and test):
        return None
    below = members.below(test)
    return below.path if any("/" in name for name in below.names) else None


def sort_files(path: Path, part: Part, is_one: Callable[[str], bool], kind: str) -> ClassFiles:
    """The files of a kind and their classes.

    Args:
        kind: what notices call them, such as "pictures".

    Raises:
        DataError: if the test part is asked for and there is none.
    """
    whole = _open(path)
    members, notices = _choose_part(whole, part, kind)
    above = 1 if part == "all" and whole.split_parts()[0] else 0  # train/ and test/ are no classes
    names = [name for name in members.names if is_one(name)]
    if strays := [name for name in members.names if not is_one(name)]:
        notices.append(list_files(strays, f"are no {kind} and are left out", "told by their extensions", kind))
    labels = [name.split("/")[above] if name.count("/") > above else None for name in names]
    loose = [name for name, label in zip(names, labels, strict=True) if label is None]
    if loose and part != "all" and len(loose) < len(names):
        what = "lie beside the class folders and are left out"
        notices.append(list_files(loose, what, "they have no class", kind))
        names = [name for name, label in zip(names, labels, strict=True) if label is not None]
        labels = [label for label in labels if label is not None]
    if empty := [folder for folder in members.folders if "/" not in folder]:
        notices.append(list_files(empty, "are empty folders: no class is made of them", "", kind))
    if any(name.count("/") > above + 1 for name in names):
        text = f"{kind} in deeper folders belong to the class of the first one"
        notices.append(Notice(topic=kind, text=text, reason="one folder a class"))
    return ClassFiles(members, tuple(names), tuple(labels), tuple(notices))


def list_files(names: list[str], what: str, reason: str, kind: str) -> Notice:
    """A notice that counts files and names the first."""
    listed = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return Notice(topic=kind, text=f"{len(names)} file(s) {what}: {listed}", reason=reason)


def _open(path: Path) -> Members:
    members = list_members(path)
    assert members is not None, "claimed before"
    return members.unwrap()


def _choose_part(members: Members, part: Part, kind: str) -> tuple[Members, list[Notice]]:
    train, test = members.split_parts()
    if not train or part == "all":
        return members, []
    if part == "test" and not test:
        raise DataError(f"{str(members.path)!r} has no test/ beside {train}/", hint="Name the folder to be scored")
    chosen = train if part == "train" else test
    text = f"{chosen}/ is {'learned from' if part == 'train' else 'scored'}"
    notices = [Notice(topic=kind, text=text, reason=f"there is a {train}/ and a {test}/" if test else "")]
    if part == "train" and test and not any("/" in name for name in members.below(test).names):
        text = f"{test}/ is not scored"
        notices.append(Notice(topic=kind, text=text, reason="it has no class folders: automl predict answers it"))
    if part == "train":
        spare = sorted(top for top in members.tops() if top and top not in (train, test))
        notices += [Notice(topic=kind, text=f"{top}/ is not used", reason=f"{test}/ is scored") for top in spare]
    return members.below(chosen), notices
