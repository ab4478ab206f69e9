"""Every export format of every model family on every data set: what is exported answers as `automl predict` does.

    python -m tests.benchmark.formats --out FOLDER [SET …] [--rows 600] [--winner 20]

A SET is a folder with meta.json (its "target"), train.csv and test.csv, or train.zip of pictures; without one, those of
`datasets/`. Of each family a model with its defaults is fitted on `--rows` rows, calibrated and with a threshold, and
of each set, with `--winner`, what the recipe `balanced` finds in so many seconds on all rows. 500 rows, half of them
with missing, unseen and extreme values planted in three of ten cells, go through `automl predict` and, from the outside
(see `artefacts`), through each export. A line an export goes to formats.jsonl, so that it can be ended and begun again;
the table is formats.md.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import automl
from automl.cli.main import run
from automl.ensemble.artifact import save_model
from automl.errors import ArtifactError, AutoMLError
from automl.export import formats, proof_of
from automl.export._bundle import export_model, open_source
from automl.files import write_json, write_text
from automl.recipe import load_recipe
from automl.search.calibration import Calibrator
from automl.search.families import Families
from automl.search.trial import candidates
from tests.benchmark import artefacts
from tests.outcomes import AS_PROMISED, Outcomes
from tests.unit.search.runs import store_run

ALLOWED = 1e-4
ROWS = 500
FOLD_SECONDS = 2.0
OWN = Path(__file__).parents[2] / "datasets"
EXTREMES = ("1e30", "-1e30", "3e38", "1e-30", "0", "-1", "inf", "-inf", "1e400")
WINNER = "(balanced)"
CALIBRATOR = Calibrator(slope=1.2, shift=-0.1)


@dataclasses.dataclass(frozen=True)
class Set:
    """A data set: what learns, what is asked, and the column to learn (empty for folders of pictures)."""

    name: str
    train: Path
    test: Path
    target: str


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--winner", type=int, default=0, help="seconds of a balanced fit on all rows; 0 for none")
    parser.add_argument("--jobs", type=int, default=2, help="workers of the balanced fit")
    parser.add_argument("--winner-formats", default="onnx", help="what the balanced winner is exported to")
    parser.add_argument("--candidates", default="")
    parser.add_argument("--formats", default="")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so many; begin again to go on")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    outcomes = Outcomes(options.out, "formats", ("set", "candidate", "format", "verdict", "seconds"))
    left = 0
    for data in find_sets(options):
        for name, listed in list_cells(options):
            missing = [each for each in listed if not outcomes.has(f"{data.name}/{name}/{each}")]
            if missing and time.monotonic() < end:
                run_cell(data, name, missing, options, outcomes)
            elif missing:
                left += 1
    (options.out / "formats.md").write_text(make_table(outcomes.records), encoding="utf-8")
    broken = outcomes.broken()
    rest = f"{left} models are left: begin again" if left else "complete"
    print(f"{len(outcomes.records)} exports, {len(broken)} broken, {options.out / 'formats.md'}; {rest}")
    sys.exit(1 if broken else 0)


def find_sets(options: argparse.Namespace) -> list[Set]:
    """The sets that were named, or those of this repository."""
    if options.sets:
        return [read_set(folder, options) for folder in options.sets]
    work = options.out / "sets"
    listed = []
    for name, target in (("social_survey", "married"), ("penguins", "body_mass_g"), ("package_sections", "section")):
        path = OWN / f"{name}.csv"
        listed.append(Set(name, cut_table(path, work / f"{name}.csv", options.rows), path, target))
    folder = unpack(OWN / "digits.zip", work / "digits", options.rows)
    return [*listed, Set("digits", folder / "train", folder / "test", "")]


def read_set(folder: Path, options: argparse.Namespace) -> Set:
    """A set in the form described above."""
    work = options.out / "sets"
    if (folder / "train.zip").exists():
        parts = [unpack(folder / f"{p}.zip", work / folder.name / p, options.rows) for p in ("train", "test")]
        return Set(folder.name, parts[0], parts[1], "")
    target = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["target"]
    train = cut_table(folder / "train.csv", work / f"{folder.name}.csv", options.rows)
    return Set(folder.name, train, folder / "test.csv", target)


def cut_table(path: Path, place: Path, rows: int) -> Path:
    """At most so many rows, chosen at random, their cells as they are."""
    if not place.exists():
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        place.parent.mkdir(parents=True, exist_ok=True)
        frame.sample(min(rows, len(frame)), random_state=3).to_csv(place, index=False)
    return place


def unpack(path: Path, place: Path, files: int) -> Path:
    """At most so many pictures of an archive, as evenly over its folders as they lie in it."""
    if not place.exists():
        own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
        with zipfile.ZipFile(path) as archive:
            names = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
            step = max(1, len(names) // files)
            for name in names[::step]:
                archive.extract(name, own)
        own.rename(place)
    return place


def list_cells(options: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """The balanced winner, then families, and the formats that each is exported to."""
    every = options.formats.split(",") if options.formats else formats.names()
    names = options.candidates.split(",") if options.candidates else candidates.names()
    cells = [(name, every) for name in names if name != "none"]
    return [(WINNER, options.winner_formats.split(",")), *cells] if options.winner else cells


def run_cell(data: Set, name: str, listed: list[str], options: argparse.Namespace, outcomes: Outcomes) -> None:
    """Fit one model and export it to each format."""
    shutil.rmtree(options.out / "work", ignore_errors=True)
    place = options.out / "work" / f"{data.name}-{name}"  # a worker remembers the data of a run by its path
    place.mkdir(parents=True)
    started = time.monotonic()
    try:
        reason = fit_winner(data, place / "run", options) if name == WINNER else fit_family(data, name, place / "run")
    except Exception as error:  # whatever a family stumbles over is told, and the next one begins
        for each in listed:
            note(outcomes, data, name, each, f"the fit failed: {type(error).__name__}: {error}"[:200], None, started)
        return
    if reason:
        for each in listed:
            note(outcomes, data, name, each, f"not fitted: {reason}", None, started)
        return
    source = open_source(place / "run")
    rows = write_rows(data, source.predictor.schema, place / "rows.csv")
    words = ["predict", str(place / "run"), str(rows), "--proba", "--quiet", "--out", str(place / "expected.csv")]
    if run(words):
        raise RuntimeError(f"automl {' '.join(words)} failed")
    expected = artefacts.read_predictions(place / "expected.csv")
    for each in listed:
        started = time.monotonic()
        verdict, apart = export(source, each, place / each, rows, expected)
        note(outcomes, data, name, each, verdict, apart, started)
        shutil.rmtree(place / each, ignore_errors=True)


def fit_winner(data: Set, out: Path, options: argparse.Namespace) -> str:
    """What the recipe `balanced` finds; why there is no model, or nothing."""
    try:
        train = full_table(data, options)
        target = data.target or None
        limit = {"time": float(options.winner), "jobs": options.jobs}
        automl.fit(train, target=target, out=out, seed=3, recipe=load_recipe("balanced"), **limit)
    except AutoMLError as error:
        return error.message
    return "" if (out / "model").is_dir() else "no model"


def fit_family(data: Set, name: str, out: Path) -> str:
    """The family's defaults on two folds, fitted in this process; why it cannot be, or nothing."""
    split = {"folds": 2, "repeats": 1}
    stored = store_run(out, data.train, data.target or None, split=split, search={"candidates": [name]})
    families = Families(stored.recipe, stored.data.task, stored.data.table)
    if name not in families.usable:
        return families.unused[name]
    plain = stored.payload
    stored.payload = lambda spec, fold: plain(spec, fold, seconds=FOLD_SECONDS)  # type: ignore[method-assign]
    _, records = stored.complete(stored.spec(0, name), stored.spec(1, "dummy"))
    facts = {"run": out.name, "metric": stored.data.task.metric, "out_of_fold_score": records.results[0].score}
    facts |= {"threshold": 0.4}
    save_model(stored.run, stored.data, stored.schema, records.results, {0: 1.0}, CALIBRATOR, facts)
    write_json(stored.run.evaluation_path, {"baselines": {"constant": {"score": records.results[1].score}}})
    write_text(stored.run.recipe_path, stored.recipe.dump_yaml())
    stored.run.update(data=str(data.train), target=stored.data.task.target, seed=0)
    return ""


