"""Batches of a run by trials: they begin and end at fixed numbers, so that every decision follows from the seed.

All of a batch is asked and judged by what was known when it began, and told in order when it ends.
"""

from __future__ import annotations

from automl.search.records import Records

BATCH = 8
FIRST_BATCH = 2  # the baselines alone, so that there is a model soon


def start_of_batch(number: int) -> int:
    """The first trial of the batch that a trial belongs to."""
    return 0 if number < FIRST_BATCH else max(FIRST_BATCH, number // BATCH * BATCH)


def end_of_batch(count: int) -> int:
    """The least number of trials, from `count` on, at which a batch ends."""
    return FIRST_BATCH if count <= FIRST_BATCH else -(-count // BATCH) * BATCH


def find_late(records: Records) -> set[int]:
    """Complete trials of a batch that a kill cut short: what is left of it is judged as if they were not known."""
    starts = [start_of_batch(spec.number) for spec in records.unfinished()]
    complete = [result.trial for result in records.results.values() if result.status == "ok"]
    return {trial for trial in complete if starts and trial >= min(starts)}
