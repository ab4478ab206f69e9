"""Columns as arrays."""

from __future__ import annotations

import re

import numpy as np

from automl.preprocess.table import count_text


def test_texts_are_counted_alike_one_by_one_and_side_by_side() -> None:
    rng = np.random.default_rng(0)
    letters = np.array([*"aZ9 \t\n\x1c\x0b.é٣Ü"])
    texts = ["".join(rng.choice(letters[: 9 if i % 3 else 12], rng.integers(0, 12))) for i in range(500)]
    cells = np.array([None, *texts, np.nan, "", " "], dtype=object)
    wanted = [
        (len(cell), len(cell.split()), len(re.findall(r"\d", cell)), sum(map(str.isupper, cell)))
        if isinstance(cell, str)
        else (np.nan,) * 4
        for cell in cells
    ]
    np.testing.assert_array_equal(count_text(cells), np.array(wanted, dtype=np.float32))
    assert count_text(np.array([], dtype=object)).shape == (0, 4)
