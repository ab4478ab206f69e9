"""Tables so small that a score can hardly tell two models apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.profile import Finding

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

FEWEST_ROWS = 200


class TinyTable:
    """Fewer than 200 rows."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        n = dataset.n_rows
        if n >= FEWEST_ROWS:
            return []
        text = f"{n} rows are few"
        if dataset.task.is_classification:
            half_width = 1.96 * float(np.sqrt(0.8 * 0.2 / n))
            text += f": an accuracy of 80% would be known to ±{half_width:.0%} only"
        action = "Folds are many, and gone through twice where there is time for it; mind the score's interval"
        if dataset.times is not None:
            action = "Only the later rows score, by models of the few before them; mind the score's interval"
        return [Finding(kind="tiny_table", severity="warning", text=text, action=action, taken=True)]


plugin = TinyTable()
