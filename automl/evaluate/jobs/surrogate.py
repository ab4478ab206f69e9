"""A small tree that imitates the model, as rules, with how well it does so on rows that it was not made from.

Craven & Shavlik 1996, "Extracting tree-structured representations of trained networks", NeurIPS 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.evaluate.columns import read_column
from automl.evaluate.jobs import Case, Study
from automl.matrix import Array
from automl.schema import Role
from automl.task import TaskKind

MAX_ROWS = 4_000
DEPTH = 3
LEVELS = 10
MIN_LEAF_SHARE = 0.03
# A rule may ask this of a cell: (column, "<=" | "is", value)
Question = tuple[str, str, Any]


class Surrogate:
    """Fitted to the model's answers, not to the truth: half of the held-out rows teach it, the other half test it."""

    title = "Rules that imitate the model"
    order = 40
    seconds = 6.0
    least_seconds = 0.4

    def measure(self, case: Case) -> dict[str, Any] | None:
        from sklearn.tree import DecisionTreeRegressor

        rows = case.unseen_rows(MAX_ROWS)
        matrix, questions = ask_questions(case, rows)
        if len(rows) < 40 or not questions:
            return None
        answers = np.asarray(case.predict(case.data.table.take(rows)), dtype=np.float64)
        order = case.rng(4).permutation(len(rows))
        teach, test = order[: len(order) // 2], order[len(order) // 2 :]
        leaf = max(5, int(MIN_LEAF_SHARE * len(teach)))
        tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=leaf, random_state=case.seed)
        tree.fit(matrix[teach], answers[teach])
        imitated = tree.predict(matrix[test]).reshape(len(test), -1)
        record = {
            "taught_rows": len(teach),
            "tested_rows": len(test),
            "explained": case.explained if case.task.kind is not TaskKind.MULTICLASS else "class",
            "r2": _fidelity(answers[test], imitated),
            "rules": _rules(case, tree, questions, tree.apply(matrix[test])),
        }
        if case.task.is_classification:
            own, other = (decide_answers(each, case.threshold) for each in (answers[test], imitated))
            record["agreement"] = float(np.mean(own == other))
        return record


def ask_questions(case: Case, rows: Array) -> tuple[Array, list[Question]]:
    """Columns as a tree can ask for them: numbers as they are, one 0/1 column for each frequent value of a category."""
    table = case.data.table.take(rows)
    blocks: list[Array] = []
    questions: list[Question] = []
    columns = {column.name: column for column in case.schema.columns}
    for name in case.columns:
        column = columns[name]
        cells = read_column(table, column)
        if column.role is Role.NUMBER:
            blocks.append(np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64))
            questions.append((name, "<=", None))
        elif column.role is Role.CATEGORY:
            for level in column.levels[:LEVELS]:
                blocks.append(np.array([cell == level for cell in cells], dtype=np.float64))
                questions.append((name, "is", level))
    return (np.column_stack(blocks) if blocks else np.empty((len(rows), 0))), questions


def _fidelity(answers: Array, imitated: Array) -> float | None:
    """Share of the variance of the model's answers that the tree follows; None where they do not vary."""
    whole = float(((answers - answers.mean(axis=0)) ** 2).sum())
    return 1 - float(((answers - imitated) ** 2).sum()) / whole if whole > 0 else None


def decide_answers(answers: Array, threshold: float) -> Array:
    """Class index (n,) of answers (n, c): with one column the positive class from the deployed threshold on."""
    return answers.argmax(axis=1) if answers.shape[1] > 1 else (answers[:, 0] >= threshold).astype(np.int64)


def _rules(case: Case, tree: Any, questions: list[Question], leaves: Array) -> list[dict[str, Any]]:
    """One rule a leaf: conditions from the root on, its share of the tested rows, what it answers; highest first."""
    inner = tree.tree_
    rules = []

    def descend(node: int, conditions: list[dict[str, Any]]) -> None:
        if inner.children_left[node] == -1:
            value = inner.value[node].reshape(-1)
            answer: dict[str, Any] = {"output": float(value.max() if len(value) > 1 else value[0])}
            if len(value) > 1:
                answer["class"] = case.task.classes[int(value.argmax())]
            rules.append(
                {"conditions": merge_conditions(conditions), "share": float(np.mean(leaves == node)), **answer}
            )
            return
        name, kind, level = questions[inner.feature[node]]
        missing_left = bool(inner.missing_go_to_left[node])
        for child, left in ((inner.children_left[node], True), (inner.children_right[node], False)):
            if kind == "is":
                condition = {"column": name, "test": "is not" if left else "is", "value": level}
            else:
                threshold = float(f"{inner.threshold[node]:.6g}")
                condition = {"column": name, "test": "at most" if left else "above", "value": threshold}
                if case.schema[name].has_missing and missing_left == left:
                    condition["or_missing"] = True
            descend(int(child), [*conditions, condition])

    descend(0, [])
    return sorted(rules, key=lambda rule: -rule["output"])


def merge_conditions(conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same conditions said once a column: the narrowest bounds of a number, what a category is before what it is
    not. Missing values pass only where every condition on the column lets them."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for condition in conditions:
        column, test = condition["column"], condition["test"]
        key = (column, f"is not {condition['value']}" if test == "is not" else test)
        before = merged.get(key)
        narrower = min if test == "at most" else max
        if before is not None and test in ("at most", "above"):
            condition = {**condition, "value": narrower(before["value"], condition["value"])}
        merged[key] = condition
    known = {column for column, test in merged if test == "is"}
    kept = [entry for entry in merged.values() if not (entry["test"] == "is not" and entry["column"] in known)]
    closed = {entry["column"] for entry in conditions if not entry.get("or_missing")}
    return [
        {key: value for key, value in entry.items() if key != "or_missing" or entry["column"] not in closed}
        for entry in kept
    ]


plugin: Study = Surrogate()
