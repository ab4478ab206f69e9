"""The configurations that a portfolio may be made of: by hand around what is published, and drawn at random."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """A family, and its parameters where they differ from the family's defaults."""

    name: str
    family: str
    params: dict[str, Any]


def _model(**params: Any) -> dict[str, Any]:
    return {f"model.{name}": value for name, value in params.items()}


def _matrix(**params: Any) -> dict[str, Any]:
    return {f"preprocess.{name}": value for name, value in params.items()}


def _spread(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_boosters(count: int) -> list[Configuration]:
    """XGBoost at random, around where tuned values of many tables lie."""
    rng = np.random.default_rng(7)
    found = []
    for number in range(count):
        params = _model(
            learning_rate=round(_spread(rng, 0.02, 0.1), 4),
            max_depth=int(rng.integers(3, 11)),
            min_child_weight=round(_spread(rng, 0.1, 20), 3),
            subsample=round(float(rng.uniform(0.5, 1.0)), 2),
            colsample_bylevel=round(float(rng.uniform(0.3, 1.0)), 2),
            reg_lambda=round(_spread(rng, 1e-3, 20), 4),
            grow_policy=str(rng.choice(["depthwise", "lossguide"])),
        )
        encode = str(rng.choice(["native", "auto", "target"]))
        found.append(Configuration(f"xgboost r{number}", "xgboost", params | _matrix(encode=encode)))
    return found


def _draw_histograms(count: int) -> list[Configuration]:
    """Histogram boosting at random: few leaves and slow steps as well as many and quick ones."""
    rng = np.random.default_rng(11)
    found = []
    for number in range(count):
        params = _model(
            learning_rate=round(_spread(rng, 0.02, 0.12), 4),
            max_leaf_nodes=round(_spread(rng, 6, 96)),
            min_samples_leaf=round(_spread(rng, 5, 100)),
            max_features=round(float(rng.uniform(0.25, 0.9)), 2),
            l2_regularization=round(_spread(rng, 1e-2, 20), 3),
        )
        matrix = _matrix(encode=str(rng.choice(["auto", "target", "ordinal"])))
        found.append(Configuration(f"histogram r{number}", "hist_gradient_boosting", params | matrix))
    return found


CONFIGURATIONS: tuple[Configuration, ...] = (
    Configuration("dummy", "dummy", {}),
    Configuration("linear", "linear", {}),
    Configuration("linear quantile", "linear", _matrix(scale="quantile", encode="target")),
    Configuration("linear one-hot", "linear", _matrix(scale="quantile", encode="one_hot")),
    Configuration("linear strong", "linear", _model(C=0.05, alpha=0.1) | _matrix(scale="power", encode="one_hot")),
    Configuration(
        "linear sparse",
        "linear",
        _model(penalty="elasticnet", l1_ratio=0.9, C=0.3, alpha=0.01) | _matrix(scale="power"),
    ),
    Configuration("discriminant", "discriminant", {}),
    Configuration("discriminant power", "discriminant", _model(pooled=0.5, shrunk=0.05) | _matrix(scale="power")),
    Configuration("naive bayes", "naive_bayes", {}),
    Configuration("naive bayes quantile", "naive_bayes", _model(var_smoothing=0.05) | _matrix(scale="quantile")),
    Configuration("svm linear", "svm_linear", {}),
    Configuration("svm rbf", "svm_rbf", {}),
    Configuration("svm rbf hard", "svm_rbf", _model(C=10.0) | _matrix(scale="quantile")),
    Configuration("svm rbf narrow", "svm_rbf", _model(C=5.0, gamma=2.0, epsilon=0.1)),
    Configuration("svm rbf wide", "svm_rbf", _model(C=5.0, gamma=0.2, epsilon=0.1) | _matrix(scale="power")),
    Configuration("neighbours", "nearest_neighbors", {}),
    Configuration("neighbours few", "nearest_neighbors", _model(n_neighbors=5) | _matrix(scale="quantile")),
    Configuration("neighbours many", "nearest_neighbors", _model(n_neighbors=40) | _matrix(scale="quantile")),
    Configuration("forest", "random_forest", {}),
    Configuration("forest leaf 5", "random_forest", _model(min_samples_leaf=5, max_features=0.5)),
    Configuration("forest target", "random_forest", _model(min_samples_leaf=1) | _matrix(encode="target")),
    Configuration("extra trees", "extra_trees", {}),
    Configuration("extra trees leaf 1", "extra_trees", _model(min_samples_leaf=1, max_features=0.75)),
    Configuration("extra trees all", "extra_trees", _model(max_features=1.0, min_samples_leaf=3)),
    Configuration("extra trees leaf 5", "extra_trees", _model(min_samples_leaf=5, max_features=0.5)),
    Configuration("extra trees target", "extra_trees", _model(max_features=0.6) | _matrix(encode="target")),
    Configuration("extra trees combined", "extra_trees", _model(max_features=0.6) | _matrix(combine="both")),
    Configuration("histogram", "hist_gradient_boosting", {}),
    Configuration(
        "histogram small",
        "hist_gradient_boosting",
        _model(learning_rate=0.05, max_leaf_nodes=10, min_samples_leaf=10, max_features=0.5),
    ),
    Configuration(
        "histogram large",
        "hist_gradient_boosting",
        _model(learning_rate=0.03, max_leaf_nodes=80, min_samples_leaf=10, max_features=0.4, l2_regularization=1.0),
    ),
    Configuration(
        "histogram combined",
        "hist_gradient_boosting",
        _model(learning_rate=0.05, max_leaf_nodes=24, max_features=0.4) | _matrix(combine="both"),
    ),
    Configuration("xgboost", "xgboost", {}),
    Configuration(
        "xgboost shallow",
        "xgboost",
        _model(
            learning_rate=0.04, max_depth=4, min_child_weight=8.0, subsample=0.8, colsample_bylevel=0.5, reg_lambda=1.0
        ),
    ),
    Configuration(
        "xgboost stumps",
        "xgboost",
        _model(learning_rate=0.08, max_depth=2, min_child_weight=4.0, colsample_bylevel=0.5),
    ),
    Configuration(
        "xgboost target",
        "xgboost",
        _model(
            learning_rate=0.05, max_depth=8, min_child_weight=3.0, subsample=0.7, colsample_bylevel=0.4, reg_lambda=3.0
        )
        | _matrix(encode="target"),
    ),
    Configuration(
        "xgboost combined",
        "xgboost",
        _model(learning_rate=0.05, max_depth=6, min_child_weight=2.0, subsample=0.7, colsample_bylevel=0.5)
        | _matrix(combine="both"),
    ),
    Configuration(
        "xgboost combined shallow",
        "xgboost",
        _model(
            learning_rate=0.05, max_depth=4, min_child_weight=4.0, subsample=0.8, colsample_bylevel=0.4, reg_lambda=2.0
        )
        | _matrix(combine="both", encode="target"),
    ),
    Configuration(
        "xgboost slow",
        "xgboost",
        _model(
            learning_rate=0.02,
            max_depth=10,
            min_child_weight=0.6,
            subsample=0.8,
            colsample_bylevel=0.55,
            reg_lambda=0.8,
        ),
    ),
    Configuration(
        "xgboost leaves",
        "xgboost",
        _model(
            learning_rate=0.04,
            max_depth=6,
            min_child_weight=10.0,
            subsample=0.8,
            colsample_bylevel=0.5,
            reg_lambda=1.0,
            grow_policy="lossguide",
        ),
    ),
    Configuration(
        "xgboost many leaves",
        "xgboost",
        _model(
            learning_rate=0.03,
            max_depth=8,
            min_child_weight=16.0,
            subsample=0.85,
            colsample_bylevel=0.4,
            reg_lambda=2.0,
            grow_policy="lossguide",
        ),
    ),
    Configuration(
        "xgboost slow shallow",
        "xgboost",
        _model(
            learning_rate=0.05,
            max_depth=5,
            min_child_weight=5.0,
            subsample=0.8,
            colsample_bylevel=0.4,
            reg_lambda=5.0,
        )
        | _matrix(encode="target"),
    ),
    Configuration(
        "histogram slow",
        "hist_gradient_boosting",
        _model(learning_rate=0.03, max_leaf_nodes=31, min_samples_leaf=25, max_features=0.4, l2_regularization=1.0),
    ),
    Configuration(
        "histogram target",
        "hist_gradient_boosting",
        _model(learning_rate=0.05, max_leaf_nodes=40, min_samples_leaf=30, max_features=0.5) | _matrix(encode="target"),
    ),
    Configuration(
        "histogram few",
        "hist_gradient_boosting",
        _model(learning_rate=0.1, max_leaf_nodes=12, min_samples_leaf=40, max_features=0.3, l2_regularization=0.1),
    ),
    Configuration(
        "histogram small held",
        "hist_gradient_boosting",
        _model(learning_rate=0.05, max_leaf_nodes=10, min_samples_leaf=10, max_features=0.5, l2_regularization=5.0),
    ),
    Configuration(
        "histogram small quick",
        "hist_gradient_boosting",
        _model(learning_rate=0.1, max_leaf_nodes=10, min_samples_leaf=15, max_features=0.5, l2_regularization=5.0),
    ),
    Configuration(
        "histogram small target",
        "hist_gradient_boosting",
        _model(learning_rate=0.06, max_leaf_nodes=14, min_samples_leaf=20, max_features=0.5, l2_regularization=3.0)
        | _matrix(encode="target"),
    ),
    Configuration(
        "histogram small combined",
        "hist_gradient_boosting",
        _model(learning_rate=0.06, max_leaf_nodes=14, min_samples_leaf=20, max_features=0.4, l2_regularization=3.0)
        | _matrix(combine="both"),
    ),
    Configuration(
        "xgboost small",
        "xgboost",
        _model(
            learning_rate=0.08, max_depth=4, min_child_weight=2.0, subsample=0.9, colsample_bylevel=0.4, reg_lambda=5.0
        ),
    ),
    Configuration(
        "xgboost small target",
        "xgboost",
        _model(
            learning_rate=0.08, max_depth=5, min_child_weight=4.0, subsample=0.9, colsample_bylevel=0.4, reg_lambda=5.0
        )
        | _matrix(encode="target"),
    ),
    Configuration(
        "xgboost small combined",
        "xgboost",
        _model(
            learning_rate=0.08, max_depth=5, min_child_weight=4.0, subsample=0.8, colsample_bylevel=0.3, reg_lambda=5.0
        )
        | _matrix(combine="both", encode="target"),
    ),
    *_draw_boosters(8),
    *_draw_histograms(6),
    Configuration("mlp", "keras_mlp", {}),
    Configuration("mlp fast", "keras_mlp", _model(learning_rate=0.012, units=192, epochs=60) | _matrix(scale="robust")),
    Configuration("tabm", "keras_tabm", {}),
    Configuration("tabm quantile", "keras_tabm", _matrix(scale="quantile")),
    Configuration("tabm large", "keras_tabm", _model(members=32, units=256, bins=48) | _matrix(scale="quantile")),
)

# What large tables are tried with: families whose time grows steeply, and what was never near the best, are left out.
LARGE = (
    *(
        "dummy",
        "linear",
        "linear quantile",
        "discriminant",
        "neighbours few",
        "forest target",
        "extra trees leaf 5",
        "mlp",
    ),
    *("histogram", "histogram small", "histogram large", "histogram combined", "histogram slow", "histogram target"),
    *("histogram few", "histogram r0", "histogram r2", "histogram r4"),
    *("xgboost", "xgboost shallow", "xgboost stumps", "xgboost combined", "xgboost combined shallow"),
    *("xgboost leaves", "xgboost slow shallow", "xgboost r1", "xgboost r2", "xgboost r5", "xgboost target"),
    *("histogram small held", "histogram small quick", "histogram small target", "histogram small combined"),
    *("xgboost small", "xgboost small target", "xgboost small combined", "linear one-hot", "mlp fast"),
)


def suit(size: str) -> tuple[Configuration, ...]:
    """Those that are run on tables of a size."""
    return CONFIGURATIONS if size == "small" else tuple(each for each in CONFIGURATIONS if each.name in LARGE)
