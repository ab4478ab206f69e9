"""The winner as a script that a person would write: columns, preparation and model spelled out, and nothing else."""

from __future__ import annotations

from automl.export._script_columns import write_preparation
from automl.export._script_models import write_model
from automl.export._script_parts import Code, Winner, literal
from automl.schema import CellFormat, Role, Schema
from automl.task import Task, TaskKind

SCORING = {
    "accuracy": "accuracy", "average_precision": "average_precision", "balanced_accuracy": "balanced_accuracy",
    "brier": "neg_brier_score", "f1": "f1", "log_loss": "neg_log_loss", "mae": "neg_mean_absolute_error",
    "mape": "neg_mean_absolute_percentage_error", "mcc": "matthews_corrcoef",
    "median_absolute_error": "neg_median_absolute_error", "r2": "r2", "rmse": "neg_root_mean_squared_error",
    "rmsle": "neg_root_mean_squared_log_error", "roc_auc": "roc_auc",
}  # fmt: skip


def write_script(winner: Winner) -> str:
    """The whole script.

    Raises:
        NoGraphError: if the model or its preparation has no form in plain scikit-learn, XGBoost and Keras; it is named.
    """
    code = Code()
    model = write_model(winner, code)
    preparation = write_preparation(winner, code)
    reading = _reading(winner, code)
    splitting = _splitting(winner, code)
    imports = _imports(code)
    constants = _constants(winner)
    return _SCRIPT.format(
        docstring=_docstring(winner), imports=imports, constants=constants, reading=reading, preparation=preparation,
        model=model, splitting=splitting, scoring=_scoring(winner.task), metric=winner.task.metric,
        sign="-" if _scoring(winner.task).startswith("neg_") else "",
        fit_target=_target_note(winner.task),
    )  # fmt: skip


_SCRIPT = '''"""{docstring}"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

{imports}

{constants}


{reading}


{preparation}


{model}


{splitting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="table with the target column")
    parser.add_argument("--out", type=Path, default=Path("model.joblib"), help="where the fitted pipeline goes")
    parser.add_argument("--no-cv", action="store_true", help="fit only, without cross-validation")
    asked = parser.parse_args()

    rows = read_rows(asked.data)
    rows = rows[rows[TARGET].notna()].reset_index(drop=True)
    features = rows[NUMBERS + CATEGORIES + DATES]
    target = {fit_target}
    pipeline = Pipeline([("prepare", build_preparation()), ("model", build_model())])

    if not asked.no_cv:
        scores = {sign}cross_val_score(pipeline, features, target, cv=make_folds(rows), scoring="{scoring}")
        print(json.dumps({{"metric": "{metric}", "score": scores.mean(), "std": scores.std(), "rows": len(rows)}}))
    pipeline.fit(features, target)
    joblib.dump(pipeline, asked.out)


if __name__ == "__main__":
    main()
'''


def _docstring(winner: Winner) -> str:
    task = winner.task
    what = f"whether {task.target} is {task.classes[1]!r}" if task.kind is TaskKind.BINARY else task.target
    share = f", {winner.share:.0%} of the ensemble that won" if winner.share < 0.995 else ""
    return (
        f"Train {winner.name} to predict {what}.\n\n    python train.py DATA.csv --out model.joblib\n\n"
        f"In the search this configuration scored {winner.score:.5g} ({task.metric}, {winner.folds} folds){share}.\n"
    )


def _imports(code: Code) -> str:
    code.use("sklearn.pipeline", "Pipeline")
    code.use("sklearn.model_selection", "cross_val_score")
    code.use("sklearn.compose", "ColumnTransformer")
    lines = ["import joblib", "import numpy as np", "import pandas as pd"]
    whole = ("keras", "xgboost")
    lines += [f"import {module}" for module in whole if module in code.imports]
    lines.sort()
    named = {module: names for module, names in code.imports.items() if module not in whole}
    lines += [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]
    return "\n".join(lines)


def _constants(winner: Winner) -> str:
    schema = winner.schema
    lines = [f"TARGET = {literal(winner.task.target)}"]
    if winner.task.is_classification:
        lines.append(f"CLASSES = {literal([winner.task.convert_label(label) for label in winner.task.classes])}")
    for name, role in (("NUMBERS", Role.NUMBER), ("CATEGORIES", Role.CATEGORY), ("DATES", Role.DATE)):
        lines.append(f"{name} = {literal([column.name for column in schema.of(role)])}")
    lines.append(f"SEED = {winner.seed}")
    return "\n".join(_wrap(line) for line in lines)


def _wrap(line: str) -> str:
    """A long list, an item a line."""
    head, mark, rest = line.partition(" = [")
    if len(line) <= 100 or not mark:
        return line
    items = _items(rest)
    return head + " = [\n" + "".join(f"    {item},\n" for item in items) + "]"


def _items(rest: str) -> list[str]:
    """The items of a list literal whose opening bracket is gone, as they are written."""
    import ast

    return [literal(item) for item in ast.literal_eval("[" + rest)]


# ---- reading ---------------------------------------------------------------------------------------------------------


