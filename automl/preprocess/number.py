"""Numbers: left as they are for trees; clipped, scaled and imputed for models that need it.

Whatever is learned becomes a few arrays, so that a fitted part is plain data on disk and one line of numpy in use.
"""

from __future__ import annotations

import numpy as np

from automl.graph import Graph
from automl.matrix import Array, Feature, FloatArray, Needs
from automl.preprocess._graph_numbers import scale_in_graph
from automl.preprocess.part import FitRows, State
from automl.preprocess.table import Table, TableNames
from automl.space import Choice, Params, SearchSpace

CLIP_SHARE = 0.005
MAX_QUANTILES = 200
MAX_POWER_COLUMNS = 300
# Standard scores beyond this are pulled in, as a linear model would otherwise be ruled by one cell.
LIMIT = 8.0
# A column whose mean lies so many deviations from 0 is moved there before its exponent is sought: far from 0 every
# power is nearly a line, and the steepest of them leaves no digits between two values.
FAR_DEVIATIONS = 5.0


def space(needs: Needs, columns: int = 0) -> SearchSpace:
    """What can be chosen: nothing for families that take numbers as they are.

    Args:
        columns: how many numbers there are; exponents are found column by column, which takes too long for many.
    """
    parameters: dict[str, Choice] = {}
    if needs.scaled:
        scales = ("standard", "robust", "quantile", "power")
        parameters["scale"] = Choice(scales if columns <= MAX_POWER_COLUMNS else scales[:-1], "standard")
        parameters["clip"] = Choice((False, True), False)
    if not needs.missing:
        parameters["impute"] = Choice(("median", "mean"), "median")
    return SearchSpace(parameters)


