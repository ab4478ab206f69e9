"""The winner as a script that a person would write: columns, preparation and model spelled out, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from automl.graph import NoGraphError
from automl.schema import Column, Role, Schema
from automl.space import Params, split_params
from automl.task import Task, TaskKind

DATE_PARTS = 7
LONGEST = 120  # of a line
FEW_LEVELS = 12  # up to here "auto" means indicators
NATIVE_LEVELS = 32
SCORING = {
    "accuracy": "accuracy", "average_precision": "average_precision", "balanced_accuracy": "balanced_accuracy",
    "brier": "neg_brier_score", "f1": "f1", "log_loss": "neg_log_loss", "mae": "neg_mean_absolute_error",
    "mape": "neg_mean_absolute_percentage_error", "mcc": "matthews_corrcoef",
    "median_absolute_error": "neg_median_absolute_error", "r2": "r2", "rmse": "neg_root_mean_squared_error",
    "rmsle": "neg_root_mean_squared_log_error", "roc_auc": "roc_auc",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Winner:
    """What a script is written of.

    Attributes:
        columns: width of the matrix that the model saw.
        rows: training rows of one fold.
        rounds: trees of a boosted model, as early stopping found.
        share: of the member in the ensemble.
        score: out-of-fold, of this member alone.
        levels: category column → how many levels there are.
    """

    name: str
    candidate: str
    params: Params
    schema: Schema
    task: Task
    columns: int
    rows: int
    rounds: int
    seed: int
    share: float
    score: float
    folds: int
    separator: str
    group: str | None
    time: str | None

    @property
    def own(self) -> Params:
        return split_params(self.params, "model")

    @property
    def preparation(self) -> Params:
        return split_params(self.params, "preprocess")


@dataclasses.dataclass
class _Code:
    """Parts of a script: imports by module, and lines."""

    imports: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    blocks: list[str] = dataclasses.field(default_factory=list)

    def use(self, module: str, *names: str) -> None:
        self.imports.setdefault(module, set()).update(names)


def write_script(winner: Winner) -> str:
    """The whole script.

    Raises:
        NoGraphError: if the model or its preparation has no form in plain scikit-learn and XGBoost; it is named.
    """
    code = _Code()
    model = _model(winner, code)
    preparation = _preparation(winner, code)
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


def _imports(code: _Code) -> str:
    code.use("sklearn.pipeline", "Pipeline")
    code.use("sklearn.model_selection", "cross_val_score")
    code.use("sklearn.compose", "ColumnTransformer")
    lines = ["import joblib", "import numpy as np", "import pandas as pd"]
    if "xgboost" in code.imports:
        lines.append("import xgboost")
    named = {module: names for module, names in code.imports.items() if module != "xgboost"}
    lines += [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]
    return "\n".join(lines)


def _constants(winner: Winner) -> str:
    schema = winner.schema
    lines = [f"TARGET = {_literal(winner.task.target)}"]
    if winner.task.is_classification:
        lines.append(f"CLASSES = {_literal([winner.task.convert_label(label) for label in winner.task.classes])}")
    for name, role in (("NUMBERS", Role.NUMBER), ("CATEGORIES", Role.CATEGORY), ("DATES", Role.DATE)):
        lines.append(f"{name} = {_literal([column.name for column in schema.of(role)])}")
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

    return [_literal(item) for item in ast.literal_eval("[" + rest)]


# ---- reading ---------------------------------------------------------------------------------------------------------


def _reading(winner: Winner, code: _Code) -> str:
    schema, separator = winner.schema, _literal(winner.separator or ",")
    lines = [
        "def read_rows(path: Path) -> pd.DataFrame:",
        '    """Numbers as numbers, dates as dates, categories as text; what cannot be read is missing."""',
        f"    rows = pd.read_csv(path, sep={separator}, dtype=str, keep_default_na=False)",
        '    rows = rows.apply(lambda column: column.str.strip()).replace("", np.nan)',
    ]
    lines += _clear_marks(schema)
    for column in schema.of(Role.NUMBER):
        lines += _clean_number(column)
    lines.append("    for name in NUMBERS:")
    lines.append('        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype("float64")')
    for column in schema.of(Role.DATE):
        form = column.format.date_format
        given = {"": "", "iso": ', format="ISO8601"'}.get(form, f", format={_literal(form)}")
        if form in ("epoch_s", "epoch_ms"):
            given = f', unit="{form[6:]}"'
        lines.append(
            f'    rows[{_literal(column.name)}] = pd.to_datetime(rows[{_literal(column.name)}], errors="coerce"{given})'
        )
    lines.append("    rows[CATEGORIES] = rows[CATEGORIES].astype(object)")
    lines.append(_read_target(winner.task))
    lines.append("    return rows")
    return "\n".join(lines)


def _clear_marks(schema: Schema) -> list[str]:
    lines = []
    for marks, names in _group_marks(schema).items():
        where = "CATEGORIES" if names == [column.name for column in schema.of(Role.CATEGORY)] else _literal(names)
        lines += ["    missing = [", *(f"        {_literal(mark)}," for mark in marks), "    ]"]
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


def _read_target(task: Task) -> str:
    if not task.is_classification:
        return '    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")'
    if task.label_type in ("int", "float"):
        return '    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")'
    if task.label_type == "bool":
        return '    rows[TARGET] = rows[TARGET].str.lower().map({"true": True, "1": True, "false": False, "0": False})'
    return "    rows[TARGET] = rows[TARGET].astype(object)"


def _clean_number(column: Column) -> list[str]:
    form, name = column.format, _literal(column.name)
    lines = []
    for mark, how in ((form.prefix, "removeprefix"), (form.suffix, "removesuffix")):
        if mark:
            lines.append(f"    rows[{name}] = rows[{name}].str.{how}({_literal(mark)}).str.strip()")
    if form.thousands:
        lines.append(f'    rows[{name}] = rows[{name}].str.replace({_literal(form.thousands)}, "", regex=False)')
    if form.decimal != ".":
        lines.append(f'    rows[{name}] = rows[{name}].str.replace({_literal(form.decimal)}, ".", regex=False)')
    return lines


def _target_note(task: Task) -> str:
    if not task.is_classification:
        return 'rows[TARGET].to_numpy(dtype="float64")'
    return "rows[TARGET].map(CLASSES.index).to_numpy()"


# ---- preparation -----------------------------------------------------------------------------------------------------


def _preparation(winner: Winner, code: _Code) -> str:
    from automl.search.trial import candidates

    schema, params = winner.schema, winner.preparation
    needs = candidates.get(winner.candidate).needs
    for role, word in ((Role.TEXT, "texts"), (Role.IMAGE, "pictures")):
        if schema.of(role):
            raise NoGraphError(f"A plain script of {winner.name!r} would have to read {word}, which it does not")
    for name in ("combine", "reduce"):
        if params.get(name, "none") != "none":
            raise NoGraphError(f"{winner.name!r} works on columns made of others ({name}={params[name]})")
    parts: list[str] = []
    if schema.of(Role.NUMBER):
        parts.append(f'            ("numbers", {_numbers(needs, params, code)}, NUMBERS),')
    if schema.of(Role.DATE):
        code.use("sklearn.preprocessing", "FunctionTransformer")
        code.use("sklearn.pipeline", "make_pipeline")
        scaled = _numbers(needs, params, code)
        split = "FunctionTransformer(split_dates)"
        whole = split if scaled == '"passthrough"' else f"make_pipeline({split}, {scaled})"
        code.blocks.append(_SPLIT_DATES)
        parts.append(f'            ("dates", {whole}, DATES),')
    parts += _categories(winner, needs, params, code)
    lines = [
        "def build_preparation() -> ColumnTransformer:",
        '    """Columns to the matrix that the model sees; all that is learned is learned inside each fold."""',
        "    return ColumnTransformer(",
        "        [",
        *parts,
        "        ],",
        "        sparse_threshold=0,",
        "    )",
    ]
    helpers = list(dict.fromkeys(code.blocks))
    return "\n\n\n".join([*helpers, "\n".join(lines)])


def _numbers(needs: Any, params: Params, code: _Code) -> str:
    if needs.missing:
        return '"passthrough"'
    steps = []
    if params.get("clip"):
        code.use("sklearn.base", "BaseEstimator", "TransformerMixin")
        code.blocks.append(_CLIPPER)
        steps.append("Clipper()")
    scale = str(params.get("scale", "standard"))
    names = {
        "standard": ("StandardScaler", "StandardScaler()"),
        "robust": ("RobustScaler", "RobustScaler(unit_variance=True)"),
        "quantile": ("QuantileTransformer", 'QuantileTransformer(n_quantiles=200, output_distribution="normal")'),
        "power": ("PowerTransformer", "PowerTransformer()"),
    }
    code.use("sklearn.preprocessing", names[scale][0])
    steps.append(names[scale][1])
    code.use("sklearn.impute", "SimpleImputer")
    code.use("sklearn.pipeline", "make_pipeline")
    steps.append(f'SimpleImputer(strategy="{params.get("impute", "median")}", add_indicator=True)')
    lines = ["def scale():", '    """Numbers on one scale, holes filled and flagged."""', "    return make_pipeline("]
    code.blocks.append("\n".join([*lines, *(f"        {step}," for step in steps), "    )"]))
    return "scale()"


def _categories(winner: Winner, needs: Any, params: Params, code: _Code) -> list[str]:
    """Lines of the column transformer, the columns grouped by how they are encoded."""
    groups: dict[str, list[str]] = {}
    for column in winner.schema.of(Role.CATEGORY):
        groups.setdefault(_encoding(needs, params, len(column.levels)), []).append(column.name)
    rare = int(params.get("rare", 1))
    forms = {
        "one_hot": f'OneHotEncoder(min_frequency={rare}, max_categories=101, handle_unknown="infrequent_if_exist")',
        "target": "TargetEncoder(random_state=SEED)",
        "ordinal": 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)',
        "native": 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)',
    }
    lines = []
    for encoding in sorted(groups, key=list(forms).index):
        code.use("sklearn.preprocessing", forms[encoding].partition("(")[0])
        whole = len(groups) == 1
        names = "CATEGORIES" if whole else _literal(groups[encoding])
        line = f'            ("{encoding}", {forms[encoding]}, {names}),'
        if len(line) <= LONGEST:
            lines.append(line)
        else:
            inner = " " * 16
            lines += [
                " " * 12 + "(",
                f'{inner}"{encoding}",',
                f"{inner}{forms[encoding]},",
                f"{inner}{names},",
                " " * 12 + "),",
            ]
    return lines


def _encoding(needs: Any, params: Params, levels: int) -> str:
    encoding = str(params.get("encode", "auto"))
    if encoding == "auto":
        return "one_hot" if levels <= FEW_LEVELS else "target"
    return "target" if encoding == "native" and levels > NATIVE_LEVELS else encoding


_SPLIT_DATES = '''def split_dates(frame: pd.DataFrame) -> np.ndarray:
    """Day since 1970, year, month, day of the month, weekday, hour and minute of each date column."""
    parts = []
    for name in frame.columns:
        moment = frame[name].dt
        days = (frame[name] - pd.Timestamp(0)) // pd.Timedelta(days=1)
        parts += [days, moment.year, moment.month, moment.day, moment.weekday, moment.hour, moment.minute]
    return np.column_stack([part.to_numpy(dtype="float64") for part in parts])'''

_CLIPPER = '''class Clipper(TransformerMixin, BaseEstimator):
    """Pulls the outermost half per cent of each column in."""

    def fit(self, values, target=None):
        self.low_, self.high_ = np.nanquantile(values, (0.005, 0.995), axis=0)
        return self

    def transform(self, values):
        return np.clip(values, self.low_, self.high_)'''


# ---- the model -------------------------------------------------------------------------------------------------------


def _model(winner: Winner, code: _Code) -> str:
    if winner.candidate not in _MODELS:
        raise NoGraphError(f"{winner.name!r} ({winner.candidate}) has no form in plain scikit-learn or XGBoost")
    body, says = _MODELS[winner.candidate](winner, code)
    return "\n".join(["def build_model():", f'    """{says}"""', *(f"    {line}" for line in body)])


def _call(name: str, settings: dict[str, Any], before: str = "return ") -> list[str]:
    if sum(len(f"{key}={_literal(value)}, ") for key, value in settings.items()) < 80:
        return [f"{before}{name}({', '.join(f'{key}={_literal(value)}' for key, value in settings.items())})"]
    return [f"{before}{name}(", *(f"    {key}={_literal(value)}," for key, value in settings.items()), ")"]


def _literal(value: Any) -> str:
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


class _Raw(str):
    """Code, not a text."""


SEED = _Raw("SEED")


def _linear(winner: Winner, code: _Code) -> tuple[list[str], str]:
    own = winner.own
    elastic = own["penalty"] == "elasticnet"
    if winner.task.is_classification:
        code.use("sklearn.linear_model", "LogisticRegression")
        settings = {"C": own["C"], "max_iter": 1000}
        if elastic:
            settings |= {"l1_ratio": own["l1_ratio"], "solver": "saga", "random_state": SEED}
        return _call("LogisticRegression", settings), "Logistic regression."
    name = "ElasticNet" if elastic else "Ridge"
    code.use("sklearn.linear_model", name)
    settings = (
        {"alpha": own["alpha"], "l1_ratio": own["l1_ratio"], "random_state": SEED}
        if elastic
        else {"alpha": own["alpha"] * winner.rows}
    )
    return _scaled_target(_call(name, settings, "model = "), own, code), "A linear model of the standardised target."


def _scaled_target(lines: list[str], own: Params, code: _Code) -> list[str]:
    code.use("sklearn.compose", "TransformedTargetRegressor")
    if own.get("target_transform") == "log":
        return [*lines, "return TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)"]
    code.use("sklearn.preprocessing", "StandardScaler")
    return [*lines, "return TransformedTargetRegressor(model, transformer=StandardScaler())"]


def _forest(class_name: str, says: str) -> Any:
    def write(winner: Winner, code: _Code) -> tuple[list[str], str]:
        name = f"{class_name}{'Classifier' if winner.task.is_classification else 'Regressor'}"
        code.use("sklearn.ensemble", name)
        return _call(name, {**winner.own, "n_jobs": -1, "random_state": SEED}), says

    return write


def _boosting(winner: Winner, code: _Code) -> tuple[list[str], str]:
    name = f"HistGradientBoosting{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.ensemble", name)
    settings = {**winner.own, "max_iter": winner.rounds, "early_stopping": False, "random_state": SEED}
    return _call(name, settings), f"Boosted trees; {winner.rounds} rounds were best in the search."


def _xgboost(winner: Winner, code: _Code) -> tuple[list[str], str]:
    code.use("xgboost")
    own = dict(winner.own)
    if own["grow_policy"] == "lossguide":
        own |= {"max_leaves": 2 ** min(own["max_depth"], 9), "max_depth": 0}
    settings: dict[str, Any] = {"n_estimators": winner.rounds, **own, "tree_method": "hist", "random_state": SEED}
    if not winner.task.is_classification and winner.task.metric in ("mae", "median_absolute_error", "mape"):
        settings["objective"] = "reg:absoluteerror"
    native = _native_columns(winner)
    lines = []
    if native:
        settings |= {"enable_categorical": True, "feature_types": _Raw("types")}
        others = len(winner.schema.of(Role.NUMBER)) + DATE_PARTS * len(winner.schema.of(Role.DATE))
        others += (len(winner.schema.of(Role.CATEGORY)) - native) * _target_width(winner.task)
        lines.append(f'types = ["q"] * {others} + ["c"] * {native}  # the categories stand last, as whole numbers')
    name = f"xgboost.XGB{'Classifier' if winner.task.is_classification else 'Regressor'}"
    made = _call(name, settings, "return " if winner.task.is_classification else "model = ")
    says = f"Boosted trees; {winner.rounds} rounds were best in the search."
    return (lines + made, says) if winner.task.is_classification else (_scaled_target(lines + made, {}, code), says)


def _target_width(task: Task) -> int:
    """Columns that target means of one category are."""
    return task.n_classes if task.kind is TaskKind.MULTICLASS else 1


def _native_columns(winner: Winner) -> int:
    from automl.search.trial import candidates

    needs = candidates.get(winner.candidate).needs
    columns = winner.schema.of(Role.CATEGORY)
    return sum(_encoding(needs, winner.preparation, len(column.levels)) == "native" for column in columns)


def _svm(winner: Winner, code: _Code) -> tuple[list[str], str]:
    own = winner.own
    settings = {"C": own["C"], "gamma": own["gamma"] / max(1, winner.columns)}
    if not winner.task.is_classification:
        code.use("sklearn.svm", "SVR")
        made = _call("SVR", {**settings, "epsilon": own["epsilon"]}, "model = ")
        return _scaled_target(made, {}, code), "A kernel SVM of the standardised target."
    code.use("sklearn.svm", "SVC")
    made = _call("SVC", {**settings, "random_state": SEED}, "model = ")
    return _calibrated(made, code), "A kernel SVM with calibrated probabilities."


def _linear_svm(winner: Winner, code: _Code) -> tuple[list[str], str]:
    own = winner.own
    settings: dict[str, Any] = {"C": own["C"], "dual": False, "max_iter": 1000, "random_state": SEED}
    if not winner.task.is_classification:
        code.use("sklearn.svm", "LinearSVR")
        settings |= {"loss": "squared_epsilon_insensitive", "epsilon": own["epsilon"]}
        return _scaled_target(_call("LinearSVR", settings, "model = "), {}, code), "A linear SVM."
    code.use("sklearn.svm", "LinearSVC")
    return _calibrated(_call("LinearSVC", settings, "model = "), code), "A linear SVM with calibrated probabilities."


def _bayes(winner: Winner, code: _Code) -> tuple[list[str], str]:
    code.use("sklearn.naive_bayes", "GaussianNB")
    made = _call("GaussianNB", {"var_smoothing": winner.own["var_smoothing"]}, "model = ")
    return _calibrated(made, code), "Naive Bayes with calibrated probabilities."


def _calibrated(lines: list[str], code: _Code) -> list[str]:
    code.use("sklearn.calibration", "CalibratedClassifierCV")
    return [*lines, "return CalibratedClassifierCV(model, ensemble=False)"]


def _neighbors(winner: Winner, code: _Code) -> tuple[list[str], str]:
    name = f"KNeighbors{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.neighbors", name)
    return _call(name, dict(winner.own)), "The most similar training rows."


def _constant(winner: Winner, code: _Code) -> tuple[list[str], str]:
    name = f"Dummy{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.dummy", name)
    return _call(name, {"strategy": "prior" if winner.task.is_classification else "mean"}), "The same answer always."


_MODELS = {
    "dummy": _constant,
    "extra_trees": _forest("ExtraTrees", "Extremely randomised trees."),
    "hist_gradient_boosting": _boosting,
    "linear": _linear,
    "naive_bayes": _bayes,
    "nearest_neighbors": _neighbors,
    "random_forest": _forest("RandomForest", "A random forest."),
    "svm_linear": _linear_svm,
    "svm_rbf": _svm,
    "xgboost": _xgboost,
}


# ---- folds and scores ------------------------------------------------------------------------------------------------


def _splitting(winner: Winner, code: _Code) -> str:
    folds, classes = max(2, winner.folds), winner.task.is_classification
    if winner.time is not None:
        code.use("sklearn.model_selection", "TimeSeriesSplit")
        body = [
            f'    order = np.argsort(rows[{_literal(winner.time)}].to_numpy(), kind="stable")',
            f"    return [(order[a], order[b]) for a, b in TimeSeriesSplit({folds}).split(order)]",
        ]
        says = "Later rows are scored by models of earlier ones."
    elif winner.group is not None:
        name = "StratifiedGroupKFold" if classes else "GroupKFold"
        code.use("sklearn.model_selection", name)
        extra = ", shuffle=True, random_state=SEED"
        body = [
            f"    folds = {name}({folds}{extra})",
            f"    return list(folds.split(rows, rows[TARGET], groups=rows[{_literal(winner.group)}]))",
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