def _reading(winner: Winner, code: Code) -> str:
    schema, separator = winner.schema, literal(winner.separator or ",")
    lines = [
        "def read_rows(path: Path) -> pd.DataFrame:",
        '    """Numbers as numbers, dates as dates, categories as text; what cannot be read is missing."""',
        f"    rows = pd.read_csv(path, sep={separator}, dtype=str, keep_default_na=False)",
        '    rows = rows.apply(lambda column: column.str.strip()).replace("", np.nan)',
    ]
    lines += _clear_marks(schema)
    for column in schema.of(Role.NUMBER):
        lines += _clean_number(literal(column.name), column.format)
    lines.append("    for name in NUMBERS:")
    lines.append('        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype("float64")')
    for column in schema.of(Role.DATE):
        form = column.format.date_format
        given = {"": "", "iso": ', format="ISO8601"'}.get(form, f", format={literal(form)}")
        if form in ("epoch_s", "epoch_ms"):
            given = f', unit="{form[6:]}"'
        lines.append(
            f'    rows[{literal(column.name)}] = pd.to_datetime(rows[{literal(column.name)}], errors="coerce"{given})'
        )
    lines.append("    rows[CATEGORIES] = rows[CATEGORIES].astype(object)")
    lines += _read_target(winner.task)
    lines.append("    return rows")
    return "\n".join(lines)


def _clear_marks(schema: Schema) -> list[str]:
    lines = []
    for marks, names in _group_marks(schema).items():
        where = "CATEGORIES" if names == [column.name for column in schema.of(Role.CATEGORY)] else literal(names)
        lines += ["    missing = [", *(f"        {literal(mark)}," for mark in marks), "    ]"]
        lines.append(f"    rows[{where}] = rows[{where}].replace(missing, np.nan)")
    return lines


def _group_marks(schema: Schema) -> dict[tuple[str, ...], list[str]]:
    """What stands for a missing value in a category, in a number only where it is a number itself: marks → columns."""
    by_marks: dict[tuple[str, ...], list[str]] = {}
    for column in schema.of(Role.CATEGORY, Role.NUMBER):
        marks = column.format.missing
        if column.role is Role.NUMBER:
            marks = tuple(mark for mark in marks if mark.strip().lstrip("+-").replace(".", "", 1).isdigit())
        if marks:
            by_marks.setdefault(marks, []).append(column.name)
    return by_marks


def _read_target(task: Task) -> list[str]:
    if not task.is_classification:
        return [
            *_clean_number("TARGET", task.format),
            '    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")',
        ]
    if task.label_type in ("int", "float"):
        return ['    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")']
    if task.label_type == "bool":
        words = '{"true": True, "1": True, "false": False, "0": False}'
        return [f"    rows[TARGET] = rows[TARGET].str.lower().map({words})"]
    return ["    rows[TARGET] = rows[TARGET].astype(object)"]


def _clean_number(name: str, form: CellFormat) -> list[str]:
    """Lines that make plain numbers of the texts in a column; `name` is code."""
    lines = []
    if form.negative:
        pattern = r"^\((.*)\)$" if form.negative == "()" else r"^([^+-].*)-$"
        lines.append(f'    rows[{name}] = rows[{name}].str.replace(r"{pattern}", r"-\\1", regex=True)')
    for mark in (form.prefix, form.suffix):  # a sign may stand before the unit
        if mark:
            lines.append(f'    rows[{name}] = rows[{name}].str.replace({literal(mark)}, "", regex=False).str.strip()')
    if form.thousands:
        lines.append(f'    rows[{name}] = rows[{name}].str.replace({literal(form.thousands)}, "", regex=False)')
    if form.decimal != ".":
        lines.append(f'    rows[{name}] = rows[{name}].str.replace({literal(form.decimal)}, ".", regex=False)')
    return lines


def _target_note(task: Task) -> str:
    if not task.is_classification:
        return 'rows[TARGET].to_numpy(dtype="float64")'
    return "rows[TARGET].map(CLASSES.index).to_numpy()"


# ---- folds and scores ------------------------------------------------------------------------------------------------


def _splitting(winner: Winner, code: Code) -> str:
    folds, classes = max(2, winner.folds), winner.task.is_classification
    if winner.time is not None:
        code.use("sklearn.model_selection", "TimeSeriesSplit")
        body = [
            f'    order = np.argsort(rows[{literal(winner.time)}].to_numpy(), kind="stable")',
            f"    return [(order[a], order[b]) for a, b in TimeSeriesSplit({folds}).split(order)]",
        ]
        says = "Later rows are scored by models of earlier ones."
    elif winner.group is not None:
        name = "StratifiedGroupKFold" if classes else "GroupKFold"
        code.use("sklearn.model_selection", name)
        extra = ", shuffle=True, random_state=SEED"
        body = [
            f"    folds = {name}({folds}{extra})",
            f"    return list(folds.split(rows, rows[TARGET], groups=rows[{literal(winner.group)}]))",
        ]
        says = "Rows of one group are never split."
    else:
        name = "StratifiedKFold" if classes else "KFold"
        code.use("sklearn.model_selection", name)
        body = [f"    return {name}({folds}, shuffle=True, random_state=SEED)"]
        says = "The same rows in each run."
    return "\n".join(["def make_folds(rows: pd.DataFrame):", f'    """{says}"""', *body])


def _scoring(task: Task) -> str:
    several = task.kind is TaskKind.MULTICLASS
    if several and task.metric in ("roc_auc", "f1"):
        return {"roc_auc": "roc_auc_ovr", "f1": "f1_macro"}[task.metric]
    return SCORING[task.metric]
