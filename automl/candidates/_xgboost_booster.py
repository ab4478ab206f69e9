"""The rounds of one XGBoost booster, told one by one to who watches, at a learning rate that fits those to come."""

from __future__ import annotations

from typing import Any

from automl.candidates._rounds import Stopping, affordable_rate

PROBE_ROUNDS = 5  # after which the pace tells how many there will be


def train_booster(
    settings: dict[str, Any],
    train: Any,
    rounds: int,
    evals: list[Any],
    watch: Stopping,
    before: Any = None,
    *,
    steps: float | None = None,
) -> Any:
    """A booster, watched round by round; its first trees are those of `before`.

    Args:
        steps: rounds × learning rate that are needed: where there are fewer rounds in the time or at all, the learning
            rate of `settings` becomes a larger one. None: it stays.
    """
    import xgboost

    class Watch(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        """Tells the loss on the stop rows after each round; True ends the training."""

        def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[float]]]) -> bool:
            if steps is not None and watch.rounds + 1 == PROBE_ROUNDS:
                rate = affordable_rate(settings["learning_rate"], min(rounds, watch.rounds_left()), steps)
                if rate > settings["learning_rate"]:
                    settings["learning_rate"] = rate
                    model.set_param({"learning_rate": rate})
            losses = next(iter(evals_log["stop"].values())) if "stop" in evals_log else None
            return watch.tell(None if losses is None else losses[-1])

    return xgboost.train(
        settings, train, num_boost_round=rounds, evals=evals, callbacks=[Watch()], verbose_eval=False, xgb_model=before
    )
