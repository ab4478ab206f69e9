"""What a recipe allows the deployed model to cost: time for one row, and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automl.ensemble.selection import Allowance
from automl.recipe import Recipe
from automl.search.answers import choose_folds, count_models, has_whole
from automl.search.data import SearchData
from automl.search.trial import TrialResult

# What a model was measured to take, call after call, it takes longer where others are asked between its calls: then it
# is no longer near the processor (1.8 times, the median of eight ensembles of 10 to 35 models). So does reading.
COLD_FACTOR = 1.8
# Share of the time that reading a row counts for at most, so that wide tables leave something for the models.
READING_MOST = 0.5
# Share of a size for the members; the rest is for schema, transformers that are counted once, and golden rows.
SIZE_SHARE = 0.95
# What the recipe aims at is meant for a row of a table; a text or a picture takes longer to read for every member.
READING_FACTOR = 5.0


def make_allowance(recipe: Recipe, results: Mapping[int, TrialResult], *, data: SearchData) -> Allowance | None:
    """Costs of all complete configurations against the recipe's limits; None if it names none.

    In a run by trials only what the user demands is kept: measured times would make the choice differ between runs.
    """
    aim = recipe.ensemble.latency_ms
    layout = data.table.layout
    if aim is not None and (layout.texts or layout.pictures):
        aim *= READING_FACTOR
    latencies = [recipe.constraints.latency_ms, None if recipe.budget.trials else aim]
    latency_ms = min((value for value in latencies if value is not None), default=None)
    size_mb = recipe.constraints.size_mb
    if latency_ms is None and size_mb is None:
        return None
    limits = (
        float("inf") if latency_ms is None else _leave_to_models(latency_ms / COLD_FACTOR / 1000, data.reading_seconds),
        float("inf") if size_mb is None else SIZE_SHARE * size_mb * 1e6,
    )
    costs = {}
    for trial, result in results.items():
        costs[trial] = (result.row_seconds * count_models(data, result.candidate), expect_bytes(data, result))
    return Allowance(costs, limits)


def expect_bytes(data: SearchData, result: TrialResult) -> float:
    """What a configuration's models will take on disk as part of a model folder."""
    whole = has_whole(data, result.candidate)
    return count_bytes(data, result, choose_folds(data, result.candidate, whole=whole, few=False), whole=whole)


def count_bytes(data: SearchData, result: TrialResult, folds: Sequence[int], *, whole: bool) -> float:
    """What the models of these folds take on disk, with the one of all rows if `whole`: they grow with their rows."""
    rows = sum(len(data.trains[fold]) for fold in folds) + whole * len(data.target)
    mean_rows = sum(map(len, data.trains)) / len(data.trains)
    return result.model_bytes * rows / max(1.0, mean_rows)


def _leave_to_models(seconds: float, reading_seconds: float) -> float:
    """Of the seconds that a row may take."""
    return seconds - min(reading_seconds, READING_MOST * seconds)
