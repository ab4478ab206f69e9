"""Does to runs what may happen to them, and writes the table of what came of it.

    python -m tests.faults --out FOLDER [--only TEXT …] [--minutes 7]

The table goes to FOLDER/faults.md, a JSON line a scenario to FOLDER/faults.jsonl, which is gone on with if it is there.
Exit code 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import kernel, scenarios
from tests.faults.scenarios import CannotRunError, Scenario
from tests.flow.command import Tool
from tests.outcomes import AS_PROMISED, Outcomes

COLUMNS = ("promise", "code", "seconds", "remark", "said")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="scenarios whose name holds one of these texts")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    outcomes = Outcomes(options.out, "faults", COLUMNS)
    for scenario in (*scenarios.SCENARIOS, *kernel.SCENARIOS):
        wanted = not options.only or any(text in scenario.name for text in options.only)
        if time.monotonic() > deadline:
            break
        if wanted and not outcomes.has(scenario.name):
            run(scenario, outcomes)
    outcomes.write_table("Faults")
    print(f"{len(outcomes.records)} scenarios, {len(outcomes.broken())} broken; {outcomes.table_path}")
    return 1 if outcomes.broken() else 0


def run(scenario: Scenario, outcomes: Outcomes) -> None:
    """One scenario in a folder of its own, which is kept if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    tool = Tool(folder)
    try:
        facts, verdict = scenario.do(tool), AS_PROMISED
    except CannotRunError as error:
        facts, verdict = {"remark": f"cannot run here: {error}"}, AS_PROMISED
    except Exception as error:  # whatever it is, it is the outcome
        facts, verdict = {"remark": str(folder)}, f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"
    outcomes.add(scenario.name, verdict, promise=scenario.promise, **facts)
    print(f"{scenario.name}: {verdict}", flush=True)
    if verdict == AS_PROMISED:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
