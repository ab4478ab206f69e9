"""No row is in a fit and in its score: what a fold's models know does not change, whatever stands in the scored rows.

The spy is the table itself: of one fold, every cell of the scored rows is replaced, target included, and a model made
of the same configuration must answer the same other rows to the last bit.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl import prepare
from automl.search.data import SearchData, fold_folder
from automl.search.families import Families
from automl.search.trial import TrialSpec, run_fold
from tests.unit.search.runs import StoredRun, store_run

ROWS = 90
FOLD = 0
# Quick to fit; nets are held to the same in a slow test.
FAMILIES = ("linear", "naive_bayes", "nearest_neighbors", "extra_trees", "random_forest", "svm_linear", "svm_rbf")
SLOWER = ("xgboost", "hist_gradient_boosting")
WORDS = np.array(["good", "bad", "late", "kind", "broken", "fast", "again", "never"])


def make_table(kind: str, seed: int) -> pd.DataFrame:
    """Numbers with holes, categories, days and texts; the target follows some of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 3)).round(3)
    city = rng.choice(["Graz", "Linz", "Wien", "Bern"], ROWS).astype(object)
    texts = [" ".join(rng.choice(WORDS, 6)) + f" case {i}" for i in range(ROWS)]
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        city=city, day=pd.date_range("2021-01-01", periods=ROWS).strftime("%Y-%m-%d"), note=texts
    )
    signal = x[:, 0] + (city == "Wien") + rng.normal(0, 0.5, ROWS)
    frame.loc[::11, "b"] = np.nan
    if kind == "regression":
        return frame.assign(y=signal.round(3))
    return frame.assign(y=np.array(["n", "p", "q"])[np.digitize(signal, [0, 1] if kind == "multiclass" else [0.3])])


def change_scored_rows(stored: StoredRun, path: Path) -> SearchData:
    """The same run with other cells, and another target, in the rows that the fold is scored on."""
    dataset, rows = stored.dataset, stored.data.folds[FOLD]
    shutil.copytree(stored.run.path, path)
    frame, target = dataset.frame.copy(), dataset.target.copy()
    for name in ("a", "b", "c"):
        frame.loc[rows, name] = 1e6 + np.arange(len(rows))
    frame.loc[rows, "city"] = "Bern"
    frame.loc[rows, "day"] = np.datetime64("1999-12-31", "us")
    frame.loc[rows, "note"] = "words that stand nowhere else"
    target[rows] = target[rows][::-1] * -3 if target.dtype == np.float64 else (target[rows] + 1) % (target.max() + 1)
    changed = dataclasses.replace(dataset, frame=frame, target=target)
    golden = {name: (path / "data" / name) for name in ("golden", "golden.json")}
    for place in golden.values():
        shutil.move(place, path / place.name)
    encoder = prepare.make_encoder(dataset.schema, stored.recipe)
    prepare.store_dataset(path / "data", changed, encoder.encode(frame), stored.split, None, encoder, 0)
    for name, place in golden.items():
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        shutil.move(path / name, place)
    return SearchData(path / "data")


def golden_answers(stored: StoredRun, run: Path, spec: TrialSpec) -> bytes:
    """What the fold's model says of rows that were never changed."""
    run_fold({**stored.payload(spec, FOLD), "run": str(run)})
    return (fold_folder(run, spec.number, FOLD) / "golden.npy").read_bytes()


def draw_spec(stored: StoredRun, families: tuple[str, ...], number: int) -> TrialSpec:
    """A random configuration of a random family, preprocessing included."""
    rng = np.random.default_rng([number, 41])
    name = families[number % len(families)]
    space = Families(stored.recipe, stored.data.task, stored.data.table)[name].space
    return TrialSpec(number=number, candidate=name, params=space.sample(rng), origin="tpe", label=f"{name} #{number}")


def spy(tmp_path: Path, families: tuple[str, ...], numbers: range) -> dict[str, bool]:
    """Pipeline → whether it answers otherwise once the rows that it is scored on have other cells and targets."""
    knows = {}
    for at, kind in enumerate(("binary", "multiclass", "regression")):
        stored = store_run(
            tmp_path / kind / "run", make_table(kind, at), "y", split={"folds": 3, "repeats": 1},
            data={"roles": {"note": "text"}, "encoder": False},  # whose last digit hangs on the others of a batch
        )  # fmt: skip
        changed = tmp_path / kind / "changed"
        data = change_scored_rows(stored, changed)
        assert not np.array_equal(data.target, stored.data.target)
        usable = tuple(
            name for name in families if name in Families(stored.recipe, stored.data.task, data.table).usable
        )
        for number in numbers:
            spec = draw_spec(stored, usable, number)
            before, after = (golden_answers(stored, run, spec) for run in (stored.run.path, changed))
            knows[f"{kind} {number}: {spec.candidate} {spec.params}"] = before != after
    return knows


def test_random_pipelines_know_nothing_of_the_rows_that_they_are_scored_on(tmp_path: Path) -> None:
    knows = spy(tmp_path, FAMILIES, range(2))
    assert len(knows) == 6
    assert [name for name, sees in knows.items() if sees] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_random_pipelines_know_nothing_of_the_rows_that_they_are_scored_on(tmp_path: Path) -> None:
    knows = spy(tmp_path, (*FAMILIES, *SLOWER), range(2, 70))
    assert len(knows) == 204
    assert [name for name, sees in knows.items() if sees] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_random_nets_know_nothing_of_the_rows_that_they_are_scored_on(tmp_path: Path) -> None:
    knows = spy(tmp_path, ("keras_mlp", "keras_tabm"), range(4))
    assert len(knows) == 12
    assert [name for name, sees in knows.items() if sees] == []


def test_the_spy_catches_a_fit_that_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scaler that is fitted on all rows is the mistake that it is there for."""
    from automl.search import trial

    honest = trial.get_fold_matrices

    def looking(*args: object, **named: object) -> object:
        named["train"] = np.arange(ROWS)
        return honest(*args, **named)  # type: ignore[arg-type]

    stored = store_run(tmp_path / "run", make_table("binary", 0), "y", split={"folds": 3, "repeats": 1})
    changed = tmp_path / "changed"
    change_scored_rows(stored, changed)
    spec = stored.spec(0, "linear")

    def answers(run: Path) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(trial, "get_fold_matrices", looking)
            patch.setattr(SearchData, "__init__", _with_all_rows(SearchData.__init__))
            return golden_answers(stored, run, spec)

    assert answers(stored.run.path) != answers(changed)


def _with_all_rows(init: object) -> object:
    def wrapped(self: SearchData, folder: Path) -> None:
        init(self, folder)  # type: ignore[operator]
        self.trains = tuple(np.arange(ROWS) for _ in self.trains)

    return wrapped
