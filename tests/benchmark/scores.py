"""What the comparisons with plain models share: their options, and scores of decided labels with their interval."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np


def make_parser(description: str | None, seconds: float) -> argparse.ArgumentParser:
    """The options that all who put the tool beside a plain model have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default="", help="all of them unless given")
    parser.add_argument("--seconds", type=float, default=seconds)
    return parser


def score_labels(truth: Sequence[Any], predicted: Sequence[Any]) -> dict[str, float]:
    """Accuracy with its Wilson interval (95%), and F1 averaged over the classes of `truth`."""
    wanted, found = np.asarray(truth).astype(str), np.asarray(predicted).astype(str)
    if len(wanted) != len(found):
        raise ValueError(f"{len(found)} predictions for {len(wanted)} rows")
    right = int((wanted == found).sum())
    low, high = wilson(right, len(wanted))
    shares = []
    for label in np.unique(wanted):
        both = int(((wanted == label) & (found == label)).sum())
        shares.append(2 * both / (int((wanted == label).sum()) + int((found == label).sum())))
    return {"accuracy": right / len(wanted), "low": low, "high": high, "macro_f1": float(np.mean(shares))}


def wilson(right: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return float(middle - half), float(middle + half)
