"""How the groups of the columns named by --sensitive fare, on out-of-fold predictions of all rows."""

from __future__ import annotations

from typing import Any

from automl.data.sensitive import Groups, load_groups
from automl.evaluate.fairness import describe_fairness
from automl.evaluate.jobs import Case, Study


class Fairness:
    """See `automl.evaluate.fairness`; silent where no column was named."""

    title = "Fairness"
    order = 10
    seconds = 10.0
    least_seconds = 0.2
    is_plain = True

    def measure(self, case: Case) -> dict[str, Any] | None:
        every = load_groups(case.run.data)
        if not every:
            return None
        return {"columns": [_describe(case, groups) for groups in every]}


def _describe(case: Case, groups: Groups) -> dict[str, Any]:
    """One column's groups, as the deployed model decides them."""
    evidence = case.evidence
    own = groups.take(evidence.rows)
    return describe_fairness(
        case.task,
        evidence.y,
        evidence.blend,
        own,
        threshold=evidence.threshold,
        seed=case.seed,
        units=evidence.units,
    )


plugin: Study = Fairness()
