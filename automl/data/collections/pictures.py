"""Pictures: a folder, or a zip of it, with one folder a class; train/ and test/ may lie above the classes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from automl.data.collections import Part
from automl.data.collections._classes import are_most, find_test_part, sort_files
from automl.data.collections._members import list_members
from automl.data.table import RawTable
from automl.pictures import SUFFIXES
from automl.recipe import DataOptions

PATH, LABEL = "path", "label"


class Pictures:
    """Most of the files have a picture's extension; what they truly are is found out when they are decoded."""

    def claims(self, path: Path) -> bool:
        members = list_members(path)
        return members is not None and are_most(members, _is_picture)

    def find_test(self, path: Path) -> Path | None:
        return find_test_part(path, _is_picture)

    def read(self, path: Path, options: DataOptions, part: Part) -> RawTable:
        import pandas as pd

        found = sort_files(path, part, _is_picture, "pictures")
        columns: dict[str, list[str | None]] = {PATH: [found.members.cell(name) for name in found.names]}
        if found.has_labels:
            columns[LABEL] = list(found.labels)
        return RawTable(
            frame=pd.DataFrame(columns, dtype="str"),
            notices=found.notices,
            target=LABEL,
            has_classes=True,
            names=found.names,
            pictures=(PATH,),
        )


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


plugin = Pictures()
