"""The error family: exit codes, pickling, and the nearest name."""

from __future__ import annotations

import pickle

import pytest

from automl import errors
from automl.errors import AutoMLError, did_you_mean


def _family(kind: type[AutoMLError]) -> list[type[AutoMLError]]:
    return [kind, *(member for child in kind.__subclasses__() for member in _family(child))]


FAMILY = [kind for kind in dict.fromkeys(_family(AutoMLError)) if kind.__module__ == errors.__name__]

EXIT_CODES = {
    "AutoMLError": 1,
    "UsageError": 2,
    "RecipeError": 2,
    "DataError": 3,
    "SchemaMismatchError": 3,
    "SearchError": 4,
    "EngineError": 5,
    "MissingExtraError": 5,
    "ArtifactError": 6,
    "RunBusyError": 7,
    "ConstraintError": 8,
    "InterruptedRunError": 130,
}


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_whole(kind: type[AutoMLError]) -> None:
    error = pickle.loads(pickle.dumps(kind("Column 'a' is missing", hint="Add it")))
    assert type(error) is kind
    assert (str(error), error.message, error.hint) == ("Column 'a' is missing", "Column 'a' is missing", "Add it")


def test_every_kind_of_error_has_its_promised_exit_code() -> None:
    assert {kind.__name__: kind.exit_code for kind in FAMILY} == EXIT_CODES


@pytest.mark.parametrize(
    ("value", "known", "said"),
    [
        ("chrun", ["age", "churn"], "Did you mean 'churn'?"),
        (" CHURN ", ["age", "Churn"], "Did you mean 'Churn'?"),
        ("xyz", ["age", "churn"], "Known: age, churn"),
        ("xyz", [], ""),
    ],
)
def test_the_nearest_name_is_suggested_and_else_what_there_is(value: str, known: list[str], said: str) -> None:
    assert did_you_mean(value, known) == said


def test_a_long_list_of_names_is_cut_at_twelve() -> None:
    said = did_you_mean("zzz", [f"column{number}" for number in range(40)])
    assert said.startswith("Known: column0, column1,")
    assert said.endswith("column11, … (40 in all)")
