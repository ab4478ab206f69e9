"""The preparation of columns, spelled in scikit-learn."""

from __future__ import annotations

from typing import Any

from automl.export._script_parts import LONGEST, Code, Winner, literal
from automl.graph import NoGraphError
from automl.preprocess.category import FEW_LEVELS, MAX_NATIVE_LEVELS, MEASURED
from automl.preprocess.target_means import TARGET_TYPES
from automl.schema import Role
from automl.space import Params


def write_preparation(winner: Winner, code: Code) -> str:
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
        whole = split
        if scaled != '"passthrough"':  # a year that does not vary is noise without bound once scaled
            code.use("sklearn.feature_selection", "VarianceThreshold")
            whole = f"make_pipeline({split}, VarianceThreshold(), {scaled})"
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


def _numbers(needs: Any, params: Params, code: Code) -> str:
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


def _categories(winner: Winner, needs: Any, params: Params, code: Code) -> list[str]:
    """Lines of the column transformer, the columns grouped by how they are encoded."""
    groups: dict[str, list[str]] = {}
    for column in winner.schema.of(Role.CATEGORY):
        groups.setdefault(choose_encoding(needs, params, len(column.levels)), []).append(column.name)
    rare = int(params.get("rare", 1))
    forms = {
        "one_hot": f'OneHotEncoder(min_frequency={rare}, max_categories=101, handle_unknown="infrequent_if_exist")',
        "target": f'TargetEncoder(target_type="{TARGET_TYPES[winner.task.kind]}", random_state=SEED)',
        "ordinal": 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)',
        "native": 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)',
    }
    lines = []
    for encoding in sorted(groups, key=list(forms).index):
        code.use("sklearn.preprocessing", forms[encoding].partition("(")[0])
        if needs.scaled and encoding in MEASURED:
            code.use("sklearn.preprocessing", "StandardScaler")
            code.use("sklearn.pipeline", "make_pipeline")
            forms[encoding] = f"make_pipeline({forms[encoding]}, StandardScaler())"
        whole = len(groups) == 1
        names = "CATEGORIES" if whole else literal(groups[encoding])
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


def choose_encoding(needs: Any, params: Params, levels: int) -> str:
    encoding = str(params.get("encode", "auto"))
    if encoding == "auto":
        return "one_hot" if levels <= FEW_LEVELS else "target"
    return "target" if encoding == "native" and levels > MAX_NATIVE_LEVELS else encoding


_SPLIT_DATES = '''def split_dates(frame: pd.DataFrame) -> np.ndarray:
    """Day since 1970, year, month, day of the month, weekday, hour and minute of each date column."""
    parts = []
    for name in frame.columns:
        moment = frame[name].dt
        days = (frame[name] - pd.Timestamp(0)) // pd.Timedelta(days=1)
        parts += [days, moment.year, moment.month, moment.day, moment.day_of_week, moment.hour, moment.minute]
    return np.column_stack([part.to_numpy(dtype="float64") for part in parts])'''

_CLIPPER = '''class Clipper(TransformerMixin, BaseEstimator):
    """Pulls the outermost half per cent of each column in."""

    def fit(self, values, target=None):
        self.low_, self.high_ = np.nanquantile(values, (0.005, 0.995), axis=0)
        return self

    def transform(self, values):
        return np.clip(values, self.low_, self.high_)'''
