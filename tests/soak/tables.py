"""Tables of every shape, drawn from a number: the same number is always the same table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

MAX_CELLS = 600_000
MIN_ROWS = 10  # below, the tool refuses, and that is what is promised
KINDS = ("number", "whole", "category", "many", "date", "text", "bool", "mixed", "constant", "empty", "huge", "copy")
SHARES = (0.34, 0.16, 0.14, 0.06, 0.06, 0.04, 0.05, 0.04, 0.03, 0.02, 0.03, 0.03)
NAMES: tuple[Callable[[int], str], ...] = (
    lambda i: f"x{i}",
    lambda i: f"Spalte {i} (in €)",
    lambda i: f"a[{i}]<b>",
    lambda i: f"列{i}",
    lambda i: str(i),
    lambda i: f"index_{i}" if i else "prediction",
)


@dataclasses.dataclass(frozen=True)
class Table:
    """One drawn table.

    Attributes:
        frame: with the target among its columns.
        task: what it was drawn for; the tool finds that out itself.
        file: the ending of the file it is given in.
        seconds: the time limit of its run.
        flags: further options.
    """

    frame: pd.DataFrame
    target: str
    task: str
    file: str
    seconds: int
    flags: tuple[str, ...]

    @property
    def shape(self) -> str:
        classes = self.frame[self.target].nunique() if self.task != "regression" else 0
        return f"{len(self.frame)} × {self.frame.shape[1] - 1}" + (f", {classes} classes" if classes else ", values")

    def write(self, folder: Path) -> Path:
        path = folder / f"table.{self.file}"
        if self.file == "parquet":
            self.frame.to_parquet(path, index=False)
        elif self.file == "jsonl":
            self.frame.to_json(path, orient="records", lines=True, date_format="iso")
        else:
            self.frame.to_csv(path, index=False, sep=";" if self.file == "txt" else ",")
        return path


def draw_table(number: int) -> Table:
    """The table of this number."""
    rng = np.random.default_rng([number, 77])
    rows = round(float(np.exp(rng.uniform(np.log(2), np.log(5000)))))
    columns = min(round(float(np.exp(rng.uniform(0, np.log(2000))))), max(1, MAX_CELLS // rows))
    name = NAMES[int(rng.integers(len(NAMES)))] if rng.random() < 0.4 else NAMES[0]
    kinds = _draw_kinds(rng, columns)
    signal = rng.normal(size=rows)
    parts = {name(place): _draw_column(rng, kind, rows, signal) for place, kind in enumerate(kinds)}
    frame = pd.DataFrame(parts)
    _punch_holes(rng, frame)
    task, values = _draw_target(rng, rows, signal)
    target = "target" if rng.random() < 0.8 else "Ziel größe"
    order = list(frame.columns)
    order.insert(int(rng.integers(len(order) + 1)), target)
    frame = pd.concat([frame, pd.Series(values, name=target)], axis=1)[order]
    if rng.random() < 0.15:
        frame = frame.iloc[rng.integers(0, rows, rows)].reset_index(drop=True)  # rows repeat
    file = str(rng.choice(["csv", "txt", "parquet", "jsonl"], p=[0.6, 0.1, 0.2, 0.1]))
    seconds = int(rng.integers(3, 11))
    flags = _draw_flags(rng, frame, target, kinds, name)
    return Table(frame, target, task, file, seconds, flags)


def _draw_kinds(rng: np.random.Generator, columns: int) -> list[str]:
    if rng.random() < 0.4:  # all of one kind
        return [str(rng.choice(KINDS[:8]))] * columns
    return [str(kind) for kind in rng.choice(KINDS, columns, p=np.array(SHARES) / sum(SHARES))]


def _draw_column(rng: np.random.Generator, kind: str, rows: int, signal: np.ndarray) -> object:
    near = signal + rng.normal(size=rows) * rng.uniform(0.2, 5)
    if kind == "whole":
        return np.round(near * 10).astype(int)
    if kind in ("category", "many"):
        levels = int(rng.integers(2, 8)) if kind == "category" else max(2, rows // 3)
        codes = np.digitize(near, np.quantile(near, np.linspace(0, 1, levels + 1)[1:-1]))
        return np.array([f"level {code}" for code in codes], dtype=object)
    if kind == "date":
        return pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(near * 300), unit="D"))
    if kind == "text":
        words = np.array(["good", "bad", "late", "kind", "broken", "fast", "again", "never", "blue", "Straße"])
        picked = rng.integers(0, 10, (rows, 8))
        picked[:, 0] = np.where(near > 0, 0, 1)
        return np.array([" ".join(words[row]) + f" {i}" for i, row in enumerate(picked)], dtype=object)
    if kind == "bool":
        return near > 0
    if kind == "mixed":
        return np.array([round(v, 2) if i % 7 else "n/a?" for i, v in enumerate(near)], dtype=object).astype(str)
    if kind == "constant":
        return np.full(rows, 7.5)
    if kind == "empty":
        return np.full(rows, np.nan)
    if kind == "huge":
        return near * 10.0 ** float(rng.choice([-30, -9, 9, 30, 200]))
    if kind == "copy":
        return np.round(signal, 1)
    return near


def _punch_holes(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    """No cell missing, some anywhere, whole columns nearly empty, or the last rows of a few."""
    pattern = rng.choice(["none", "some", "most", "tail"], p=[0.4, 0.35, 0.15, 0.1])
    if pattern == "none":
        return
    for name in list(frame.columns):
        if pattern == "tail" and rng.random() < 0.5:
            continue
        share = {"some": rng.uniform(0, 0.4), "most": rng.uniform(0.5, 1.0), "tail": 0.3}[str(pattern)]
        gone = rng.random(len(frame)) < share
        if pattern == "tail":
            gone = np.arange(len(frame)) > len(frame) * 0.7
        frame[name] = frame[name].astype(object).where(~gone, None)


def _draw_target(rng: np.random.Generator, rows: int, signal: np.ndarray) -> tuple[str, object]:
    task = str(rng.choice(["binary", "multiclass", "regression"], p=[0.4, 0.3, 0.3]))
    noisy = signal + rng.normal(size=rows) * rng.uniform(0, 2)
    if task == "regression":
        scale = 10.0 ** float(rng.choice([-6, 0, 0, 3, 8]))
        skew = rng.random() < 0.2
        return task, (np.exp(np.clip(noisy * 2, -20, 20)) if skew else noisy) * scale
    if task == "binary":
        share = float(rng.choice([0.5, 0.2, 0.02]))
        codes = (noisy > np.quantile(noisy, 1 - share)).astype(int)
        forms = (np.array([0, 1]), np.array(["no", "yes"]), np.array([False, True]), np.array([-1.0, 1.0]))
        return task, forms[int(rng.integers(4))][codes]
    classes = round(float(np.exp(rng.uniform(np.log(3), np.log(200)))))
    shares = rng.dirichlet(np.full(classes, float(rng.choice([0.3, 5.0]))))
    edges = np.quantile(noisy, np.clip(np.cumsum(shares)[:-1], 0, 1))
    codes = np.digitize(noisy, edges)
    return task, np.array([f"class {code}" for code in codes], dtype=object) if rng.random() < 0.8 else codes


def _draw_flags(
    rng: np.random.Generator, frame: pd.DataFrame, target: str, kinds: list[str], name: Callable[[int], str]
) -> tuple[str, ...]:
    flags: list[str] = []
    if "category" in kinds and rng.random() < 0.1:
        flags += ["--group", name(kinds.index("category"))]
    if "date" in kinds and frame[name(kinds.index("date"))].notna().all() and rng.random() < 0.2:
        flags += ["--time-column", name(kinds.index("date"))]
    if rng.random() < 0.2:
        flags += ["--jobs", "1"]
    return tuple(flags)
