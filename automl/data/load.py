"""A file or a frame becomes a table, and a table becomes a data set ready to learn from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl import cells
from automl.data import Dataset
from automl.data.collections import Part, find_collection
from automl.data.evidence import collect
from automl.data.formats import (
    MISSING,
    NO_VALUE,
    guess_dates,
    guess_number_dates,
    guess_numbers,
)
from automl.data.infer import digest, infer_schema
from automl.data.pictures import decode_columns, resolve_paths
from automl.data.readers import choose_reader
from automl.data.sample import read_sample
from automl.data.sensitive import read_groups
from automl.data.source import open_source
from automl.data.survey import find_day_order, shows_points
from automl.data.table import RawTable
from automl.data.target import infer_task
from automl.errors import DataError, UsageError, did_you_mean
from automl.matrix import Array, IntArray
from automl.pictures import take_pictures
from automl.recipe import DataOptions, Recipe
from automl.schema import CellFormat, Column, Notice, Role, Schema
from automl.task import Task

MIN_ROWS = 10
MAX_MISSING_TARGETS = 0.5

__all__ = ["RawTable", "load_dataset", "read_table"]


def read_table(
    source: Path | str | pd.DataFrame,
    *,
    options: DataOptions | None = None,
    part: Part = "all",
    folder: Path | None = None,
) -> RawTable:
    """Read a table without making anything of its columns.

    Args:
        source: a file of any format in `automl.data.readers`, packed or not; a folder or file of any kind in
            `automl.data.collections`; "-" for the standard input; or a frame.
        options: `encoding`, `sheet` and `roles` are used here.
        part: of a collection that has a part for training and one for a test.
        folder: from which paths of pictures in its cells begin; that of the file without it, the current one of the
            standard input.

    Raises:
        DataError: if it cannot be read as a table; the sentence says what it is instead, or which line is wrong.
    """
    if isinstance(source, pd.DataFrame):
        return resolve_paths(RawTable(frame=_check_names(source)), Path(), dict((options or DataOptions()).roles))
    path, options = Path(source), options or DataOptions()
    collection = find_collection(path)
    if collection is not None:
        return collection.read(path, options, part)
    opened = open_source(path)
    table: RawTable = choose_reader(opened).read(opened, options)
    table = dataclasses.replace(table, notices=(*opened.notices, *table.notices))
    beside = Path() if str(path) == "-" else path.resolve().parent
    return resolve_paths(table, folder or beside, dict(options.roles))


def find_test(source: Path | str | pd.DataFrame) -> Path | None:
    """The part of a collection that is kept for a test; None if there is none."""
    collection = None if isinstance(source, pd.DataFrame) else find_collection(Path(source))
    return collection.find_test(Path(source)) if collection is not None else None  # type: ignore[arg-type]


def load_dataset(
    source: Path | str | pd.DataFrame, *, target: str | None, recipe: Recipe, deadline: float = float("inf")
) -> Dataset:
    """Read a table, find out the task, and give each column a role.

    Args:
        source: as in `read_table`.
        target: name of the column to be predicted; None where the format has one, as folders of classes do.
        recipe: `data` and `task` are used here.
        deadline: as in `infer_schema` and `decode_columns`.

    Raises:
        DataError: if the table cannot be read or learned from: no such column, no rows, fewer than 10 of them, one
            class, nothing to learn from, bad weights; see `automl.data.target.infer_task`.
    """
    large = None if isinstance(source, pd.DataFrame) else read_sample(Path(source), recipe)
    table = large or read_table(source, options=recipe.data, part="train")
    frame, options = table.frame, _with_texts(recipe.data, table)
    target = target or _own_target(table)
    name = "table" if isinstance(source, pd.DataFrame) else _stem(Path(source))
    _check_table(frame, target, name)
    _check_options(frame, target, options)
    album = decode_columns(table, aside={target, *_columns_aside(options), *options.drop}, deadline=deadline)
    frame = album.frame
    separator = "" if shows_points(frame, table.separator) else table.separator
    comma = separator == ";"
    infer = partial(
        infer_task,
        frame[_label(frame, target)].rename(target),
        _with_classes(recipe, table, target),
        named=table.has_classes and target == table.target,
    )
    task, values, notices = infer(comma=comma)
    present = ~np.isnan(values) if values.dtype == np.float64 else values >= 0
    notices += _check_missing(present, target)
    rows: IntArray = np.flatnonzero(present).astype(np.int64)
    kept = (frame if present.all() else frame.iloc[rows]).reset_index(drop=True)
    aside, file_rows = _columns_aside(options), None if table.drawn is None else table.drawn.total
    features = kept[[label for label in kept.columns if str(label) != target and str(label) not in aside]]
    schema, typed, remarks = infer_schema(
        features, album.force_roles(options), separator=separator, total_rows=file_rows, deadline=deadline
    )
    if typed.shape[1] == 0:
        raise _nothing_left(schema, target)
    if not comma and any(column.format.decimal == "," for column in schema.columns):  # as the features showed
        task, values, notices = infer(comma=True)
        notices += _check_missing(present, target)
    return Dataset(
        schema=_restore_aside(album.complete(schema), [str(label) for label in kept.columns], aside),
        task=task,
        frame=typed,
        target=values[rows],
        weight=read_weight(kept, options.weight),
        groups=read_row_groups(kept, options.group),
        times=read_times(kept, options.time, day_first=find_day_order(schema)),
        sensitive=tuple(read_groups(kept[_label(kept, each)], each) for each in options.sensitive),
        row_ids=album.rows[rows] if table.drawn is None else table.drawn.rows[rows],
        file_rows=file_rows,
        fingerprint=_fingerprint(typed, task, values[rows]),
        name=name,
        notices=(*table.notices, *album.notices, *notices, *remarks),
        pixels={each: take_pictures(pixels, rows) for each, pixels in album.pixels.items()}
        if len(rows) < len(present)
        else album.pixels,
    )


def _with_texts(options: DataOptions, table: RawTable) -> DataOptions:
    """Options by which what the format says to be texts is read as such, unless the user says otherwise."""
    if not table.texts:
        return options
    return options.model_copy(update={"roles": {**dict.fromkeys(table.texts, "text"), **options.roles}})


def _with_classes(recipe: Recipe, table: RawTable, target: str) -> Recipe:
    """Folders are classes, even if they are named 1990 to 2020; a user may say otherwise."""
    if recipe.task == "auto" and table.has_classes and target == table.target:
        return recipe.model_copy(update={"task": "multiclass"})
    return recipe


def _own_target(table: RawTable) -> str:
    if table.target and table.target in table.frame.columns:
        return table.target
    if table.target:
        raise DataError(
            "The files lie in no class folders, so there is nothing to learn",
            hint="Put them into one folder a class, or list them in a CSV file beside a column to learn",
        )
    names = ", ".join(repr(str(name)) for name in table.frame.columns[:12])
    raise UsageError(f"Which column is to be learned? There are {names}", hint="Add --target COLUMN")


def _stem(path: Path) -> str:
    return "stdin" if str(path) == "-" else path.name.split(".")[0] or path.name


def _check_names(frame: pd.DataFrame) -> pd.DataFrame:
    names = [str(name) for name in frame.columns]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        listed = ", ".join(repr(name) for name in twice[:5])
        raise DataError(f"The table has columns of the same name: {listed}", hint="Rename them")
    return frame


def _check_table(frame: pd.DataFrame, target: str, name: str) -> None:
    names = [str(label) for label in frame.columns]
    if not names:
        raise DataError(f"{name} has no columns", hint="Check that the export was completed")
    if target not in names:
        raise DataError(
            f"{name} has no column {target!r}", hint=did_you_mean(target, names) + _hidden_difference(target, names)
        )
    if len(names) == 1:
        raise DataError(f"{name} has no column but the target {target!r}", hint="Add columns to learn from")
    if len(frame) == 0:
        raise DataError(f"{name} has a header and no rows", hint="Check that the export was completed")
    if len(frame) < MIN_ROWS:
        raise DataError(f"{name} has {len(frame)} rows; at least {MIN_ROWS} are needed", hint="Add rows")


def _hidden_difference(target: str, names: list[str]) -> str:
    """Zero-width characters make names that look alike; show them escaped."""
    hidden = next((name for name in names if name != target and not name.isascii() and _visible(name) == target), None)
    return f" It is written {hidden!a} in the file" if hidden is not None else ""


def _visible(name: str) -> str:
    return "".join(character for character in name if character.isprintable()).strip()


def _check_options(frame: pd.DataFrame, target: str, options: DataOptions) -> None:
    names = [str(label) for label in frame.columns]
    asked = [("--drop", name) for name in options.drop]
    asked += [("--role", name) for name in options.roles]
    asked += [("data.keep", name) for name in options.keep]
    asked += [("--sensitive", name) for name in options.sensitive]
    for flag, value in (("--group", options.group), ("--time-column", options.time), ("--weight", options.weight)):
        asked += [(flag, value)] if value is not None else []
    unknown = [(flag, name) for flag, name in asked if name not in names]
    if unknown:
        listed = ", ".join(f"{name!r} ({flag})" for flag, name in unknown)
        raise DataError(f"The table has no column {listed}", hint=did_you_mean(unknown[0][1], names))
    if both := sorted(set(options.drop) & set(options.roles)):
        raise DataError(f"{both[0]!r} has a role, and is dropped as well", hint="Leave --drop or --role out for it")
    own = [flag for flag, name in asked if name == target]
    if own:
        raise DataError(
            f"{target!r} is the target, and cannot be used by {own[0]}", hint=f"Leave {own[0]} {target} out"
        )


def _check_missing(present: Array, target: str) -> list[Notice]:
    missing = int((~present).sum())
    if missing == 0:
        return []
    share = missing / len(present)
    if share > MAX_MISSING_TARGETS:
        raise DataError(
            f"The target {target!r} is missing in {missing} of {len(present)} rows ({share:.0%})",
            hint="Give a file of the rows that have it, if that is meant",
        )
    if len(present) - missing < MIN_ROWS:
        raise DataError(
            f"{len(present) - missing} rows have a target; at least {MIN_ROWS} are needed",
            hint="Add rows with a target",
        )
    text = f"left out {missing} row(s) without a target ({share:.1%})"
    return [Notice(topic="target", text=text, reason="a target is never filled in")]


def _label(frame: pd.DataFrame, name: str) -> Any:
    """The column label whose text is `name`; frames may have numbers as labels."""
    return next(label for label in frame.columns if str(label) == name)


def read_weight(frame: pd.DataFrame, name: str | None) -> Array | None:
    """Row weights (n,) float64 with mean 1."""
    if name is None:
        return None
    weight = read_numbers(frame[_label(frame, name)].rename(name))
    bad = np.flatnonzero(~(weight >= 0))
    if len(bad):
        listed = ", ".join(str(row + 1) for row in bad[:5]) + (" …" if len(bad) > 5 else "")
        raise DataError(
            f"The weight {name!r} is negative or missing in {len(bad)} row(s): {listed}",
            hint="Weights are numbers from 0 on",
        )
    if not weight.sum() > 0:
        raise DataError(f"The weight {name!r} is 0 in every row", hint="Leave --weight out")
    scaled: Array = weight / weight.mean()
    return scaled


def read_numbers(series: pd.Series) -> Array:
    """Numbers (n,) float64 of a column that models do not see, however it writes them; NaN where there is none."""
    evidence = collect(str(series.name), series)
    if evidence.values is not None or not evidence.texts:
        return cells.parse_numbers(series)
    guess = guess_numbers(*evidence.without(NO_VALUE))
    return cells.parse_numbers(series, guess.format if guess else CellFormat())


def read_row_groups(frame: pd.DataFrame, name: str | None) -> IntArray | None:
    """Group numbers (n,) int64; each row without a group is one of its own."""
    if name is None:
        return None
    codes, names = pd.factorize(cells.to_text(frame[_label(frame, name)], MISSING))
    if len(names) < 2:
        raise DataError(
            f"The group column {name!r} has {len(names)} group(s)", hint="Leave --group out, or name another"
        )
    lone = codes < 0
    codes = codes.astype(np.int64)
    codes[lone] = len(names) + np.arange(int(lone.sum()))
    return np.asarray(codes, dtype=np.int64)


def read_times(frame: pd.DataFrame, name: str | None, *, day_first: bool | None = None) -> Array | None:
    """Seconds since 1970 (n,) float64; a plain number orders the rows as it is.

    Args:
        day_first: the order of day and month that other columns of the table show; None if none does.
    """
    if name is None:
        return None
    evidence = collect(name, frame[_label(frame, name)])
    if evidence.kind == "date":
        moments = cells.parse_dates(evidence.series, CellFormat(date_format="iso"))
    elif evidence.values is not None:
        guess = guess_number_dates(name, evidence.values[~np.isnan(evidence.values)])
        if guess is None:
            return _complete_times(evidence.values, name)
        moments = cells.parse_dates(evidence.series, guess.format)
    else:
        texts, counts = evidence.without(MISSING)
        dated = guess_dates(texts, counts, day_first=day_first) if texts else None
        if dated is None:
            example = texts[0][:40] if texts else ""
            raise DataError(
                f"The time column {name!r} holds no dates, but {example!r}", hint="Write dates as 2024-01-31"
            )
        moments = cells.parse_dates(evidence.series, dated.format)
    seconds = moments.astype(np.int64) / 1e6
    seconds[np.isnat(moments)] = np.nan
    return _complete_times(seconds, name)


def _complete_times(seconds: Array, name: str) -> Array:
    gone = np.flatnonzero(np.isnan(seconds))
    if len(gone):
        listed = ", ".join(str(row + 1) for row in gone[:5]) + (" …" if len(gone) > 5 else "")
        raise DataError(
            f"The time column {name!r} is missing in {len(gone)} row(s): {listed}", hint="Fill them or delete them"
        )
    return seconds


def _columns_aside(options: DataOptions) -> dict[str, str]:
    """Columns with a part of their own, which models do not see, and why."""
    parts = ((options.group, "groups the rows"), (options.time, "orders the rows"), (options.weight, "weighs the rows"))
    return {name: reason for name, reason in parts if name is not None}


def _restore_aside(schema: Schema, order: list[str], aside: dict[str, str]) -> Schema:
    columns = {column.name: column for column in schema.columns}
    for name, reason in aside.items():
        columns[name] = Column(name=name, role=Role.IGNORE, reason=reason, required=False)
    return Schema(tuple(columns[name] for name in order if name in columns))


def _nothing_left(schema: Schema, target: str) -> DataError:
    reasons = "; ".join(f"{column.name}: {column.reason}" for column in schema.columns[:4])
    return DataError(
        f"No column is left to learn {target!r} from ({reasons}{' …' if len(schema.columns) > 4 else ''})",
        hint="--role COLUMN=category uses a column that looks like an identifier",
    )


def _fingerprint(typed: pd.DataFrame, task: Task, target: Array) -> str:
    """16 hex digits that change with any name, value or label."""
    state = hashlib.blake2b(digest_size=8)
    for name in typed.columns:
        state.update(f"{name}\x1e{digest(typed[name].to_numpy())}\x1e".encode("utf-8", "surrogatepass"))
    state.update("\x1e".join((task.target, *task.classes, digest(target))).encode("utf-8", "surrogatepass"))
    return state.hexdigest()
