"""The fit loop that all Keras candidates share: data on the device once, many steps a call, the best weights kept."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from automl.candidates import FitContext
from automl.matrix import Array, IntArray

LOOK_SECONDS = 0.4  # the most work between two looks at the deadline
CALL_STEPS = 64  # steps a compiled call runs at most

Loss = Callable[[Any, Any], Any]  # (targets, scores) → loss of each row


def coslog4(progress: float) -> float:
    """Learning-rate factor at `progress` in [0, 1]: four waves, each twice as long as the last, ending at 0.

    Every trough is a settled model, so that an early end loses little (RealMLP, Holzmüller et al. 2024,
    arXiv:2407.04491).
    """
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * min(max(progress, 0.0), 1.0))))


def flat_cosine(progress: float) -> float:
    """Learning-rate factor at `progress` in [0, 1]: full for the first half, then along a cosine to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * min(max(2.0 * progress - 1.0, 0.0), 1.0)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        epochs: passes over the training rows.
        batch_size: rows a step.
        learning_rate: the highest.
        weight_decay: decoupled, as in AdamW.
        patience: epochs without a better stop loss before giving up.
        rate: learning-rate factor at a progress in [0, 1].
        beta_2: how long the optimiser remembers squared gradients.
        mixup: strength of mixing each row with another one, 0 for none (Zhang et al. 2018, arXiv:1710.09412).
        score_rows: stop rows scored at once.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int
    rate: Callable[[float], float] = coslog4
    beta_2: float = 0.95
    mixup: float = 0.0
    score_rows: int = 4096


def import_keras() -> Any:
    """Import Keras on TensorFlow, quiet, and start nothing: a process that has only imported it may still fork."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence(), _no_settings():
        import keras
        import tensorflow  # noqa: F401
    return keras


def open_keras() -> Any:
    """Import Keras on TensorFlow, quiet; nothing else of the process is changed."""
    if "tensorflow" in sys.modules:
        return import_keras()
    with _silence():
        keras = import_keras()
        import tensorflow

        tensorflow.constant(0)  # the first tensor is what the library still has to say something of
    return keras


@contextlib.contextmanager
def _no_settings() -> Iterator[None]:
    """Keras neither reads a user's settings at import nor leaves a file of its own in the home folder."""
    given = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = f"{os.devnull}/keras"  # a place that cannot be
    try:
        yield
    finally:
        os.environ.pop("KERAS_HOME")
        if given is not None:
            os.environ["KERAS_HOME"] = given


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the standard error: what TensorFlow's C++ writes there before its log is set up obeys no setting."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is what is needed
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def start_keras(seed: int, threads: int) -> Any:
    """Import Keras on TensorFlow, quiet, with so many threads, and seed it; the module `keras` comes back."""
    keras = open_keras()
    import tensorflow

    with contextlib.suppress(RuntimeError):  # the threads are fixed once TensorFlow has run: a warm worker's second fit
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % 2**32)
    return keras


def cosine(progress: float) -> float:
    """Learning-rate factor at `progress` in [0, 1]: up within the first tenth, then down a half cosine to 0."""
    if progress < 0.1:
        return 0.05 + 9.5 * progress
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (progress - 0.1) / 0.9)))


