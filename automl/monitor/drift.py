"""New rows held against the training reference: which columns, predictions and scores have moved, and whether it
matters.

All tests together are one family: if nothing has changed, the chance that anything at all is called a drift is at most
5%, however many columns there are. A test counts only if the difference is large as well, so that a hundred thousand
rows do not make a drift of a trifle.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.ensemble.bag import BagModel
from automl.errors import DataError, did_you_mean
from automl.matrix import Array, FloatArray
from automl.monitor import Shift, kinds
from automl.monitor.decay import compare_score, read_units, read_weight
from automl.monitor.predictions import compare_predictions, predict_by_folds
from automl.monitor.statistics import compare_shares, discoveries
from automl.pictures import collect_faults, find_faulty, tell_left_out
from automl.predictor import Predictor
from automl.profile.association import sample_rows
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd

RATE = 0.05  # chance of a false alarm over all tests of one look
FEWEST_ROWS = 50
FEWEST_CELLS = 30  # of a column, below which its values are not compared
MISSING = 0.05  # difference of the shares of missing cells that counts as large
UNREADABLE = 0.05  # share of cells that are there and cannot be read, which counts as a broken column
MOST_PREDICTED = 20_000  # rows that are predicted anew: of more, none would change the verdict
GATE = 0.1
NOT_PREDICTED = (
    "the predictions are not compared: training's are those of single folds, and without all columns new ones "
    "cannot be made that way"
)
# A column's test has at least this weight: importance may be wrong, or measured on too few rows.
LEAST_WEIGHT = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    column: str  # "" for predictions and score
    weight: float
    shift: Shift


def compare(
    predictor: Predictor,
    reference: dict[str, Any],
    frame: pd.DataFrame,
    *,
    gate: float = GATE,
    hidden: tuple[str, ...] = (),
    outputs: FloatArray | None = None,
) -> dict[str, Any]:
    """The whole comparison as a JSON record.

    Args:
        frame: raw or typed rows; with the target column, where it is known, for the score.
        gate: how much drift is too much, in units of the most important column: 1 is all of that column, 0.1 one that
            matters a tenth as much; the drift of several columns adds up.
        hidden: columns that a log has hashed or left out: they are not compared, and nothing is predicted anew.
        outputs: what the model said of the rows, where that is known; used where they cannot be predicted anew, if
            each comes from as many models as those of training.

    Raises:
        DataError: if there are fewer than 50 rows.
    """
    if len(frame) < FEWEST_ROWS:
        raise DataError(
            f"{len(frame)} rows are too few to tell a drift from chance; {FEWEST_ROWS} are needed",
            hint="Collect more rows, or look at a longer time",
        )
    from automl.cells import parse_frame

    frame = frame.rename(columns=str)
    columns = [column for column in predictor.schema.features if column.name not in hidden]
    typed = parse_frame(frame, predictor.schema.features)  # a column that is not there is all missing
    broken, notices = _compare_schema(predictor, frame, typed, reference, columns)
    importance = relative_importance([c.name for c in predictor.schema.features], reference.get("importance") or {})
    tests = _column_tests([c for c in columns if c.name not in broken], reference, typed, importance)
    gone = any(name not in frame.columns for name in broken)
    score: dict[str, Any] | None = None
    if not gone and not hidden:
        drawn = np.sort(sample_rows(len(frame), most=MOST_PREDICTED))
        outputs, sound, said = _predict_readable(predictor, typed.iloc[drawn], reference.get("predictions") or {})
        drawn, notices = drawn[sound], notices + said
        found, said = _compare_labels(predictor, reference, frame.iloc[drawn], typed.iloc[drawn])
        notices += said
        if found is not None:
            score = found[0]
            tests.append(_Test(column="", weight=1.0, shift=found[1]))
    elif "predictions" in reference and (outputs is None or not _is_single(predictor, reference["predictions"])):
        outputs = None
        notices.append(NOT_PREDICTED)
    if outputs is not None and len(outputs) and "predictions" in reference:
        shifts = compare_predictions(predictor, reference["predictions"], outputs)
        tests += [_Test(column="", weight=1.0, shift=shift) for shift in shifts]
    return _join(predictor, reference, frame, columns, tests, broken, notices, importance, score, gate)


def relative_importance(names: list[str], measured: dict[str, float]) -> dict[str, float]:
    """How much each column matters, the most important one as 1.

    A column that was not measured counts as much as the most important one, and so do all if none was.
    """
    top = max((value for value in measured.values() if value > 0), default=0.0)
    if top <= 0:
        return dict.fromkeys(names, 1.0)
    return {name: max(0.0, measured[name]) / top if name in measured else 1.0 for name in names}


# ---- the columns -----------------------------------------------------------------------------------------------------


def _compare_schema(
    predictor: Predictor, frame: pd.DataFrame, typed: pd.DataFrame, reference: dict[str, Any], columns: list[Column]
) -> tuple[dict[str, str], list[str]]:
    """Columns that are gone or cannot be read any more, with a sentence each; and notices."""
    there = set(frame.columns)
    known = {column.name for column in predictor.schema.columns} | {predictor.task.target}
    extra = sorted(there - known)
    broken, notices = {}, []
    for column in columns:
        if column.name not in there and column.required:
            near = did_you_mean(column.name, extra) if extra else ""
            broken[column.name] = f"{column.name!r} is not there" + (f" ({near})" if near.startswith("Did") else "")
        elif column.name in there:
            kept = reference["columns"].get(column.name, {"rows": 1, "missing": 0})
            share = _unreadable(column, frame[column.name], typed[column.name]) - kept["missing"] / max(1, kept["rows"])
            if share > UNREADABLE:
                broken[column.name] = f"{share:.0%} of the cells of {column.name!r} cannot be read as {column.role}"
    if extra:
        listed = ", ".join(repr(name) for name in extra[:8]) + (" …" if len(extra) > 8 else "")
        notices.append(f"{len(extra)} column(s) are unknown to the model: {listed}")
    return broken, notices


def _unreadable(column: Column, raw: pd.Series, typed: pd.Series) -> float:
    """Share of cells that hold something and yet are missing in the typed table."""
    from automl.cells import to_text

    gone = typed.isna().to_numpy()
    if not gone.any():
        return 0.0
    texts = to_text(raw[gone].reset_index(drop=True), column.format.missing)
    return float(sum(text is not None for text in texts) / len(raw))


def _column_tests(
    columns: list[Column], reference: dict[str, Any], typed: pd.DataFrame, importance: dict[str, float]
) -> list[_Test]:
    weights = {column.name: importance[column.name] for column in columns}
    mean = sum(weights.values()) / max(1, len(weights)) or 1.0
    tests = []
    for column in columns:
        known = reference["columns"].get(column.name)
        if known is None:
            continue
        weight = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * weights[column.name] / mean
        for shift in _compare_column(column, known, typed[column.name]):
            tests.append(_Test(column=column.name, weight=weight, shift=shift))
    return tests


def _compare_column(column: Column, known: dict[str, Any], cells: pd.Series) -> list[Shift]:
    gone = cells.isna().to_numpy()
    rows, missing, new = int(known["rows"]), int(known["missing"]), len(cells)
    shifts = []
    if missing or gone.any():
        before, after = missing / max(1, rows), float(gone.mean())
        shifts.append(
            Shift(
                what="missing",
                p_value=compare_shares(missing, rows, int(gone.sum()), new),
                effect=after - before,
                measure="share",
                is_large=abs(after - before) > MISSING,
                text=f"{after:.1%} missing, {before:.1%} in training",
            )
        )
    there = cells[~gone].reset_index(drop=True)
    if len(there) >= FEWEST_CELLS and rows - missing >= FEWEST_CELLS:
        shifts += kinds.get(str(column.role)).compare(column, known["kept"], there)
    return shifts


def _is_single(predictor: Predictor, reference: dict[str, Any]) -> bool:
    """Whether the model answers a row by as many of each member's folds as the reference's outputs come from.

    The mean of more folds varies less from row to row: it would look like a drift where there is none.
    """
    model = predictor.model
    repeats = int(reference.get("repeats", 1))
    return isinstance(model, BagModel) and all(len(member.models) <= repeats for member in model.members)


# ---- the score -------------------------------------------------------------------------------------------------------


def _predict_readable(
    predictor: Predictor, typed: pd.DataFrame, reference: dict[str, Any]
) -> tuple[FloatArray, Array, list[str]]:
    """Outputs of the rows whose pictures can be read, which rows these are (n,) bool, and what is to be told."""
    with collect_faults() as faults:
        outputs = predict_by_folds(predictor, typed, reference)
    sound = ~find_faulty(typed, faults)
    return outputs[sound], sound, tell_left_out(faults)


def _compare_labels(
    predictor: Predictor, reference: dict[str, Any], frame: pd.DataFrame, typed: pd.DataFrame
) -> tuple[tuple[dict[str, Any], Shift] | None, list[str]]:
    """The decay of the score and its test, where labels are known, and notices."""
    if predictor.task.target not in frame.columns or "score" not in reference:
        return None, []
    y = predictor.encode_target(frame[predictor.task.target])
    known: Array = y >= 0 if predictor.task.is_classification else np.isfinite(y)
    if not known.any():
        return None, []
    promised, labelled = reference["score"], frame[known]
    try:
        weight, units = read_weight(promised, labelled), read_units(promised, labelled)
    except DataError as error:
        return None, [f"the score is not compared: {error}"]
    notices = []
    if units is None and (group := promised.get("group")) is not None:
        notices.append(f"without the column {group!r} each row counts as independent in the interval of the score")
    return compare_score(predictor, promised, y[known], predictor.model.predict(typed[known]), weight, units), notices


# ---- the verdict -----------------------------------------------------------------------------------------------------


def _join(
    predictor: Predictor,
    reference: dict[str, Any],
    frame: pd.DataFrame,
    columns: list[Column],
    tests: list[_Test],
    broken: dict[str, str],
    notices: list[str],
    importance: dict[str, float],
    score: dict[str, Any] | None,
    gate: float,
) -> dict[str, Any]:
    adjusted = discoveries([test.shift.p_value for test in tests], [test.weight for test in tests], RATE)
    told = [
        {
            "column": test.column,
            **dataclasses.asdict(test.shift),
            "q_value": float(q_value),
            "drifted": bool(q_value <= RATE and test.shift.is_large),
        }
        for test, q_value in zip(tests, adjusted, strict=True)
    ]
    by_column: dict[str | None, list[dict[str, Any]]] = {}
    for facts in told:
        by_column.setdefault(facts["column"], []).append(facts)
    entries = [
        _describe_column(column, by_column.get(column.name, []), broken, importance[column.name]) for column in columns
    ]
    entries.sort(key=lambda entry: (entry["status"] == "stable", -entry["importance"], entry["column"]))
    whole = {name: next((test for test in told if test["what"] == name), None) for name in ("predictions", "score")}
    drift = sum(entry["importance"] for entry in entries if entry["status"] != "stable")
    reasons = [_tell_column(entry) for entry in entries if entry["status"] != "stable"]
    for test in whole.values():
        if test is not None and test["drifted"]:
            reasons.append(f"{test['what']}: {test['text']}")
    has_moved = any(test is not None and test["drifted"] for test in whole.values())
    over = has_moved or bool(entries and any(e["status"] != "stable" for e in entries) and drift >= gate)
    if score is not None and whole["score"] is not None:
        score = {**score, **{key: whole["score"][key] for key in ("p_value", "q_value", "drifted", "text")}}
    return {
        "rows": len(frame),
        "training_rows": int(reference["rows"]),
        "tests": len(tests),
        "false_alarm_rate": RATE,
        "drift": drift,
        "gate": gate,
        "over_gate": over,
        "reasons": reasons,
        "notices": notices,
        "columns": entries,
        "predictions": whole["predictions"],
        "score": score,
        "importance_known": bool(reference.get("importance")),
    }


def _describe_column(
    column: Column, tests: list[dict[str, Any]], broken: dict[str, str], importance: float
) -> dict[str, Any]:
    own = [{key: test[key] for key in test if key != "column"} for test in tests]
    status = "broken" if column.name in broken else "drifted" if any(test["drifted"] for test in own) else "stable"
    return {
        "column": column.name,
        "role": str(column.role),
        "importance": importance,
        "status": status,
        "text": broken.get(column.name, ""),
        "tests": own,
    }


def _tell_column(entry: dict[str, Any]) -> str:
    if entry["text"]:
        return str(entry["text"])
    said = "; ".join(test["text"] for test in entry["tests"] if test["drifted"])
    return f"{entry['column']!r}: {said}"
