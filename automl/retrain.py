"""From new labelled rows to a better model, or to the old one kept: a challenger learns, and is held against the
champion on rows that neither has seen.

The rule of promotion, on those rows: the challenger takes over if it is better (the 95% interval of the paired
difference lies above 0), or if it is not worse (the interval lies above minus a twentieth of what the champion gains
over a constant answer), for it is newer. In every other case the champion stays.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.data.load import read_row_groups, read_table, read_times, read_weight
from automl.data.readers.parquet import SEPARATOR
from automl.ensemble.artifact import load_predictor
from automl.errors import DataError, InterruptedRunError, UsageError, did_you_mean
from automl.events import Sink
from automl.files import read_json, write_json
from automl.flow import fit
from automl.matrix import Array, IntArray
from automl.monitor.challenge import RULE, hold_against
from automl.monitor.decay import FEWEST_GROUPS
from automl.monitor.drift import GATE
from automl.monitor.watch import watch
from automl.predictor import Predictor
from automl.recipe import Configuration, Recipe, load_recipe
from automl.report.write import write_report
from automl.run import Run
from automl.schema import Role, Schema
from automl.versions import FINISHED, Versions

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS = ("drift", "decay", "always")
HELD_OUT = 0.3  # of the new rows
FEWEST_ROWS = 150  # new labelled ones
MOST_HELD_OUT = 20_000
BEST = 8  # configurations that the challenger begins with, besides the champion's members
AGAIN = " again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Rows:
    """The raw rows of a retraining, columns as in the file."""

    training: pd.DataFrame
    held_out: pd.DataFrame
    weight: Array | None  # of the rows held out, as are the groups
    units: IntArray | None
    known_rows: int  # new rows that the champion has learned from already
    separator: str = ""  # of the text table that they come from; see `automl.data.table.RawTable`


def retrain(
    path: Path,
    new: Path | pd.DataFrame,
    *,
    conditions: Sequence[str] = ("always",),
    rows: str = "all",
    gate: float = GATE,
    keep: int = 5,
    encoding: str | None = None,
    sinks: Sequence[Sink] = (),
    tell: Callable[[str], None] = lambda text: None,
    **changes: Any,
) -> dict[str, Any]:
    """Train a challenger on old and new rows, hold it against the champion, and promote it if the rule says so.

    Args:
        path: the run folder that `fit` made.
        new: labelled rows; a part of them is held out for the comparison.
        conditions: "drift", "decay" or "always": the challenger is trained if any of them holds.
        rows: "all" learns from the champion's rows and the new ones, "new" from the new ones alone.
        gate: of the drift; see `automl.monitor.drift.compare`.
        keep: versions that are kept besides those in use.
        tell: hears of what is done, a sentence each.
        changes: `time` (seconds), `trials`, `jobs` of the challenger's search; the champion's recipe without them.

    Returns:
        the record that is stored as `retrain.json`: what was decided and why.

    Raises:
        UsageError: if `path` is no finished run, or an option is unknown.
        DataError: if the new rows have no labels, lack columns or are too few.
        SearchError, ConstraintError: if the challenger's search finds no model that can be used; the champion stays.
        RunBusyError: if another process works in the folder.
        InterruptedRunError: after Ctrl-C; nothing is promoted.
    """
    _check_options(conditions, rows)
    root, versions = Run(path), Versions(path.absolute())
    champion = Run.open(path)
    if not (champion.model / "manifest.json").is_file():
        raise UsageError(f"{path} has no model yet", hint=f"automl resume {path}")
    with root.locked():
        versions.clear_leftovers()
        base = {"run": str(path), "champion": versions.current, "rule": RULE}
        state, reason = _check_conditions(path, new, conditions, gate, encoding)
        tell(f"a challenger is trained: {reason}" if state else reason)
        if not state:
            return {**base, "retrained": False, "promoted": False, "reason": reason}
        predictor = load_predictor(path)
        table = _read_rows(champion, predictor, new, rows, encoding, tell)
        number = versions.next_number()
        place = versions.path(number)
        challenger = _fit_challenger(champion, predictor, table, place, number, sinks, changes)
        if challenger.record["status"] == "interrupted":
            raise InterruptedRunError("Interrupted; the champion stays in use", hint="The same command begins again")
        outcome = hold_against(
            predictor, load_predictor(challenger.model), table.held_out, challenger,
            weight=table.weight, units=table.units,
        )  # fmt: skip
        for text in outcome["notices"]:
            tell(text)
        record = {
            **base,
            "retrained": True,
            "challenger": number,
            "folder": str(place),
            "because": reason,
            "training_rows": len(table.training),
            "held_out_rows": len(table.held_out),
            "known_rows": table.known_rows,
            **outcome,
        }
        write_json(place / FINISHED, record)
        _decide(versions, number, record)
        record["removed_versions"] = versions.prune(keep)
        if record["promoted"]:
            write_report(root)  # says which version answers now
    return record


def roll_back(path: Path, to: int | None = None) -> dict[str, Any]:
    """Put the version before the current one in use again, or the version `to`.

    Raises:
        UsageError: if there is none.
        RunBusyError: if another process works in the folder.
    """
    root, versions = Run(path), Versions(path.absolute())
    Run.open(path)
    with root.locked():
        before = versions.current
        number = versions.previous() if to is None else to
        if number is None:
            raise UsageError(
                f"{path} has no version before the current one ({before})",
                hint=f"automl rollback {path} --to N, with N of {versions.numbers()}",
            )
        if number == before:
            raise UsageError(f"Version {number} of {path} is the one in use", hint=f"There are: {versions.numbers()}")
        versions.promote(number, action="rollback")
        write_report(root)
    return {"run": str(path), "version": number, "before": before, "versions": versions.numbers()}


def _check_options(conditions: Sequence[str], rows: str) -> None:
    unknown = [name for name in conditions if name not in CONDITIONS]
    if unknown or not conditions:
        named = repr(unknown[0]) if unknown else "nothing"
        raise UsageError(f"--if {named} is no condition", hint="Write it as --if drift, --if decay or --if always")
    if rows not in ("all", "new"):
        raise UsageError(f"--rows {rows!r} is neither all nor new", hint="Write it as --rows all or --rows new")


def _check_conditions(
    path: Path, new: Path | pd.DataFrame, conditions: Sequence[str], gate: float, encoding: str | None
) -> tuple[bool, str]:
    """Whether to train, and why or why not."""
    if "always" in conditions:
        return True, "it was asked for"
    found = watch(path, new, gate=gate, encoding=encoding)
    if "decay" in conditions and found["score"] is None and "drift" not in conditions:
        raise DataError(
            f"The decay of the score cannot be told: too few rows have a known {found['target']!r}",
            hint="Give rows with the target filled in, or --if drift",
        )
    decayed = found["score"] is not None and found["score"]["drifted"]
    moved = found["over_gate"] and any(not reason.startswith("score:") for reason in found["reasons"])
    if "decay" in conditions and decayed:
        return True, str(found["score"]["text"])
    if "drift" in conditions and moved:
        return True, "; ".join(found["reasons"])
    return False, f"nothing to do: no {' or '.join(conditions)} over the gate in {found['rows']:,} new rows"


# ---- rows ------------------------------------------------------------------------------------------------------------


def _read_rows(
    champion: Run,
    predictor: Predictor,
    new: Path | pd.DataFrame,
    rows: str,
    encoding: str | None,
    tell: Callable[[str], None],
) -> _Rows:
    recipe = _recipe_of(champion)
    options = recipe.data if encoding is None else recipe.data.model_copy(update={"encoding": encoding})
    table = read_table(new, options=options, part="all")
    fresh, separator = table.frame.rename(columns=str), table.separator
    for notice in predictor.check(fresh):
        tell(notice.text)
    _check_columns(fresh, recipe)
    y = predictor.find_target(fresh)
    fresh = fresh[_has_label(predictor, y)].reset_index(drop=True)
    old = None
    sources = _sources(champion)
    if sources is not None:
        tables = [read_table(path, options=recipe.data, part="train") for path in sources]
        old = _join([table.frame for table in tables]).rename(columns=str)
        separator = tables[0].separator  # the champion's numbers were read by it
    elif rows == "all":
        raise UsageError(
            f"The rows that {champion.path} learned from are not at {champion.record['data']!r} any more",
            hint="Learn from the new rows alone: --rows new",
        )
    total = len(fresh)
    if old is not None:
        fresh = fresh[~_occurs_in(fresh, old)].reset_index(drop=True)
    known = total - len(fresh)
    if known:
        tell(f"{known:,} of {total:,} new rows are rows that the champion has learned from; they judge nobody")
    if len(fresh) < FEWEST_ROWS:
        raise DataError(
            f"{len(fresh)} labelled rows are new; {FEWEST_ROWS} are needed to learn from some and judge by the others",
            hint="Collect more labelled rows",
        )
    keys = np.array(_keys(fresh), dtype=np.uint64)
    weight, groups = read_weight(fresh, recipe.data.weight), read_row_groups(fresh, recipe.data.group)
    held = _choose_held_out(fresh, keys, groups, predictor, recipe)
    judging, teaching = fresh[held].reset_index(drop=True), ~held & ~np.isin(keys, keys[held])
    if groups is not None:
        _check_groups(groups[held], str(recipe.data.group))
        teaching &= ~np.isin(groups, groups[held])
    kept = fresh[teaching]
    _check_judging(judging, kept, predictor)
    kept = kept.reset_index(drop=True)
    training = _join([old, kept]) if rows == "all" and old is not None else kept
    return _Rows(
        training=training,
        held_out=judging,
        weight=None if weight is None else weight[held],
        units=None if groups is None else groups[held],
        known_rows=known,
        separator=separator,
    )


def _check_columns(fresh: pd.DataFrame, recipe: Recipe) -> None:
    data = recipe.data
    for flag, name in (("--group", data.group), ("--time-column", data.time), ("--weight", data.weight)):
        if name is not None and name not in fresh.columns:
            hint = did_you_mean(name, list(fresh.columns))
            raise DataError(f"The new rows have no column {name!r}, which {flag} named", hint=hint)


def _recipe_of(run: Run) -> Recipe:
    return load_recipe(str(run.recipe_path))


def _sources(champion: Run) -> list[Path] | None:
    """Files of all rows that the champion knows; None if one is gone."""
    paths = [Path(str(champion.record["data"]))]
    held_out = champion.path / "held_out.parquet"
    paths += [held_out] if held_out.exists() else []
    return paths if all(path.exists() for path in paths) else None


def _has_label(predictor: Predictor, y: pd.Series) -> Array:
    """Rows with a label, a class that the champion does not know included."""
    if not predictor.task.is_classification:
        return np.isfinite(predictor.encode_target(y))
    from automl import cells

    missing = set(predictor.task.format.missing)
    return np.array([label is not None and label not in missing for label in cells.to_labels(y, "str")])


def _join(frames: Sequence[pd.DataFrame | None]) -> pd.DataFrame:
    """Rows below each other. A column that one frame lacks is missing in its rows."""
    import pandas as pd

    there = [frame for frame in frames if frame is not None]
    if len({tuple(map(str, frame.dtypes)) for frame in there}) > 1:  # a number here, a text there: cells as they are
        there = [frame.astype(object) for frame in there]
    return pd.concat(there, ignore_index=True)


def _occurs_in(fresh: pd.DataFrame, old: pd.DataFrame) -> Array:
    """Rows (n,) bool that repeat an old row cell by cell, each as often as it is there."""
    names = [name for name in fresh.columns if name in old.columns]
    keys, known = _keys(fresh[names]), _keys(old[names])
    left: dict[int, int] = {}
    for key in known:
        left[key] = left.get(key, 0) + 1
    found = np.zeros(len(fresh), dtype=bool)
    for row, key in enumerate(keys):
        if left.get(key, 0) > 0:
            left[key] -= 1
            found[row] = True
    return found


def _keys(frame: pd.DataFrame) -> list[int]:
    import pandas as pd

    from automl import cells

    texts = pd.DataFrame({name: cells.to_text(frame[name]) for name in frame.columns}, dtype=object)
    return [int(key) for key in pd.util.hash_pandas_object(texts.fillna("\0"), index=False)]


def _choose_held_out(
    fresh: pd.DataFrame, keys: Array, groups: IntArray | None, predictor: Predictor, recipe: Recipe
) -> Array:
    """Rows (n,) bool to judge by: the latest where rows have a time, whole groups where they have groups, else a draw
    by class in which rows that repeat each other stay together.

    Args:
        keys: (n,) the same for rows that repeat each other.
        groups: group number (n,), where rows have groups.
    """
    import pandas as pd

    count = min(MOST_HELD_OUT, round(HELD_OUT * len(fresh)))
    times = read_times(fresh, recipe.data.time)
    if times is not None:
        held = np.zeros(len(fresh), dtype=bool)
        held[np.argsort(times, kind="stable")[-count:]] = True
        return held
    rng = np.random.default_rng([recipe.seed, 83])
    if groups is not None:
        return _draw_units(groups, np.zeros(len(fresh), dtype=np.int64), count, rng)
    strata = np.zeros(len(fresh), dtype=np.int64)
    if predictor.task.is_classification:
        strata = pd.factorize(predictor.find_target(fresh).astype(str))[0]
    return _draw_units(pd.factorize(keys)[0], strata, count, rng)


def _draw_units(units: IntArray, strata: IntArray, count: int, rng: np.random.Generator) -> Array:
    """Rows (n,) bool of units drawn at random, no more than `count` and no stratum beyond its share, but one unit.

    Args:
        units: number (n,) of rows that stay together.
        strata: class (n,); of a unit that of its first row counts.
    """
    quota = np.maximum(1, np.round(np.bincount(strata) * (count / len(units))).astype(np.int64))
    _, first, inverse, sizes = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    taken, left = np.zeros(len(sizes), dtype=bool), count
    for unit in rng.permutation(len(sizes)):
        stratum, size = strata[first[unit]], int(sizes[unit])
        if size <= min(left, quota[stratum]):
            taken[unit], left = True, left - size
            quota[stratum] -= size
    if not taken.any():
        taken[int(np.argmin(sizes))] = True
    return np.asarray(taken[inverse])


def _check_groups(judging: IntArray, name: str) -> None:
    """Refuse so few groups that no interval follows from them."""
    count = len(np.unique(judging))
    if count < FEWEST_GROUPS:
        raise DataError(
            f"{count} group(s) of {name!r} would judge the models; {FEWEST_GROUPS} are needed to tell how much a score "
            "varies from group to group",
            hint="Collect labelled rows of more groups",
        )


def _check_judging(judging: pd.DataFrame, kept: pd.DataFrame, predictor: Predictor) -> None:
    """Refuse, before anything is trained, rows that could judge nobody or leave nothing to learn from."""
    if kept.empty:
        raise DataError("All new rows are alike or of one group: none is left to learn from", hint="Collect other rows")
    if predictor.task.is_classification and predictor.find_target(judging).astype(str).nunique() < 2:
        raise DataError(
            f"The {len(judging):,} new rows that would judge the models are all of one class of "
            f"{predictor.task.target!r}, so that no score can be told",
            hint="Collect more labelled rows of each class",
        )


# ---- the challenger --------------------------------------------------------------------------------------------------


def _fit_challenger(
    champion: Run,
    predictor: Predictor,
    table: _Rows,
    place: Path,
    number: int,
    sinks: Sequence[Sink],
    changes: dict[str, Any],
) -> Run:
    """The challenger's run, begun with the champion's recipe and best configurations."""
    recipe = warm_recipe(champion, predictor).with_shorthands(changes)
    source = (
        place.with_name(f".{place.name}.rows") / "training.parquet"
    )  # moves into the run's folder when there is one
    source.parent.mkdir(parents=True, exist_ok=True)
    write_rows(source, table.training, separator=table.separator)
    try:
        run = fit(source, target=predictor.task.target, recipe=recipe, out=place, sinks=sinks)
        kept = place / "training.parquet"
        source.replace(kept)
        write_rows(place / "held_out.parquet", table.held_out, separator=table.separator)
        run.update(data=str(kept.absolute()), version=number)
        return run
    finally:
        shutil.rmtree(source.parent, ignore_errors=True)


def write_rows(path: Path, frame: pd.DataFrame, *, separator: str = "") -> None:
    """Raw rows as Parquet, cells as they were read, with the text table's separator, which speaks for how its numbers
    are written."""
    from automl import cells
    from automl.files import replacing

    plain = frame.copy()
    plain.attrs = {SEPARATOR: separator}
    for name in plain.columns:
        if plain[name].dtype == object:
            plain[name] = [None if cells.is_missing(cell) else str(cell) for cell in plain[name]]
    with replacing(path) as file:
        plain.to_parquet(file, index=False)


def warm_recipe(champion: Run, predictor: Predictor) -> Recipe:
    """The champion's recipe with its task fixed and its best configurations first: the ensemble's members, then the
    others in the order of the leaderboard."""
    recipe = _recipe_of(champion)
    results = {entry["trial"]: entry for entry in _trials(champion) if entry["status"] == "ok"}
    members = [
        int(m["trial"]) for m in sorted(read_json(champion.ensemble_path)["members"], key=lambda m: -m["weight"])
    ]
    sign = -1 if predictor.task.maximize else 1
    ranked = sorted(results, key=lambda trial: sign * results[trial]["score"])
    order = dict.fromkeys([*members, *ranked[:BEST]])
    first = tuple(
        Configuration(
            candidate=results[trial]["candidate"],
            label=results[trial]["label"].removesuffix(AGAIN) + AGAIN,
            params=results[trial]["params"],
        )
        for trial in order
        if trial in results and results[trial]["origin"] != "baseline"
    )
    schema = Schema.from_json(read_json(champion.model / "schema.json"))
    fixed = {column.name: str(column.role) for column in schema.of(Role.TEXT, Role.IMAGE)}
    data = recipe.data.model_copy(update={"roles": {**fixed, **recipe.data.roles}})
    search = recipe.search.model_copy(update={"first": first})
    return recipe.model_copy(
        update={"task": str(predictor.task.kind), "metric": predictor.task.metric, "data": data, "search": search}
    )


def _trials(run: Run) -> list[dict[str, Any]]:
    from automl.search.records import read_results

    return [result.to_json() for result in read_results(run.search)]


def _decide(versions: Versions, number: int, record: dict[str, Any]) -> None:
    facts = {key: record[key] for key in ("metric", "difference", "low", "high", "verdict", "judged_rows")}
    if record["promoted"]:
        versions.promote(number, champion=record["champion"], **facts)
    else:
        versions.note(action="reject", version=number, champion=record["champion"], **facts)
