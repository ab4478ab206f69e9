"""Where in a picture a model looks."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.evaluate.examples import list_most_wrong
from automl.evaluate.occlusion import map_occlusion
from automl.evaluate.pictures import draw_map
from automl.preprocess.table import Layout, Table


def see_corner(table: Table) -> Any:
    """How bright the upper left seventh of the picture is."""
    bright = table.pictures[0][:, :4, :4].mean(axis=(1, 2, 3)) / 255
    return np.column_stack([1 - bright, bright]).astype(np.float32)


def make_row() -> Table:
    picture = np.zeros((1, 28, 28, 1), dtype=np.uint8)
    picture[0, :4, :4] = 255
    layout = Layout(numbers=(), categories=(), levels=(), dates=(), pictures=("photo",), picture_shapes=((28, 28, 1),))
    empty = np.empty((1, 0))
    return Table(
        layout=layout, numbers=empty.astype(np.float32), categories=empty.astype(np.int32), dates=empty,
        pictures=(picture,),
    )  # fmt: skip


def test_the_place_that_the_model_needs_is_the_one_whose_cover_costs_most() -> None:
    falls = map_occlusion(see_corner, make_row(), 1)
    assert falls.shape == (7, 7)
    assert falls.argmax() == 0
    # the mean of the picture is 5 of 255: covered, the corner goes from 1 to 5 / 255
    assert abs(float(falls[0, 0]) - (1 - 5 / 255)) < 1e-3
    assert not falls[3:, 3:].any()


def test_the_map_is_red_where_the_model_looks_and_white_where_it_does_not() -> None:
    drawn = draw_map(map_occlusion(see_corner, make_row(), 1), (1, 28, 28, 1))
    assert drawn.shape == (28, 28, 3)
    assert drawn[0, 0].tolist() == [255, 0, 0]
    assert drawn[27, 27].tolist() == [255, 255, 255]


def test_the_surest_errors_come_first() -> None:
    outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], dtype=np.float32)
    places, facts = list_most_wrong(np.array([0, 0, 0, 1]), outputs, ("cat", "dog"))
    assert places.tolist() == [1, 2]
    assert facts[0]["true"] == "cat"
    assert facts[0]["predicted"] == "dog"
    assert round(facts[0]["probability"], 4) == 0.8
    places, facts = list_most_wrong(np.array([1.0, 5.0]), np.array([[1.5], [2.0]], dtype=np.float32), ())
    assert places.tolist() == [1, 0]
    assert facts[0] == {"true": 5.0, "predicted": 2.0}


def test_an_error_is_what_the_deployed_threshold_calls_so() -> None:
    outputs = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]], dtype=np.float32)
    places, facts = list_most_wrong(np.array([1, 0, 1]), outputs, ("cat", "dog"), 0.25)
    assert places.tolist() == [0, 1]
    assert [fact["predicted"] for fact in facts] == ["cat", "dog"]
    assert round(facts[1]["probability"], 4) == 0.3
