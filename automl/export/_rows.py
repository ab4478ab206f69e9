"""The rows on which an export is compared with its model: real ones, and the same with planted trouble."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.data.load import read_table
from automl.ensemble.golden import golden_frame
from automl.errors import AutoMLError, DataError, UsageError
from automl.export import VALUE_TOLERANCE, Source, rows_to_json
from automl.files import read_json
from automl.matrix import Array, FloatArray
from automl.picture_pixels import URI
from automl.picture_places import fetch
from automl.pictures import decode_all, decode_cell, encode_uri
from automl.recipe import DataOptions, load_recipe
from automl.schema import PictureFormat, Role, Schema
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd

ROWS = 500
EXTREMES = (1e30, -1e30, 3.0e38, 1e-30, 0.0, float("inf"), float("-inf"), -1.0)
UNSEEN = "never seen: \u00fc\u4f60"
MISSING_SHARE = 0.15
PLANTED_SHARE = 0.1


def choose_rows(source: Source, data: Path | None) -> tuple[list[dict[str, Any]], str]:
    """JSON rows: up to 500 real ones, then as many with planted missing cells, unseen values and extreme numbers.

    Args:
        data: a table to take them from; the run's own data unless given.

    Returns:
        the rows, and where the real ones come from.
    """
    rng = np.random.default_rng(11)
    frame, origin = _real_rows(source, data, rng)
    chosen = rows_to_json(carry_pictures(frame, source.predictor.schema))
    return [*chosen, *_plant(chosen, source.predictor.schema, rng)], origin


def read_own_rows(source: Source) -> pd.DataFrame:
    """The raw table that the run's model learned from, rows as in the file.

    Raises:
        UsageError: if it is not there any more.
    """
    named = str(source.run.record.get("data", "")) if source.run is not None else ""
    if not named or not Path(named).exists():
        raise UsageError(
            f"The rows that the model learned from are not at {named!r} any more", hint="Put the file back there"
        )
    return read_table(Path(named), options=_own_options(source), part="train").frame.rename(columns=str)


def _own_options(source: Source) -> DataOptions:
    """How the run read its own table: the encoding and the sheet may have been named."""
    assert source.run is not None, "only a run has a table of its own"
    return load_recipe(str(source.run.recipe_path)).data


def _real_rows(source: Source, data: Path | None, rng: np.random.Generator) -> tuple[pd.DataFrame, str]:
    schema = source.predictor.schema
    names = [column.name for column in schema.features]
    path = data
    if path is None and source.run is not None:
        named = Path(str(source.run.record.get("data", "")))
        path = named if str(named) != "." and named.exists() else None
    if path is not None:
        try:
            is_own = data is None and source.run is not None
            options = _own_options(source) if is_own else DataOptions.model_validate({"roles": schema.roles})
            raw = read_table(path, options=options).frame
            source.predictor.check(raw)
            raw = raw.rename(columns=str)
            return _draw(raw[[name for name in names if name in raw.columns]], schema, rng), str(path.name)
        except (AutoMLError, OSError):
            if data is not None:
                raise
    golden = golden_frame(schema, read_json(source.folder / "golden.json")["rows"])
    return _draw(golden, schema, rng), "the model's golden rows"


def _draw(frame: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> pd.DataFrame:
    """500 rows, some more than once where there are fewer, without those that have a broken picture.

    Raises:
        DataError: if none is left.
    """
    picked = np.sort(rng.choice(len(frame), ROWS, replace=len(frame) < ROWS)) if len(frame) else np.zeros(0, int)
    drawn = frame.iloc[picked]
    sound = drawn[can_be_read(drawn, schema)].copy()
    if len(drawn) and not len(sound):
        raise DataError(
            "No row has pictures that can be read", hint="Give rows that have: automl export RUN --data DATA"
        )
    return sound


def can_be_read(frame: pd.DataFrame, schema: Schema) -> Array:
    """Whether all pictures of a row can be read, (n,) bool: a fit goes on without the others, exports refuse them."""
    sound = np.ones(len(frame), dtype=bool)
    for column in schema.of(Role.IMAGE):
        if column.name in frame.columns and column.picture is not None:
            _, faults = decode_all(frame[column.name].to_numpy(dtype=object), column.picture)
            sound[list(faults)] = False
    return sound


def carry_pictures(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The frame, its pictures as data URIs: who runs an export does not know archives, and a server reads no files."""
    for column in schema.of(Role.IMAGE):
        if column.name in frame.columns:
            frame[column.name] = [carry(cell, column.picture) for cell in frame[column.name].to_numpy(dtype=object)]
    return frame


def carry(cell: Any, picture: PictureFormat | None) -> Any:
    """A cell that names a picture as a data URI; any other as it is."""
    if not isinstance(cell, str) or cell.startswith(URI) or picture is None:
        return cell
    loaded = fetch(cell)
    if isinstance(loaded, bytes):
        return f"{URI}any;base64,{base64.b64encode(loaded).decode('ascii')}"
    return encode_uri(decode_cell(cell, picture))


def _plant(rows: list[dict[str, Any]], schema: Schema, rng: np.random.Generator) -> list[dict[str, Any]]:
    planted = []
    for row in rows:
        changed = dict(row)
        for column in schema.features:
            draw = rng.random()
            if draw < MISSING_SHARE:
                changed[column.name] = None
            elif draw < MISSING_SHARE + PLANTED_SHARE:
                changed[column.name] = _trouble(column.role, rng)
        planted.append(changed)
    return planted


def _trouble(role: Role, rng: np.random.Generator) -> Any:
    if role is Role.NUMBER:
        return float(rng.choice(EXTREMES))
    if role is Role.IMAGE:  # a picture that is no picture is refused, by the model as by its export
        return None
    if role is Role.DATE:
        return str(rng.choice(["1901-02-03T04:05:06", "2199-12-31", "no date"]))
    return UNSEEN


def largest_difference(found: FloatArray, expected: FloatArray, task: Task) -> float:
    """How far apart outputs are: of probabilities the difference, of values the ratio to the tolerance's unit.

    A value's difference is divided by the value itself, or by the spread of all where that is larger.
    """
    if found.shape != expected.shape:
        return float("inf")
    apart: Array = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    if not task.is_classification:
        apart = apart / np.maximum(np.maximum(np.abs(expected), expected.std()), 1e-30)
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))


def tolerance(task: Task, probability: float) -> float:
    """What an export may differ by."""
    return probability if task.is_classification else VALUE_TOLERANCE
