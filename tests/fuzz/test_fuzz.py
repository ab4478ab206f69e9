"""Readers and predictions under bytes that were changed at random.

A few examples always; `python -m tests.fuzz --out FOLDER --minutes 30` goes on for as long as one likes.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import automl
from automl.data.load import load_dataset, read_table
from automl.errors import AutoMLError
from automl.predictor import Predictor
from automl.recipe import Recipe, load_recipe
from tests.corpus.containers import ARCHIVES, BOOKS, COLUMNAR, CSV, LINES
from tests.corpus.predictions import GOOD, train_model

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
LONGEST_SECONDS = 10.0
SEEDS = {
    "csv": CSV,
    "latin.csv": "naïve,größe,y\n1,é,p\n2,ü,n\n".encode("latin-1") * 9,
    "jsonl": LINES["JSON lines"][1](),
    "arff": LINES["ARFF"][1](),
    "parquet": COLUMNAR["a Parquet file"][1](),
    "feather": COLUMNAR["a Feather file"][1](),
    "xlsx": BOOKS["a workbook"][1](),
    "csv.gz": ARCHIVES["two gzips in a row"][1](),
}
QUICK = settings(
    max_examples=EXAMPLES or 40,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "repeat", "insert", "flip"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)


def mutate(content: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """The bytes with some of them changed."""
    for what, share, piece in changes:
        place = int(share * max(1, len(content)))
        if what == "set":
            content = content[:place] + piece + content[place + len(piece) :]
        elif what == "insert":
            content = content[:place] + piece + content[place:]
        elif what == "cut":
            content = content[:place] + content[place + 8 * len(piece) :]
        elif what == "repeat":
            content = content[:place] + content[place : place + 20] * len(piece) + content[place + 20 :]
        else:
            content = (
                content[:place]
                + bytes([content[place] ^ piece[0]] if place < len(content) else [])
                + content[place + 1 :]
            )
    return content


@contextlib.contextmanager
def only_refusals() -> Iterator[None]:
    """What is raised is one sentence and a hint, and soon."""
    began = time.monotonic()
    try:
        yield
    except AutoMLError as error:
        assert error.message
        assert "\n" not in error.message
        assert error.hint
        assert 2 <= error.exit_code <= 6
    assert time.monotonic() - began < LONGEST_SECONDS


@pytest.mark.parametrize("ending", SEEDS)
@given(changes=edits)
@QUICK
def test_any_bytes_are_a_data_set_or_refused(
    tmp_path: Path, ending: str, changes: list[tuple[str, float, bytes]]
) -> None:
    path = tmp_path / f"t.{ending}"
    path.write_bytes(mutate(SEEDS[ending], changes))
    with only_refusals():
        dataset = load_dataset(path, target="y", recipe=Recipe())
        assert dataset.n_rows == len(dataset.frame) == len(dataset.target) >= 10
        typed = dataset.schema.parse(dataset.frame)
        pd.testing.assert_frame_equal(typed, dataset.frame)


@given(content=st.binary(max_size=300))
@QUICK
def test_bytes_of_nothing_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with only_refusals():
        assert len(read_table(tmp_path / "t.csv").frame.columns) >= 1


@given(text=st.text(st.characters(codec="utf-8"), max_size=300))
@QUICK
def test_any_text_is_a_recipe_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with only_refusals():
        assert isinstance(load_recipe(str(tmp_path / "mine.yaml")), Recipe)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return automl.load(train_model(tmp_path_factory.mktemp("fuzz") / "model"))


def is_answered(predictor: Predictor, frame: pd.DataFrame) -> bool:
    """Whether there are as many answers as rows, all of them probabilities."""
    predictor.check(frame)
    outputs = predictor.predict_outputs(frame)
    sums_to_one = len(frame) == 0 or float(np.abs(outputs.sum(axis=1) - 1).max()) < 1e-5
    is_sound = outputs.shape == (len(frame), 2) and bool(np.isfinite(outputs).all()) and sums_to_one
    return is_sound and set(predictor.predict(frame).tolist()) <= {"yes", "no"}


@given(changes=edits)
@QUICK
def test_any_table_is_predicted_or_refused(
    tmp_path: Path, predictor: Predictor, changes: list[tuple[str, float, bytes]]
) -> None:
    (tmp_path / "new.csv").write_bytes(mutate(GOOD.encode(), changes))
    with only_refusals():
        assert is_answered(predictor, read_table(tmp_path / "new.csv").frame)


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.datetimes(), st.dates(),
    st.decimals(allow_nan=True), st.timedeltas(), st.just(pd.NA), st.just(pd.NaT),
)  # fmt: skip


@given(rows=st.lists(st.tuples(*[cells] * 5), max_size=8))
@QUICK
def test_any_cells_of_a_frame_are_predicted(predictor: Predictor, rows: list[tuple[object, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["age", "city", "day", "note", "member"], dtype=object)
    with only_refusals():
        assert is_answered(predictor, frame)
