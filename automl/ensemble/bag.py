"""An ensemble of bags in use: each member's fold models are averaged, that with its model of all rows where there is
one, and the members by their weights or by a second layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from automl.candidates import Estimator
from automl.ensemble.second_layer import SecondLayer, join_members, read_layer
from automl.errors import ArtifactError, UsageError
from automl.graph import Graph, NoGraphError
from automl.matrix import Array, FloatArray
from automl.preprocess.plan import Transformer
from automl.preprocess.table import Table, TableEncoder, TableNames
from automl.schema import Schema
from automl.search.calibration import IDENTITY, Calibrator
from automl.search.data import fold_folder
from automl.search.trial import candidates, check_outputs
from automl.task import Task

if TYPE_CHECKING:
    import pandas as pd

# Rows transformed and predicted at once, so that memory stays flat however long the table is.
CHUNK_ROWS = 50_000
# What a member's model of all rows counts for beside those of its folds.
WHOLE_SHARE = 2 / 3
TEXT_CHUNK_ROWS, TEXT_CHUNK_BYTES = 5_000, 10_000_000
PICTURE_ROWS = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class FoldModel:
    """One fitted model with the transformer that makes its matrix; equal transformers share a key."""

    key: str
    transformer: Transformer
    estimator: Estimator


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One configuration: the calibrated mean of the models of its folds that answer, with its weight in the ensemble.

    Attributes:
        trial: the configuration's number in its run.
        whole: learned from all rows; it counts twice as much as the folds together. It knows more than they, and their
            mean varies less.
    """

    name: str
    candidate: str
    weight: float
    folds: tuple[FoldModel, ...]
    calibrator: Calibrator = IDENTITY
    whole: FoldModel | None = None
    trial: int = 0

    @property
    def models(self) -> tuple[FoldModel, ...]:
        """All that answer."""
        return self.folds if self.whole is None else (*self.folds, self.whole)


@dataclasses.dataclass(frozen=True)
class BagModel:
    """See `automl.predictor.Model`. Weights of the members sum to 1, the calibrator has the last word; a second layer
    needs neither."""

    reads_categoricals: ClassVar[bool] = True

    task: Task
    encoder: TableEncoder
    members: tuple[Member, ...]
    calibrator: Calibrator = IDENTITY
    layer: SecondLayer | None = None

    def predict(self, frame: pd.DataFrame) -> FloatArray:
        """Outputs (n, k) of a typed frame; pictures are decoded a few thousand at a time."""
        if not self.encoder.layout.pictures:
            return self.predict_table(self.encoder.encode(frame))
        starts = range(0, max(1, len(frame)), PICTURE_ROWS)
        parts = [self.predict_table(self.encoder.encode(frame.iloc[at : at + PICTURE_ROWS])) for at in starts]
        return np.concatenate(parts)

    def predict_table(self, table: Table) -> FloatArray:
        """Outputs (n, k) float32 of an encoded table."""
        chunks = [self._predict_chunk(table.take(rows).detach()) for rows in cut_rows(table)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self.task.n_outputs), dtype=np.float32)

    @property
    def is_thread_safe(self) -> bool:
        """Whether several threads may predict at once: so it is for models of plain tables that need no Keras."""
        layout = self.encoder.layout
        return not (layout.texts or layout.pictures) and all(
            candidates.get(member.candidate).pool == "core" or getattr(fold.estimator, "is_thread_safe", False)
            for member in self.members
            for fold in member.models
        )

    def to_graph(self, graph: Graph) -> str:
        """`predict` from raw columns: the outputs (n, k) float32.

        Raises:
            NoGraphError: if a member or its preprocessing has no faithful form; it is named.
        """
        table = self.encoder.to_graph(graph)
        answers = []
        for member in self.members:
            folds = [self._fold_to_graph(graph, member, fold, table) for fold in member.folds]
            mean = graph.add("Mul", graph.sum(folds), np.float64(1 / len(folds)))
            if member.whole is not None:
                whole = self._fold_to_graph(graph, member, member.whole, table)
                mean = graph.sum(
                    [
                        graph.add("Mul", mean, np.float64(1 - WHOLE_SHARE)),
                        graph.add("Mul", whole, np.float64(WHOLE_SHARE)),
                    ]
                )
            answers.append(member.calibrator.to_graph(graph, mean, self.task.n_outputs))
        return graph.cast(self._join_in_graph(graph, answers), "float32")

    def _join_in_graph(self, graph: Graph, answers: list[str]) -> str:
        if self.layer is not None:
            return self.layer.to_graph(graph, answers)
        shares = [
            graph.add("Mul", own, np.float64(member.weight)) for member, own in zip(self.members, answers, strict=True)
        ]
        return self.calibrator.to_graph(graph, graph.sum(shares), self.task.n_outputs)

    def _fold_to_graph(self, graph: Graph, member: Member, fold: FoldModel, table: TableNames) -> str:
        if not hasattr(fold.estimator, "to_graph"):
            raise NoGraphError(f"The model {member.name!r} ({member.candidate}) has no form as a graph")
        outputs: str = fold.estimator.to_graph(graph, fold.transformer.to_graph(graph, table))
        return outputs

    def _predict_chunk(self, table: Table) -> FloatArray:
        matrices: dict[str, FloatArray] = {}
        answers = []
        for member in self.members:
            own = np.zeros((len(table), self.task.n_outputs))
            for fold in member.folds:
                own += self._outputs(fold, table, matrices)
            mean = own / len(member.folds)
            if member.whole is not None:
                mean = join_whole(mean, self._outputs(member.whole, table, matrices))
            answers.append(member.calibrator.apply(mean.astype(np.float32)))
        weights = {place: member.weight for place, member in enumerate(self.members)}
        return join_members(dict(enumerate(answers)), weights, self.calibrator, self.layer)

    def _outputs(self, fold: FoldModel, table: Table, matrices: dict[str, FloatArray]) -> Array:
        if fold.key not in matrices:
            matrices[fold.key] = fold.transformer.transform(table)
        return check_outputs(fold.estimator.predict(matrices[fold.key]), self.task)