class NumberPart:
    """Fitted on training rows; see the module. Columns that carry no value in them become zeros."""

    kind = "number"

    def __init__(self, needs: Needs, params: Params) -> None:
        self.needs = needs
        self.params = params
        self.state: State = {}

    def fit(self, table: Table, fit: FitRows) -> FloatArray:
        x = table.numbers
        self.state = {"missing": np.isnan(x).any(axis=0)}
        if not self.needs.missing:
            self._fit_scale(x)
            scaled = self._scale(x)
            middle = np.nanmedian if self.params.get("impute", "median") == "median" else np.nanmean
            empty = np.isnan(scaled).all(axis=0)
            fill = np.zeros(x.shape[1], dtype=np.float32)
            if (~empty).any():
                fill[~empty] = middle(scaled[:, ~empty], axis=0)
            self.state["fill"] = fill
        return self.transform(table)

    def _fit_scale(self, x: FloatArray) -> None:
        state = self.state
        if x.shape[1] == 0:  # such as dates that are all the same; numpy has no quantiles of no columns
            return
        with np.errstate(all="ignore"):
            used = np.where(np.isnan(x).all(axis=0), np.float32(0), x)
            self._find_varying(used)
            if self.params.get("clip"):
                state["low"], state["high"] = np.nanquantile(used, (CLIP_SHARE, 1 - CLIP_SHARE), axis=0).astype(
                    np.float32
                )
                used = np.clip(used, state["low"], state["high"])
            scale = self.params.get("scale")
            if scale == "quantile":
                grid = np.linspace(0, 1, int(np.clip(len(x) // 30, 10, MAX_QUANTILES)))
                state["quantiles"] = np.nanquantile(used, grid, axis=0).astype(np.float32)
                return
            if scale == "power":
                state["origin"], state["unit"] = find_origin(used)
                used = (used - state["origin"]) / state["unit"]
                state["lambdas"] = fit_yeo_johnson(used)
                used = yeo_johnson(used, state["lambdas"])
            if scale == "robust":
                state["center"] = np.nanmedian(used, axis=0)
                spread = np.subtract(*np.nanquantile(used, (0.75, 0.25), axis=0)) / 1.349
                spread = np.where(spread > 0, spread, np.nanstd(used, axis=0))
            elif scale in ("standard", "power"):
                state["center"] = np.nanmean(used, axis=0, dtype=np.float64)
                spread = np.nanstd(used, axis=0, dtype=np.float64)
            else:
                return
            exact = np.float64 if scale == "power" else np.float32  # powers may lie closer than float32 can tell
            state["spread"] = np.where(spread > 1e-12 * np.abs(state["center"]), spread, 1.0).astype(exact)
            state["center"] = np.asarray(state["center"], dtype=exact)

    def _find_varying(self, x: FloatArray) -> None:
        """Note columns (p,) that say nothing, 0 for those and 1 for the others: a model that has seen one value only
        has learned nothing of another."""
        varies = (np.nanmax(x, axis=0) > np.nanmin(x, axis=0)).astype(np.float32)
        if self.params.get("scale") and not varies.all():
            self.state["varies"] = varies

    def _scale(self, x: FloatArray) -> FloatArray:
        scaled = self._scale_all(x)
        return scaled * self.state["varies"] if "varies" in self.state else scaled

    def _scale_all(self, x: FloatArray) -> FloatArray:
        state = self.state
        if "low" in state:
            x = np.clip(x, state["low"], state["high"])
        if "quantiles" in state:
            return to_normal(x, state["quantiles"])
        if "origin" in state:  # plans of before have none
            x = (x - state["origin"]) / state["unit"]
        if "lambdas" in state:
            x = yeo_johnson(x, state["lambdas"])
        if "center" in state:
            with np.errstate(over="ignore"):  # 1e38 over a small spread: it is clipped all the same
                x = np.clip((x - state["center"]) / state["spread"], -LIMIT, LIMIT)
        return np.asarray(x, dtype=np.float32)

    def transform(self, table: Table) -> FloatArray:
        x = table.numbers
        if self.needs.missing:
            return np.asarray(x, dtype=np.float32)
        scaled = self._scale(x)
        absent = np.isnan(scaled)
        filled = np.where(absent, self.state["fill"], scaled)
        flagged = self.state["missing"]
        if flagged.any():
            filled = np.hstack([filled, absent[:, flagged].astype(np.float32)])
        return np.asarray(filled, dtype=np.float32)

    def to_graph(self, graph: Graph, table: TableNames) -> str:
        x = table.numbers
        if self.needs.missing:
            return x
        scaled = scale_in_graph(graph, x, self.state, LIMIT)
        absent = graph.add("IsNaN", scaled)
        filled = graph.add("Where", absent, np.asarray(self.state["fill"], dtype=np.float32), scaled)
        flagged = np.nonzero(self.state["missing"])[0]
        if len(flagged):
            filled = graph.concat([filled, graph.cast(graph.columns(absent, flagged), "float32")])
        return filled

    def features(self, table: Table) -> tuple[Feature, ...]:
        layout = table.layout
        named = [Feature(name=name, source=layout.source(name)) for name in layout.numbers]
        if not self.needs.missing:
            named += [
                Feature(name=f"{name} is missing", source=layout.source(name))
                for name, flagged in zip(layout.numbers, self.state["missing"], strict=True)
                if flagged
            ]
        return tuple(named)


def to_normal(x: FloatArray, quantiles: FloatArray) -> FloatArray:
    """Map each column (n, p) piecewise linearly from its quantiles (g, p) to those of the standard normal."""
    from scipy.special import ndtri

    edge = 1e-3
    grid = ndtri(np.clip(np.linspace(0, 1, len(quantiles)), edge, 1 - edge))
    columns = [np.interp(x[:, place], quantiles[:, place], grid) for place in range(x.shape[1])]
    mapped = np.column_stack(columns) if columns else np.empty(x.shape)
    return np.where(np.isnan(x), np.nan, mapped).astype(np.float32)


def find_origin(x: FloatArray) -> tuple[Array, Array]:
    """What is taken from each column of (n, p), and what it is divided by, (p,) float64: 0 and 1 if it is near 0."""
    mean, deviation = np.nanmean(x, axis=0, dtype=np.float64), np.nanstd(x, axis=0, dtype=np.float64)
    far = np.isfinite(mean) & (deviation > 1e-6 * np.abs(mean)) & (np.abs(mean) > FAR_DEVIATIONS * deviation)
    return np.where(far, mean, 0.0), np.where(far, deviation, 1.0)


def fit_yeo_johnson(x: Array) -> Array:
    """Exponents (p,) by maximum likelihood; 1 if constant. Yeo & Johnson 2000, doi:10.1093/biomet/87.4.954."""
    from sklearn.preprocessing import PowerTransformer

    lambdas = np.ones(x.shape[1], dtype=np.float64)
    for place in range(x.shape[1]):
        column = x[:, place].astype(np.float64)
        column = column[np.isfinite(column)]
        if len(column) and column.std() > 1e-12 * max(1.0, abs(column.mean())):
            found = PowerTransformer(standardize=False).fit(column[:, None]).lambdas_[0]
            lambdas[place] = np.clip(found, -3, 3) if np.isfinite(found) else 1.0
    return lambdas


def yeo_johnson(x: Array, lambdas: Array) -> Array:
    """The transform itself, (n, p) float64."""
    values = x.astype(np.float64)
    result = np.empty_like(values)
    for place, power in enumerate(lambdas):
        column = values[:, place]
        up = np.maximum(column, 0)
        down = np.minimum(column, 0)
        high = np.log1p(up) if abs(power) < 1e-9 else (np.power(up + 1, power) - 1) / power
        low = -np.log1p(-down) if abs(power - 2) < 1e-9 else -(np.power(1 - down, 2 - power) - 1) / (2 - power)
        result[:, place] = np.where(column >= 0, high, low)
        result[np.isnan(column), place] = np.nan
    return np.clip(result, -1e30, 1e30)
