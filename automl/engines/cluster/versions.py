"""What must be the same on the parent and on every worker, for models and seeds to mean the same there."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Distributions of which the first that is installed counts.
PACKAGES = {
    "automl": ("automl",),
    "numpy": ("numpy",),
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost-cpu", "xgboost"),
    "distributed": ("distributed",),
}


@functools.cache
def read_versions() -> dict[str, str]:
    """Name → version; "missing" for what is not installed; `source` is a digest of this package's own code."""
    found = {"python": platform.python_version()}
    for name, distributions in PACKAGES.items():
        found[name] = next((v for v in map(_version, distributions) if v), "missing")
    return {**found, "source": _digest_source()}


def compare_versions(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """What differs, in words; a patch release of Python makes no difference."""
    differing = []
    for name, own in ours.items():
        other = theirs.get(name, "missing")
        if name == "python":
            own, other = own.rsplit(".", 1)[0], other.rsplit(".", 1)[0]
        if own != other:
            differing.append(
                "another build of automl" if name == "source" else f"{name} {other} instead of {own}",
            )
    if len(differing) > 1 and any(text.startswith("automl ") for text in differing):
        differing.remove("another build of automl")
    return differing


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _digest_source() -> str:
    folder = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
