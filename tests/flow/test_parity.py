"""One model, one answer: the command line, the Python API in a fresh process, one row alone or many."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.flow.command import PENGUINS, SURVEY, Maker, Prepared, Tool, python
from tests.flow.conftest import write_recipe

PROGRAM = """
import json, sys
import numpy as np, pandas as pd
import automl
run, table = sys.argv[1:]
frame = pd.read_parquet(table)
predictor = automl.load(run)
labels = predictor.predict(frame)
if predictor.task.is_classification:
    outputs = predictor.predict_proba(frame)
    assert list(outputs.index) == list(frame.index)
    names, outputs = list(outputs.columns), outputs.to_numpy()
    alone = np.vstack([predictor.predict_proba(frame.iloc[[row]]).to_numpy() for row in range(15)])
else:
    names, outputs = [], labels.reshape(-1, 1)
    alone = np.vstack([predictor.predict(frame.iloc[[row]]).reshape(-1, 1) for row in range(15)])
print(json.dumps({"labels": labels.tolist(), "names": names, "outputs": outputs.tolist(), "alone": alone.tolist()}))
"""


def plant(path: Path, target: str, category: str, number: str) -> pd.DataFrame:
    """60 rows of a table without its target, with what a model has not seen: new levels, holes, other columns."""
    frame = pd.read_csv(path).drop(columns=target).sample(60, random_state=5)
    frame[category] = frame[category].astype(object)
    frame.iloc[0, frame.columns.get_loc(category)] = "never seen before"
    frame.iloc[1, frame.columns.get_loc(category)] = None
    frame.iloc[2, frame.columns.get_loc(number)] = np.nan
    frame.iloc[3] = None
    frame.insert(2, "a new column", np.arange(60) % 7)
    frame['another, "quoted" one'] = "x, y"
    return frame[list(frame.columns)[::-1]]


def from_python(run: Path, frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    frame.to_parquet(folder / "planted.parquet")
    answer = json.loads(python(PROGRAM, run, folder / "planted.parquet"))
    assert isinstance(answer, dict)
    return answer


def from_command(tool: Tool, run: Path, frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    frame.to_csv(folder / "planted.csv", index=False)
    result = tool("predict", run, folder / "planted.csv", "--proba")
    assert result.code == 0, result
    assert "a new column" in result.err  # said, not passed over
    return pd.read_csv(io.StringIO(result.out))


def test_probabilities_agree_on_rows_that_were_never_seen(shared: Tool, survey: Path, tmp_path: Path) -> None:
    frame = plant(SURVEY, "married", "race", "age")
    told, typed = from_python(survey, frame, tmp_path), from_command(shared, survey, frame, tmp_path)
    outputs = np.array(told["outputs"])
    assert told["names"] == ["no", "yes"]
    assert len(typed) == len(outputs) == 60
    np.testing.assert_allclose(typed[["proba_no", "proba_yes"]], outputs, atol=1e-6)
    assert list(typed.prediction) == told["labels"]
    assert list(typed.prediction) == np.where(outputs[:, 1] >= 0.5, "yes", "no").tolist()
    np.testing.assert_allclose(told["alone"], outputs[:15], atol=1e-6)
    assert len(np.unique(outputs[:, 1].round(4))) > 20  # not a constant that agrees with itself


def test_values_agree_on_rows_that_were_never_seen(shared: Tool, penguins: Path, tmp_path: Path) -> None:
    frame = plant(PENGUINS, "body_mass_g", "species", "flipper_length_mm")
    told, typed = from_python(penguins, frame, tmp_path), from_command(shared, penguins, frame, tmp_path)
    outputs = np.array(told["outputs"])
    assert len(typed) == 60
    np.testing.assert_allclose(typed.prediction, outputs[:, 0], rtol=1e-6)
    np.testing.assert_allclose(told["alone"], outputs[:15], rtol=1e-6)


CLASSES = [(10, 20, 30)[row % 3] for row in range(240)]


def make_classes(work: Path) -> tuple[str | Path, ...]:
    rng = np.random.default_rng(3)
    x = np.array(CLASSES) / 10 + rng.normal(0, 0.2, 240)
    pd.DataFrame({"x": x, "z": rng.normal(size=240), "y": CLASSES}).to_csv(work / "classes.csv", index=False)
    short = ("--trials", "2", "--recipe", write_recipe(work, "linear"), "--jobs", "1")
    return "fit", "classes.csv", "--target", "y", *short, "--out", "classes", "--quiet"


PREPARED: dict[str, Maker] = {"classes": make_classes}


def test_labels_that_were_whole_numbers_are_whole_numbers_again(prepared: Prepared, tmp_path: Path) -> None:
    run = prepared.run("classes")
    table = run.with_name("classes.csv")
    result = prepared.tool("predict", run, table, "--out", tmp_path / "out.jsonl")
    assert result.code == 0, result
    found = [json.loads(line)["prediction"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {type(label) for label in found} == {int}
    assert np.mean(np.array(found) == np.array(CLASSES)) > 0.95  # the order of the rows is kept
    answer = python(
        "import sys, json, automl, pandas as pd\n"
        "p = automl.load(sys.argv[1]); f = pd.read_csv(sys.argv[2])\n"
        "print(json.dumps([p.predict(f).tolist(), p.predict_proba(f).columns.tolist()]))",
        run,
        table,
    )
    assert json.loads(answer) == [found, [10, 20, 30]]
