"""From new labelled rows to a better model, or to the old one kept: a challenger learns, and is held against the
champion on rows that neither has seen.

The rule of promotion, on those rows: the challenger takes over if it is better (the 95% interval of the paired
difference lies above 0), or if it is not worse (the interval lies above minus a twentieth of what the champion gains
over a constant answer), for it is newer. In every other case the champion stays.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.ensemble.artifact import load_predictor
from automl.errors import DataError, InterruptedRunError, UsageError
from automl.events import Sink
from automl.files import read_json, write_json
from automl.flow import fit
from automl.monitor.challenge import RULE, hold_against
from automl.monitor.drift import GATE
from automl.monitor.labelled import LabelledRows, read_labelled_rows, write_rows
from automl.monitor.learned import TRAINING, read_unlearned
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
BEST = 8  # configurations that the challenger begins with, besides the champion's members
AGAIN = " again"


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
        raise UsageError(f"{path} has no model yet", hint=f"automl resume {shlex.quote(str(path))}")
    with root.locked():
        versions.clear_leftovers()
        base = {"run": str(path), "champion": versions.current, "rule": RULE}
        fresh = new if "always" in conditions else read_unlearned(champion, new, encoding=encoding, tell=tell)
        state, reason = _check_conditions(path, fresh, conditions, gate, encoding)
        tell(f"a challenger is trained: {reason}" if state else reason)
        if not state:
            return {**base, "retrained": False, "promoted": False, "reason": reason}
        predictor = load_predictor(path)
        table = read_labelled_rows(champion, predictor, new, rows=rows, encoding=encoding, tell=tell)
        number = versions.next_number()
        challenger = _fit_challenger(champion, predictor, table, versions.path(number), number, sinks, changes)
        facts = _judge(predictor, challenger, table, tell)
        record = {**base, "retrained": True, "challenger": number, "because": reason, **facts}
        write_json(challenger.path / FINISHED, record)
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
                hint=f"automl rollback {shlex.quote(str(path))} --to N, with N of {versions.numbers()}",
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
    if not isinstance(new, Path) and new.empty:
        return False, "nothing to do: the champion has learned from all of these rows"
    found = watch(path, new, gate=gate, encoding=encoding)
    if "decay" in conditions and found["score"] is None and "drift" not in conditions:
        raise DataError(
            f"The decay of the score cannot be told: too few rows have a known {found['target']!r}",
            hint="Give rows with the target filled in, or --if drift",
        )
    decayed = found["score"] is not None and found["score"]["drifted"]
    moved = _has_moved(found, gate)
    if "decay" in conditions and decayed:
        return True, str(found["score"]["text"])
    if "drift" in conditions and moved:
        return True, "; ".join(found["reasons"])
    return False, f"nothing to do: no {' or '.join(conditions)} over the gate in {found['rows']:,} new rows"


def _has_moved(found: dict[str, Any], gate: float) -> bool:
    """Whether columns or predictions are over the gate, whatever the score is."""
    columns = found["drift"] >= gate and any(column["status"] != "stable" for column in found["columns"])
    return bool(columns or (found["predictions"] or {}).get("drifted"))


# ---- the challenger --------------------------------------------------------------------------------------------------


def _fit_challenger(
    champion: Run,
    predictor: Predictor,
    table: LabelledRows,
    place: Path,
    number: int,
    sinks: Sequence[Sink],
    changes: dict[str, Any],
) -> Run:
    """The challenger's run, begun with the champion's recipe and best configurations."""
    recipe = warm_recipe(champion, predictor).with_shorthands(changes)
    source = place.with_name(f".{place.name}.rows") / TRAINING  # moves into the run's folder when there is one
    source.parent.mkdir(parents=True, exist_ok=True)
    write_rows(source, table.training, separator=table.separator)
    try:
        run = fit(source, target=predictor.task.target, recipe=recipe, out=place, sinks=sinks)
        kept = place / TRAINING
        source.replace(kept)
        write_rows(place / "held_out.parquet", table.held_out, separator=table.separator)
        run.update(data=str(kept.absolute()), version=number)
        return run
    finally:
        shutil.rmtree(source.parent, ignore_errors=True)


def _judge(predictor: Predictor, challenger: Run, table: LabelledRows, tell: Callable[[str], None]) -> dict[str, Any]:
    """Both models on the rows held out; facts for the record.

    Raises:
        InterruptedRunError: if the challenger's search was: it is not what it would have been.
    """
    if challenger.record["status"] == "interrupted":
        raise InterruptedRunError("Interrupted; the champion stays in use", hint="The same command begins again")
    outcome = hold_against(
        predictor, load_predictor(challenger.model), table.held_out, challenger, weight=table.weight, units=table.units
    )
    for text in outcome["notices"]:
        tell(text)
    return {
        "folder": str(challenger.path),
        "training_rows": len(table.training),
        "held_out_rows": len(table.held_out),
        "known_rows": table.known_rows,
        **outcome,
    }


def warm_recipe(champion: Run, predictor: Predictor) -> Recipe:
    """The champion's recipe with its task fixed and its best configurations first: the ensemble's members, then the
    others in the order of the leaderboard."""
    recipe = load_recipe(str(champion.recipe_path))
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
    fixed = {column.name: str(column.role) for column in schema.of(Role.CATEGORY, Role.TEXT, Role.IMAGE)}
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
