"""Asks Optuna for the next parameters and tells it what came of them; the only file that imports Optuna.

2026-11: only the parent asks and tells, since Optuna's journal has no heartbeat; the journal's torn tail is cut before
the first append, since one append after it would make the study unreadable. One study a family, all in one journal.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from automl.events import cut_torn_tail
from automl.space import Choice, Float, Int, Parameter, Params, SearchSpace

STARTUP_TRIALS = 4


class Study:
    """Optuna's side of a search.

    Args:
        path: the journal; relative paths are made absolute (a relative one can block on a stale lock for ever).
        maximize: direction of the score.
        seed: every suggestion is a function of it, the trial's number and the results told before.
    """

    def __init__(self, path: Path, *, maximize: bool, seed: int) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        class Backend(JournalFileBackend):  # type: ignore[misc]
            """Writes each record without waiting for the disk: Optuna writes a dozen a trial, a kill loses none of
            them, and what a power cut takes is told again from `trials.jsonl`, whose lines are synced."""

            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
                with path.open("ab") as file:
                    file.write(lines.encode())

        class Sampler(optuna.samplers.TPESampler):  # type: ignore[misc]
            """Finds what all trials of a study have in common by what came since it was last asked."""

            def __init__(self, known: Any, **settings: Any) -> None:
                super().__init__(**settings)
                self._known = known

            def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
                found = self._known.calculate(study, use_cache=True)
                return {name: distribution for name, distribution in found.items() if not distribution.single()}

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _quicken_densities()
        self._optuna = optuna
        self._sampler, self._known = Sampler, dict[str, Any]()
        path = path.absolute()
        cut_torn_tail(path)
        lock = path.with_name(path.name + ".lock")
        lock.unlink(missing_ok=True)  # the run folder is ours alone (run.lock), so any lock here is a dead one's
        self.damage = ""

        def open_journal() -> Any:
            return JournalStorage(Backend(str(path), lock_obj=JournalFileOpenLock(str(path))))

        try:
            self._storage = open_journal()
            optuna.get_all_study_names(self._storage)
        except Exception as error:  # a record in the middle is damaged: whatever its reader stumbles over
            path.replace(path.with_name(path.name + ".damaged"))
            self.damage = f"{type(error).__name__}: {str(error)[:120]}"
            self._storage = open_journal()
        self._direction = "maximize" if maximize else "minimize"
        self._seed = seed
        self._studies: dict[str, Any] = {}
        self._asked: dict[int, tuple[str, Any]] = {}

    def ask(self, family: str, space: SearchSpace, number: int) -> Params:
        """Parameters for trial `number` of a family, complete."""
        study = self._study(family)
        if number in self._asked:  # asked before a kill and never begun: the sampler must not count it
            stale_family, stale = self._asked.pop(number)
            self._settle(self._study(stale_family), stale, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental features; conditional spaces fall back to independent draws
            if family not in self._known:
                self._known[family] = self._optuna.search_space.IntersectionSearchSpace(include_pruned=True)
            study.sampler = self._sampler(
                self._known[family],
                seed=self._seed_of(number),
                n_startup_trials=STARTUP_TRIALS,
                multivariate=True,
                constant_liar=True,
            )
            trial = study.ask()
            trial.set_user_attr("trial", number)
            params: Params = {}
            for name, parameter in space.walk(params):
                params[name] = _suggest(trial, name, parameter)
        self._asked[number] = (family, trial.number)
        return params

    def tell(self, number: int, score: float | None, *, family: str, params: Params, space: SearchSpace) -> None:
        """Say what came of a trial, asked here or not (the portfolio's are added as they are).

        Args:
            score: None if there is none; anything that is not finite counts as none, as Optuna would take an
                infinity for the best value.
        """
        study = self._study(family)
        known = self._asked.pop(number, None)
        if known is not None:
            self._settle(study, known[1], score)
        elif score is not None and math.isfinite(score):
            walked = dict(space.walk(params))
            distributions = {name: _distribution(parameter) for name, parameter in walked.items()}
            study.add_trial(
                self._optuna.trial.create_trial(
                    # a run that an earlier version began may lack a parameter
                    params={name: params.get(name, parameter.default) for name, parameter in walked.items()},
                    distributions=distributions,
                    value=score,
                    user_attrs={"trial": number},
                )
            )

    def recover(self, finished: dict[int, float | None]) -> None:
        """After a kill: tell the trials that finished but were not told, and take back those that go on.

        Args:
            finished: trial number → score (None: failed) of all finished trials.
        """
        state = self._optuna.trial.TrialState
        for summary in self._optuna.get_all_study_names(self._storage):
            study = self._study(summary)
            for trial in study.get_trials(deepcopy=False, states=(state.RUNNING,)):
                number = trial.user_attrs.get("trial")
                if number in finished:
                    self._settle(study, trial.number, finished[number])
                elif isinstance(number, int):
                    self._asked[number] = (summary, trial.number)
                else:
                    self._settle(study, trial.number, None)

    def _settle(self, study: Any, asked: int, score: float | None) -> None:
        if score is not None and math.isfinite(score):
            study.tell(asked, score)
        else:
            study.tell(asked, state=self._optuna.trial.TrialState.FAIL)

    def _study(self, family: str) -> Any:
        if family not in self._studies:
            self._studies[family] = self._optuna.create_study(
                study_name=family, storage=self._storage, direction=self._direction, load_if_exists=True
            )
        return self._studies[family]

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self._seed, 7, number]).generate_state(1)[0])


def _quicken_densities() -> None:
    """Have Optuna take the logarithm of the normal distribution from SciPy, which it does without: its own goes through
    the values one by one in Python. An Optuna that has it elsewhere keeps its own."""
    with contextlib.suppress(ImportError):
        from optuna.samplers._tpe import _truncnorm
        from scipy.special import log_ndtr

        if hasattr(_truncnorm, "_log_ndtr"):
            _truncnorm._log_ndtr = log_ndtr


def measure_importances(trials: list[tuple[Params, float]], space: SearchSpace, *, maximize: bool) -> dict[str, float]:
    """Share (0..1, together 1) of each parameter in what sets good trials of one family apart from the others.

    PED-ANOVA: Watanabe, Bansal & Hutter 2023, arXiv:2304.10255, as Optuna has it. Parameters that are not asked of
    every trial, and those that never varied, are left out.

    Args:
        trials: complete parameters with their finite scores.
    """
    import optuna

    names = [name for name, _ in space.walk(dict(trials[0][0])) if all(name in params for params, _ in trials)]
    names = [name for name in names if len({str(params[name]) for params, _ in trials}) > 1]
    if len(names) < 2:
        return dict.fromkeys(names, 1.0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PED-ANOVA says of itself that it is new
        for params, score in trials:
            distributions = {name: _distribution(p) for name, p in space.walk(dict(params)) if name in params}
            kept = {name: params[name] for name in distributions}
            study.add_trial(optuna.trial.create_trial(params=kept, distributions=distributions, value=score))
        found = optuna.importance.get_param_importances(study, params=names)
    return {name: round(float(share), 4) for name, share in found.items() if math.isfinite(share)}


def _suggest(trial: Any, name: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        return trial.suggest_categorical(name, list(parameter.values))
    if isinstance(parameter, Int):
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)


def _distribution(parameter: Parameter) -> Any:
    from optuna import distributions

    if isinstance(parameter, Choice):
        return distributions.CategoricalDistribution(list(parameter.values))
    if isinstance(parameter, Int):
        return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Float):
        return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    raise TypeError(parameter)
