"""Automatic machine learning on tables: `fit` searches, `load` reads a trained model back.

Names are looked up on first use, so that `import automl` costs nothing that the command line would have to wait for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.ensemble.artifact import load_predictor as load
    from automl.flow import fit
    from automl.predictor import Predictor
    from automl.recipe import Recipe
    from automl.run import Run

    __version__: str

__all__ = ["Predictor", "Recipe", "Run", "__version__", "fit", "load"]

_HOMES = {
    "Predictor": ("automl.predictor", "Predictor"),
    "Recipe": ("automl.recipe", "Recipe"),
    "Run": ("automl.run", "Run"),
    "fit": ("automl.flow", "fit"),
    "load": ("automl.ensemble.artifact", "load_predictor"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        module, attribute = _HOMES[name]
        value = getattr(importlib.import_module(module), attribute)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("automl")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0+unknown"
