"""Which model there is in a folder, told without loading it, and which automl serves it."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from automl.errors import UsageError


def find_folder(path: Path) -> Path:
    """The folder whose manifest.json says which model there is: the path itself, or the model/ of a run.

    Raises:
        UsageError: if there is none.
    """
    for folder in (path, path / "model"):
        if (folder / "manifest.json").is_file():
            return folder
    raise UsageError(f"{path} is neither a run folder nor a model", hint="automl fit DATA --target Y --out DIR")


def version_of(folder: Path) -> str:
    """The first 12 digits of the manifest's SHA-256: the manifest holds the checksum of every other file."""
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()[:12]


def server_version() -> str:
    """Of the installed package."""
    try:
        return version("automl")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0+unknown"
