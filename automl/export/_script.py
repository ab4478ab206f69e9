"""The winner as a script that a person would write: columns, preparation and model spelled out, and nothing else."""

from __future__ import annotations

from automl.export._script_columns import write_preparation
from automl.export._script_models import write_model
from automl.export._script_parts import Code, Winner, literal
from automl.export._script_reading import write_reading
from automl.schema import Role
from automl.search.threshold import USUAL
from automl.task import Task, TaskKind

SCORING = {
    "accuracy": "accuracy", "average_precision": "average_precision", "balanced_accuracy": "balanced_accuracy",
    "brier": "neg_brier_score", "f1": "f1", "f1_macro": "f1_macro", "log_loss": "neg_log_loss",
    "mae": "neg_mean_absolute_error", "mape": "neg_mean_absolute_percentage_error", "mcc": "matthews_corrcoef",
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
    reading = write_reading(winner)
    splitting = _splitting(winner, code)
    scorer, naming = _write_scorer(winner.task, code), _write_naming(winner, code)
    imports = _imports(code)
    constants = _constants(winner)
    return _SCRIPT.format(
        docstring=_docstring(winner), imports=imports, constants=constants, reading=reading, preparation=preparation,
        model=model, splitting=splitting, naming=naming, scoring=scorer, metric=winner.task.metric,
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
    pipeline = Pipeline([("prepare", build_preparation()), ("model", build_model())]){naming}

    if not asked.no_cv:
        folds = make_folds(rows)
        scores = {sign}cross_val_score(pipeline, features, target, cv=folds, scoring={scoring})
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
    says = (
        f"Train {winner.name} to predict {what}.\n\n    python train.py DATA.csv --out model.joblib\n\n"
        f"In the search this configuration scored {winner.score:.5g} ({task.metric}, {winner.folds} folds){share}.\n"
    )
    return says.replace("\\", "\\\\").replace('"', '\\"')  # names come from the data, and must not end the text


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
            f'    groups = rows[{literal(winner.group)}].fillna("row " + rows.index.to_series().astype(str))',
            f"    folds = {name}({folds}{extra})",
            "    return list(folds.split(rows, rows[TARGET], groups=groups))",
        ]
        says = "Rows of one group are never split; a row without a group is one of its own."
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


def _write_scorer(task: Task, code: Code) -> str:
    """What the script hands to `cross_val_score`: a scorer's name, or one that knows of classes that a fold lacks."""
    name = _scoring(task)
    if task.kind is not TaskKind.MULTICLASS or name != "neg_log_loss":
        return literal(name)
    code.use("sklearn.metrics", "log_loss", "make_scorer")
    named = 'response_method="predict_proba", labels=range(len(CLASSES))'
    return f"make_scorer(log_loss, greater_is_better=False, {named})"


def _write_naming(winner: Winner, code: Code) -> str:
    """The line that has the second class named from another probability than a half, where the metric hangs on it."""
    if winner.threshold == USUAL:
        return ""
    code.use("sklearn.model_selection", "FixedThresholdClassifier")
    says = "# the second class is named from this probability on"
    return f"\n    pipeline = FixedThresholdClassifier(pipeline, threshold={literal(winner.threshold)})  {says}"
