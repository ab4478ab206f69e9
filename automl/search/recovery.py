"""What a search that a kill cut short had learned, told again to all that remember it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from automl.events import Decision, Event
from automl.search.cost import CostModel
from automl.search.data import remove_folds
from automl.search.families import Families
from automl.search.oof import Oofs
from automl.search.records import Records
from automl.search.study import Study
from automl.search.whole import ORIGIN


def tell_damage(study: Study, records: Records) -> Iterator[Event]:
    """What of the search's files could not be read, and what is done about it."""
    if study.damage:
        text = "the journal was damaged and is begun anew; it is kept as search/journal.log.damaged"
        yield Decision(topic="search", text=text, reason=study.damage)
    if records.damaged > 0:
        text = f"{records.damaged} line(s) of trials.jsonl hold no result: their trials are made again"
        yield Decision(topic="search", text=text, reason="the file was damaged; its lines stay as they are")


def take_up(run_path: Path, records: Records, oofs: Oofs, *, folds: int, besides: Collection[int]) -> Iterator[Event]:
    """Read what all complete configurations but some predicted. What a power cut has taken is fitted once more."""
    for result in list(records.results.values()):
        if result.status != "ok" or result.trial in besides:
            continue
        try:
            oofs.read(result.trial)
        except (OSError, ValueError, EOFError) as error:
            del records.results[result.trial]
            remove_folds(run_path, result.trial, folds)
            text = f"{result.label} is fitted once more: its predictions are damaged"
            yield Decision(topic="search", text=text, reason=f"{type(error).__name__}: {error}")


def tell_again(
    records: Records, study: Study, families: Families, *, static: bool, costs: CostModel | None = None
) -> None:
    """Tell the study, the families and the costs of every finished trial; `static` as in `Families.note_result`."""
    study.recover(
        {
            number: result.score if result.status in ("ok", "pruned") else None
            for number, result in records.results.items()
        }
    )
    for result in records.results.values():
        families.note_result(result, static=static)
        if result.candidate not in families.usable or result.origin == ORIGIN:  # all rows of a file are not a fold
            continue
        spec = records.specs.get(result.trial)  # its line may be damaged
        for seconds in result.fold_seconds:
            families.note_fold(result.candidate, seconds)
            if costs is not None and spec is not None:
                costs.note(spec.candidate, spec.reference_seconds, seconds)
