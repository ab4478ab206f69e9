"""TensorBoard: the best score over time, each trial's score, its parameters in the HParams tab, the model card."""

from __future__ import annotations

import shlex
import sys
import types
from pathlib import Path
from typing import Any

from automl.events import BestImproved, Event, RunFinished, TrialFinished
from automl.run import Run
from automl.track import Recorder, Tracker
from automl.track._facts import Trials, curves, describe_run, final_scores, is_finite

REQUIRES = ("tensorboard",)
EXTRA = "tensorboard"


class TensorBoard:
    """Writes event files into `RUN/tensorboard`."""

    title = "TensorBoard"

    def begin(self, run: Run) -> Recorder:
        # without this name TensorBoard imports TensorFlow to open a file; its own builds without TensorFlow have it
        sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))
        return _Recorder(run)

    def where(self, run: Run) -> str:
        return f"tensorboard --logdir {shlex.quote(str(run.path / 'tensorboard'))}"


class _Recorder:
    def __init__(self, run: Run) -> None:
        self.run, self.trials = run, Trials(run)
        self.folder = run.path / "tensorboard"
        self.writer = _Writer(self.folder / "run")
        rows = [f"| {name} | {value} |" for name, value in describe_run(run).items()]
        self.writer.text("run", "\n".join(["| name | value |", "|---|---|", *rows]), 0)

    def record(self, event: Event) -> None:
        if isinstance(event, BestImproved):
            self.writer.scalar("best/score", event.score, int(event.elapsed), event.at)
            self.writer.scalar("best/members", event.members, int(event.elapsed), event.at)
        elif isinstance(event, TrialFinished):
            self._tell_trial(event)
        elif isinstance(event, RunFinished):
            self._tell_end(event)

    def finish(self) -> None:
        self.writer.close()

    def _tell_trial(self, event: TrialFinished) -> None:
        for name, value in (("score", event.score), ("seconds", event.seconds), ("peak_mb", event.peak_mb)):
            if is_finite(value):
                self.writer.scalar(f"trials/{name}", float(value), event.trial, event.at)
                self.writer.scalar(f"{event.candidate}/{name}", float(value), event.trial, event.at)
        if event.status == "ok" and event.score is not None and is_finite(event.score):
            self._tell_parameters(event, event.score)

    def _tell_parameters(self, event: TrialFinished, score: float) -> None:
        """A folder for each complete trial: TensorBoard's session, with its parameters and what came of them."""
        record = self.trials.get(event.trial)
        own = _Writer(self.folder / f"trial-{event.trial:04d}")
        own.session({"candidate": event.candidate, **record.get("params", {})}, event.at)
        for step, fold_score in enumerate(record.get("fold_scores") or ()):
            if is_finite(fold_score):
                own.scalar("fold_score", fold_score, step, event.at)
        own.scalar("score", score, 0, event.at)
        own.close()

    def _tell_end(self, event: RunFinished) -> None:
        for name, value in final_scores(self.run).items():
            self.writer.scalar(f"final/{name}", value, 0, event.at)
        for name, points in curves(self.run).items():
            for x, y in points:  # a step is a whole number: thousandths of x
                self.writer.scalar(f"curves/{name}", y, round(1000 * x), event.at)
        if self.run.model_card_path.is_file():
            self.writer.text("model card", self.run.model_card_path.read_text(encoding="utf-8"), 0)


class _Writer:
    """One event file, by TensorBoard's own writer and protocol buffers."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._file = EventFileWriter(str(folder))

    def scalar(self, name: str, value: float, step: int, at: float) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        self._add(scalar_pb(name, value), step, at)

    def text(self, name: str, content: str, step: int) -> None:
        import time

        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(text_pb(name, content), step, time.time())

    def session(self, params: dict[str, Any], at: float) -> None:
        """Start and end of a session of the HParams tab, with its parameters."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        start = plugin_data_pb2.SessionStartInfo(start_time_secs=at)
        for name, value in params.items():
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[name].number_value = value
            else:
                start.hparams[name].string_value = str(value)
        end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=at)
        for tag, data in (
            (metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start)),
            (metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
        ):
            content = data.SerializeToString()
            plugin_data = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=content)
            value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin_data))
            self._add(Summary(value=[value]), 0, at)

    def close(self) -> None:
        self._file.close()

    def _add(self, summary: Any, step: int, at: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as Record

        self._file.add_event(Record(wall_time=at, step=step, summary=summary))


plugin: Tracker = TensorBoard()
