"""One booster learned by the workers of a Dask cluster together, each from its share of the rows (`xgboost.dask`).

Rows are read, prepared and quantised where they are learned from; what crosses the network are the sums of histograms,
the trees, and the rows of the sample. The workers must agree on when to end, so the first decides for all.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np

from automl.candidates import Share, Shares
from automl.candidates._rounds import Stopping
from automl.candidates._xgboost_pieces import keep_best
from automl.matrix import Array, FloatArray

CONNECT_SECONDS, LOOK_SECONDS = 10.0, 1.0
# Of the time of the fit, what reading may take; what is not read by then is not learned from.
READ_SHARE = 0.5
BEST, ROUNDS = "automl_best_round", "automl_rounds"


@dataclasses.dataclass(frozen=True)
class Countdown:
    """Seconds from when it was made, by the clock of the machine that it is on."""

    deadline: float

    @staticmethod
    def begin(seconds: float) -> Countdown:
        return Countdown(time.monotonic() + seconds)

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is learned and how.

    Attributes:
        settings: XGBoost's, without threads: each worker uses its own.
        rounds: at most.
        convert: a target as the booster learns it; called on the workers.
        stop_matrix, stop_target: rows that stop the fit early (s, m), (s,), the target as it is learned.
        types: "c" or "q" a column.
        before: the booster to go on from, or None.
        part: of the rows that are learned from.
        seconds: for all of it, reading included.
    """

    settings: dict[str, Any]
    rounds: int
    convert: Callable[[Array], Array]
    stop_matrix: FloatArray
    stop_target: Array
    types: list[str]
    before: Any
    part: float
    seconds: float


def train_on_cluster(shares: Shares, plan: Plan) -> tuple[Any, int]:
    """The booster up to its best round, and how many rows it has learned from.

    Raises:
        ValueError: if fewer than two workers see the file.
        Exception: whatever XGBoost or Dask raise, if a worker is lost among others; nothing is tried again here.
    """
    from distributed import Client

    clock = Countdown.begin(plan.seconds)
    with Client(shares.scheduler, timeout=CONNECT_SECONDS, set_as_default=False) as client:
        workers = find_workers(client, shares.path)
        return _while_all_live(client, workers, lambda: _read_and_train(client, workers, shares, plan, clock))


def _read_and_train(client: Any, workers: list[str], shares: Shares, plan: Plan, clock: Countdown) -> tuple[Any, int]:
    places = list(zip(workers, shares.cut(len(workers)), strict=True))
    cuts = [(worker, client.scatter(cut, workers=[worker], hash=False)) for worker, cut in places]
    told = (plan.convert, READ_SHARE * clock.seconds_left(), plan.part)
    read = [(worker, _at(client, worker, read_share, cut, *told)) for worker, cut in cuts]
    rows = client.gather([_at(client, worker, count_rows, own) for worker, own in read])
    held = [(worker, own, count) for (worker, own), count in zip(read, rows, strict=True) if count]
    train = _join(client, held, plan.types)
    evals = [(_split_stop_rows(client, [worker for worker, _, _ in held], plan, train), "stop")]
    return _train(client, plan, train, evals if len(plan.stop_target) else [], clock), int(sum(rows))


def _while_all_live(client: Any, workers: list[str], call: Callable[[], tuple[Any, int]]) -> tuple[Any, int]:
    """What a call gives, which would wait for ever for a worker that is lost.

    Raises:
        ValueError: if one is lost before the call is over.
    """

    def work() -> tuple[Any, int]:
        with client.as_current():  # XGBoost looks for the client of now even where it is told which
            return call()

    pool = ThreadPoolExecutor(1)
    found = pool.submit(work)
    try:
        while not found.done():
            wait([found], timeout=LOOK_SECONDS)
            lost = sorted(set(workers) - find_living(client))
            if lost and not found.done():
                raise ValueError(f"the worker {lost[0]} was lost while it learned")
        return found.result()
    finally:
        pool.shutdown(wait=False)


def find_living(client: Any) -> set[str]:
    """Addresses of the workers that the scheduler knows. It is asked itself: what the client remembers of them is
    refreshed without any worker every two seconds (distributed 2026.8), so that all seem lost now and then."""
    return set(client.sync(client.scheduler.identity, n_workers=-1)["workers"])


