"""Which top folders of a collection are no classes but its parts: to learn from, kept for a test, or neither."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable

_TRAIN = re.compile(r"train(ing)?(set|data|images?)?")
_VAL = re.compile(r"val(id(ation)?)?(set|data|images?)?")
_TEST = re.compile(rf"test(ing)?(set|data|images?)?|{_VAL.pattern}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
ALIKE = 0.8  # the share of the folders in one part that is in the other as well


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """Folders, "seg_train/seg_train" where one holds nothing but one of its name.

    Attributes:
        train: the one to learn from; "" if there are no parts.
        tests: those for a test, best first.
        unclear: top folders of which some are called as parts are, though none can be told to be the one to learn
            from; those that are called as tests come last.
    """

    train: str = ""
    tests: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    @property
    def test(self) -> str:
        return next(iter(self.tests), "")

    def inside(self, name: str) -> str:
        """A file's name below its part, or alone if it is in none; the name as it is where there are no parts."""
        if not self.train and not self.unclear:
            return name
        part = next((part for part in (self.train, *self.tests) if part and name.startswith(part + "/")), None)
        return name.rpartition("/")[2] if part is None else name[len(part) + 1 :]


def find_parts(names: Iterable[str]) -> Parts:
    """The parts that files of the kind in question lie in; told by the names of folders and by what these hold."""
    folders = list_folders(names)
    trains = [folder for folder in folders if _is_called(folder, _TRAIN)]
    tests = [folder for folder in folders if folder not in trains and _is_called(folder, _TEST)]
    train = _pick(trains, folders)
    if train and _are_clear(train, tests, folders):
        best = sorted(tests, key=lambda test: (not folders[test], _is_called(test, _VAL), len(test), test))
        return Parts(train, tuple(best))
    if (trains and tests) or any(_have_twin(named, folders) for named in (*trains, *tests)):
        listed = sorted(folders, key=lambda folder: (folder in tests, folder))
        return Parts(unclear=tuple(folder.partition("/")[0] for folder in listed))
    return Parts()


def list_folders(names: Iterable[str]) -> dict[str, set[str]]:
    """What folders are in each top one; `seg_test/seg_test` stands for a `seg_test` that holds no more than that."""
    firsts: dict[str, set[str]] = defaultdict(set)
    seconds: dict[str, set[str]] = defaultdict(set)
    for name in names:
        top, first, second = (*name.split("/")[:-1], "", "", "")[:3]
        firsts[top].add(first)
        seconds[top].add(second)
    firsts.pop("", None)
    found = {f"{top}/{top}" if held == {top} else top: held for top, held in firsts.items()}
    return {folder: (seconds[folder.partition("/")[0]] if "/" in folder else found[folder]) - {""} for folder in found}


def are_alike(one: set[str], other: set[str]) -> bool:
    """Whether two folders hold two or more folders of the same names, and few of others."""
    return len(one & other) >= max(2.0, ALIKE * min(len(one), len(other)))


def _is_called(folder: str, word: re.Pattern[str]) -> bool:
    return any(word.fullmatch(found.lower()) for found in _WORD.findall(folder.partition("/")[0]))


def _pick(trains: list[str], folders: dict[str, set[str]]) -> str:
    """The only one that holds folders, or that is called by the word alone; "" if that leaves none or several."""
    left = [train for train in trains if folders[train]] or trains
    left = [train for train in left if _TRAIN.fullmatch(train.lower())] or left
    return left[0] if len(left) == 1 else ""


def _are_clear(train: str, tests: list[str], folders: dict[str, set[str]]) -> bool:
    """Whether a folder called as a part is one, and no class of that name: trains are vehicles as well."""
    if all(_is_called(folder, _TRAIN) or folder in tests for folder in folders):
        return True
    return len(folders[train]) > 1 and (bool(tests) or _have_twin(train, folders))


def _have_twin(folder: str, folders: dict[str, set[str]]) -> bool:
    return any(other != folder and are_alike(folders[folder], folders[other]) for other in folders)
