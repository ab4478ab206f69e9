"""Shape: the size of a problem."""

from __future__ import annotations

from automl.matrix import Feature, Needs, Shape


def test_columns_and_cells_are_counted() -> None:
    shape = Shape(rows=10, numbers=3, categories=2, levels=7, outputs=2)
    assert (shape.columns, shape.cells) == (5, 50)


def test_a_table_without_features_still_costs_its_rows() -> None:
    assert Shape(rows=10, numbers=0, categories=0, levels=0, outputs=1).cells == 10


def test_what_families_need_can_be_compared_and_used_as_a_key() -> None:
    assert Needs() == Needs(missing=False, scaled=False, categories="numeric")
    assert len({Needs(), Needs(scaled=True), Needs(categories="native"), Needs()}) == 3
    assert Feature(name="age", source="age").cardinality == 0
