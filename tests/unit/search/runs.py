"""Small run folders as `flow` makes them, with trials run in this process."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl import prepare
from automl.data import Dataset, Split
from automl.recipe import Recipe
from automl.run import Run
from automl.schema import Schema
from automl.search.data import SearchData
from automl.search.families import Families
from automl.search.oof import Oofs
from automl.search.records import Records
from automl.search.trial import TrialResult, TrialSpec, run_fold
from automl.space import Params


@dataclasses.dataclass
class StoredRun:
    """A run whose data stage is done."""

    run: Run
    data: SearchData
    dataset: Dataset
    split: Split
    recipe: Recipe

    @property
    def schema(self) -> Schema:
        return self.dataset.schema

    def copy_to(self, path: Path) -> StoredRun:
        """The same in a folder of its own, to be changed there."""
        run = Run(Path(shutil.copytree(self.run.path, path)))
        return dataclasses.replace(self, run=run, data=SearchData(run.data))

    def spec(self, number: int, candidate: str, **given: Any) -> TrialSpec:
        """A configuration of the family's defaults but for `given` ("model__C" for "model.C")."""
        changed = {name.replace("__", "."): value for name, value in given.items()}
        params: Params = Families(self.recipe, self.data.task, self.data.table)[candidate].space.complete(changed)
        label = f"{candidate} #{number}"
        return TrialSpec(number=number, candidate=candidate, params=params, origin="portfolio", label=label)

    def payload(self, spec: TrialSpec, fold: int, **changes: Any) -> dict[str, Any]:
        return {
            "run": str(self.run.path),
            "trial": spec.number,
            "fold": fold,
            "candidate": spec.candidate,
            "params": spec.params,
            "seed": self.recipe.seed,
            "seconds": None,
            "threads": 1,
            **changes,
        }

    def complete(self, *specs: TrialSpec) -> tuple[Oofs, Records]:
        """Run every fold of these configurations and record them."""
        oofs, records = Oofs(self.run, self.data), Records(self.run.search)
        for spec in specs:
            records.add_spec(spec)
            folds = [run_fold(self.payload(spec, fold)) for fold in range(len(self.split))]
            records.add_result(
                TrialResult(
                    trial=spec.number,
                    candidate=spec.candidate,
                    label=spec.label,
                    params=spec.params,
                    origin=spec.origin,
                    status="ok",
                    score=oofs.add(spec.number),
                    fold_scores=tuple(fold["score"] for fold in folds),
                    fold_seconds=tuple(fold["seconds"] for fold in folds),
                    size_bytes=sum(fold["size_bytes"] for fold in folds),
                )
            )
        return oofs, records


def store_run(path: Path, frame: pd.DataFrame, target: str, made: Split | None = None, **recipe: Any) -> StoredRun:
    """Do the data stage of a run on `frame`; `recipe` as in a recipe file, `made` in place of the split it asks for."""
    asked = Recipe().override({"budget": {"trials": 8, "seconds": None}, **recipe})
    run = Run.create(path, data_name="table", record={})
    dataset = prepare.load(frame, target=target, recipe=asked)
    encoder = prepare.make_encoder(dataset.schema, asked)
    table = encoder.encode(dataset.frame)
    split = made or prepare.choose_split(dataset, [], asked, table)
    prepare.store_dataset(run.data, dataset, table, split, dataset.groups, encoder, asked.seed)
    return StoredRun(run, SearchData(run.data), dataset, split, asked)


def make_regression_table(rows: int = 120) -> pd.DataFrame:
    """`price` follows `size` and `city`; `when` tells nothing."""
    rng = np.random.default_rng(5)
    size = rng.uniform(20, 200, rows).round(1)
    city = rng.choice(["Graz", "Linz", "Wien"], rows).astype(object)
    price = 1000 * size + 20_000 * (city == "Wien") + rng.normal(0, 5_000, rows)
    when = pd.date_range("2021-01-01", periods=rows, freq="D").strftime("%Y-%m-%d")
    city[5::20] = None
    return pd.DataFrame({"size": size, "city": city, "when": when, "price": price.round(2)})


def make_multiclass_table(rows: int = 150) -> pd.DataFrame:
    """Three kinds, told apart by two measures."""
    rng = np.random.default_rng(6)
    kind = rng.choice(["ash", "elm", "oak"], rows)
    centre = pd.Series({"ash": 0.0, "elm": 3.0, "oak": 6.0})[kind].to_numpy()
    return pd.DataFrame({"a": centre + rng.normal(0, 1, rows), "b": rng.normal(0, 1, rows) - centre, "kind": kind})
