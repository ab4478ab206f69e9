"""Tables whose true answer is known, most of them made to flatter a careless score: the reported one does not lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.flow.command import Maker, Prepared, Result, Tool, read_record

SEED = 20


def noise_category() -> pd.DataFrame:
    """A category of about 250 levels in 1,000 rows, and a coin: an encoder that sees scored rows reaches AUC 0.84."""
    rng = np.random.default_rng(SEED)
    frame = pd.DataFrame({"shop": [f"shop {i}" for i in rng.integers(0, 250, 1000)], "x": rng.normal(size=1000)})
    return frame.assign(label=rng.choice(["no", "yes"], 1000))


def wide_noise() -> pd.DataFrame:
    """200 rows, 1,000 columns, a coin: choosing 30 columns before splitting reaches accuracy 0.76."""
    rng = np.random.default_rng(SEED)
    frame = pd.DataFrame(rng.normal(size=(200, 1000)), columns=[f"x{i}" for i in range(1000)])
    return frame.assign(label=rng.choice(["no", "yes"], 200))


def triplicates() -> pd.DataFrame:
    """700 rows with a coin, each three times over: learning by heart reaches accuracy 0.98."""
    rng = np.random.default_rng(SEED)
    frame = pd.DataFrame(rng.normal(size=(700, 6)), columns=list("abcdef")).assign(label=rng.choice(["no", "yes"], 700))
    return pd.concat([frame] * 3).sample(frac=1, random_state=SEED)


def patients() -> pd.DataFrame:
    """250 patients with 4 rows each that look like one another; the label is a coin a patient."""
    rng = np.random.default_rng(SEED)
    patient = np.repeat(np.arange(250), 4)
    own = rng.normal(size=(250, 5))
    frame = pd.DataFrame(own[patient] + rng.normal(0, 0.1, (1000, 5)), columns=list("abcde"))
    label = rng.choice(["ill", "well"], 250)[patient]
    frame = frame.assign(patient=[f"P{1000 + i}" for i in patient], label=label)
    return frame.sample(frac=1, random_state=SEED)


def random_walk() -> pd.DataFrame:
    """600 days of a price that walks at random: neighbours in time tell it, the past does not."""
    rng = np.random.default_rng(SEED)
    day = pd.date_range("2023-01-01", periods=600, freq="D")
    price = 100 + np.cumsum(rng.normal(size=600))
    frame = pd.DataFrame({"day": day.strftime("%Y-%m-%d"), "x": rng.normal(size=600), "z": rng.normal(size=600)})
    return frame.assign(price=price.round(4))


def sorted_by_label() -> pd.DataFrame:
    """1,000 rows of noise, sorted by the label, with row numbers as careless exports add them."""
    rng = np.random.default_rng(SEED)
    frame = pd.DataFrame(rng.normal(size=(1000, 5)), columns=list("abcde")).assign(
        label=rng.choice(["no", "yes"], 1000)
    )
    frame = frame.sort_values("label").reset_index(drop=True)
    frame.insert(0, "Unnamed: 0", np.arange(1000))
    return frame.assign(index=np.arange(1000) + 1)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "noise_category": noise_category,
    "wide_noise": wide_noise,
    "triplicates": triplicates,
    "patients": patients,
    "random_walk": random_walk,
    "sorted_by_label": sorted_by_label,
}
# What would learn by heart, or look at rows that it is scored on, if it were let.
SEARCHES = {
    "noise_category": "linear, xgboost",
    "wide_noise": "linear",
    "triplicates": "nearest_neighbors",
    "patients": "nearest_neighbors",
    "random_walk": "extra_trees",
    "sorted_by_label": "linear",
}
OPTIONS = {"patients": ("--group", "patient"), "random_walk": ("--time-column", "day", "--metric", "r2")}


def make_trap(name: str, work: Path) -> tuple[str | Path, ...]:
    TABLES[name]().to_csv(work / f"{name}.csv", index=False)
    text = f"search: {{candidates: [{SEARCHES[name]}], tune: false}}\nsplit: {{folds: 5, repeats: 1}}\n"
    (work / f"{name}.yaml").write_text(text, encoding="utf-8")
    target = "price" if name == "random_walk" else "label"
    short = ("--recipe", f"{name}.yaml", "--trials", "4", "--jobs", "1", "--out", name, "--quiet")
    return "fit", f"{name}.csv", "--target", target, *OPTIONS.get(name, ()), *short


PREPARED: dict[str, Maker] = {name: partial(make_trap, name) for name in TABLES}


def findings(run: Path) -> dict[str, dict[str, Any]]:
    return {finding["kind"]: finding for finding in read_record(run / "profile.json")["findings"]}


def check(tool: Tool, table: Path, target: str) -> tuple[Result, dict[str, dict[str, Any]]]:
    result = tool("check", table, "--target", target, "--json")
    return result, {finding["kind"]: finding for finding in result.record["findings"]}


def test_a_category_of_noise_scores_like_a_coin(prepared: Prepared) -> None:
    record = read_record(prepared.run("noise_category") / "evaluation.json")
    assert record["metric"] == "roc_auc"
    assert record["low"] <= 0.5 <= record["high"]
    assert abs(record["score"] - 0.5) <= 0.06


def test_a_thousand_columns_of_noise_score_no_better_than_a_coin(prepared: Prepared) -> None:
    record = read_record(prepared.run("wide_noise") / "evaluation.json")
    assert record["low"] <= 0.5
    assert record["score"] <= 0.6
    assert "1,000 columns" in findings(prepared.run("wide_noise"))["wide_table"]["text"]
    assert (prepared.run("wide_noise") / "report.html").stat().st_size < 5_000_000


def test_rows_that_repeat_are_kept_together_and_that_is_said(prepared: Prepared) -> None:
    record = read_record(prepared.run("triplicates") / "evaluation.json")
    assert abs(record["score"] - 0.5) < 0.07
    finding = findings(prepared.run("triplicates"))["duplicate_rows"]
    assert finding["taken"] is True
    assert "1,400" in finding["text"]
    assert "one fold" in finding["action"]
    assert "group" in read_record(prepared.run("triplicates") / "run.json")["split"]["kind"]


def test_groups_that_are_named_are_kept_together(prepared: Prepared) -> None:
    record = read_record(prepared.run("patients") / "evaluation.json")
    assert abs(record["score"] - 0.5) < 0.1
    assert "group" in read_record(prepared.run("patients") / "run.json")["split"]["kind"]
    split = np.load(prepared.run("patients") / "data" / "split.npz")
    for fold in range(int(split["count"])):
        train, scored = split["groups"][split[f"train_{fold}"]], split["groups"][split[f"score_{fold}"]]
        assert not set(train) & set(scored)


def test_groups_that_are_not_named_are_warned_of(tool: Tool, tmp_path: Path) -> None:
    patients().to_csv(tmp_path / "patients.csv", index=False)
    result, found = check(tool, tmp_path / "patients.csv", "label")
    assert result.code == 4, result
    assert found["repeated_groups"]["severity"] == "risk"
    assert found["repeated_groups"]["columns"] == ["patient"]
    assert "--group patient" in found["repeated_groups"]["action"]


def test_a_random_walk_is_scored_on_later_rows(prepared: Prepared) -> None:
    run = prepared.run("random_walk")
    assert "time" in read_record(run / "run.json")["split"]["kind"]
    assert read_record(run / "evaluation.json")["score"] < 0.5  # shuffled, r2 is above 0.95
    split = np.load(run / "data" / "split.npz")
    for fold in range(int(split["count"])):
        times = split["times"]
        assert times[split[f"train_{fold}"]].max() < times[split[f"score_{fold}"]].min()


def test_a_random_walk_without_its_time_column_is_warned_of(tool: Tool, tmp_path: Path) -> None:
    random_walk().to_csv(tmp_path / "random_walk.csv", index=False)
    result, found = check(tool, tmp_path / "random_walk.csv", "price")
    assert result.code == 4, result
    assert found["time_order"]["columns"] == ["day"]
    assert "--time-column day" in found["time_order"]["action"]


def test_the_row_number_of_a_sorted_file_is_not_a_feature(prepared: Prepared) -> None:
    run = prepared.run("sorted_by_label")
    record = read_record(run / "evaluation.json")
    assert abs(record["score"] - 0.5) < 0.07
    schema = read_record(run / "data" / "schema.json")
    used = [column["name"] for column in schema["columns"] if column["role"] != "ignore"]
    assert used == list("abcde")
    assert findings(run)["identifier"]["columns"] == ["index"]
    notices = [notice["text"] for notice in read_record(run / "profile.json")["notices"]]
    assert "dropped the unnamed first column" in notices
