"""Model families that do what no family should; `offer` puts them where entry points are found.

A user can do the same: a folder in PYTHONPATH with a module like this one and a `.dist-info` that names its families.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.matrix import Needs
from automl.space import Float, SearchSpace

MODULE = "unruly_families"


class Estimator:
    def __init__(self, deed: Callable[[], Any]) -> None:
        self.deed = deed

    def fit(self, matrix: Any, target: Any, weight: Any) -> None:
        self.deed()

    def predict(self, matrix: Any) -> Any:
        return np.full((len(matrix), 2), np.nan, dtype=np.float32)

    def save(self, folder: Path) -> None:
        (folder / "nothing.txt").write_text("nothing")


class Family:
    needs = Needs(scaled=True)
    cost = 0.2
    pool = "core"

    def __init__(self, name: str, deed: Callable[[], Any]) -> None:
        self.title = name
        self.deed = deed

    def unsupported(self, task: Any, shape: Any) -> str:
        return ""

    def space(self, task: Any, shape: Any) -> SearchSpace:
        return SearchSpace({"x": Float(0.0, 1.0, 0.5)})

    def build(self, params: Any, context: Any) -> Estimator:
        return Estimator(self.deed)

    def load(self, folder: Path) -> Estimator:
        return Estimator(self.deed)


def hang() -> None:
    while True:
        time.sleep(1)


def spin() -> None:
    while True:
        pass


def stay() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    os._exit(3)


def leave_quietly() -> None:
    os._exit(0)


def eat() -> None:
    kept = []
    while True:
        kept.append(np.ones(4_000_000))  # 32 MB
        time.sleep(0.01)


def refuse() -> None:
    raise ValueError("the matrix is not to my taste")


def rant() -> None:
    raise ValueError("no " * 20_000_000)


class UnpicklableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("cannot be sent")
        self.lambda_ = lambda: (one, two)


def refuse_oddly() -> None:
    raise UnpicklableError(1, 2)


def flood() -> None:
    line = b"all work and no play\n" * 50_000  # a megabyte
    for _ in range(64):
        os.write(2, line)


def breed() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    hang()


def quit_all() -> None:
    sys.exit("I am done")


def litter() -> None:
    import tempfile

    Path(tempfile.mkstemp(prefix="__autograph_generated_file")[1]).write_text("left behind")
    os._exit(4)


DEEDS: dict[str, Callable[[], Any]] = {
    "hanging": hang, "spinning": spin, "staying": stay, "crashing": crash, "leaving": leave, "quiet": leave_quietly,
    "eating": eat, "refusing": refuse, "ranting": rant, "odd": refuse_oddly, "flooding": flood, "breeding": breed,
    "quitting": quit_all, "littering": litter, "inventing": lambda: None,
}  # fmt: skip
FAMILIES = {name: Family(name, deed) for name, deed in DEEDS.items()}
globals().update(FAMILIES)


def offer(folder: Path) -> dict[str, str]:
    """Lay the families out as an installed package would; returns the environment that finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(__file__, folder / f"{MODULE}.py")
    facts = folder / "unruly-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: unruly\nVersion: 1.0\n", encoding="utf-8")
    lines = "".join(f"{name} = {MODULE}:{name}\n" for name in DEEDS)
    (facts / "entry_points.txt").write_text(f"[automl.candidates]\n{lines}", encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