def full_table(data: Set, options: argparse.Namespace) -> Path:
    """All rows that a set has to learn from."""
    for folder in options.sets:
        if folder.name == data.name and (folder / "train.csv").exists():
            return Path(folder / "train.csv")
    return data.train


def write_rows(data: Set, schema: Any, place: Path) -> Path:
    """500 rows as texts; half of them with planted trouble."""
    names = [column.name for column in schema.features]
    if data.test.is_dir():
        paths = sorted(path for path in data.test.rglob("*") if path.is_file())
        table = pd.DataFrame({names[0]: [str(path.resolve()) for path in paths]})
    else:
        table = pd.read_csv(data.test, dtype=str, keep_default_na=False)[names]
    table = table.sample(ROWS, replace=len(table) < ROWS, random_state=5).reset_index(drop=True)
    rng = np.random.default_rng(7)
    for column in schema.features:
        cells = table[column.name].to_numpy(dtype=object).copy()
        for row in range(ROWS // 2, ROWS):
            draw = rng.random()
            if draw < 0.15:
                cells[row] = ""
            elif draw < 0.3 and column.role.value != "image":
                cells[row] = trouble(column.role.value, rng)
        table[column.name] = cells
    table.to_csv(place, index=False, quoting=csv.QUOTE_MINIMAL)
    return place


def trouble(role: str, rng: np.random.Generator) -> str:
    """A cell that training did not hold."""
    if role == "number":
        return str(rng.choice(EXTREMES))
    if role == "date":
        return str(rng.choice(["1901-02-03T04:05:06", "2199-12-31", "no date"]))
    if role == "text":
        return str(
            rng.choice(["zzqx !!! 😀😀", "这家外卖很好吃", "ΣΊΣΥΦΟΣ ﬁne <b>x</b> &amp; é", "a" * 5000, "it's o'clock"])
        )
    return str(rng.choice(["never seen", "你好 ü", "0"]))


def export(source: Any, name: str, folder: Path, rows: Path, expected: np.ndarray) -> tuple[str, float | None]:
    """Export and hold against `expected`: the verdict, and the largest difference where there is one.

    The export's own check, which a user's export passes through, is run where it is the proof, and where ours sees a
    difference: it must refuse then.
    """
    plugin = formats.get(name)
    exact = proof_of(plugin) == "answers"
    try:
        if exact:
            folder.mkdir()
            plugin.write(source, folder)
        else:
            export_model(source, name, folder)
    except AutoMLError as error:
        return f"refused: {error.message}", None
    except Exception as error:  # a fault of ours is told as one
        return f"BROKEN: {type(error).__name__}: {error}"[:300], None
    try:
        found = artefacts.answer(name, folder, rows)
    except Exception as error:
        return f"BROKEN outside: {type(error).__name__}: {error}"[:300], None
    if found is None:
        return AS_PROMISED, None
    apart = difference(found, expected, source.predictor.task.is_classification)
    if exact and not apart <= ALLOWED:
        try:
            manifest = export_model(source, name, folder.with_name("again"))
        except ArtifactError as error:
            return f"refused: {error.message}", None
        return f"BROKEN: differs by {apart:.1e}, and its own check saw {manifest['parity']}"[:400], apart
    return AS_PROMISED, apart


def difference(found: np.ndarray, expected: np.ndarray, classes: bool) -> float:
    """Largest difference of a probability, or of a value beside the larger of itself and the spread of all."""
    if found.shape != expected.shape:
        return float("inf")
    apart = np.abs(found - expected)
    if not classes:
        apart = apart / np.maximum(np.maximum(np.abs(expected), expected.std()), 1e-30)
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))