class Fitting:
    """One fit of one Keras model.

    Args:
        model: a Keras model of one input and one output, raw scores of each row.
        loss: (targets, scores) → loss of each row (n,), in TensorFlow.
        schedule: epochs, batches, rates.
        context: gives deadline and seed.
        stop_loss: what is watched on the stop rows, where it is not the loss itself.

    Attributes:
        first_loss, best_loss: on the stop rows, before the first step and of the weights that are kept.
    """

    def __init__(
        self, model: Any, loss: Loss, schedule: Schedule, context: FitContext, *, stop_loss: Loss | None = None
    ) -> None:
        import keras

        self.model = model
        self.loss = loss
        self.stop_loss = stop_loss or loss
        self.schedule = schedule
        self.context = context
        self.epochs_done = 0.0
        self.best_epoch = 0.0
        self.best_loss = math.inf
        self.first_loss = math.inf
        self.out_of_time = False
        self._optimizer = keras.optimizers.AdamW(
            learning_rate=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            beta_2=schedule.beta_2,
            global_clipnorm=5.0,
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "embedding", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)

    @property
    def best_round(self) -> int:
        """The epoch after which the loss on the stop rows was lowest."""
        return round(self.best_epoch)

    def run(
        self,
        inputs: Array,
        targets: Array,
        weight: Array | None,
        rows: IntArray,
        stop_rows: IntArray,
        *,
        epochs: int | None = None,
    ) -> None:
        """Learn from `rows`; leaves the weights of the lowest loss on `stop_rows`, or the last where there are none.

        Args:
            epochs: after which to stop, the rates being those of the whole schedule.
        """
        import tensorflow as tf

        started = time.monotonic()
        with tf.device("/CPU:0"):  # bytes stay bytes until a batch of them is taken
            data = (
                tf.constant(inputs),
                tf.constant(targets),
                tf.constant(np.ones(len(inputs)) if weight is None else weight, dtype=tf.float32),
            )
        step = _compile_steps(self.model, self.loss, self._optimizer, data, self.schedule.mixup)
        score = _compile_score(self.model, self.stop_loss, data)
        best = self._look(score, stop_rows, None)
        self.first_loss = self.best_loss
        for end_of_epoch in self._train(step, rows, started):
            if end_of_epoch:
                best = self._look(score, stop_rows, best)
                is_led = epochs is not None and self.epochs_done >= epochs
                if is_led or self.epochs_done - self.best_epoch > self.schedule.patience:
                    break
        else:
            best = self._look(score, stop_rows, best)
        if best is not None:
            for variable, values in zip(self.model.variables, best, strict=True):
                variable.assign(values)

    def _train(self, step: Any, rows: IntArray, started: float) -> Iterator[bool]:
        """Run steps; yields True at the end of each epoch, False where only the clock was looked at."""
        rng = np.random.default_rng(self.context.seed)
        batch = min(self.schedule.batch_size, len(rows))
        per_epoch = max(1, len(rows) // batch)
        total = per_epoch * self.schedule.epochs
        done, call = 0, 1
        pace = Pace(self.context.deadline)
        while done < total:
            order = rng.permutation(rows)[: per_epoch * batch].astype(np.int32).reshape(per_epoch, batch)
            at = 0
            while at < per_epoch:
                if pace.is_over():
                    self.out_of_time = True
                    return
                size = min(call, per_epoch - at)
                planned = pace.plan_steps(done, total)
                self.out_of_time = self.out_of_time or planned < total
                rates = [self._rate((done + i + 0.5) / planned) for i in range(size)]
                pace.begin()
                step(order[at : at + size], np.asarray(rates, dtype=np.float32))
                call = pace.end(size)
                at, done = at + size, done + size
                if done >= planned:
                    self.epochs_done = done / per_epoch
                    return
                yield False
            self.epochs_done = done / per_epoch
            yield True

    def _rate(self, progress: float) -> float:
        return self.schedule.learning_rate * self.schedule.rate(progress)

    def _look(self, score: Any, stop_rows: IntArray, best: Any) -> Any:
        """The weights to keep: these, if their loss on the stop rows is the lowest so far."""
        if len(stop_rows) == 0:
            self.best_epoch = self.epochs_done
            return None
        rows, size = stop_rows.astype(np.int32), self.schedule.score_rows
        parts = np.array([score(rows[at : at + size]) for at in range(0, len(rows), size)], dtype=np.float64)
        loss = float(parts[:, 0].sum() / max(parts[:, 1].sum(), 1e-12))
        if loss < self.best_loss or best is None:
            self.best_loss, self.best_epoch = loss, self.epochs_done
            return [variable.value.numpy() for variable in self.model.variables]
        return best


class Pace:
    """How many steps fit between two looks at the clock, and before the deadline. Without one nothing is measured
    that could change the result."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.seconds_per_step = 0.0
        self._calls = 0
        self._began = 0.0

    def is_over(self) -> bool:
        return time.monotonic() + 2.0 * self.seconds_per_step >= self.deadline

    def begin(self) -> None:
        self._began = time.monotonic()

    def end(self, steps: int) -> int:
        """Steps for the next call."""
        seconds = (time.monotonic() - self._began) / steps
        self._calls += 1
        if self._calls > 1:  # the first call compiles
            self.seconds_per_step = seconds if self._calls == 2 else 0.7 * self.seconds_per_step + 0.3 * seconds
        if self.seconds_per_step <= 0.0:
            return 1
        left = max(self.deadline - time.monotonic(), 0.0)
        return int(np.clip(min(LOOK_SECONDS, 0.5 * left) / self.seconds_per_step, 1, CALL_STEPS))

    def plan_steps(self, done: int, total: int) -> int:
        """Steps that the whole fit will have: fewer than `total` if the deadline comes first."""
        if math.isinf(self.deadline) or self.seconds_per_step <= 0.0:
            return total
        possible = 0.95 * max(self.deadline - time.monotonic(), 0.0) / self.seconds_per_step
        return max(1, min(total, done + max(1, int(possible))))


def _compile_steps(model: Any, loss: Loss, optimizer: Any, data: tuple[Any, Any, Any], mixup: float) -> Any:
    import tensorflow as tf

    inputs, targets, weights = data

    def one_step(batch: Any, rate: Any) -> None:
        rows, truth = tf.cast(tf.gather(inputs, batch), tf.float32), tf.gather(targets, batch)
        share = 1.0 - 0.5 * mixup * tf.random.uniform([])
        if mixup:
            rows = share * rows + (1.0 - share) * rows[::-1]
        with tf.GradientTape() as tape:
            scores = model(rows, training=True)
            losses = loss(truth, scores)
            if mixup:
                losses = share * losses + (1.0 - share) * loss(truth[::-1], scores)
            mean = tf.reduce_mean(losses * tf.gather(weights, batch))
        optimizer.learning_rate.assign(rate)
        optimizer.apply(tape.gradient(mean, model.trainable_variables), model.trainable_variables)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.float32)], autograph=False
    )
    def steps(order: Any, rates: Any) -> Any:
        def body(at: Any) -> tuple[Any]:
            one_step(order[at], rates[at])
            return (at + 1,)

        return tf.while_loop(lambda at: at < tf.shape(order)[0], body, (tf.constant(0),))

    return steps


def _compile_score(model: Any, loss: Loss, data: tuple[Any, Any, Any]) -> Any:
    import tensorflow as tf

    inputs, targets, weights = data

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False)  # type: ignore[untyped-decorator]
    def score(rows: Any) -> Any:
        scores = model(tf.cast(tf.gather(inputs, rows), tf.float32), training=False)
        parts = tf.gather(weights, rows)
        losses = loss(tf.gather(targets, rows), scores)
        return tf.stack([tf.reduce_sum(losses * parts), tf.reduce_sum(parts)])

    return score
