"""Gives every file of the corpus to the command line and writes the table of what came of it.

    python -m tests.corpus --out FOLDER [--only TEXT …] [--every N]

The table goes to FOLDER/corpus.md, a JSON line a case to FOLDER/corpus.jsonl. Exit code 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.corpus import Case, collect_cases
from tests.corpus.harness import import_all, judge, run_case
from tests.corpus.predictions import train_model
from tests.outcomes import Outcomes

COLUMNS = ("code", "seconds", "peak_mb", "said")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="cases whose name holds one of these texts")
    parser.add_argument("--every", type=int, default=1, help="each Nth case")
    options = parser.parse_args()
    cases = choose(collect_cases(), options.only, options.every)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "corpus.jsonl").unlink(missing_ok=True)
    outcomes = Outcomes(options.out, "corpus", COLUMNS)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
        run_all(cases, outcomes, Path(scratch))
    outcomes.write_table(
        "Bad input", [f"{len(cases)} cases in {time.monotonic() - began:.0f} s; seconds and memory of a fork."]
    )
    for record in outcomes.broken():
        print(f"{record['case']}: {record['verdict']}")
    print(f"{len(cases)} cases, {len(outcomes.broken())} broken; {outcomes.table_path}")
    return 1 if outcomes.broken() else 0


def choose(cases: list[Case], only: list[str] | None, every: int) -> list[Case]:
    return [case for case in cases if not only or any(text in case.name for text in only)][::every]


def run_all(cases: list[Case], outcomes: Outcomes, scratch: Path) -> None:
    import_all()
    model = train_model(scratch / "model") if any(case.group == "predict" for case in cases) else None
    for number, case in enumerate(cases):
        folder = scratch / str(number)
        seen = run_case(case, folder, model)
        said = seen.sentence or ("loaded" if seen.code == 0 else seen.err[:80])
        verdict = judge(case, seen)
        outcomes.add(
            case.name,
            verdict,
            code=seen.code,
            seconds=round(seen.seconds, 2),
            peak_mb=round(seen.peak_mb),
            said=said.replace(str(folder), "…"),
        )
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
