"""Model families in a search: which can be used, and which gets the next trial."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import registry
from automl.matrix import Shape
from automl.preprocess import multilingual, sentences
from automl.preprocess.table import Layout, Table
from automl.recipe import Recipe
from automl.search.cost import CostModel, read_portfolio
from automl.search.families import Families
from automl.search.portfolio import make_portfolio
from automl.search.trial import candidates
from automl.task import Task, TaskKind
from tests.unit.search.test_records import make_result

TASKS = {
    TaskKind.BINARY: Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"), metric="roc_auc", maximize=True),
    TaskKind.MULTICLASS: Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"), metric="log_loss"),
    TaskKind.REGRESSION: Task(kind=TaskKind.REGRESSION, target="y", metric="rmse"),
}


def make_table(rows: int = 100, numbers: int = 3, categories: int = 2) -> Table:
    layout = Layout(
        numbers=tuple(f"n{at}" for at in range(numbers)),
        categories=tuple(f"c{at}" for at in range(categories)),
        levels=(5,) * categories,
        dates=("when",),
    )
    return Table(
        layout=layout,
        numbers=np.zeros((rows, numbers), dtype=np.float32),
        categories=np.zeros((rows, categories), dtype=np.int32),
        dates=np.zeros((rows, 1)),
    )


def make_families(*wanted: str, kind: TaskKind = TaskKind.REGRESSION, table: Table | None = None) -> Families:
    recipe = Recipe().override({"search": {"candidates": wanted or "auto"}})
    return Families(recipe, TASKS[kind], table or make_table())


def note(families: Families, name: str, *trials: tuple[float, float | None], static: bool = False, **more: Any) -> None:
    """Trials of one fold each: (seconds, score), a score of None being a failure."""
    for seconds, score in trials:
        status = "failed" if score is None else "ok"
        given = {"candidate": name, "seconds": seconds, "score": score, "status": status, "fold_scores": (score,)}
        families.note_result(make_result(0, **(given | more)), static=static)


def draw(families: Families, *names: str, times: int = 600) -> Counter[str | None]:
    rng = np.random.default_rng(1)
    return Counter(families.choose(rng, names) for _ in range(times))


# ---- which can be used ----


def test_all_that_suit_the_task_are_used_and_the_others_listed_with_the_reason() -> None:
    families = make_families(table=make_table(rows=10_000_000))
    assert {"dummy", "linear", "xgboost"} <= set(families.usable)
    assert {"keras_cnn", "tfidf_linear", "keras_text_bag"} <= set(families.apart)  # no news on a table of numbers
    assert set(families.usable) | set(families.unused) | set(families.apart) == set(candidates.names())
    assert families.unused["naive_bayes"] == "naive Bayes tells classes apart; this target is a number"
    assert families.unused["svm_rbf"].startswith("10,000,000 rows are more than ")


def test_naming_families_keeps_them_and_the_constant() -> None:
    families = make_families("linear", "naive_bayes", "linear")
    assert list(families.usable) == ["dummy", "linear"]
    assert list(families.unused) == ["naive_bayes"]


def test_a_family_whose_library_is_missing_is_listed_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = registry._is_installed
    monkeypatch.setattr(registry, "_is_installed", lambda module: module != "xgboost" and installed(module))
    families = make_families("linear", "xgboost")
    assert list(families.usable) == ["dummy", "linear"]
    assert families.unused["xgboost"].startswith("needs xgboost")


# ---- what came of their trials ----


def test_improvements_are_noted_with_what_was_spent_until_then() -> None:
    families = make_families("linear")
    note(families, "linear", (1.0, 10.0), (2.0, 12.0), (4.0, 9.0))
    family = families["linear"]
    assert family.improvements == [(1.0, 10.0), (7.0, 9.0)]
    assert (family.trials, family.spent, family.failures) == (3, 7.0, 0)


def test_an_improvement_of_a_score_to_be_maximized_is_a_rise() -> None:
    families = make_families("linear", kind=TaskKind.BINARY)
    note(families, "linear", (1.0, 0.5), (1.0, 0.4), (1.0, 0.75))
    assert families["linear"].improvements == [(1.0, 0.5), (3.0, 0.75)]


def test_a_pruned_trial_counts_as_a_first_result_but_never_as_an_improvement() -> None:
    families = make_families("linear")
    note(families, "linear", (1.0, 10.0), (1.0, 5.0), status="pruned")
    assert families["linear"].improvements == [(1.0, 10.0)]
    assert families["linear"].failures == 0


def test_in_a_run_by_trials_cost_units_are_spent_not_seconds() -> None:
    families = make_families("linear", "xgboost")
    for name in ("linear", "xgboost"):
        note(families, name, (1e6, 10.0), static=True, fold_scores=(9.0, 10.0, 11.0))
    assert families["linear"].spent == 3 * families["linear"].candidate.cost
    assert families["xgboost"].spent == 3 * families["xgboost"].candidate.cost


def test_by_trials_a_failure_costs_the_same_however_many_folds_other_workers_had_done() -> None:
    spent = set()
    for done in ((), (9.0,), (9.0, 10.0)):
        families = make_families("linear")
        note(families, "linear", (1.0, None), static=True, fold_scores=done)
        spent.add(families["linear"].spent)
    assert len(spent) == 1


def test_a_result_of_a_family_that_is_gone_is_passed_over() -> None:
    families = make_families("linear")
    note(families, "svm_rbf", (1.0, 0.5))
    assert "svm_rbf" not in families.usable
    assert draw(families, "linear", times=5) == {"linear": 5}


def test_a_family_that_failed_twice_and_never_worked_is_out() -> None:
    families = make_families("linear", "xgboost")
    note(families, "linear", (1.0, None))
    assert not families["linear"].is_out
    note(families, "linear", (1.0, None))
    assert families["linear"].is_out
    assert draw(families, "linear", "xgboost", times=50) == {"xgboost": 50}
    assert draw(families, "linear", times=5) == {None: 5}


def test_a_family_that_worked_once_stays_in_however_often_it_fails() -> None:
    families = make_families("linear")
    note(families, "linear", (1.0, None), (1.0, 3.0), (1.0, None), (1.0, None))
    assert not families["linear"].is_out


def test_the_seconds_of_a_fold_are_the_median_of_the_last_five() -> None:
    families = make_families("linear")
    for seconds in (100.0, 100.0, 1.0, 2.0, 3.0, 4.0, 50.0):
        families.note_fold("linear", seconds)
    assert families.expected_fold_seconds("linear") == 3.0


def test_the_seconds_of_a_family_not_tried_follow_from_its_cost_and_what_others_took() -> None:
    families = make_families("linear", "xgboost")
    assert families.expected_fold_seconds("xgboost") is None
    families.note_fold("dummy", 1e-3)
    assert families.expected_fold_seconds("xgboost") is None  # a constant tells nothing about a model
    families.note_fold("linear", 2.0)
    ratio = families["xgboost"].candidate.cost / families["linear"].candidate.cost
    assert families.expected_fold_seconds("xgboost") == pytest.approx(2.0 * ratio)


# ---- which is next ----


def test_the_choice_follows_from_the_generator_alone() -> None:
    families = make_families("linear", "xgboost", "extra_trees")
    names = ["linear", "xgboost", "extra_trees"]
    first, second = ([families.choose(np.random.default_rng(seed), names) for seed in range(30)] for _ in range(2))
    assert first == second
    assert len(set(first)) == 3


def test_of_two_equally_good_families_the_cheaper_is_preferred() -> None:
    families = make_families("linear", "xgboost")
    note(families, "dummy", (0.1, 20.0))
    note(families, "linear", (2.0, 10.0))
    note(families, "xgboost", (20.0, 10.0))
    drawn = draw(families, "linear", "xgboost")
    assert drawn["linear"] > 3 * drawn["xgboost"] > 0


def test_of_two_equally_dear_families_the_better_is_preferred() -> None:
    families = make_families("linear", "xgboost")
    note(families, "dummy", (0.1, 20.0))
    note(families, "linear", (5.0, 12.0))
    note(families, "xgboost", (5.0, 10.0))
    drawn = draw(families, "linear", "xgboost")
    assert drawn["xgboost"] > 3 * drawn["linear"]


def test_a_family_that_no_longer_improves_gives_way() -> None:
    """Both have the same best; one found it just now, the other long ago."""
    families = make_families("linear", "xgboost")
    note(families, "dummy", (0.1, 20.0))
    note(families, "linear", (2.0, 10.0), *[(2.0, 11.0)] * 9)
    note(families, "xgboost", *[(2.0, 11.0 - step / 9) for step in range(10)])
    drawn = draw(families, "linear", "xgboost")
    assert drawn["xgboost"] > 2 * drawn["linear"]


def test_the_same_model_found_once_more_is_no_improvement() -> None:
    """A hundredth of what there is to gain counts once it has come together, a ten-thousandth does not."""
    families = make_families("linear", "xgboost")
    note(families, "dummy", (0.1, 20.0))
    note(families, "linear", (2.0, 10.0), *[(2.0, 10.0 - step / 1000) for step in range(1, 9)])
    assert (families["linear"].score, families["linear"].in_vain) == (9.992, 8)
    note(families, "xgboost", (2.0, 10.0), *[(2.0, 9.99 - step / 100) for step in range(8)])
    assert families["xgboost"].in_vain == 0
    drawn = draw(families, "linear", "xgboost")
    assert drawn["xgboost"] > 2 * drawn["linear"]
    note(families, "linear", (2.0, 9.985), (2.0, 9.98))
    assert families["linear"].in_vain == 1


def test_a_family_far_behind_is_asked_now_and_then() -> None:
    families = make_families("linear", "xgboost")
    note(families, "dummy", (0.1, 20.0))
    note(families, "linear", (5.0, 18.0))
    note(families, "xgboost", (5.0, 10.0))
    drawn = draw(families, "linear", "xgboost")
    assert 5 * drawn["linear"] < drawn["xgboost"] < 20 * drawn["linear"]


def test_families_are_weighed_before_the_constant_has_a_score() -> None:
    families = make_families("linear", "xgboost")
    note(families, "linear", (1.0, 10.0))
    note(families, "xgboost", (1.0, 5.0))
    assert set(draw(families, "linear", "xgboost")) == {"linear", "xgboost"}


def test_near_the_best_is_who_lacks_little_of_what_there_is_to_gain() -> None:
    families = make_families("linear", "xgboost", "svm_rbf")
    note(families, "dummy", (0.1, 101.0))
    note(families, "xgboost", (1.0, 3.0), (1.0, 1.0))
    note(families, "linear", (1.0, 3.9))
    note(families, "svm_rbf", (1.0, 4.1))
    assert families.near_the_best() == ["linear", "xgboost"]


def test_a_family_knows_its_best_configuration_and_the_search_what_was_tuned() -> None:
    families = make_families("linear")
    note(families, "linear", (1.0, 3.0), params={"model.alpha": 1.0}, origin="portfolio")
    note(families, "linear", (2.0, 2.0), params={"model.alpha": 2.0}, origin="tpe")
    note(families, "linear", (4.0, 2.5), params={"model.alpha": 3.0}, origin="tpe")
    assert families["linear"].best == {"model.alpha": 2.0}
    assert (families.spent_seconds, families.tuned_seconds) == (7.0, 6.0)


def test_the_constant_is_never_tuned() -> None:
    assert draw(make_families("linear"), "dummy", times=3) == {None: 3}
    assert draw(make_families("linear"), "dummy", "linear", times=3) == {"linear": 3}


# ---- the portfolio ----


@pytest.mark.parametrize("kind", list(TaskKind), ids=str)
@pytest.mark.parametrize("shape", [(3, 2), (4, 0), (0, 3), (0, 0)], ids=str)
def test_every_entry_fits_the_space_of_its_family(kind: TaskKind, shape: tuple[int, int]) -> None:
    families = make_families(kind=kind, table=make_table(100, *shape))
    specs = make_portfolio(families, kind)
    assert {spec.candidate for spec in specs} == set(families.usable)
    for spec in specs:
        assert families[spec.candidate].space.complete(spec.params) == spec.params


@pytest.mark.parametrize("kind", list(TaskKind), ids=str)
def test_what_an_entry_asks_for_is_a_parameter_of_its_family_on_a_mixed_table(kind: TaskKind) -> None:
    """A misspelt name would be left out in silence."""
    families = make_families(kind=kind)
    specs = {spec.label: spec for spec in make_portfolio(families, kind)}
    listed = read_portfolio(families.shape.rows)["lists"][str(kind)]
    for entry in listed:
        asked = entry["params"]
        if entry["family"] in families.usable and asked:
            allowed = {name: value for name, value in asked.items() if not is_of_another_kind(name, kind)}
            assert {key: specs[entry["name"]].params.get(key) for key in allowed} == allowed


def is_of_another_kind(name: str, kind: TaskKind) -> bool:
    """C is for classes, alpha and epsilon for values: an entry may name both."""
    return name in (("model.alpha", "model.epsilon") if kind is not TaskKind.REGRESSION else ("model.C",))


def test_baselines_come_first_and_labels_are_unique() -> None:
    specs = make_portfolio(make_families(kind=TaskKind.BINARY), TaskKind.BINARY)
    assert [(spec.candidate, spec.origin, spec.raced) for spec in specs[:2]] == [
        ("dummy", "baseline", False),
        ("linear", "baseline", False),
    ]
    assert {spec.origin for spec in specs[2:]} == {"portfolio"}
    labels = [(spec.candidate, spec.label) for spec in specs]
    assert len(set(labels)) == len(labels)
    configurations = [(spec.candidate, str(spec.params)) for spec in specs]
    assert len(set(configurations)) == len(configurations)


def test_without_the_portfolio_only_the_baselines_remain() -> None:
    assert [spec.candidate for spec in make_portfolio(make_families(), TaskKind.BINARY, use=False)] == [
        "dummy",
        "linear",
    ]


def test_families_that_cannot_be_used_have_no_entry() -> None:
    assert {spec.candidate for spec in make_portfolio(make_families("xgboost"), TaskKind.BINARY)} == {
        "dummy",
        "xgboost",
    }


def test_a_plug_in_of_another_package_comes_last_with_its_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "huber_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: huber-plugin\nVersion: 1.0\n", encoding="ascii")
    point = "[automl.candidates]\nhuber = automl.candidates.linear:plugin\n"
    (folder / "entry_points.txt").write_text(point, encoding="ascii")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(candidates, "_loaded", dict(candidates._loaded))
    candidates.__dict__.pop("_entry_points", None)
    try:
        families = make_families()
        specs = make_portfolio(families, TaskKind.BINARY)
    finally:
        candidates.__dict__.pop("_entry_points", None)
    last = specs[-1]
    assert (last.candidate, last.label, last.origin) == ("huber", "huber", "portfolio")
    assert last.params == families["huber"].space.defaults()
    assert [spec.candidate for spec in specs].count("huber") == 1


def test_what_was_made_for_pictures_comes_first_where_there_is_nothing_else_and_by_turns_elsewhere() -> None:
    photo: dict[str, Any] = {"pictures": ("photo",), "picture_shapes": ((8, 8, 3),)}
    for others in ((), ("n0", "n1")):
        layout = Layout(numbers=others, categories=(), levels=(), dates=(), **photo)
        table = Table(
            layout=layout,
            numbers=np.zeros((50, len(others)), dtype=np.float32),
            categories=np.zeros((50, 0), dtype=np.int32),
            dates=np.zeros((50, 0)),
            pictures=(np.zeros((50, 8, 8, 3), dtype=np.uint8),),
        )
        families = make_families(kind=TaskKind.BINARY, table=table)
        first = make_portfolio(families, TaskKind.BINARY)[2:6]
        of_tables = {entry["name"] for entry in read_portfolio(families.shape.rows)["lists"]["binary"]}
        assert any(spec.label in of_tables for spec in first) == bool(others)
        assert "linear on filters" in {spec.label for spec in first}


def test_large_tables_of_many_classes_try_a_perceptron_first() -> None:
    """Its time does not grow with the classes, as that of trees does; behind them its turn may not come."""
    assert read_portfolio(5_000)["lists"]["multiclass"][2]["family"] == "keras_mlp"


def test_large_tables_have_a_list_and_a_model_of_costs_of_their_own() -> None:
    small, large = read_portfolio(4_000), read_portfolio(5_000)
    assert (small["name"], large["name"]) == ("small", "large")
    for kind in map(str, TaskKind):
        orders = [[entry["name"] for entry in size["lists"][kind]] for size in (small, large)]
        assert orders[0][:2] == orders[1][:2] == ["dummy", "linear"]
        assert all(entry["seconds"] > 0 for entry in large["lists"][kind])
    assert small["lists"]["binary"] != large["lists"]["binary"]
    families = {entry["family"] for kind in large["lists"].values() for entry in kind}
    assert families <= set(large["growth"])

    def expect(rows: int) -> float:
        shape = Shape(rows=rows, numbers=20, categories=0, levels=0, outputs=1)
        seconds = CostModel(shape).expect("hist_gradient_boosting", 2.0)
        assert seconds is not None
        return seconds

    assert expect(12_000) == pytest.approx(2.0)  # four fifths of it are learned from
    assert 6.0 < expect(48_000) < 10.0  # four times the rows take about four times as long


def make_texts(*others: str) -> Table:
    """A column of texts beside other columns of numbers."""
    facts = tuple(f"said {name}" for name in ("characters", "words", "digits", "capitals"))
    numbers = (*facts, *others)
    layout = Layout(numbers=numbers, categories=(), levels=(), dates=(), texts=("said",), text_bytes=5000)
    return Table(
        layout=layout,
        numbers=np.zeros((50, len(numbers)), dtype=np.float32),
        categories=np.zeros((50, 0), dtype=np.int32),
        dates=np.zeros((50, 0)),
    )


def test_the_first_model_of_texts_is_the_quickest_and_the_second_the_linear_baseline() -> None:
    for others in ((), ("n0",)):
        for kind, first in (
            (TaskKind.MULTICLASS, ["constant", "naive Bayes on words", "linear on words"]),
            (TaskKind.REGRESSION, ["constant", "linear on words"]),
        ):
            specs = make_portfolio(make_families(kind=kind, table=make_texts(*others)), kind)
            assert [spec.label for spec in specs[: len(first)]] == first
            assert specs[1].params["preprocess.chars"] == "none"


def test_of_a_skewed_target_each_family_tries_the_logarithm_once() -> None:
    families = make_families(kind=TaskKind.REGRESSION)
    plain = [spec.label for spec in make_portfolio(families, TaskKind.REGRESSION)]
    assert not any("model.target_transform" in families[name].space.parameters for name in ("xgboost", "svm_rbf"))
    task = dataclasses.replace(TASKS[TaskKind.REGRESSION], skewed=True)
    families = Families(Recipe().override({"search": {"candidates": "auto"}}), task, make_table())
    specs = make_portfolio(families, TaskKind.REGRESSION)
    logged = [spec for spec in specs if spec.params.get("model.target_transform") == "log"]
    assert sorted(spec.candidate for spec in logged) == ["hist_gradient_boosting", "linear", "svm_rbf", "xgboost"]
    assert [spec.label for spec in specs if spec not in logged] == plain
    for spec in logged:
        place = specs.index(spec)
        assert spec.label == f"{specs[place - 1].label} log"
        assert specs[place - 1].candidate == spec.candidate


def test_texts_alone_are_tried_by_few_families_of_tables() -> None:
    for others, of_tables in (((), {"decision_tree", "linear", "xgboost"}), (("n0",), None)):
        specs = make_portfolio(make_families(kind=TaskKind.BINARY, table=make_texts(*others)), TaskKind.BINARY)
        specs = [spec for spec in specs if "sentences" not in spec.label]  # only where the extra `text` is installed
        found = {spec.candidate for spec in specs if "text" not in spec.candidate and "tfidf" not in spec.candidate}
        if of_tables is None:
            assert {"random_forest", "hist_gradient_boosting"} < found
        else:
            assert found == {"dummy", *of_tables}


def test_an_entry_whose_encoder_is_not_offered_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def labels() -> set[str]:
        specs = make_portfolio(make_families(kind=TaskKind.BINARY, table=make_texts()), TaskKind.BINARY)
        return {spec.label.split(" on ")[1] for spec in specs if spec.label.endswith("sentences")}

    monkeypatch.setattr(sentences, "is_available", lambda backbone="": False)
    monkeypatch.setattr(multilingual, "is_available", lambda: True)
    assert labels() == {"multilingual sentences"}
    monkeypatch.setattr(sentences, "is_available", lambda backbone="": True)
    assert labels() == {"sentences", "multilingual sentences"}
    monkeypatch.setattr(multilingual, "is_available", lambda: False)
    assert labels() == {"sentences"}
    monkeypatch.setattr(sentences, "is_available", lambda backbone="": False)
    assert labels() == set()


def test_where_the_logarithm_is_measured_each_family_learns_it_at_once() -> None:
    task = dataclasses.replace(TASKS[TaskKind.REGRESSION], metric="rmsle", skewed=True)
    families = Families(Recipe().override({"search": {"candidates": "auto"}}), task, make_table())
    specs = make_portfolio(families, TaskKind.REGRESSION)
    assert not any(spec.label.endswith(" log") for spec in specs)
    chosen = [spec.params["model.target_transform"] for spec in specs if "model.target_transform" in spec.params]
    assert chosen and set(chosen) == {"log"}
