"""What a recipe allows the deployed model to cost: time for one row, and size."""

from __future__ import annotations

from collections.abc import Mapping

from automl.ensemble.selection import Allowance
from automl.preprocess.table import Layout
from automl.recipe import Recipe
from automl.search.trial import TrialResult

# Milliseconds for reading a row and joining the answers: always, and for each of its columns; never more than a half.
READING_MS, READING_COLUMN_MS, READING_MOST = 3.5, 0.1, 0.5
# What a model was measured to take, call after call, it takes longer where others are asked between its calls: then it
# is no longer near the processor (1.8 times, the median of eight ensembles of 10 to 35 models).
COLD_FACTOR = 1.8
# Share of a size for the members; the rest is for schema, transformers that are counted once, and golden rows.
SIZE_SHARE = 0.95
# What the recipe aims at is meant for a row of a table; a text or a picture takes longer to read for every member.
READING_FACTOR = 5.0


def make_allowance(
    recipe: Recipe, results: Mapping[int, TrialResult], *, folds: int, layout: Layout
) -> Allowance | None:
    """Costs of all complete configurations against the recipe's limits; None if it names none.

    In a run by trials only what the user demands is kept: measured times would make the choice differ between runs.
    """
    aim = recipe.ensemble.latency_ms
    if aim is not None and (layout.texts or layout.pictures):
        aim *= READING_FACTOR
    latencies = [recipe.constraints.latency_ms, None if recipe.budget.trials else aim]
    latency_ms = min((value for value in latencies if value is not None), default=None)
    size_mb = recipe.constraints.size_mb
    if latency_ms is None and size_mb is None:
        return None
    limits = (
        float("inf") if latency_ms is None else (latency_ms - _reading_ms(layout, latency_ms)) / COLD_FACTOR / 1000,
        float("inf") if size_mb is None else SIZE_SHARE * size_mb * 1e6,
    )
    costs = {trial: (result.row_seconds * folds, float(result.size_bytes)) for trial, result in results.items()}
    return Allowance(costs, limits)


def _reading_ms(layout: Layout, latency_ms: float) -> float:
    columns = sum(map(len, (layout.numbers, layout.categories, layout.dates, layout.texts, layout.pictures)))
    return min(READING_MS + READING_COLUMN_MS * columns, READING_MOST * latency_ms)
