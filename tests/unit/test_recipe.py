"""Recipes: every fault is told, nothing in a file is trusted, and those that come with the tool are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from automl import recipe as recipes
from automl.errors import RecipeError
from automl.recipe import Recipe, build_recipe, load_recipe, recipe_paths, shared_folder

NAMES = ("balanced", "best", "quick", "tables_trials")


def _load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(str(path))


def _refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        _load(tmp_path, text)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.message.replace(str(tmp_path / "mine.yaml"), "mine.yaml")


def _keys(record: dict[str, Any]) -> set[str]:
    return {
        name
        for key, value in record.items()
        for name in ({f"{key}.{inner}" for inner in _keys(value)} if isinstance(value, dict) and value else {key})
    }


def test_the_recipes_that_come_with_the_tool_are_found_by_name() -> None:
    assert tuple(recipe_paths()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_that_comes_with_the_tool_is_valid_complete_and_bears_its_own_name(name: str) -> None:
    assert load_recipe(name).name == name
    stated = _keys(yaml.safe_load(recipe_paths()[name].read_text(encoding="utf-8")))
    complete = {key for key in _keys(Recipe().model_dump(mode="json")) if not key.startswith("data.")}
    assert complete <= stated
    assert recipe_paths()[name].read_text(encoding="utf-8").startswith(f"# {name}: ")


def test_balanced_states_every_key_with_its_default() -> None:
    assert load_recipe("balanced") == Recipe()
    stated = _keys(yaml.safe_load(recipe_paths()["balanced"].read_text(encoding="utf-8")))
    assert stated == _keys(Recipe().model_dump(mode="json"))


def test_sample_data_is_found_beside_the_recipes() -> None:
    assert {path.name for path in shared_folder("datasets").glob("*.csv")} == {
        "package_sections.csv",
        "penguins.csv",
        "social_survey.csv",
    }


def test_an_installed_package_finds_its_own_copies_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "automl" / "_share" / "recipes").mkdir(parents=True)
    monkeypatch.setattr(recipes, "__file__", str(tmp_path / "automl" / "recipe.py"))
    assert shared_folder("recipes") == tmp_path / "automl" / "_share" / "recipes"
    assert shared_folder("datasets") == tmp_path / "datasets"


def test_unknown_keys_are_refused_with_the_nearest_one_and_all_faults_together(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "metrik: f1\nsearch: {tun: true, racing: perhaps}\nseed: -1\n")
    assert "metrik is not a key here (Did you mean 'metric'?)" in message
    assert "search.tun is not a key here (Did you mean 'tune'?)" in message
    assert "search.racing 'perhaps': " in message
    assert "seed -1: input should be greater than or equal to 0" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "is not valid YAML: key given twice: a"),
        ("search: {tune: true, tune: false}", "is not valid YAML: key given twice: tune"),
        ("name: !!python/object/apply:os.system ['true']", "is not valid YAML: could not determine a constructor"),
        ("name: 2026-99-99", "is not valid YAML: month must be in 1..12"),
        ("name: [1, 2", "is not valid YAML: while parsing a flow sequence"),
        ("name: \x00", "is not valid YAML: unacceptable character"),
        ("[" * 5000, "is not valid YAML"),
        ("- a\n- b\n", "holds no recipe"),
        ("", "holds no recipe"),
        ("budget: 5", "budget 5: input should be a valid dictionary"),
        ("name: no", "name False: input should be a valid string; write it in quotes"),
        ("data: {positive: yes}", "data.positive True: input should be a valid string; write it in quotes"),
        ("data: {roles: {age: numbr}}", "data.roles.age 'numbr': input should be 'number', 'category'"),
        ("budget: {trials: yes}", "budget.trials should be a number"),
        ("budget: {seconds: .inf}", "budget.seconds inf: input should be a finite number"),
        ("budget: {seconds: null}", "budget give seconds or trials"),
        ("budget: {trials: 1.5}", "budget.trials 1.5: input should be a valid integer"),
        ("split: {folds: 0}", "split.folds 0: input should be greater than or equal to 1 or input should be 'auto'"),
        ("search: {candidates: []}", "search.candidates []: "),
        ("search: {candidates: [1]}", "search.candidates.0 1: input should be a valid string"),
    ],
)
def test_a_trap_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    assert f"mine.yaml {said}" in _refusal(tmp_path, text).replace(" is not valid: ", " ")


def test_a_bomb_of_aliases_is_refused_before_it_grows(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    assert "more than 64 aliases" in _refusal(tmp_path, "\n".join(lines))


@pytest.mark.timeout(20)
def test_a_bomb_below_the_limit_of_aliases_is_not_written_out(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, 30))]
    message = _refusal(tmp_path, "\n".join([*lines, "seed: *a29"]))
    assert "seed [[" in message
    assert len(message) < 5000


def test_numbers_as_other_programs_write_them_are_numbers(tmp_path: Path) -> None:
    budget = _load(tmp_path, "budget: {seconds: 1e3, trials: 1e2, jobs: '2'}").budget
    assert (budget.seconds, budget.trials, budget.jobs) == (1000.0, 100, 2)
    assert type(budget.trials) is int


def test_a_file_that_is_too_large_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    assert "is larger than 4 MiB" in _refusal(tmp_path, "# " + "x" * (4 << 20))
    (tmp_path / "mine.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        load_recipe(str(tmp_path / "mine.yaml"))
    with pytest.raises(RecipeError, match="There is no file"):
        load_recipe(str(tmp_path / "yours.yaml"))
    with pytest.raises(RecipeError, match="There is no recipe 'balance'") as caught:
        load_recipe("balance")
    assert caught.value.hint == "Did you mean 'balanced'?"


def test_a_recipe_that_a_run_of_a_very_wide_table_has_written_is_read_again(tmp_path: Path) -> None:
    wide = Recipe().override({"data": {"drop": [f"{number}{'x' * 1000}" for number in range(300)]}})
    text = wide.dump_yaml()
    assert len(text) > 256 * 1024
    assert _load(tmp_path, text) == wide


def test_flags_lie_over_a_recipe_and_name_themselves_when_wrong() -> None:
    changed = Recipe().override({"budget": {"trials": 5}, "data": {"drop": ["id"]}})
    assert (changed.budget.trials, changed.budget.seconds, changed.data.drop) == (5, 300.0, ("id",))
    assert Recipe().budget.trials is None
    with pytest.raises(RecipeError, match=r"the command line is not valid: budget.jobs 0") as refused:
        Recipe().override({"budget": {"jobs": 0}})
    assert refused.value.hint == "automl fit --help"


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Recipe().seed = 3  # type: ignore[misc]


ROLES = st.sampled_from(["number", "category", "date", "text", "image", "ignore"])
RECIPES = st.fixed_dictionaries(
    {
        "name": st.text(max_size=12),
        "seed": st.integers(0, 2**31 - 1),
        "budget": st.fixed_dictionaries({"seconds": st.none() | st.floats(3, 1e6), "trials": st.integers(1, 100_000)}),
        "data": st.fixed_dictionaries(
            {
                "roles": st.dictionaries(st.text(max_size=8), ROLES, max_size=3),
                "drop": st.lists(st.text(max_size=8), max_size=3),
                "positive": st.none() | st.text(max_size=5),
            }
        ),
        "search": st.fixed_dictionaries(
            {"candidates": st.just("auto") | st.lists(st.text(max_size=8), min_size=1, max_size=3)}
        ),
        "split": st.fixed_dictionaries({"folds": st.just("auto") | st.integers(2, 20)}),
    }
)


@given(record=RECIPES)
def test_a_complete_recipe_written_and_read_is_the_same_recipe(record: dict[str, Any], tmp_path_factory: Any) -> None:
    recipe = build_recipe(record, source="a test")
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(recipe.dump_yaml(), encoding="utf-8")
    assert load_recipe(str(path)) == recipe


def test_a_file_that_names_trials_and_no_time_asks_for_trials_alone(tmp_path: Path) -> None:
    def load(text: str) -> tuple[int | None, float | None]:
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        budget = load_recipe(str(tmp_path / "own.yaml")).budget
        return budget.trials, budget.seconds

    assert load("budget: {trials: 40}") == (40, None)
    assert load("budget: {trials: 40, seconds: 30}") == (40, 30.0)
    assert load("budget: {trials: null}") == (None, 300.0)
    assert load("budget: {jobs: 1}") == (None, 300.0)
