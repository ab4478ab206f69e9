"""One fit and one prediction of one library, run by the interpreter of its own environment.

Arguments: peer, working folder with train.csv and test.csv, target, kind, seconds, seed. Writes predictions.csv (a
column `prediction`, or one a class) and facts.json.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

import pandas as pd

DISTRIBUTIONS = {"autogluon": "autogluon.tabular", "mljar": "mljar-supervised"}
NAMES = {
    "autogluon": ("roc_auc", "log_loss", "root_mean_squared_error"),
    "flaml": ("roc_auc", "log_loss", "rmse"),
    "h2o": ("AUC", "logloss", "RMSE"),
    "mljar": ("auc", "logloss", "rmse"),
}


def fit_automl(work, train, target, kind, seconds, seed):
    import automl

    run = automl.fit(train, target=target, out=work / f"run-{time.time_ns()}", time=seconds, seed=seed)
    predictor = automl.load(run.path)
    return lambda test: predictor.predict(test) if kind == "regression" else predictor.predict_proba(test)


def fit_autogluon(work, train, target, kind, seconds, seed):
    from autogluon.tabular import TabularPredictor

    place = str(work / f"autogluon-{time.time_ns()}")
    predictor = TabularPredictor(target, problem_type=kind, eval_metric=metric_name("autogluon", kind), path=place)
    predictor.fit(train, time_limit=seconds)
    return predictor.predict if kind == "regression" else predictor.predict_proba


def fit_flaml(work, train, target, kind, seconds, seed):
    from flaml import AutoML

    model = AutoML()
    task = "regression" if kind == "regression" else "classification"
    x, y = train.drop(columns=target), train[target]
    model.fit(x, y, task=task, metric=metric_name("flaml", kind), time_budget=seconds, seed=seed, verbose=0)
    if kind == "regression":
        return model.predict
    return lambda test: pd.DataFrame(model.predict_proba(test), columns=model.classes_)


def fit_h2o(work, train, target, kind, seconds, seed):
    import h2o
    from h2o.automl import H2OAutoML

    h2o.init(nthreads=os.cpu_count(), bind_to_localhost=True, name=f"peer{os.getpid()}")
    frame = h2o.H2OFrame(train)
    if kind != "regression":
        frame[target] = frame[target].asfactor()
    search = H2OAutoML(max_runtime_secs=seconds, seed=seed, sort_metric=metric_name("h2o", kind))
    search.train(y=target, training_frame=frame)

    def predict(test):
        types = {name: frame.types[name] for name in test.columns}
        found = search.leader.predict(h2o.H2OFrame(test, column_types=types)).as_data_frame()
        return found["predict"] if kind == "regression" else found.drop(columns="predict")

    return predict


def fit_lightautoml(work, train, target, kind, seconds, seed):
    from lightautoml.automl.presets.tabular_presets import TabularAutoML
    from lightautoml.tasks import Task

    labels = sorted(train[target].unique()) if kind != "regression" else []
    coded = train.assign(**{target: train[target].map(labels.index)}) if labels else train
    task = Task({"regression": "reg"}.get(kind, kind))
    model = TabularAutoML(task=task, timeout=seconds, cpu_limit=os.cpu_count(), reader_params={"random_state": seed})
    model.fit_predict(coded, roles={"target": target})

    def predict(test):
        found = model.predict(test).data
        if kind == "regression":
            return found[:, 0]
        if found.shape[1] == 1:
            return pd.DataFrame({labels[0]: 1 - found[:, 0], labels[1]: found[:, 0]})
        order = model.reader.class_mapping or {place: place for place in range(len(labels))}
        return pd.DataFrame({labels[code]: found[:, place] for code, place in order.items()})

    return predict


def fit_mljar(work, train, target, kind, seconds, seed):
    from supervised.automl import AutoML

    kinds = {"binary": "binary_classification", "multiclass": "multiclass_classification"}
    place = str(work / f"mljar-{time.time_ns()}")
    name = metric_name("mljar", kind)
    model = AutoML(place, total_time_limit=seconds, ml_task=kinds.get(kind, kind), eval_metric=name, random_state=seed)
    model.fit(train.drop(columns=target), train[target])

    def predict(test):
        if kind == "regression":
            return model.predict(test)
        found = model.predict_all(test).filter(like="prediction_")
        return found.rename(columns=lambda column: column.removeprefix("prediction_"))

    return predict


def metric_name(peer, kind):
    return NAMES[peer][("binary", "multiclass", "regression").index(kind)]


def main():
    peer, work, target, kind, seconds, seed = sys.argv[1:]
    folder = Path(work)
    train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
    began = time.monotonic()
    predict = globals()[f"fit_{peer}"](folder, train, target, kind, int(seconds), int(seed))
    fitted = time.monotonic()
    found = predict(test)
    frame = pd.DataFrame({"prediction": found}) if kind == "regression" else pd.DataFrame(found)
    facts = {
        "fit_seconds": round(fitted - began, 1),
        "predict_seconds": round(time.monotonic() - fitted, 2),
        "version": importlib.metadata.version(DISTRIBUTIONS.get(peer, peer)),
    }
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    frame.reset_index(drop=True).to_csv(folder / "predictions.csv", index=False)


if __name__ == "__main__":
    main()
