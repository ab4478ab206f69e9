"""automl recipes: the searches that come with the tool."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import options as opt


def recipes_command(
    name: Annotated[str | None, typer.Argument(help="Print this one whole.", show_default=False)] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """The searches that come with the tool; with a name, that recipe as a file to start from."""
    from automl.cli.output import print_json
    from automl.errors import UsageError, did_you_mean
    from automl.recipe import load_recipe, recipe_paths

    paths = recipe_paths()
    if name is not None and name not in paths:
        raise UsageError(f"There is no recipe {name!r}", hint=did_you_mean(name, paths))
    if as_json:
        names = [name] if name else list(paths)
        print_json({"recipes": {each: load_recipe(each).model_dump(mode="json") for each in names}})
    elif name is not None:
        print(paths[name].read_text(encoding="utf-8"), end="")
    else:
        for each, path in paths.items():
            first = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").strip()
            print(f"{each:<12} {first}")
        print("next: automl recipes NAME > mine.yaml, then automl fit DATA --target Y --recipe mine.yaml")
