"""Which models of a configuration answer new rows: those of its folds or, where the family gains by it, one that has
learned from all rows and few of them beside it."""

from __future__ import annotations

from pathlib import Path

from automl.files import read_json
from automl.search.data import SearchData, fold_folder
from automl.search.trial import TrialResult, candidates, mark

# So many models of folds answer beside one of all rows: more of them add time and little else
# (`tests/benchmark/all_rows.py`).
BESIDE_WHOLE = 2


def has_whole(data: SearchData, candidate: str) -> bool:
    """Whether a member of this family is to get a model of all rows beside those of its folds: of families that gain by
    it, on plain tables whose folds are all alike."""
    layout = data.table.layout
    is_plain = not (layout.texts or layout.pictures) and data.times is None and len(data.folds) > 1
    return is_plain and getattr(candidates.get(candidate), "gains_by_all_rows", False)


def find_whole(run_path: Path, data: SearchData, result: TrialResult) -> Path | None:
    """The folder of a configuration's model of all rows, if it was made of this configuration: a power cut may have
    taken the line that gave its number to another one."""
    place = fold_folder(run_path, result.trial, data.whole)
    done = place / "fold.json"
    is_own = done.exists() and read_json(done).get("made_by") == mark(result.candidate, result.params)
    return place if is_own else None


def choose_folds(data: SearchData, candidate: str, *, whole: bool, few: bool) -> tuple[int, ...]:
    """The folds whose models answer for a member of this family.

    Args:
        whole: its model of all rows answers beside them.
        few: a row shall take little time, so that no more models answer than if there were one.
    """
    if whole:
        return data.serving_folds[:BESIDE_WHOLE]
    return data.serving_folds[: BESIDE_WHOLE + 1] if few and has_whole(data, candidate) else data.serving_folds


def count_models(data: SearchData, candidate: str) -> int:
    """How many models of one configuration answer a row together where it shall take little time."""
    return min(BESIDE_WHOLE, len(data.serving_folds)) + 1 if has_whole(data, candidate) else len(data.serving_folds)
