"""Which sheet of a workbook a model is asked about: the one that its run was told to read."""

from __future__ import annotations

from pathlib import Path

from automl.data.readers.excel import SUFFIXES, list_sheets
from automl.data.source import open_source
from automl.recipe import load_recipe
from automl.run import Run, find_version


def find_sheet(model: Path, data: Path) -> str | None:
    """The sheet that the model's run was told to read, if `data` is a workbook with one of that name.

    A model folder without its run does not know.
    """
    if data.suffix.lower() not in SUFFIXES:
        return None
    recipe = Run(find_version(model)).recipe_path
    if not recipe.is_file():
        return None
    sheet = load_recipe(str(recipe)).data.sheet
    return sheet if sheet is not None and sheet in list_sheets(open_source(data)) else None
