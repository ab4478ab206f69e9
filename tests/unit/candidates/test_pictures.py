"""What nets on pictures learn from: which rows, and whether in a mirror too."""

from __future__ import annotations

import time

import numpy as np
import pytest

from automl.candidates import FitContext
from automl.candidates._mirror import has_mirror_classes
from automl.candidates._pictures import PictureNet
from automl.matrix import Array, Feature, Shape
from automl.task import Task, TaskKind
from tests.conformance.candidates import CANDIDATES
from tests.unit.candidates.backbones import draw_pictures

TASK = Task(kind=TaskKind.MULTICLASS, target="y", classes=("left", "right", "up"), metric="log_loss")
SHAPE = (24, 24, 3)


def make_context(rows: int) -> FitContext:
    stop_rows = np.arange(rows - rows // 7, rows)
    return FitContext(task=TASK, features=(Feature(name="p", source="p", shape=SHAPE),), seed=1, stop_rows=stop_rows)


def draw_arrows(rows: int, *, seed: int = 0) -> tuple[Array, Array]:
    """White arrows on noise (n, h, w, c) that point to the left, to the right, or up, which is the class (n,)."""
    rng = np.random.default_rng(seed)
    arrow = np.zeros((12, 12), dtype=bool)
    arrow[5:7] = True
    for at in range(6):
        arrow[[5 - at, 6 + at], at] = True
    turned = (arrow, arrow[:, ::-1], arrow.T)
    target = rng.integers(0, 3, rows)
    pictures = rng.integers(0, 120, (rows, *SHAPE))
    for row, kind in enumerate(target):
        top, left = rng.integers(4, 9, 2)
        pictures[row, top : top + 12, left : left + 12][turned[kind]] += 130
    return pictures.astype(np.uint8), target.astype(np.int64)


def test_rare_mirror_images_are_seen_beside_a_frequent_class() -> None:
    pictures, target = draw_arrows(3_000)
    rows = np.concatenate([np.flatnonzero(target == 2), *(np.flatnonzero(target == side)[:70] for side in (0, 1))])
    often = np.concatenate([rows, *[rows[: len(rows) - 140]] * 5])
    assert len(often) > 6_000 and has_mirror_classes(pictures, target, often)


def test_arrows_to_the_left_and_to_the_right_are_each_others_mirror_images() -> None:
    pictures, target = draw_arrows(400)
    rows = np.arange(400)
    assert has_mirror_classes(pictures, target, rows)
    assert has_mirror_classes(pictures, target, np.argsort(target, kind="stable"))
    assert not has_mirror_classes(pictures, np.where(target == 0, 1, target), rows)  # one class of both


def test_pictures_that_keep_their_class_in_a_mirror_are_mirrored() -> None:
    pixels, target = draw_pictures(400)
    pictures = pixels.reshape(-1, *SHAPE)
    assert not has_mirror_classes(pictures, target, np.arange(400))
    noise = np.random.default_rng(0).permutation(target)
    assert not has_mirror_classes(pictures, noise, np.arange(400))
    assert not has_mirror_classes(pictures, np.zeros(400, dtype=np.int64), np.arange(400))


def test_a_look_at_ten_thousand_pictures_takes_no_time() -> None:
    pictures = np.zeros((10_000, 64, 64, 3), dtype=np.uint8)
    started = time.process_time()
    has_mirror_classes(pictures, np.arange(10_000) % 10, np.arange(10_000))
    assert time.process_time() - started < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("draw", [draw_arrows, draw_pictures])
def test_a_net_learns_arrows_to_either_side_and_mirrors_what_may_be_mirrored(draw: object) -> None:
    pictures, target = draw(300)  # type: ignore[operator]
    size = Shape(rows=300, numbers=0, categories=0, levels=0, outputs=3, pictures=1, pixels=1728, colored=True)
    plugin = CANDIDATES.get("keras_cnn")
    params = plugin.space(TASK, size).complete({"epochs": 12, "width": 8, "rotate": 0.0, "dropout": 0.0})
    assert params["flip"]
    net = plugin.build(params, make_context(300))
    net.fit(pictures.reshape(300, -1), target, None)
    assert isinstance(net, PictureNet)
    assert net.flip == (draw is draw_pictures)
    others, truth = draw(200, seed=9)  # type: ignore[operator]
    assert (net.predict(others.reshape(200, -1)).argmax(axis=1) == truth).mean() > 0.9
