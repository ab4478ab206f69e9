"""Feeds changed bytes to the readers and to predictions for so many minutes, and writes the table of what came of it.

    python -m tests.fuzz --out FOLDER [--minutes 30] [--examples 200]

Rounds of `tests/fuzz/test_fuzz.py`, each with other examples; the table goes to FOLDER/fuzz.md, a JSON line a test and
round to FOLDER/fuzz.jsonl. Exit code 1 if a test failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.outcomes import AS_PROMISED, Outcomes

TESTS = Path(__file__).with_name("test_fuzz.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--examples", type=int, default=200, help="of each test in a round")
    options = parser.parse_args()
    outcomes = Outcomes(options.out, "fuzz", ("examples", "seconds"))
    began = time.monotonic()
    first = len(outcomes.records)
    while time.monotonic() - began < 60 * options.minutes:
        run_round(options.out, options.examples, outcomes)
    spent = (time.monotonic() - began) / 60
    tried = sum(record["examples"] for record in outcomes.records[first:])
    outcomes.write_table("Fuzz", [f"{tried:,} examples in {spent:.0f} minutes."])
    print(f"{tried:,} examples in {spent:.0f} minutes, {len(outcomes.broken())} broken; {outcomes.table_path}")
    return 1 if outcomes.broken() else 0


def run_round(out: Path, examples: int, outcomes: Outcomes) -> None:
    """All tests once, by pytest in a process of its own: what crashes it is an outcome too."""
    number = len({record["case"].rsplit(" ", 1)[1] for record in outcomes.records})
    report = out.absolute() / "round.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", f"--junitxml={report}", TESTS]
    command += ["--timeout", "1200"]
    env = {**os.environ, "FUZZ_EXAMPLES": str(examples)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if not report.exists():
        outcomes.add(f"pytest {number}", f"exit code {done.returncode}: {done.stdout[-300:]}", examples=0, seconds=0.0)
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        fault = next((child for child in case if child.tag in ("failure", "error")), None)
        verdict = AS_PROMISED if fault is None else " ".join((fault.text or "")[-600:].split())
        seconds = round(float(case.get("time", "0")), 1)
        outcomes.add(f"{case.get('name')} {number}", verdict, examples=examples, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
