"""Pictures become columns: descriptors by hand, parts fitted on training rows only, saved and loaded alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from automl.matrix import Needs
from automl.preprocess.descriptors import (
    apply_filters,
    describe_colors,
    describe_gradients,
    learn_filters,
    shrink,
)
from automl.preprocess.image import KINDS, Memo
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import Layout, Table
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"), metric="log_loss")
PIXELS = Needs(pictures="pixels")


def make_table(rows: int = 80, seed: int = 0, shape: tuple[int, int, int] = (16, 12, 3)) -> Table:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 100, (rows, *shape), dtype=np.uint8)
    pictures[: rows // 2, :, : shape[1] // 2] += 120
    layout = Layout(numbers=("x",), categories=(), levels=(), dates=(), pictures=("photo",), picture_shapes=(shape,))
    return Table(
        layout=layout,
        numbers=rng.normal(size=(rows, 1)).astype(np.float32),
        categories=np.empty((rows, 0), np.int32),
        dates=np.empty((rows, 0)),
        pictures=(pictures,),
    )


def fit_rows(table: Table, shared: Path | None = None) -> FitRows:
    return FitRows(task=TASK, target=(np.arange(len(table)) >= len(table) // 2).astype(np.int64), seed=1, shared=shared)


@pytest.mark.parametrize("kind", KINDS)
def test_every_description_is_saved_and_loaded_alike(kind: str, tmp_path: Path) -> None:
    table = make_table()
    needs = Needs(scaled=True)
    given = {"pictures": kind, "components": 32, "filters": 200}
    params = plan_space(needs, table.layout).complete(given)
    transformer = Transformer(needs, params, table.layout)
    matrix = transformer.fit(table, fit_rows(table))
    assert matrix.dtype == np.float32
    assert matrix.shape == (80, len(transformer.features()))
    assert {feature.source for feature in transformer.features()} == {"x", "photo"}
    transformer.save(tmp_path / "t.npz")
    Memo.recent.clear()
    again = Transformer.load(tmp_path / "t.npz", table.layout).transform(table)
    np.testing.assert_allclose(again, matrix, atol=1e-4)
    one = Transformer.load(tmp_path / "t.npz", table.layout).transform(table.take(np.array([7])))
    np.testing.assert_allclose(one[0], matrix[7], atol=1e-3)


def test_levels_of_grey_that_no_picture_has_and_fields_that_are_alike_give_no_infinite_column() -> None:
    """What does not vary has no direction: scaled up, it overflowed the axes, and every model got NaN."""
    table = make_table(60, shape=(10, 10, 1))  # no pixel is above 220
    striped = dataclasses.replace(table, pictures=(np.repeat(table.pictures[0][:, :, :1], 10, axis=2),))
    for given in (table, striped):
        params = plan_space(Needs(scaled=True), table.layout).complete({"pictures": "filters and gradients"})
        matrix = Transformer(Needs(scaled=True), params, table.layout).fit(given, fit_rows(given))
        assert np.isfinite(matrix).all()
        assert np.abs(matrix).max() < 100


def test_scoring_rows_do_not_touch_what_is_learned() -> None:
    table, other = make_table(), make_table(seed=9)
    needs = Needs(scaled=True)
    params = plan_space(needs, table.layout).complete({"components": 32, "filters": 200})
    transformer = Transformer(needs, params, table.layout)
    transformer.fit(table, fit_rows(table))
    before = {name: np.array(values) for name, values in transformer.parts[-1].state.items()}
    transformer.transform(other)
    after = transformer.parts[-1].state
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_dear_descriptions_are_kept_for_other_plans(tmp_path: Path) -> None:
    table = make_table()
    first = None
    for needs in (Needs(scaled=True), Needs()):
        Memo.recent.clear()
        params = plan_space(needs, table.layout).complete({"components": 32, "filters": 200})
        transformer = Transformer(needs, params, table.layout)
        transformer.fit(table, fit_rows(table, tmp_path))
        names = sorted(path.name for path in tmp_path.iterdir())
        assert any(name.startswith("filters-") for name in names)
        assert first is None or names == first
        first = names


def test_a_family_on_pixels_gets_the_bytes_and_nothing_else() -> None:
    table = make_table()
    transformer = Transformer(PIXELS, {}, table.layout)
    matrix = transformer.fit(table, fit_rows(table))
    assert matrix.dtype == np.uint8
    assert (matrix.reshape(80, 16, 12, 3) == table.pictures[0]).all()
    assert [feature.shape for feature in transformer.features()] == [(16, 12, 3)]
    assert not plan_space(PIXELS, table.layout).parameters


def test_filters_are_left_out_where_they_would_take_minutes() -> None:
    layout = make_table(shape=(28, 28, 1)).layout
    # 23·23 places · 200 filters · 36 values: 3.8 million multiplications a picture
    assert plan_space(Needs(), layout, 50_000).defaults()["pictures"] == "filters and gradients"
    assert plan_space(Needs(), layout, 60_000).defaults()["pictures"] == "gradients"


def test_a_table_with_pictures_is_stored_and_taken_in_rows(tmp_path: Path) -> None:
    table = make_table()
    table.save(tmp_path)
    loaded = Table.load(tmp_path)
    assert loaded.layout == table.layout
    assert (loaded.take(np.array([3, 1])).pictures[0] == table.pictures[0][[3, 1]]).all()
    assert (table.shape(TASK).pictures, table.shape(TASK).pixels) == (1, 16 * 12 * 3)


def test_shrinking_averages_blocks() -> None:
    picture = np.array([[0, 10, 20, 30], [40, 50, 60, 70]], dtype=np.uint8).reshape(1, 2, 4, 1)
    assert shrink(picture, 2)[0, :, :, 0].tolist() == [[25.0, 45.0]]
    assert shrink(picture, 4)[0, 0, :, 0].tolist() == [0.0, 10.0, 20.0, 30.0]


def test_gradients_tell_an_upright_edge_from_a_lying_one() -> None:
    upright = np.zeros((1, 16, 16, 1), dtype=np.uint8)
    upright[:, :, 8:] = 200
    lying = upright.transpose(0, 2, 1, 3)
    first, second = describe_gradients(upright)[0], describe_gradients(lying)[0]
    assert abs(float(np.linalg.norm(first)) - float(np.linalg.norm(second))) < 0.05
    # nine orientations a cell: the gradient of an upright edge points along 0°, that of a lying one along 90°
    assert first.reshape(-1, 9).sum(axis=0).argmax() == 0
    assert second.reshape(-1, 9).sum(axis=0).argmax() == 4


@pytest.mark.parametrize("shape", [(8, 96, 3), (96, 11, 1), (12, 60, 1)], ids=str)
def test_pictures_that_are_long_and_narrow_are_described_throughout(shape: tuple[int, int, int]) -> None:
    pictures = make_table(20, shape=shape).pictures[0]
    filters = learn_filters(pictures, 10, 0)
    found = [describe_gradients(pictures), describe_colors(pictures), apply_filters(pictures, filters, 4)]
    assert [array.shape[0] for array in found] == [20, 20, 20]
    assert all(np.isfinite(array).all() for array in found)


def test_colours_are_counted() -> None:
    red = np.zeros((1, 6, 6, 3), dtype=np.uint8)
    red[..., 0] = 255
    found = describe_colors(red)[0]
    assert found[:64].argmax() == 3 * 16
    assert found[3 * 16] == 1.0
    assert found[64:67].tolist() == [1.0, 0.0, 0.0]


def test_filters_answer_where_their_patch_lies() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 12, 12, 1), dtype=np.uint8)
    pictures[30:, :6, :6, 0] = np.tile([0, 255], 18).reshape(6, 6)
    filters = learn_filters(pictures, 20, seed=0)
    assert filters["weights"].shape == (36, 20)
    found = apply_filters(pictures, filters, grid=2)
    assert found.shape == (60, 80)
    fields = found.reshape(60, 4, 20)
    change = np.abs(fields[30:].mean(axis=0) - fields[:30].mean(axis=0)).max(axis=1)
    assert change[0] > 2 * change[3]


def test_the_same_seed_learns_the_same_filters() -> None:
    pictures = make_table().pictures[0]
    first, second = learn_filters(pictures, 30, seed=4), learn_filters(pictures, 30, seed=4)
    assert (first["weights"] == second["weights"]).all()
    assert not np.array_equal(first["weights"], learn_filters(pictures, 30, seed=5)["weights"])