def find_workers(client: Any, path: Path) -> list[str]:
    """Addresses of the workers that see the file as it is here.

    Raises:
        ValueError: if there are fewer than two.
    """
    found = client.run(count_bytes, str(path), on_error="return")
    workers = sorted(address for address, size in found.items() if size == count_bytes(str(path)))
    if len(workers) < 2:
        raise ValueError(f"{len(workers)} of {len(found)} workers see {path}")
    return workers


def count_bytes(path: str) -> int:
    """The size of a file; -1 for what is none."""
    return Path(path).stat().st_size if Path(path).is_file() else -1


def read_share(
    share: Share, convert: Callable[[Array], Array], seconds: float, part: float
) -> tuple[FloatArray, Array]:
    matrix, target = share.read(seconds, part)
    return matrix, np.asarray(convert(target), dtype=np.float32)


def count_rows(read: tuple[FloatArray, Array]) -> int:
    return len(read[1])


def take_part(read: tuple[FloatArray, Array], place: int) -> Array:
    return read[place]


def _at(client: Any, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """A call on one worker and no other, never made twice."""
    return client.submit(function, *arguments, workers=[worker], allow_other_workers=False, pure=False, retries=0)


def _join(client: Any, held: list[tuple[str, Any, int]], types: list[str], ref: Any = None) -> Any:
    """The matrix of (worker, its matrix and targets, its rows); no row leaves its worker."""
    import xgboost.dask
    from dask import array

    matrices, targets = [], []
    for worker, own, count in held:
        matrix, target = (_at(client, worker, take_part, own, place) for place in (0, 1))
        matrices.append(array.from_delayed(matrix, shape=(count, len(types)), dtype=np.float32))
        targets.append(array.from_delayed(target, shape=(count,), dtype=np.float32))
    return xgboost.dask.DaskQuantileDMatrix(
        client, array.concatenate(matrices), array.concatenate(targets),
        feature_types=types, enable_categorical=True, ref=ref,
    )  # fmt: skip


def _split_stop_rows(client: Any, workers: list[str], plan: Plan, train: Any) -> Any:
    parts = zip(*(np.array_split(each, len(workers)) for each in (plan.stop_matrix, plan.stop_target)), strict=True)
    held = [
        (worker, client.scatter((np.asarray(x, dtype=np.float32), y), workers=[worker], hash=False), len(y))
        for worker, (x, y) in zip(workers, parts, strict=True)
    ]
    return _join(client, [each for each in held if each[2]], plan.types, train)


def _train(client: Any, plan: Plan, train: Any, evals: list[Any], clock: Countdown) -> Any:
    import xgboost.dask

    found = xgboost.dask.train(
        client, plan.settings, train, num_boost_round=plan.rounds, evals=evals, xgb_model=plan.before,
        callbacks=[make_watch(clock.seconds_left())], verbose_eval=False,
    )["booster"]  # fmt: skip
    best, rounds = int(found.attr(BEST)), int(found.attr(ROUNDS))
    booster = keep_best(found, plan.before, best, rounds)
    booster.set_attr(**{BEST: None, ROUNDS: None})
    return booster


def make_watch(seconds: float) -> Any:
    """Ends the training of all workers in the same round, and notes which round was best."""
    import xgboost

    class Watch(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        """One of it is on each worker; that of the first decides. Its time begins when it is made, or arrives."""

        def __init__(self) -> None:
            self.clock = Countdown.begin(seconds)

        def __reduce__(self) -> Any:
            return make_watch, (self.clock.seconds_left(),)

        def before_training(self, model: Any) -> Any:
            self.stopping = Stopping(self.clock, offset=20)
            return model

        def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[float]]]) -> bool:
            losses = next(iter(evals_log["stop"].values())) if "stop" in evals_log else None
            ends = self.stopping.tell(None if losses is None else losses[-1])
            own = (ends, self.stopping.best_round, self.stopping.rounds)
            ends, best, rounds = xgboost.collective.broadcast(own, 0)
            model.set_attr(**{BEST: str(best), ROUNDS: str(rounds)})
            return bool(ends)

    return Watch()
