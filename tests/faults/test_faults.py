"""What may happen to a run happens: the quick scenarios always, the others with `-m slow`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import kernel, scenarios
from tests.faults.scenarios import CannotRunError, Scenario
from tests.flow.command import Tool

CODES = (0, 2, 3, 4, 5, 6, 7, 130)  # how a command may end; 1 is a fault of its own
EVERY = (*scenarios.SCENARIOS, *kernel.SCENARIOS)
MARKED = [pytest.param(each, id=each.name, marks=() if each.quick else pytest.mark.slow) for each in EVERY]


@pytest.mark.parametrize("scenario", MARKED)
def test_what_is_promised_holds(scenario: Scenario, tmp_path: Path) -> None:
    try:
        facts = scenario.do(Tool(tmp_path))
    except CannotRunError as error:
        pytest.skip(str(error))
    assert facts["code"] in CODES, facts
