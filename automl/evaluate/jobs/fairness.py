"""How the groups of the columns named by --sensitive fare, on out-of-fold predictions of all rows."""

from __future__ import annotations

from typing import Any

from automl.data.sensitive import load_groups
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
        evidence = case.evidence
        return {
            "columns": [
                describe_fairness(case.task, evidence.y, evidence.blend, groups.take(evidence.rows), seed=case.seed)
                for groups in every
            ]
        }


plugin: Study = Fairness()
