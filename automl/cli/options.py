"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from automl.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WEIGHTS = {"kb": 1e-3, "k": 1e-3, "mb": 1.0, "m": 1.0, "": 1.0, "gb": 1e3, "g": 1e3}
_SIZES = {"": 1.0, "m": 1.0, "mb": 1.0, "mib": 1.0, "g": 1024.0, "gb": 1024.0, "gib": 1024.0}

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A run folder, or its model/ folder.", show_default=False)
]
DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, Parquet, Feather, JSON lines, ARFF or Excel; a folder or zip of pictures or texts; - is stdin.",
        show_default=False,
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target", "-t", metavar="COL", help="The column to learn; class folders need none.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", metavar="CODEC", help="Encoding of the file, if the guess is wrong.")
]
EmbeddingsOption = Annotated[
    str | None,
    typer.Option(
        "--embeddings", metavar="FILE", help="Word vectors (GloVe, word2vec as text) that networks start from."
    ),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="PATH",
        help="Folder of a BERT (Hugging Face, KerasHub) for texts, or file of keras.applications weights for pictures.",
    ),
]
TaskOption = Annotated[
    str | None, typer.Option("--task", help="binary, multiclass or regression; guessed if not given.")
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="COL=ROLE", help="number, category, date, text, image or ignore; may be repeated."),
]
DropOption = Annotated[
    list[str] | None, typer.Option("--drop", metavar="COL", help="Leave a column out; may be repeated.")
]
GroupOption = Annotated[
    str | None, typer.Option("--group", metavar="COL", help="Rows of one group are never split over folds.")
]
TimeColumnOption = Annotated[
    str | None, typer.Option("--time-column", metavar="COL", help="Score later rows by models of earlier ones.")
]
PositiveOption = Annotated[
    str | None, typer.Option("--positive", metavar="LABEL", help="The class of interest of two; the last unless given.")
]
WeightOption = Annotated[str | None, typer.Option("--weight", metavar="COL", help="Column of row weights.")]
AlikeOption = Annotated[
    str | None, typer.Option("--group", metavar="COL", help="Rows of one group are alike: intervals count them as one.")
]
SensitiveOption = Annotated[
    list[str] | None,
    typer.Option("--sensitive", metavar="COL", help="Compare how its groups fare; may be repeated."),
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="FILE|NAME", help="A recipe (automl recipes lists those at hand).")
]
ENGINE_HELP = "Where trials run: local, dask (a cluster here) or dask://host:8786."
EngineOption = Annotated[str, typer.Option("--engine", metavar="NAME", help=ENGINE_HELP)]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", help="Same seed, same result.")]


def parse_duration(text: str, *, option: str = "--time") -> float:
    """Seconds of "90", "60s", "5m" or "1h30m".

    Raises:
        UsageError: if it is none of these.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|min|[smhd])?", text.strip().lower())
    joined = "".join(number + unit for number, unit in parts)
    if (
        not parts
        or joined != re.sub(r"\s+", "", text.strip().lower())
        or (len(parts) > 1 and not all(u for _, u in parts))
        or not math.isfinite(seconds := sum(float(number) * _UNITS[unit or "s"] for number, unit in parts))
    ):
        raise UsageError(f"{option} {text!r} is not a duration", hint=f"Write it as 90s, 5m or 1h30m: {option} 5m")
    return seconds


def parse_size_mb(text: str, *, option: str = "--memory") -> int:
    """Mebibytes of "4G", "800M" or "800".

    Raises:
        UsageError: if it is none of these.
    """
    return int(_parse_size(text, option, _SIZES, ("4G", "800M")))


def parse_megabytes(text: str, *, option: str = "--max-size") -> float:
    """Megabytes (10⁶ bytes) of "500KB", "2MB" or "2": what a file weighs, not what memory holds.

    Raises:
        UsageError: if it is none of these.
    """
    return _parse_size(text, option, _WEIGHTS, ("2MB", "500KB"))


def _parse_size(text: str, option: str, units: dict[str, float], examples: tuple[str, str]) -> float:
    """A number with one of the units, in the unit that has the factor 1."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    size = float(match.group(1)) * units.get(match.group(2), math.nan) if match else math.nan
    if not math.isfinite(size):
        usual, other = examples
        raise UsageError(f"{option} {text!r} is not a size", hint=f"Write it as {usual} or {other}: {option} {usual}")
    return size


def parse_roles(pairs: list[str] | None) -> dict[str, str]:
    """Column → role of COL=ROLE pairs.

    Raises:
        UsageError: if one has no "=".
    """
    roles = {}
    for pair in pairs or ():
        name, mark, role = pair.rpartition("=")
        if not mark or not name:
            raise UsageError(f"--role {pair!r} is not COL=ROLE", hint="Write it as --role zip=category")
        roles[name] = role.strip()
    return roles
