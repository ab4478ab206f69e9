"""What is told again after a kill: the study, the families and the costs know what they knew."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from automl.events import Decision
from automl.search.cost import CostModel
from automl.search.data import fold_folder
from automl.search.families import Families
from automl.search.oof import Oofs
from automl.search.records import Records
from automl.search.recovery import take_up, tell_again
from automl.search.study import Study
from automl.search.trial import TrialResult
from automl.search.whole import ORIGIN
from tests.unit.search.runs import StoredRun, make_multiclass_table, store_run


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    return store_run(tmp_path / "run", make_multiclass_table(), "kind")


def record(stored: StoredRun, number: int, origin: str, fold_seconds: tuple[float, ...]) -> None:
    """A finished configuration, as a search leaves it."""
    spec = dataclasses.replace(stored.spec(number, "linear"), origin=origin, reference_seconds=0.5)
    records = Records(stored.run.search)
    records.add_spec(spec)
    records.add_result(
        TrialResult(
            trial=number, candidate="linear", label=spec.label, params=spec.params, origin=origin, status="ok",
            score=0.5, fold_scores=(0.5, 0.5), fold_seconds=fold_seconds,
        )
    )  # fmt: skip


def recover(stored: StoredRun) -> tuple[Families, CostModel]:
    families = Families(stored.recipe, stored.data.task, stored.data.table)
    costs = CostModel(stored.data.table.shape(stored.data.task))
    study = Study(stored.run.search / "journal.log", maximize=stored.data.task.maximize, seed=0)
    tell_again(Records(stored.run.search), study, families, static=False, costs=costs)
    return families, costs


def test_what_a_power_cut_took_of_a_complete_configuration_is_made_again(stored: StoredRun) -> None:
    stored.complete(stored.spec(0, "linear"), stored.spec(1, "naive_bayes"))
    (fold_folder(stored.run.path, 1, 0) / "oof.npy").write_bytes(b"")
    records, oofs = Records(stored.run.search), Oofs(stored.run, stored.data)
    (told,) = take_up(stored.run.path, records, oofs, folds=len(stored.data.folds), besides=())
    assert isinstance(told, Decision) and told.text.endswith("is fitted once more: its predictions are damaged")
    assert (set(oofs.outputs), [spec.number for spec in records.unfinished()]) == ({0}, [1])
    assert not fold_folder(stored.run.path, 1, 1).exists()


def test_the_pace_of_this_machine_is_known_after_a_kill(stored: StoredRun) -> None:
    _, fresh = recover(stored)
    record(stored, 0, "portfolio", (3.0, 5.0))

    _, costs = recover(stored)

    unbroken = CostModel(stored.data.table.shape(stored.data.task))
    for seconds in (3.0, 5.0):
        unbroken.note("linear", 0.5, seconds)
    assert costs.expect("linear", 1.0) == unbroken.expect("linear", 1.0) != fresh.expect("linear", 1.0)


def test_a_result_whose_configuration_is_damaged_tells_no_cost(stored: StoredRun) -> None:
    _, fresh = recover(stored)
    record(stored, 0, "portfolio", (3.0, 5.0))
    (stored.run.search / "specs.jsonl").write_text("damaged\n", encoding="utf-8")

    families, costs = recover(stored)

    assert costs.expect("linear", 1.0) == fresh.expect("linear", 1.0)
    assert families["linear"].fold_seconds == [3.0, 5.0]


def test_the_fit_on_all_rows_of_a_file_is_no_fold(stored: StoredRun) -> None:
    record(stored, 0, "portfolio", (3.0, 5.0))
    record(stored, 1, ORIGIN, (900.0,))
    families, _ = recover(stored)
    assert families["linear"].fold_seconds == [3.0, 5.0]
