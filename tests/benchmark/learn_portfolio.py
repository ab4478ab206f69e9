"""Learns the order of the portfolio: runs many configurations on many tables, then chooses the list that helps soonest.

    python -m tests.benchmark.learn_portfolio run    --tables FOLDER --out FOLDER [--judges FOLDER] [--hours 4]
    python -m tests.benchmark.learn_portfolio choose --out FOLDER --size small

`run` appends a line to results.jsonl for each (table, configuration) and can be ended and begun again at any time.
`choose` writes the lists of one size into automl/search/portfolio.json and prints their regret. Large tables want
another order, and their own model of costs: `--size large` takes tables of at least 5,000 rows, with 12,000 of them.
`--tables` holds Parquet files with an index.json of {name, task, target}, or folders with train.csv and meta.json; a
table that shares more than 1% of its rows with a test.csv below `--judges` is refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.engines import Job, Limits
from automl.engines.local import LocalEngine
from automl.prepare import apply_findings, choose_groups, choose_split, load, store_dataset
from automl.preprocess.table import TableEncoder
from automl.profile.describe import find_all
from automl.recipe import Recipe
from automl.run import Run
from automl.search.data import SearchData, fold_folder
from automl.search.trial import PRELOAD, candidates, trial_space
from tests.benchmark.configurations import Configuration, suit
from tests.benchmark.timing import timed_fold

MAX_SHARED = 0.01


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """Which tables teach, how many of their rows, how many folds these are cut into, of which one is run, and how long
    that may take."""

    least_rows: int
    most_rows: int
    folds: int
    fit_seconds: float


SIZES = {"small": Size(0, 3_000, 3, 10.0), "large": Size(5_000, 12_000, 5, 25.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "choose"))
    parser.add_argument("--tables", action="append", default=[], type=Path)
    parser.add_argument("--judges", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--only", help="run this table alone")
    options = parser.parse_args()
    if options.action == "run":
        run(options)
    else:
        from tests.benchmark.choose_portfolio import choose

        choose(options.out, options.size, SIZES[options.size].least_rows)


# ---- tables ------------------------------------------------------------------------------------------------------


def list_tables(folders: list[Path]) -> Iterator[tuple[str, Path, str]]:
    """(name, file, target) of every table, small ones and large ones mixed."""
    found = []
    for folder in folders:
        index = folder / "index.json"
        if index.exists():
            records = json.loads(index.read_text(encoding="utf-8"))
            found += [(record["name"], folder / f"{record['name']}.parquet", record["target"]) for record in records]
        for meta in sorted(folder.glob("*/meta.json")):
            record = json.loads(meta.read_text(encoding="utf-8"))
            found.append((meta.parent.name, meta.parent / "train.csv", record["target"]))
    yield from sorted(found, key=lambda item: hashlib.sha256(item[0].encode()).digest())


def read(path: Path, size: Size) -> pd.DataFrame:
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if len(frame) < size.least_rows:
        return frame[:0]
    return frame.sample(min(len(frame), size.most_rows), random_state=0).reset_index(drop=True)


def hash_rows(frame: pd.DataFrame) -> set[int]:
    """A number a row, equal for rows whose cells read alike, whatever their order."""
    text = ["|".join(sorted(str(cell).removesuffix(".0") for cell in row)) for row in frame.itertuples(index=False)]
    return {int(value) for value in pd.util.hash_array(np.array(text, dtype=object))}


def judge_hashes(folder: Path | None) -> set[int]:
    """Rows that may judge the tool, and so must not teach it."""
    hashes: set[int] = set()
    for path in [] if folder is None else folder.glob("*/test.csv"):
        hashes |= hash_rows(pd.read_csv(path))
    return hashes


# ---- running -----------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    began = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.exists() else []
    done = {(line["table"], line["configuration"]) for line in lines}
    spent = sum(line.get("seconds", 0.0) for line in lines) / options.jobs
    judges = judge_hashes(options.judges)
    engine = LocalEngine(options.jobs, preload=PRELOAD)
    try:
        for name, path, target in list_tables(options.tables):
            missing = [each for each in suit(options.size) if (name, each.name) not in done]
            if (
                (options.only and name != options.only)
                or not missing
                or spent + time.monotonic() - began > 3600 * options.hours
            ):
                continue
            frame = read(path, SIZES[options.size])
            if frame.empty:
                continue
            shared = len(hash_rows(frame) & judges) / len(frame)
            if shared > MAX_SHARED:
                print(f"{name}: refused, {shared:.1%} of its rows are in a test file", flush=True)
                continue
            run_table(name, frame, target, missing, engine, options.out, results, SIZES[options.size])
            print(f"{name}: {len(missing)} configurations, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        engine.close()


def prepare_table(frame: pd.DataFrame, target: str, out: Path, folds: int) -> Run:
    """A run folder with the table's arrays and its folds, of which the first is used."""
    recipe = Recipe().override({"split": {"folds": folds, "repeats": 1}, "data": {}})
    dataset = load(frame, target=target, recipe=recipe)
    findings = find_all(dataset, None)
    dataset = apply_findings(dataset, findings)
    encoder = TableEncoder(dataset.schema)
    table = encoder.encode(dataset.frame)
    split = choose_split(dataset, findings, recipe, table)
    shutil.rmtree(out, ignore_errors=True)
    found = Run.create(out, data_name="table", record={"metric": dataset.task.metric})
    store_dataset(found.data, dataset, table, split, choose_groups(dataset, findings), encoder, recipe.seed)
    return found


