"""What `fit` would do with a table, and what may spoil a model of it: looked at, not trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.prepare import apply_findings, choose_split, load, load_columns, make_encoder, read_new
from automl.profile.describe import find_all
from automl.recipe import Recipe
from automl.search.families import Families
from automl.search.portfolio import make_portfolio

if TYPE_CHECKING:
    import pandas as pd


def plan(
    data: Path | str | pd.DataFrame, *, target: str | None, recipe: Recipe | None = None, test: Path | str | None = None
) -> dict[str, Any]:
    """What `fit` would do with a table: columns with reasons, findings, folds, families and their order.

    Raises:
        DataError: if the data cannot be used.
    """
    recipe = recipe or Recipe()
    dataset = load(data, target=target, recipe=recipe)
    findings = find_all(dataset, read_new(dataset, test, recipe))
    dataset = apply_findings(dataset, findings)
    table = make_encoder(dataset.schema, recipe).encode(dataset.frame, dataset.pixels)
    split = choose_split(dataset, findings, recipe, table)
    families = Families(recipe, dataset.task, table)
    listed = make_portfolio(families, dataset.task.kind, use=recipe.search.portfolio, first=recipe.search.first)
    return {
        "data": dataset.name,
        "rows": dataset.n_rows,
        "task": dataset.task.to_json(),
        "columns": [
            {"name": column.name, "role": str(column.role), "reason": column.reason}
            for column in dataset.schema.columns
        ],
        "notices": [dataclasses.asdict(notice) for notice in dataset.notices],
        "findings": [finding.to_json() for finding in findings],
        "split": {"kind": split.kind, "folds": len(split), "repeats": split.repeats, "reason": split.reason},
        "portfolio": [{"name": spec.label, "candidate": spec.candidate, "origin": spec.origin} for spec in listed],
        "tune": recipe.search.tune,
        "unused": families.unused,
        "budget": recipe.budget.model_dump(),
        "matrix_mb": round(4 * table.shape(dataset.task).cells / 2**20, 2),
    }


def check(
    data: Path | str | pd.DataFrame,
    *,
    target: str | None = None,
    recipe: Recipe | None = None,
    new: Path | str | None = None,
) -> dict[str, Any]:
    """Findings of a table, and of a second one beside it; without a target only the columns are looked at.

    Raises:
        DataError: if the data cannot be used.
    """
    recipe = recipe or Recipe()
    dataset = load(data, target=target, recipe=recipe) if target else load_columns(data, recipe=recipe)
    findings = find_all(dataset, read_new(dataset, new, recipe))
    return {
        "data": dataset.name,
        "rows": dataset.n_rows,
        "columns": [
            {"name": column.name, "role": str(column.role), "reason": column.reason}
            for column in dataset.schema.columns
        ],
        "notices": [dataclasses.asdict(notice) for notice in dataset.notices],
        "findings": [finding.to_json() for finding in findings],
    }
