"""Model families, spelled in scikit-learn, XGBoost and Keras."""

from __future__ import annotations

from typing import Any

from automl.candidates._targets import LOGARITHM, LOGARITHMIC_METRICS, learns_logarithm, without_transform
from automl.export._script_columns import choose_encoding
from automl.export._script_parts import SEED, Code, Raw, Winner, literal
from automl.graph import NoGraphError
from automl.schema import Role
from automl.task import Task, TaskKind

DATE_PARTS = 7


def write_model(winner: Winner, code: Code) -> str:
    if winner.candidate not in _MODELS:
        raise NoGraphError(f"{winner.name!r} ({winner.candidate}) has no form in plain scikit-learn, XGBoost or Keras")
    body, says = _MODELS[winner.candidate](winner, code)
    return "\n".join(["def build_model():", f'    """{says}"""', *(f"    {line}" for line in body)])


def _call(name: str, settings: dict[str, Any], before: str = "return ") -> list[str]:
    if sum(len(f"{key}={literal(value)}, ") for key, value in settings.items()) < 80:
        return [f"{before}{name}({', '.join(f'{key}={literal(value)}' for key, value in settings.items())})"]
    return [f"{before}{name}(", *(f"    {key}={literal(value)}," for key, value in settings.items()), ")"]


def _linear(winner: Winner, code: Code) -> tuple[list[str], str]:
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
    return _scaled_target(_call(name, settings, "model = "), winner, code), f"A linear model of {_name_target(winner)}."


def _is_logarithmic(winner: Winner) -> bool:
    """Whether the logarithm of the target is learned: by choice, or for the metric where there is none."""
    if winner.task.is_classification:
        return False
    return learns_logarithm(winner.own) if LOGARITHM in winner.own else winner.task.metric in LOGARITHMIC_METRICS


def _name_target(winner: Winner) -> str:
    return "the logarithm of the target" if _is_logarithmic(winner) else "the standardised target"


def _scaled_target(lines: list[str], winner: Winner, code: Code) -> list[str]:
    code.use("sklearn.compose", "TransformedTargetRegressor")
    code.use("sklearn.preprocessing", "StandardScaler")
    if _is_logarithmic(winner):
        code.use("functools", "partial")
        code.use("sklearn.preprocessing", "FunctionTransformer")
        code.use("sklearn.pipeline", "make_pipeline")
        # functions of NumPy alone: what is pickled loads in any program
        is_positive = winner.task.skewed or winner.task.metric in LOGARITHMIC_METRICS
        pair = "np.log1p, np.expm1" if is_positive else "np.arcsinh, np.sinh"  # the second knows negative ones
        return [
            *lines,
            f"unit = {literal(winner.unit)}  # typical size of the target",
            "units = FunctionTransformer(partial(np.multiply, 1 / unit), partial(np.multiply, unit))",
            f"logarithm = make_pipeline(units, FunctionTransformer({pair}), StandardScaler())",
            "return TransformedTargetRegressor(model, transformer=logarithm)",
        ]
    return [*lines, "return TransformedTargetRegressor(model, transformer=StandardScaler())"]


def _forest(class_name: str, says: str) -> Any:
    def write(winner: Winner, code: Code) -> tuple[list[str], str]:
        name = f"{class_name}{'Classifier' if winner.task.is_classification else 'Regressor'}"
        code.use("sklearn.ensemble", name)
        settings = {**winner.own, "n_jobs": -1, "random_state": SEED}
        if _is_logarithmic(winner):
            return _scaled_target(_call(name, settings, "model = "), winner, code), says
        return _call(name, settings), says

    return write


def _boosting(winner: Winner, code: Code) -> tuple[list[str], str]:
    name = f"HistGradientBoosting{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.ensemble", name)
    settings = {
        **without_transform(winner.own),
        "max_iter": winner.rounds,
        "early_stopping": False,
        "random_state": SEED,
    }
    says = f"Boosted trees; {winner.rounds} rounds were best in the search."
    if _is_logarithmic(winner):
        return _scaled_target(_call(name, settings, "model = "), winner, code), says
    return _call(name, settings), says


