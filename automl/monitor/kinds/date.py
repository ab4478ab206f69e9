"""Dates: days of the week and hours of the day; that time goes on is no drift, and is only told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl.matrix import Array
from automl.monitor import ColumnKind, Shift
from automl.monitor.statistics import STABILITY, compare_counts
from automl.schema import Column

if TYPE_CHECKING:
    import pandas as pd

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Date:
    def summarize(self, column: Column, cells: pd.Series, pixels: Array | None) -> dict[str, Any]:
        moments = cells.astype("datetime64[us]")
        days, hours = _count(moments)
        # to the day, so that no row's moment is kept
        ends = [str(end.date()) for end in (moments.min(), moments.max())] if len(moments) else []
        return {"days": days.tolist(), "hours": hours.tolist(), "ends": ends}

    def compare(self, column: Column, reference: dict[str, Any], cells: pd.Series) -> list[Shift]:
        import pandas as pd

        moments = cells.astype("datetime64[us]")
        days, hours = _count(moments)
        (p_days, index_days), (p_hours, index_hours) = (
            compare_counts(np.asarray(reference["days"]), days),
            compare_counts(np.asarray(reference["hours"]), hours),
        )
        is_hour = p_hours < p_days
        text = f"{'hours' if is_hour else 'days of the week'} PSI {max(index_days, index_hours):.2f}"
        if len(reference["ends"]) == 2 and len(moments):
            later = float((moments > pd.Timestamp(reference["ends"][1]) + pd.Timedelta(days=1)).mean())
            text += f"; {later:.0%} of the rows are later than all of training"
        before, after = np.asarray(reference["days"]), days
        shares = zip(DAYS, before / max(1, before.sum()), after / max(1, after.sum()), strict=True)
        return [
            Shift(
                what="values",
                p_value=min(1.0, 2 * min(p_days, p_hours)),  # two tests
                effect=max(index_days, index_hours),
                measure="PSI",
                is_large=(index_hours if is_hour else index_days) > STABILITY,
                text=text,
                bars=tuple((day, float(a), float(b)) for day, a, b in shares),
            )
        ]


def _count(moments: pd.Series) -> tuple[Array, Array]:
    return (
        np.bincount(moments.dt.day_of_week.to_numpy(dtype=np.int64), minlength=7),
        np.bincount(moments.dt.hour.to_numpy(dtype=np.int64), minlength=24),
    )


plugin: ColumnKind = Date()