def run_table(
    name: str,
    frame: pd.DataFrame,
    target: str,
    wanted: list[Configuration],
    engine: LocalEngine,
    out: Path,
    to: Path,
    size: Size,
) -> None:
    """All configurations on one table; their predictions go to predictions/<table>/."""
    work = prepare_table(frame, target, out / "work" / name, size.folds)  # workers remember a run by its path
    data = SearchData(work.data)
    kept = out / "predictions" / name
    kept.mkdir(parents=True, exist_ok=True)
    rows = data.folds[0]
    np.save(kept / "target.npy", data.target[rows])
    facts = {
        "table": name,
        "kind": str(data.task.kind),
        "metric": data.task.metric,
        "rows": len(data.trains[0]),
        "columns": len(data.table.layout.numbers) + len(data.table.layout.categories),
        "outputs": data.task.n_outputs,
    }
    waiting = list(enumerate(wanted))
    running: dict[str, Configuration] = {}
    while waiting or running:
        while waiting and engine.free_slots() > 0:
            number, configuration = waiting.pop(0)
            job = make_job(work, data, number, configuration, size.fit_seconds)
            if job is None:
                write_line(to, {**facts, "configuration": configuration.name, "status": "unsupported"})
                continue
            running[job.id] = configuration
            engine.submit(job)
        for outcome in engine.wait(0.5):
            configuration = running.pop(outcome.id)
            line = {**facts, "configuration": configuration.name, "family": configuration.family}
            line |= {"status": str(outcome.status), "seconds": round(outcome.seconds, 3)}
            if outcome.value:
                line |= {key: outcome.value[key] for key in ("score", "cpu_seconds", "size_bytes")}
                place = fold_folder(work.path, int(outcome.id), 0)
                np.save(kept / f"{configuration.name}.npy", np.load(place / "oof.npy"))
            else:
                line["reason"] = outcome.reason
            shutil.rmtree(fold_folder(work.path, int(outcome.id), 0), ignore_errors=True)
            write_line(to, line)
    shutil.rmtree(work.path, ignore_errors=True)


def make_job(work: Run, data: SearchData, number: int, configuration: Configuration, seconds: float) -> Job | None:
    """The first fold of a configuration; None where its family cannot be used."""
    candidate = candidates.get(configuration.family)
    if candidate.unsupported(data.task, data.table.shape(data.task)):
        return None
    space = trial_space(candidate, data.task, data.table)
    given = {key: value for key, value in configuration.params.items() if fits(space, key, value)}
    payload = {
        "run": str(work.path), "trial": number, "fold": 0, "candidate": configuration.family, "seed": 0,
        "params": space.complete(given), "seconds": seconds, "threads": 1,
    }  # fmt: skip
    limits = Limits(seconds=2 * seconds + 20)
    return Job(id=str(number), function=timed_fold, payload=payload, pool=candidate.pool, limits=limits)


def fits(space: Any, name: str, value: Any) -> bool:
    """Whether a space has the parameter and allows the value: a table without categories has no way to encode them."""
    return name in space.parameters and space.parameters[name].contains(value)


def write_line(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