def join_whole(folds: Array, whole: Array) -> Array:
    """A member's outputs from the mean of its folds and those of its model of all rows."""
    joined: Array = (1 - WHOLE_SHARE) * folds + WHOLE_SHARE * whole
    return joined


def cut_rows(table: Table) -> Iterator[slice]:
    """The rows of a table in parts that are small enough to be transformed at once."""
    if not table.texts:
        yield from (slice(start, start + CHUNK_ROWS) for start in range(0, len(table), CHUNK_ROWS))
        return
    until = np.cumsum(sum(texts.sizes() for texts in table.texts))
    start, read = 0, 0
    while start < len(table):
        fits = int(np.searchsorted(until, read + TEXT_CHUNK_BYTES, side="right"))
        end = min(max(fits, start + 1), start + TEXT_CHUNK_ROWS, len(table))
        yield slice(start, end)
        start, read = end, int(until[end - 1])


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a fitted model and its transformer are stored."""

    key: str
    transformer: Path
    estimator: Path


def load_bag(folder: Path, record: dict[str, Any], schema: Schema, task: Task) -> BagModel:
    """Read the models that `record` (ensemble.json) lists from `folder`.

    Raises:
        ArtifactError: if a file is missing, damaged or foreign.
    """

    def find(entry: dict[str, Any]) -> Place:
        key = str(entry["transform"])
        return Place(key, _inside(folder, key), _inside(folder, str(entry["model"])))

    def find_models(member: dict[str, Any]) -> tuple[list[Place], Place | None]:
        # models were once stored that answer no new rows, and marked
        folds = [entry for entry in member["folds"] if entry.get("serves", True) and entry.get("answers", True)]
        return [find(entry) for entry in folds], find(member["whole"]) if "whole" in member else None

    return _read_members(folder, record, schema, task, find_models)


def load_fold(run_path: Path, record: dict[str, Any], schema: Schema, task: Task, fold: int) -> BagModel:
    """Read the ensemble that `record` (ensemble.json) lists with the models of one fold alone: it is honest on the rows
    of that fold. They stand in the run, as not all of them are part of what is deployed.

    Raises:
        UsageError: if they do not stand there any more.
        ArtifactError: if a file is damaged.
    """

    def find_models(member: dict[str, Any]) -> tuple[list[Place], None]:
        place = fold_folder(run_path, int(member["trial"]), fold)
        if not place.is_dir():
            raise UsageError(
                f"{run_path} no longer holds the models of its folds, which alone are fair to the rows they left out",
                hint="Put search/ back; predict, serve and export to onnx do without it",
            )
        # what shares its first transformer with another member shares them all
        return [Place(str(member["folds"][0]["transform"]), place / "transform.npz", place / "model")], None

    return _read_members(run_path, record, schema, task, find_models)


def _read_members(
    folder: Path,
    record: dict[str, Any],
    schema: Schema,
    task: Task,
    find_models: Callable[[dict[str, Any]], tuple[list[Place], Place | None]],
) -> BagModel:
    encoder = TableEncoder(schema)
    transformers: dict[str, Transformer] = {}

    def read(candidate: str, place: Place) -> FoldModel:
        if place.key not in transformers:
            transformers[place.key] = Transformer.load(place.transformer, encoder.layout)
        return FoldModel(place.key, transformers[place.key], candidates.get(candidate).load(place.estimator))

    members = []
    try:
        for member in record["members"]:
            name = member["candidate"]
            places, whole_place = find_models(member)
            folds = tuple(read(name, place) for place in places)
            whole = None if whole_place is None else read(name, whole_place)
            own = Calibrator.from_json(member["calibrator"]) if "calibrator" in member else IDENTITY
            weight, trial = float(member["weight"]), int(member["trial"])
            members.append(Member(member["name"], name, weight, folds, own, whole, trial))
        calibrator = Calibrator.from_json(record["calibrator"])
        layer = read_layer(record, task)
    except (KeyError, IndexError, TypeError, OSError, ValueError) as error:
        raise ArtifactError(f"{folder} is not a whole model: {error}", hint="Train it again with automl fit") from error
    return BagModel(task, encoder, tuple(members), calibrator, layer)


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ArtifactError(f"{folder} names a file outside itself: {name}", hint="Copy the whole model folder again")
    return path
