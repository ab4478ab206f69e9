"""Files of one kind in class folders: which part of them is read, the class of each, what is said of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from automl.data.collections import Part
from automl.data.collections._members import Members, list_members
from automl.data.collections._parts import Parts, are_alike, find_parts, list_folders
from automl.errors import DataError
from automl.picture_places import check_name
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


def find_test_part(path: Path, is_one: Callable[[str], bool]) -> Path | None:
    """The folder kept for a test beside the one to learn from; None without the two, or without classes in it."""
    members = _open(path)
    parts = find_parts(filter(is_one, members.names))
    if not parts.test:
        return None
    below = members.below(parts.test)
    return below.path if _have_folders(below, is_one) else None


def sort_files(path: Path, part: Part, is_one: Callable[[str], bool], kind: str) -> ClassFiles:
    """The files of a kind and their classes.

    Args:
        kind: what notices call them, such as "pictures".

    Raises:
        DataError: if the test part is asked for and there is none, or if it is unclear which folder is which part.
    """
    whole = _open(path)
    _check_names(whole, is_one)
    parts = find_parts(filter(is_one, whole.names))
    members, notices = (whole, []) if part == "all" else _choose_part(whole, parts, part, is_one, kind)
    names = [name for name in members.names if is_one(name)]
    if strays := [name for name in members.names if not is_one(name)]:
        notices.append(list_files(strays, f"are no {kind} and are left out", "told by their extensions", kind))
    within = [parts.inside(name) for name in names] if part == "all" else names  # parts are no classes
    labels = [name.partition("/")[0] if "/" in name else None for name in within]
    loose = [name for name, label in zip(names, labels, strict=True) if label is None]
    if loose and part != "all" and len(loose) < len(names):
        what = "lie beside the class folders and are left out"
        notices.append(list_files(loose, what, "they have no class", kind))
        names = [name for name, label in zip(names, labels, strict=True) if label is not None]
        labels = [label for label in labels if label is not None]
    if empty := [folder for folder in members.folders if "/" not in folder]:
        notices.append(list_files(empty, "are empty folders: no class is made of them", "", kind))
    if any(name.count("/") > 1 for name in within):
        text = f"{kind} in deeper folders belong to the class of the first one"
        notices.append(Notice(topic=kind, text=text, reason="one folder a class"))
        notices += _describe_likeness(members, names, kind) if part == "train" else []
    return ClassFiles(members, tuple(names), tuple(labels), tuple(notices))


def _check_names(members: Members, is_one: Callable[[str], bool]) -> None:
    for name in filter(is_one, members.names):
        check_name(members.cell(name))


def list_files(names: list[str], what: str, reason: str, kind: str) -> Notice:
    """A notice that counts files and names the first."""
    return Notice(topic=kind, text=f"{len(names)} file(s) {what}: {_name_first(names)}", reason=reason)


def _name_first(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")


def _open(path: Path) -> Members:
    members = list_members(path)
    assert members is not None, "claimed before"
    return members.unwrap()


def _have_folders(members: Members, is_one: Callable[[str], bool]) -> bool:
    return any("/" in name for name in members.names if is_one(name))


def _choose_part(
    members: Members, parts: Parts, part: Part, is_one: Callable[[str], bool], kind: str
) -> tuple[Members, list[Notice]]:
    if parts.unclear:
        raise _ask(members, parts.unclear)
    train, test = parts.train, parts.test
    if not train:
        return members, []
    if part == "test" and not test:
        raise DataError(f"{str(members.path)!r} has no test/ beside {train}/", hint="Name the folder to be scored")
    chosen = train if part == "train" else test
    text = f"{chosen}/ is {'learned from' if part == 'train' else 'scored'}"
    notices = [Notice(topic=kind, text=text, reason=f"there is a {train}/ and a {test}/" if test else "")]
    if part == "train":
        notices += _describe_rest(members, parts, is_one, kind)
    return members.below(chosen), notices


def _ask(members: Members, folders: tuple[str, ...]) -> DataError:
    listed = _name_first([f"{folder}/" for folder in folders])
    one = members.below(folders[0]).path
    return DataError(
        f"{str(members.path)!r} has folders that may be classes or parts of the data: {listed}",
        hint=f"Name the one that is meant, such as {one}, and the one to be scored by --test; "
        "rename a class that is called train, test or val",
    )


def _describe_rest(members: Members, parts: Parts, is_one: Callable[[str], bool], kind: str) -> list[Notice]:
    """What is said of the folders that are not learned from."""
    train, test, notices = parts.train, parts.test, []
    if test and not _have_folders(members.below(test), is_one):
        text = f"{test}/ is not scored"
        notices.append(Notice(topic=kind, text=text, reason="it has no class folders: automl predict answers it"))
    used = {part.partition("/")[0] for part in (train, test)}
    reason = f"{test}/ is scored" if test else f"{train}/ is learned from"
    spare = sorted(top for top in members.tops() if top and top not in used)
    return notices + [Notice(topic=kind, text=f"{top}/ is not used", reason=reason) for top in spare]


def _describe_likeness(members: Members, names: list[str], kind: str) -> list[Notice]:
    """Of top folders that all hold the same ones, either may be the classes."""
    folders = list_folders(names)
    top, *others = sorted(folders)
    if not others or not all(are_alike(folders[top], folders[other]) for other in others):
        return []
    listed, held = (_name_first([f"{name}/" for name in sorted(found)]) for found in (folders, folders[top]))
    reason = f"each holds {held}: name {members.below(top).path} if those are"
    return [Notice(topic=kind, text=f"{listed} are the classes", reason=reason)]
