"""Pictures: a folder, or a zip of it, with one folder a class; train/ and test/ may lie above the classes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from automl.data.collections import Part
from automl.data.collections._members import Members, list_members
from automl.data.table import RawTable
from automl.errors import DataError
from automl.pictures import SUFFIXES
from automl.recipe import DataOptions
from automl.schema import Notice

PATH, LABEL = "path", "label"
MOST_NAMED = 5


class Pictures:
    """Most of the files have a picture's extension; what they truly are is found out when they are decoded."""

    def claims(self, path: Path) -> bool:
        members = list_members(path)
        if members is None:
            return False
        pictures = sum(_is_picture(name) for name in members.names)
        return pictures > 0 and 2 * pictures > len(members.names)

    def find_test(self, path: Path) -> Path | None:
        members = _open(path)
        train, test = members.split_parts()
        return members.below(test).path if train and test else None

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        import pandas as pd

        whole = _open(path)
        members, notices = _choose_part(whole, part)
        above = 1 if part == "all" and whole.split_parts()[0] else 0  # train/ and test/ are no classes
        names = [name for name in members.names if _is_picture(name)]
        strays = [name for name in members.names if not _is_picture(name)]
        if strays:
            notices.append(_list_strays(strays, "are no pictures and are left out", "told by their extensions"))
        labels = [name.split("/")[above] if name.count("/") > above else None for name in names]
        loose = [name for name, label in zip(names, labels, strict=True) if label is None]
        if loose and part != "all" and len(loose) < len(names):
            notices.append(_list_strays(loose, "lie beside the class folders and are left out", "they have no class"))
            kept = [place for place, label in enumerate(labels) if label is not None]
            names, labels = [names[place] for place in kept], [labels[place] for place in kept]
        if empty := [folder for folder in members.folders if "/" not in folder]:
            notices.append(_list_strays(list(empty), "are empty folders: no class is made of them", ""))
        if any(name.count("/") > above + 1 for name in names):
            text = "pictures in deeper folders belong to the class of the first one"
            notices.append(Notice(topic="pictures", text=text, reason="one folder a class"))
        columns = {PATH: [members.cell(name) for name in names]}
        if any(label is not None for label in labels):
            columns[LABEL] = labels  # type: ignore[assignment]
        frame = pd.DataFrame(columns, dtype="str")
        return RawTable(
            frame=frame, notices=tuple(notices), target=LABEL, has_classes=True, names=tuple(names), pictures=(PATH,)
        )


def _open(path: Path) -> Members:
    members = list_members(path)
    assert members is not None, "claimed before"
    return members.unwrap()


def _choose_part(members: Members, part: Part) -> tuple[Members, list[Notice]]:
    train, test = members.split_parts()
    if not train or part == "all":
        return members, []
    if part == "test" and not test:
        raise DataError(f"{str(members.path)!r} has no test/ beside {train}/", hint="Name the folder to be scored")
    chosen = train if part == "train" else test
    text = f"{chosen}/ is {'learned from' if part == 'train' else 'scored'}"
    return members.below(chosen), [Notice(topic="pictures", text=text, reason=f"there is a {train}/ and a {test}/")]


def _list_strays(names: list[str], what: str, reason: str) -> Notice:
    listed = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return Notice(topic="pictures", text=f"{len(names)} file(s) {what}: {listed}", reason=reason)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


plugin = Pictures()