def note(
    outcomes: Outcomes, data: Set, name: str, each: str, verdict: str, apart: float | None, started: float
) -> None:
    """One line of formats.jsonl."""
    reason = verdict.partition(": ")[2] if verdict.startswith(("refused", "not fitted")) else ""
    outcomes.add(
        f"{data.name}/{name}/{each}",
        AS_PROMISED if reason else verdict,
        set=data.name,
        candidate=name,
        format=each,
        apart=apart,
        refused=reason,
        fitted=not verdict.startswith("not fitted"),
        seconds=round(time.monotonic() - started, 1),
    )


def make_table(records: list[dict[str, Any]]) -> str:
    """Rows are models, columns formats; refusals are numbered below."""
    names = [name for name in formats.names() if any(record["format"] == name for record in records)]
    models = list(dict.fromkeys((record["set"], record["candidate"]) for record in records))
    found = {(record["set"], record["candidate"], record["format"]): record for record in records}
    reasons: dict[str, int] = {}
    lines = [f"| set | model | {' | '.join(names)} |", "|" + "---|" * (len(names) + 2)]
    skipped: dict[str, dict[str, list[str]]] = {}  # reason → model → sets
    for data, model in models:
        first = next(r for r in records if (r["set"], r["candidate"]) == (data, model))
        if not first["fitted"]:
            skipped.setdefault(first["refused"], {}).setdefault(model, []).append(data)
            continue
        cells = [_cell(found.get((data, model, name)), reasons) for name in names]
        lines.append(f"| {data} | {model} | {' | '.join(cells)} |")
    ok = [r for r in records if r["fitted"] and not r["refused"] and r["verdict"] == AS_PROMISED]
    refused = [r for r in records if r["fitted"] and r["refused"]]
    broken = [r for r in records if r["verdict"] != AS_PROMISED]
    exact = [r["apart"] for r in ok if r["apart"] is not None and proof_of(formats.get(r["format"])) == "answers"]
    worst = max(exact, default=0.0)
    head = (
        f"{len(ok)} exports in order, the largest difference {worst:.1e}; {len(refused)} refused; {len(broken)} broken."
    )
    numbered = [f"{number}. {reason}" for reason, number in reasons.items()]
    tail = [f"* {record['case']}: {record['verdict']}" for record in broken]
    told = [
        f"* {reason}: {'; '.join(f'{model} ({len(sets)} sets)' for model, sets in models.items())}"
        for reason, models in skipped.items()
    ]
    apart = ["", "Not fitted:", "", *told] if told else []
    return "\n".join([head, "", *lines, "", "Refused:", "", *numbered, *tail, *apart]) + "\n"


def _cell(record: dict[str, Any] | None, reasons: dict[str, int]) -> str:
    if record is None:
        return ""
    if record["verdict"] != AS_PROMISED:
        return "**BROKEN**"
    if record["refused"]:
        return f"[{reasons.setdefault(record['refused'], len(reasons) + 1)}]"
    return "ok" if record["apart"] is None else f"{record['apart']:.0e}"


if __name__ == "__main__":
    main()
