"""skops.io without what it would bring along.

It lists all estimators of scikit-learn by walking through its packages, and some of those import torch, dask, cupy or
pytest where they are installed: up to seconds of every command's and worker's start, and hundreds of megabytes, for
nothing that is used here.
"""

from __future__ import annotations

import sys
from typing import Any

_UNWANTED = [
    "pytest",
    *(f"sklearn.externals.array_api_compat.{name}" for name in ("torch", "dask", "dask.array", "cupy")),
]


def _hide(modules: dict[str, Any]) -> list[str]:
    """Make imports of the unwanted packages fail, as where their libraries are not installed."""
    hidden = [name for name in _UNWANTED if name not in modules]
    modules.update(dict.fromkeys(hidden))
    return hidden


_hidden = _hide(sys.modules)
try:
    from skops.io import dump, get_untrusted_types, load
finally:
    for _name in _hidden:
        del sys.modules[_name]

__all__ = ["dump", "get_untrusted_types", "load"]
