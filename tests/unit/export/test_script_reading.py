"""A script learns from the cells that the model learned from, however its file writes them."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.data import Dataset
from automl.data.load import load_dataset, read_table
from automl.export._script import write_script
from automl.export._script_source import find_reading, find_time_format
from automl.recipe import Recipe
from automl.schema import Role
from tests.unit.export.test_script import make_winner

ROWS = 120
RNG = np.random.default_rng(7)
AGES = RNG.integers(18, 80, ROWS)
CITIES = RNG.choice(["Köln", "Bonn", "Ulm"], ROWS)
STAYS = np.where(AGES + RNG.normal(0, 9, ROWS) > 50, "yes", "no")
DAYS = pd.Series(pd.date_range("2023-11-02", periods=ROWS, freq="31h"))
SHUFFLED = DAYS.sample(frac=1, random_state=1).reset_index(drop=True)


def read_both(path: Path, target: str, place: Path, **options: Any) -> tuple[Dataset, pd.DataFrame, dict[str, Any]]:
    """The data set of training, what the script reads of the same file, and the script's names."""
    recipe = Recipe().override({"data": options} if options else {})
    dataset = load_dataset(path, target=target, recipe=recipe)
    task = dataclasses.replace(dataset.task, metric="roc_auc" if dataset.task.is_classification else "rmse")
    time = recipe.data.time
    winner = dataclasses.replace(
        make_winner("extra_trees", task),
        schema=dataset.schema,
        reading=find_reading(path, recipe.data.encoding),
        group=recipe.data.group,
        time=time,
        time_format=find_time_format(read_table(path, options=recipe.data).frame[time]) if time else "",
    )
    text = write_script(winner)
    assert max(map(len, text.splitlines())) <= 120
    (place / "train.py").write_text(text, encoding="utf-8")
    names = runpy.run_path(str(place / "train.py"))
    rows = names["read_rows"](path)
    return dataset, rows[rows[target].notna()].reset_index(drop=True), names


def assert_read_alike(dataset: Dataset, rows: pd.DataFrame, names: dict[str, Any]) -> None:
    for column in dataset.schema.features:
        expected, found = dataset.frame[column.name], rows[column.name]
        if column.role is Role.NUMBER:
            np.testing.assert_allclose(found, expected, err_msg=column.name)
        elif column.role is Role.DATE:
            np.testing.assert_array_equal(found.to_numpy("datetime64[s]"), expected.to_numpy("datetime64[s]"))
        else:
            assert found.where(found.notna(), None).tolist() == expected.tolist()
    found = rows[names["TARGET"]]
    if dataset.task.is_classification:
        found = found.map(names["CLASSES"].index)
    np.testing.assert_allclose(found.to_numpy(dtype=float), dataset.target)


def write(path: Path, columns: dict[str, Any], separator: str = ",", encoding: str = "utf-8", above: str = "") -> Path:
    lines = [
        separator.join(columns),
        *(separator.join(map(str, cells)) for cells in zip(*columns.values(), strict=True)),
    ]
    path.write_bytes((above + "\n".join(lines) + "\n").encode(encoding))
    return path


def roles(dataset: Dataset) -> dict[str, Role]:
    return {column.name: column.role for column in dataset.schema.features}


def test_seconds_since_1970_are_moments(tmp_path: Path) -> None:
    seconds = DAYS.astype("datetime64[s]").astype("int64")
    cells = {"created": seconds, "updated": seconds * 1000 + 5, "age": AGES, "stays": STAYS}
    dataset, *found = read_both(write(tmp_path / "rows.csv", cells), "stays", tmp_path)
    assert roles(dataset) == {"created": Role.DATE, "updated": Role.DATE, "age": Role.NUMBER}
    assert_read_alike(dataset, *found)


def test_dates_may_have_zones_and_several_of_them(tmp_path: Path) -> None:
    zoned = [f"{day:%Y-%m-%dT%H:%M:%S}{'+02:00' if at % 2 else 'Z'}" for at, day in enumerate(DAYS)]
    one = [f"{day:%Y-%m-%d %H:%M}+01:00" for day in DAYS]
    path = write(tmp_path / "rows.csv", {"seen": zoned, "left": one, "age": AGES, "stays": STAYS})
    dataset, *found = read_both(path, "stays", tmp_path)
    assert roles(dataset)["seen"] == roles(dataset)["left"] == Role.DATE
    assert_read_alike(dataset, *found)