def _xgboost(winner: Winner, code: Code) -> tuple[list[str], str]:
    code.use("xgboost")
    own = without_transform(winner.own)
    if own["grow_policy"] == "lossguide":
        own |= {"max_leaves": 2 ** min(own["max_depth"], 9), "max_depth": 0}
    settings: dict[str, Any] = {"n_estimators": winner.rounds, **own, "tree_method": "hist", "random_state": SEED}
    if not winner.task.is_classification and winner.task.metric in ("mae", "median_absolute_error", "mape"):
        settings["objective"] = "reg:absoluteerror"
    native = _native_columns(winner)
    lines = []
    if native:
        settings |= {"enable_categorical": True, "feature_types": Raw("types")}
        others = len(winner.schema.of(Role.NUMBER)) + DATE_PARTS * len(winner.schema.of(Role.DATE))
        others += (len(winner.schema.of(Role.CATEGORY)) - native) * _target_width(winner.task)
        lines.append(f'types = ["q"] * {others} + ["c"] * {native}  # the categories stand last, as whole numbers')
    name = f"xgboost.XGB{'Classifier' if winner.task.is_classification else 'Regressor'}"
    made = _call(name, settings, "return " if winner.task.is_classification else "model = ")
    says = f"Boosted trees; {winner.rounds} rounds were best in the search."
    if winner.task.is_classification:
        return lines + made, says
    return _scaled_target(lines + made, winner, code), says


def _target_width(task: Task) -> int:
    """Columns that target means of one category are."""
    return task.n_classes if task.kind is TaskKind.MULTICLASS else 1


def _native_columns(winner: Winner) -> int:
    from automl.search.trial import candidates

    needs = candidates.get(winner.candidate).needs
    columns = winner.schema.of(Role.CATEGORY)
    return sum(choose_encoding(needs, winner.preparation, len(column.levels)) == "native" for column in columns)


def _svm(winner: Winner, code: Code) -> tuple[list[str], str]:
    own = winner.own
    settings = {"C": own["C"], "gamma": own["gamma"] / max(1, winner.columns)}
    if not winner.task.is_classification:
        code.use("sklearn.svm", "SVR")
        made = _call("SVR", {**settings, "epsilon": own["epsilon"]}, "model = ")
        return _scaled_target(made, winner, code), f"A kernel SVM of {_name_target(winner)}."
    code.use("sklearn.svm", "SVC")
    made = _call("SVC", {**settings, "random_state": SEED}, "model = ")
    return _calibrated(made, code), "A kernel SVM with calibrated probabilities."


def _linear_svm(winner: Winner, code: Code) -> tuple[list[str], str]:
    own = winner.own
    settings: dict[str, Any] = {"C": own["C"], "dual": False, "max_iter": 1000, "random_state": SEED}
    if not winner.task.is_classification:
        code.use("sklearn.svm", "LinearSVR")
        settings |= {"loss": "squared_epsilon_insensitive", "epsilon": own["epsilon"]}
        return _scaled_target(_call("LinearSVR", settings, "model = "), winner, code), "A linear SVM."
    code.use("sklearn.svm", "LinearSVC")
    return _calibrated(_call("LinearSVC", settings, "model = "), code), "A linear SVM with calibrated probabilities."


def _bayes(winner: Winner, code: Code) -> tuple[list[str], str]:
    code.use("sklearn.naive_bayes", "GaussianNB")
    made = _call("GaussianNB", {"var_smoothing": winner.own["var_smoothing"]}, "model = ")
    return _calibrated(made, code), "Naive Bayes with calibrated probabilities."


def _discriminant(winner: Winner, code: Code) -> tuple[list[str], str]:
    code.use("sklearn.discriminant_analysis", "QuadraticDiscriminantAnalysis")
    settings = {"solver": "eigen", "shrinkage": winner.own["shrunk"]}
    made = _call("QuadraticDiscriminantAnalysis", settings)
    return (
        made,
        "Quadratic discriminant analysis, drawn towards a sphere as in the search, but not towards the common shape.",
    )


def _tree(winner: Winner, code: Code) -> tuple[list[str], str]:
    name = f"DecisionTree{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.tree", name)
    settings = {name: value for name, value in winner.own.items() if name != "pull"}
    settings["random_state"] = SEED
    if _is_logarithmic(winner):
        return _scaled_target(_call(name, settings, "model = "), winner, code), "One decision tree."
    return _call(name, settings), "One decision tree."


