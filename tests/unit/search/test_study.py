"""Optuna's side: suggestions follow from the seed, the number and the history, and survive any kill."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.search.study import STARTUP_TRIALS, Study
from automl.space import Choice, Condition, Float, Int, Params, SearchSpace

SPACE = SearchSpace(
    {
        "depth": Int(1, 20, 6),
        "leaves": Int(2, 1024, 31, log=True),
        "rate": Float(1e-3, 1.0, 0.1, log=True),
        "share": Float(0.5, 1.0, 1.0),
        "kind": Choice(("a", "b", None, True), "a"),
        "extra": Float(0.0, 1.0, 0.5),
    },
    {"extra": Condition("kind", ("b", None))},
)


def open_study(folder: Path, seed: int = 7, maximize: bool = False) -> Study:
    folder.mkdir(exist_ok=True)
    return Study(folder / "journal.log", maximize=maximize, seed=seed)


def score_of(params: Params) -> float:
    return float(abs(params["depth"] - 8) + abs(math.log10(params["rate"]) + 2) + (params["kind"] != "b"))


def go(study: Study, numbers: range, family: str = "trees") -> list[Params]:
    """Ask and tell one after the other."""
    asked = []
    for number in numbers:
        params = study.ask(family, SPACE, number)
        study.tell(number, score_of(params), family=family, params=params, space=SPACE)
        asked.append(params)
    return asked


def trials_of(study: Study, family: str = "trees") -> list[tuple[str, Any, float | None]]:
    """(state, number, value) of what Optuna remembers."""
    found = study._study(family).get_trials(deepcopy=False)
    return [(trial.state.name, trial.user_attrs.get("trial"), trial.value) for trial in found]


def test_suggestions_are_complete_and_inside_the_space(tmp_path: Path) -> None:
    seen = [params for seed in range(3) for params in go(open_study(tmp_path / str(seed), seed), range(10))]
    for params in seen:
        assert SPACE.complete(params) == params
    assert {"extra" in params for params in seen} == {True, False}
    assert {type(params["depth"]) for params in seen} == {int}
    assert len({params["rate"] for params in seen}) > 10


def test_the_same_seed_and_history_give_the_same_suggestions(tmp_path: Path) -> None:
    first, second, other = (
        go(open_study(tmp_path / name, seed), range(12)) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == second
    assert first[0] != other[0]


def test_a_suggestion_follows_from_its_number_not_from_how_often_was_asked(tmp_path: Path) -> None:
    early, late = open_study(tmp_path / "a"), open_study(tmp_path / "b")
    go(late, range(3), family="others")
    assert early.ask("trees", SPACE, 5) == late.ask("trees", SPACE, 5)
    assert open_study(tmp_path / "c").ask("trees", SPACE, 6) != open_study(tmp_path / "d").ask("trees", SPACE, 5)


def test_what_was_told_changes_what_is_asked(tmp_path: Path) -> None:
    suggestions = []
    for sign, name in ((1, "a"), (-1, "b")):
        study = open_study(tmp_path / name)
        for number in range(2 * STARTUP_TRIALS):
            params = study.ask("trees", SPACE, number)
            study.tell(number, sign * params["depth"], family="trees", params=params, space=SPACE)
        suggestions.append(np.mean([study.ask("trees", SPACE, number)["depth"] for number in range(20, 40)]))
    assert suggestions[0] < suggestions[1] - 3  # fewer levels were told to be better, then more


def test_the_direction_is_the_metrics(tmp_path: Path) -> None:
    means = []
    for maximize in (True, False):
        study = open_study(tmp_path / str(maximize), maximize=maximize)
        for number in range(2 * STARTUP_TRIALS):
            params = study.ask("trees", SPACE, number)
            study.tell(number, params["depth"], family="trees", params=params, space=SPACE)
        means.append(np.mean([study.ask("trees", SPACE, number)["depth"] for number in range(20, 40)]))
    assert means[0] > means[1] + 3


def test_what_the_portfolio_tried_is_told_too(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.tell(3, 0.25, family="trees", params=SPACE.defaults(), space=SPACE)
    assert trials_of(study) == [("COMPLETE", 3, 0.25)]
    (trial,) = study._study("trees").get_trials()
    assert trial.params == SPACE.defaults()


@pytest.mark.parametrize("score", [None, math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_a_failure(tmp_path: Path, score: float | None) -> None:
    study = open_study(tmp_path, maximize=True)
    params = study.ask("trees", SPACE, 0)
    study.tell(0, score, family="trees", params=params, space=SPACE)
    study.tell(1, score, family="trees", params=SPACE.defaults(), space=SPACE)
    assert trials_of(study) == [("FAIL", 0, None)]


def test_families_do_not_know_of_each_other(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    go(study, range(2), "trees")
    go(study, range(2, 5), "nets")
    assert [number for _, number, _ in trials_of(study, "trees")] == [0, 1]
    assert [number for _, number, _ in trials_of(study, "nets")] == [2, 3, 4]


# ---- after a kill ----


def test_after_a_kill_what_finished_is_told_and_what_goes_on_is_taken_back(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    params = {number: study.ask("trees", SPACE, number) for number in range(4)}
    study.tell(0, 0.5, family="trees", params=params[0], space=SPACE)

    survivor = open_study(tmp_path)
    survivor.recover({0: 0.5, 1: 0.25, 2: None})
    assert trials_of(survivor) == [("COMPLETE", 0, 0.5), ("COMPLETE", 1, 0.25), ("FAIL", 2, None), ("RUNNING", 3, None)]
    survivor.tell(3, 0.75, family="trees", params=params[3], space=SPACE)
    assert trials_of(survivor)[3:] == [("COMPLETE", 3, 0.75)]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_recovered_score_that_is_no_number_is_a_failure(tmp_path: Path, score: float) -> None:
    open_study(tmp_path).ask("trees", SPACE, 0)
    survivor = open_study(tmp_path)
    survivor.recover({0: score})
    assert trials_of(survivor) == [("FAIL", 0, None)]


def test_recovering_twice_changes_nothing(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    for number in range(3):
        study.ask("trees", SPACE, number)
    for _ in range(2):
        survivor = open_study(tmp_path)
        survivor.recover({0: 0.5})
    assert [state for state, *_ in trials_of(survivor)] == ["COMPLETE", "RUNNING", "RUNNING"]


def test_a_search_cut_short_asks_on_as_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = go(open_study(tmp_path / "a"), range(12))
    first = go(open_study(tmp_path / "b"), range(7))
    resumed = open_study(tmp_path / "b")
    resumed.recover({number: score_of(params) for number, params in enumerate(first)})
    assert first + go(resumed, range(7, 12)) == unbroken


def test_what_was_asked_before_a_kill_and_not_begun_is_asked_anew_as_if_never_asked(tmp_path: Path) -> None:
    unbroken = go(open_study(tmp_path / "a"), range(12))
    killed = open_study(tmp_path / "b")
    first = go(killed, range(7))
    killed.ask("trees", SPACE, 7)
    resumed = open_study(tmp_path / "b")
    resumed.recover({number: score_of(params) for number, params in enumerate(first)})
    assert go(resumed, range(7, 12)) == unbroken[7:]
    assert [state for state, *_ in trials_of(resumed)] == ["COMPLETE"] * 7 + ["FAIL"] + ["COMPLETE"] * 5


def test_a_journal_torn_anywhere_in_its_last_lines_can_be_gone_on_with(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    go(study, range(2))
    whole = len((tmp_path / "journal.log").read_bytes())
    study.ask("trees", SPACE, 2)
    journal = (tmp_path / "journal.log").read_bytes()
    ends = [at + 1 for at in range(whole, len(journal)) if journal[at : at + 1] == b"\n"]
    cuts = [whole, whole + 1, *itertools.chain.from_iterable((end - 1, end, end + 2) for end in ends)]
    assert len(ends) >= 7  # a trial, its number, and at least five parameters
    for cut in cuts:
        (tmp_path / "journal.log").write_bytes(journal[:cut])
        survivor = open_study(tmp_path)
        survivor.recover({0: 0.5, 1: 0.25})
        params = survivor.ask("trees", SPACE, 2)
        survivor.tell(2, 0.125, family="trees", params=params, space=SPACE)
        states = trials_of(survivor)
        assert states.count(("COMPLETE", 2, 0.125)) == 1
        assert "RUNNING" not in [state for state, *_ in states]
        lines = (tmp_path / "journal.log").read_bytes().splitlines()
        assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_lock_of_a_dead_process_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "journal.log.lock").write_bytes(b"")
    assert len(go(open_study(tmp_path), range(2))) == 2


def test_a_journal_below_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = Study(Path("journal.log"), maximize=False, seed=0)
    monkeypatch.chdir("/")
    assert len(go(study, range(2))) == 2
    assert (tmp_path / "journal.log").stat().st_size > 0


def test_densities_are_the_samplers_own_but_quicker(tmp_path: Path) -> None:
    from optuna.samplers._tpe import _truncnorm
    from scipy.special import log_ndtr

    open_study(tmp_path)
    assert _truncnorm._log_ndtr is log_ndtr
    own = [_truncnorm._log_ndtr_single(value) for value in np.linspace(-40, 5, 200)]
    np.testing.assert_allclose(log_ndtr(np.linspace(-40, 5, 200)), own, rtol=1e-7)