@pytest.mark.parametrize(
    ("thousands", "decimal", "minus", "unit"),
    [
        ("\u00a0", ",", "-", ""),
        ("\u202f", ",", "\u2212", "\u202f€"),
        (" ", ",", "\u2212", ""),
        ("\u2019", ".", "-", ""),
        (".", ",", "-€ ", ""),
        (",", ".", "-$", ""),
    ],
)
def test_numbers_are_read_with_the_marks_of_typographers(
    tmp_path: Path, thousands: str, decimal: str, minus: str, unit: str
) -> None:
    prefix = minus[1:]

    def spell(value: float) -> str:
        text = f"{abs(value):,.2f}".translate({44: thousands, 46: decimal})
        return f'"{minus if value < 0 else prefix}{text}{unit}"'

    values = RNG.normal(1000, 4000, ROWS).round(2)
    cells = {"gain": [spell(value) for value in values], "age": AGES, "price": [spell(2 * value) for value in values]}
    dataset, *found = read_both(write(tmp_path / "rows.csv", cells), "price", tmp_path)
    assert roles(dataset)["gain"] == Role.NUMBER
    assert dataset.frame["gain"].tolist() == pytest.approx(values.tolist())
    assert_read_alike(dataset, *found)


def test_a_plain_number_among_dots_between_thousands_stays_what_it_is(tmp_path: Path) -> None:
    gain = [f"{1 + at % 7}.{100 + at}.{200 + at},5" for at in range(ROWS)]
    gain[7] = "1.5"
    cells = {"gain": [f'"{cell}"' for cell in gain], "age": AGES, "stays": STAYS}
    dataset, *found = read_both(write(tmp_path / "rows.csv", cells), "stays", tmp_path)
    assert dataset.frame["gain"][7] == 1.5
    assert_read_alike(dataset, *found)


def test_infinite_numbers_and_marks_in_the_target_are_missing(tmp_path: Path) -> None:
    size = [f"{value:.3f}" for value in RNG.normal(0, 1, ROWS)]
    size[3:8] = ["inf", "-Infinity", "1e400", "1e39", ""]
    stays = STAYS.astype(object)
    stays[10:14] = ["NA", "?", "null", ""]
    dataset, *found = read_both(write(tmp_path / "rows.csv", {"size": size, "stays": stays}), "stays", tmp_path)
    assert dataset.task.classes == ("no", "yes")
    assert len(found[0]) == ROWS - 4
    assert found[0]["size"].isna().sum() == 5
    assert_read_alike(dataset, *found)


@pytest.mark.parametrize(
    ("separator", "encoding", "above"),
    [
        (", ", "utf-8", ""),
        (";", "latin-1", "Members of 2024\n"),
        ("\t", "utf-16", ""),
        ("   ", "cp1252", ""),
        (" | ", "utf-8-sig", "# made by hand\n"),
    ],
)
def test_the_file_itself_is_read(tmp_path: Path, separator: str, encoding: str, above: str) -> None:
    cells = {"größe": AGES, "city": CITIES, "day": DAYS.dt.strftime("%d.%m.%Y"), "stays": STAYS}
    dataset, *found = read_both(write(tmp_path / "rows.csv", cells, separator, encoding, above), "stays", tmp_path)
    assert roles(dataset) == {"größe": Role.NUMBER, "city": Role.CATEGORY, "day": Role.DATE}
    assert_read_alike(dataset, *found)


def test_a_file_without_a_header_and_with_single_quotes_is_read(tmp_path: Path) -> None:
    lines = [f"{age + 0.5},'{city}','{answer}'" for age, city, answer in zip(AGES, CITIES, STAYS, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    dataset, *found = read_both(tmp_path / "rows.csv", "column_3", tmp_path)
    assert_read_alike(dataset, *found)


@pytest.mark.parametrize(
    "times",
    [
        SHUFFLED.dt.strftime("%d.%m.%Y %H:%M"),
        SHUFFLED.dt.strftime("%b %d, %Y").map('"{}"'.format),
        SHUFFLED.astype("datetime64[s]").astype("int64"),
        [f"{day:%Y-%m-%dT%H:%M}{'+05:00' if at % 2 else 'Z'}" for at, day in enumerate(SHUFFLED)],
        [9 + (at * 37) % ROWS for at in range(ROWS)],
    ],
    ids=["days first", "months in words", "seconds", "zones", "numbers"],
)
def test_rows_are_ordered_by_their_moments_not_by_their_texts(tmp_path: Path, times: Any) -> None:
    path = write(tmp_path / "rows.csv", {"when": times, "age": AGES, "stays": STAYS})
    dataset, rows, names = read_both(path, "stays", tmp_path, time="when")
    assert dataset.times is not None
    expected = np.argsort(dataset.times, kind="stable")
    last = max(names["make_folds"](rows), key=lambda fold: len(fold[0]))
    assert np.concatenate(last).tolist() == expected.tolist()


def test_rows_without_a_group_are_groups_of_their_own(tmp_path: Path) -> None:
    owners = [("", "NA", f"owner {at % 30}")[min(at % 5, 2)] for at in range(ROWS)]
    path = write(tmp_path / "rows.csv", {"owner": owners, "age": AGES, "stays": STAYS})
    dataset, rows, names = read_both(path, "stays", tmp_path, group="owner")
    assert dataset.groups is not None
    for train, test in names["make_folds"](rows):
        assert not set(dataset.groups[train]) & set(dataset.groups[test])
        assert 0.3 < rows["owner"].iloc[test].isna().sum() / (ROWS * 0.4) < 0.7