def _calibrated(lines: list[str], code: Code) -> list[str]:
    code.use("sklearn.calibration", "CalibratedClassifierCV")
    return [*lines, "return CalibratedClassifierCV(model, ensemble=False)"]


def _neighbors(winner: Winner, code: Code) -> tuple[list[str], str]:
    name = f"KNeighbors{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.neighbors", name)
    return _call(name, dict(winner.own)), "The most similar training rows."


def _perceptron(winner: Winner, code: Code) -> tuple[list[str], str]:
    """A plain perceptron of the network's size: what it adds to that is many lines, and proven to be little."""
    own, classes = winner.own, winner.task.is_classification
    mixin = "ClassifierMixin" if classes else "RegressorMixin"
    code.use("keras")
    code.use("sklearn.base", "BaseEstimator", mixin)
    layers = own.get("layers", own.get("blocks", 2))
    units = own.get("units", 128)
    code.blocks.append(
        _NETWORK.format(
            mixin=mixin,
            layers=layers,
            units=units,
            activation=own.get("activation", "relu"),
            start="he_normal" if own.get("activation", "relu") == "relu" else "lecun_normal",
            dropout=literal(float(own.get("dropout", 0.0))),
            outputs=winner.task.n_outputs,
            last=', activation="softmax"' if classes else "",
            rate=literal(float(own.get("learning_rate", 1e-3))),
            decay=literal(float(own.get("weight_decay", 1e-2))),
            loss="sparse_categorical_crossentropy" if classes else "mse",
            epochs=int(own.get("epochs", 50)),
            batch=int(own.get("batch_size", 128)),
            classes="        self.classes_ = np.unique(target)\n" if classes else "",
            answer=_NETWORK_CLASSES if classes else _NETWORK_VALUES,
        )
    )
    says = f"A perceptron of {layers} layers of {units} units."
    return (["return Network()"], says) if classes else (_scaled_target(["model = Network()"], winner, code), says)


_NETWORK = '''class Network({mixin}, BaseEstimator):
    """Dense layers in Keras; the epoch that was best on a tenth of the rows is kept."""

    def fit(self, values, target):
        keras.utils.set_random_seed(SEED)
        values = np.nan_to_num(np.asarray(values, dtype="float32"))
{classes}        layers = [keras.Input((values.shape[1],))]
        for _ in range({layers}):
            layers.append(keras.layers.Dense({units}, activation="{activation}", kernel_initializer="{start}"))
            layers.append(keras.layers.Dropout({dropout}))
        layers.append(keras.layers.Dense({outputs}{last}))
        self.model_ = keras.Sequential(layers)
        self.model_.compile(keras.optimizers.AdamW({rate}, weight_decay={decay}), loss="{loss}")
        order = np.random.default_rng(SEED).permutation(len(values))
        stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
        self.model_.fit(
            values[order],
            np.asarray(target)[order],
            validation_split=0.1,
            epochs={epochs},
            batch_size={batch},
            callbacks=[stop],
            verbose=0,
        )
        return self

{answer}'''

_NETWORK_CLASSES = """    def predict_proba(self, values):
        return self.model_.predict(np.nan_to_num(np.asarray(values, dtype="float32")), verbose=0)

    def predict(self, values):
        return self.predict_proba(values).argmax(axis=1)"""

_NETWORK_VALUES = """    def predict(self, values):
        return self.model_.predict(np.nan_to_num(np.asarray(values, dtype="float32")), verbose=0)[:, 0]"""


def _constant(winner: Winner, code: Code) -> tuple[list[str], str]:
    name = f"Dummy{'Classifier' if winner.task.is_classification else 'Regressor'}"
    code.use("sklearn.dummy", name)
    return _call(name, {"strategy": "prior" if winner.task.is_classification else "mean"}), "The same answer always."


_MODELS = {
    "dummy": _constant,
    "decision_tree": _tree,
    "discriminant": _discriminant,
    "extra_trees": _forest("ExtraTrees", "Extremely randomised trees."),
    "hist_gradient_boosting": _boosting,
    "keras_mlp": _perceptron,
    "keras_tabm": _perceptron,
    "linear": _linear,
    "naive_bayes": _bayes,
    "nearest_neighbors": _neighbors,
    "random_forest": _forest("RandomForest", "A random forest."),
    "svm_linear": _linear_svm,
    "svm_rbf": _svm,
    "xgboost": _xgboost,
}
