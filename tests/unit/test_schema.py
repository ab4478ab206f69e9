"""The schema: what a table must have, and a record that reads back to itself."""

from __future__ import annotations

import io
import json

import hypothesis
import hypothesis.strategies as st
import pandas as pd
import pytest

from automl.data.infer import infer_schema
from automl.data.readers import registry
from automl.data.table import Source
from automl.errors import SchemaMismatchError
from automl.recipe import DataOptions
from automl.schema import CellFormat, Column, Role, Schema

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
formats = st.builds(
    CellFormat,
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from(["", ",", ".", " ", "'"]),
    prefix=st.sampled_from(["", "$"]),
    suffix=st.sampled_from(["", "%"]),
    missing=st.lists(names, max_size=3).map(tuple),
    date_format=st.sampled_from(["", "iso", "epoch_s", "%d/%m/%Y"]),
)
columns = st.builds(
    Column,
    name=names,
    role=st.sampled_from(list(Role)),
    reason=names,
    format=formats,
    levels=st.lists(names, max_size=4).map(tuple),
    offset=st.floats(allow_nan=False, allow_infinity=False),
    has_missing=st.booleans(),
    required=st.booleans(),
)


@hypothesis.given(st.lists(columns, max_size=5).map(lambda drawn: Schema(tuple(drawn))))
def test_a_schema_reads_back_from_json_to_itself(schema: Schema) -> None:
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


SCHEMA = Schema(
    (
        Column(name="age", role=Role.NUMBER),
        Column(name="job", role=Role.CATEGORY, levels=("a", "b")),
        Column(name="id", role=Role.IGNORE, required=False),
        Column(name="note", role=Role.TEXT, required=False),
    )
)


def test_all_missing_columns_are_told_together_with_the_nearest_name() -> None:
    with pytest.raises(SchemaMismatchError) as caught:
        SCHEMA.check(pd.DataFrame({"agee": [1]}))
    assert caught.value.message == "The table lacks 2 of the model's columns: 'age', 'job'"
    assert caught.value.hint == "Did you mean 'agee'? The model needs: age, job, note"


def test_extra_columns_are_noticed_and_optional_ones_may_be_absent() -> None:
    notices = SCHEMA.check(pd.DataFrame({"job": ["a"], "age": [1], "more": [2]}))
    assert [notice.text for notice in notices] == ["ignored 1 column(s) unknown to the model: 'more'"]
    typed = SCHEMA.parse(pd.DataFrame({"job": ["a"], "age": ["1"]}))
    assert typed.to_dict("records") == [{"age": 1.0, "job": "a", "note": None}]


def test_columns_are_found_by_role_and_name() -> None:
    assert [column.name for column in SCHEMA.of(Role.NUMBER, Role.TEXT)] == ["age", "note"]
    assert [column.name for column in SCHEMA.features] == ["age", "job", "note"]
    assert SCHEMA["id"].role is Role.IGNORE
    with pytest.raises(KeyError):
        SCHEMA["nothing"]


words = st.sampled_from(
    ["red", "green", "dark blue", "NA", "?", "é", "x,y", 'say "hi"', "two\nlines", "True", "00501", "7"]
)
cells_of = {
    "whole": st.integers(-(2**40), 2**40),
    "real": st.floats(-1e12, 1e12, allow_nan=False),
    "few": st.integers(0, 3),
    "truth": st.booleans(),
    "word": st.one_of(words, st.none()),
    "gappy": st.one_of(st.floats(-100, 100, allow_nan=False), st.just(float("nan"))),
    "day": st.dates(pd.Timestamp("1980-01-01").date(), pd.Timestamp("2030-12-31").date()).map(pd.Timestamp),
    "moment": st.datetimes(pd.Timestamp("1980-01-01"), pd.Timestamp("2030-12-31")).map(pd.Timestamp),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(2, 90))
    return pd.DataFrame(
        {
            name: pd.Series(draw(st.lists(cell, min_size=rows, max_size=rows)), dtype="str" if name == "word" else None)
            for name, cell in cells_of.items()
        }
    )


@hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), max_examples=40)
@hypothesis.given(frames())
def test_a_typed_frame_and_its_csv_give_the_same_schema_and_table(frame: pd.DataFrame) -> None:
    written = io.BytesIO()
    frame.to_csv(written, index=False)
    source = Source(path=__import__("pathlib").Path("t.csv"), name="t.csv", data=written.getvalue())
    reread = registry.get("csv").read(source, DataOptions())
    typed_schema, typed, _ = infer_schema(frame, DataOptions())
    text_schema, text, _ = infer_schema(reread.frame, DataOptions(), separator=reread.separator)
    assert [(c.name, c.role, c.levels, c.offset) for c in typed_schema.columns] == [
        (c.name, c.role, c.levels, c.offset) for c in text_schema.columns
    ]
    pd.testing.assert_frame_equal(typed, text)
    pd.testing.assert_frame_equal(typed_schema.parse(reread.frame), typed)
    pd.testing.assert_frame_equal(text_schema.parse(frame), text)
