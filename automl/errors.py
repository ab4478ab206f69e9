"""The errors a user can meet: one sentence with the value, one hint with the next thing to type, one exit code.

Only `automl.cli.main` turns these into text. A failed trial is never an exception: it is a record (see
`automl.search.trial`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


class AutoMLError(Exception):
    """Whatever the tool can foresee going wrong.

    Args:
        message: one sentence that names the offending value.
        hint: the next thing to type or change; empty if there is none.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Callable[..., AutoMLError], tuple[type[AutoMLError], str, str]]:
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[AutoMLError], message: str, hint: str) -> AutoMLError:
    return kind(message, hint=hint)


class UsageError(AutoMLError):
    """The command line is wrong."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is wrong; all its faults are told together."""


class DataError(AutoMLError):
    """The data cannot be used as asked."""

    exit_code = 3


class SchemaMismatchError(DataError):
    """Rows given to a model do not fit the schema it was trained on."""


class SearchError(AutoMLError):
    """No usable model came out, or a gate failed."""

    exit_code = 4


class InterruptedRunError(SearchError):
    """The user ended a run before it had a usable model."""

    exit_code = 130


class EngineError(AutoMLError):
    """The environment fails us: disk, permission, workers, a library that is not installed."""

    exit_code = 5


class MissingExtraError(EngineError):
    """An optional library is needed; the hint is the line that installs it."""


class ArtifactError(AutoMLError):
    """A model or an export is damaged, foreign or of another version."""

    exit_code = 6


class RunBusyError(AutoMLError):
    """Another process is working in this run folder."""

    exit_code = 7


class ConstraintError(AutoMLError):
    """A constraint the user set, such as a latency, is not met by any model."""

    exit_code = 8


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name, or list what there is.

    Returns:
        "Did you mean 'churn'?", or "Known: a, b, c" (at most 12 names), or "".
    """
    names = [str(name) for name in known]
    folded = {name.casefold().strip(): name for name in reversed(names)}
    near = difflib.get_close_matches(value.casefold().strip(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    if not names:
        return ""
    more = f", … ({len(names)} in all)" if len(names) > 12 else ""
    return "Known: " + ", ".join(names[:12]) + more
