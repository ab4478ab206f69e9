"""From a file to the arrays a search works on: what `fit` and `plan` both do before anything is trained."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.candidates._backbone_nets import SUFFIXES, check_weights
from automl.data import Dataset, Split
from automl.data.identity import identify_file
from automl.data.infer import infer_schema
from automl.data.load import load_dataset, read_table
from automl.data.pictures import decode_columns
from automl.data.sample import read_portion
from automl.data.sensitive import store_groups
from automl.data.split import make_split
from automl.data.survey import shows_points
from automl.engines.machine.cores import count_cores
from automl.ensemble.artifact import installed_versions
from automl.ensemble.golden import golden_records
from automl.errors import DataError, UsageError, did_you_mean
from automl.events import Decision, Event, WarningRaised
from automl.files import write_array, write_json
from automl.metrics import get_metric, resolve_metric
from automl.pictures import encode_uri
from automl.preprocess.embeddings import list_encoders
from automl.preprocess.sentences import check_encoder
from automl.preprocess.table import Table, TableEncoder
from automl.preprocess.word_vectors import store_word_vectors
from automl.profile import Finding
from automl.profile.describe import group_rows
from automl.recipe import Recipe
from automl.schema import Role, Schema
from automl.search.trial import measure_seconds
from automl.task import Task, TaskKind

if TYPE_CHECKING:
    import pandas as pd

GOLDEN_ROWS = 16
UNSEEN_LEVEL = "a value never seen"
# Warnings of one kind that are told one by one: a wide table may have hundreds.
MOST_WARNINGS = 8


def load(
    data: Path | str | pd.DataFrame, *, target: str | None, recipe: Recipe, deadline: float = float("inf")
) -> Dataset:
    """Read a table and settle its task and metric; `deadline` as in `automl.data.infer.infer_schema`."""
    backbone = find_backbone(recipe)
    if backbone.folder:
        check_encoder(Path(backbone.folder))
    net = check_weights(Path(backbone.file)).net if backbone.file else ""
    if recipe.data.embeddings and not Path(recipe.data.embeddings).is_file():
        raise DataError(f"There is no file {recipe.data.embeddings!r}", hint="Check the path of --embeddings")
    source = Path(data) if isinstance(data, str) else data
    dataset = load_dataset(source, target=target, recipe=recipe, deadline=deadline)
    if net and not dataset.schema.of(Role.IMAGE):
        raise UsageError(
            f"--backbone {recipe.data.backbone} holds weights of {net} for pictures, and the data has none",
            hint="Leave --backbone out, or name the column of their paths with --role COL=image",
        )
    name = resolve_metric(recipe.metric, dataset.task.kind)
    task = dataclasses.replace(dataset.task, metric=name, maximize=get_metric(name).maximize)
    return dataclasses.replace(dataset, task=task)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """What --backbone names, as an absolute path: a folder that reads texts, or a file of a net for pictures."""

    folder: str = ""
    file: str = ""


def find_backbone(recipe: Recipe) -> Backbone:
    """Which of the two is meant; of what is not there, the name's ending tells."""
    if not recipe.data.backbone:
        return Backbone()
    path = Path(recipe.data.backbone).expanduser().absolute()
    is_file = path.is_file() or (path.suffix.lower() in SUFFIXES and not path.is_dir())
    return Backbone(file=str(path)) if is_file else Backbone(folder=str(path))


def make_encoder(schema: Schema, recipe: Recipe) -> TableEncoder:
    """What turns the data set's frame into arrays, with what the recipe says of how texts and pictures may be read."""
    backbone = find_backbone(recipe)
    return TableEncoder(schema, sentences=recipe.data.encoder, backbone=backbone.folder, backbone_file=backbone.file)


def load_columns(data: Path | str | pd.DataFrame, *, recipe: Recipe) -> Dataset:
    """A table without a target, for looking at its columns alone; the target of the data set is all zeros."""
    raw = read_table(Path(data) if isinstance(data, str) else data, options=recipe.data, part="train")
    album = decode_columns(raw, aside=recipe.data.drop)
    separator = "" if shows_points(album.frame, raw.separator) else raw.separator
    schema, typed, notices = infer_schema(album.frame, album.force_roles(recipe.data), separator=separator)
    return Dataset(
        schema=album.complete(schema),
        task=Task(kind=TaskKind.REGRESSION, target=""),
        frame=typed,
        target=np.zeros(len(typed)),
        row_ids=np.arange(len(typed)),
        fingerprint="",
        name="stdin" if str(data) == "-" else Path(data).stem if isinstance(data, str | Path) else "frame",
        notices=(*raw.notices, *album.notices, *notices),
        pixels=album.pixels,
    )


def identify_run(source: str, target: str, recipe: Recipe, dataset: Dataset, test: Path | str | None) -> dict[str, Any]:
    """What run.json says from the beginning."""
    return {
        "data": source,
        "source": identify_file(Path(source)),
        "test": str(Path(test).resolve()) if test else None,
        "target": target,
        "fingerprint": dataset.fingerprint,
        "task": dataset.task.to_json(),
        "metric": dataset.task.metric,
        "rows": dataset.n_rows,
        "file_rows": dataset.file_rows,
        "columns": len(dataset.schema.features),
        "seed": recipe.seed,
        "budget_seconds": recipe.budget.seconds,
        "trials_budget": recipe.budget.trials,
        "jobs": recipe.budget.jobs or count_cores(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {**installed_versions(), "python": sys.version.split()[0]},
        "argv": sys.argv,
    }


def read_new(
    dataset: Dataset,
    path: Path | str | None,
    recipe: Recipe,
    *,
    labelled: bool = False,
    deadline: float = float("inf"),
    tell: Callable[[Event], None] = lambda event: None,
) -> pd.DataFrame | None:
    """The typed features of a second file, held against the first one's schema; None without one.

    Of a large file some rows are drawn: columns are compared, and more rows would tell no more of them.

    Args:
        deadline: `time.monotonic()` from which on no more is read of a large file; `tell` hears of it.

    Raises:
        DataError: if it cannot be read, lacks columns, or, asked to be `labelled`, lacks the target.
    """
    if not path:
        return None
    # allowed_cells: the fewest rows that a sample may have are as many as any finding looks at
    portion = read_portion(Path(path), recipe, dataset.schema, allowed_cells=0, deadline=deadline)
    if portion is not None and not portion.is_read_out:
        text = f"only the first {portion.read_rows:,} rows of {path} are held against the data"
        tell(Decision(topic="test", text=text, reason="the time was too short to read on"))
    options = recipe.data.model_copy(update={"roles": dataset.schema.roles})
    table = read_table(Path(path), options=options, part="test") if portion is None else portion.table
    frame = table.frame
    names = [str(name) for name in frame.columns]
    if labelled and dataset.task.target not in names:
        raise DataError(
            f"{path} has no target column {dataset.task.target!r}", hint=did_you_mean(dataset.task.target, names)
        )
    return dataset.schema.parse(frame)


def choose_split(dataset: Dataset, findings: list[Finding], recipe: Recipe, table: Table) -> Split:
    """The folds that the recipe, the data's shape and its duplicates ask for; of a sample some rows are held out, for
    those of the file that are not in it will be learned from at the end."""
    folds = recipe.split.folds
    return make_split(
        dataset.target,
        dataset.task,
        groups=choose_groups(dataset, findings),
        times=dataset.times,
        folds=1 if folds == "auto" and dataset.file_rows is not None else folds,
        repeats=recipe.split.repeats,
        seed=recipe.seed,
        shape=table.shape(dataset.task),
        seconds=None if recipe.budget.trials is not None else recipe.budget.seconds,
    )


def choose_groups(dataset: Dataset, findings: list[Finding]) -> Any:
    """The user's groups, joined with those of equal rows where rows repeat; None if there are neither."""
    if any(finding.effects.get("group_rows") for finding in findings):
        groups = group_rows(dataset)
        return dataset.groups if groups is None else groups
    return dataset.groups


def store_dataset(
    folder: Path, dataset: Dataset, table: Table, split: Split, groups: Any, encoder: TableEncoder, seed: int
) -> None:
    """Write everything a search reads into `run.data`; see `automl.search.trial.SearchData`."""
    table.save(folder)
    write_json(folder / "schema.json", dataset.schema.to_json())
    write_json(folder / "task.json", dataset.task.to_json())
    write_array(folder / "target.npy", lambda file: np.save(file, dataset.target))
    write_array(folder / "row_ids.npy", lambda file: np.save(file, dataset.row_ids))
    if dataset.weight is not None:
        weight = dataset.weight
        write_array(folder / "weight.npy", lambda file: np.save(file, weight))
    if dataset.sensitive:
        store_groups(folder, dataset.sensitive)
    store_split(folder / "split.npz", split, groups, dataset.times)
    golden = make_golden(dataset, seed)
    (folder / "golden").mkdir(exist_ok=True)
    encoder.encode(golden).save(folder / "golden")
    write_json(folder / "golden.json", golden_records(golden, dataset.schema))
    row = golden.iloc[:1]
    seconds = measure_seconds(lambda: encoder.encode(dataset.schema.parse(row, coded=True)))
    write_json(folder / "reading.json", {"row_seconds": seconds})


def tell_of_data(dataset: Dataset, findings: list[Finding]) -> Iterator[Event]:
    """What was guessed on reading and what was found, as events; risks are warnings, the first of each kind."""
    for notice in dataset.notices:
        yield Decision(topic=notice.topic, text=notice.text, reason=notice.reason)
    risks: Counter[str] = Counter()
    for finding in findings:
        is_risk = finding.severity == "risk"
        risks[finding.kind] += is_risk
        if is_risk and risks[finding.kind] <= MOST_WARNINGS:
            yield WarningRaised(text=". ".join(filter(None, (finding.text.rstrip("."), finding.action))))
        else:
            yield Decision(topic=finding.kind, text=finding.text, reason=finding.action)
    for kind, count in risks.items():
        if count > MOST_WARNINGS:
            more = f"{count - MOST_WARNINGS:,} more findings of this risk ({kind}) stand in the report"
            yield WarningRaised(text=more)


def prepare_texts(folder: Path, table: Table, recipe: Recipe, *, deadline: float = float("inf")) -> Iterator[Event]:
    """Keep the word vectors of the table's words in `run.data`, and tell how its texts may be read.

    Args:
        deadline: see `store_word_vectors`.

    Raises:
        DataError: if the file of vectors cannot be used.
    """
    data = recipe.data
    for option, named in (("--embeddings", data.embeddings), ("--backbone", find_backbone(recipe).folder)):
        if named and not table.texts:
            yield Decision(topic="texts", text=f"{option} is not used", reason="no column holds texts")
    if data.embeddings and table.texts:
        read = store_word_vectors(Path(data.embeddings), table, folder, deadline=deadline)
        said = f"{read.found:,} of {read.words:,} words have a vector"
        part = "" if read.is_whole else f", of which the time was enough for {read.lines:,} lines"
        yield Decision(topic="texts", text=said, reason=f"from {data.embeddings}{part}")
    in_time = list_encoders(table.layout)
    for name in (each for each in list_encoders(table.layout, in_time=False) if each not in in_time):
        reason = f"{table.layout.text_bytes / 1e6:.1f} MB of text would take it too long"
        yield Decision(topic="texts", text=f"the encoder {name!r} is left out", reason=reason)


def apply_findings(dataset: Dataset, findings: list[Finding]) -> Dataset:
    """The data set without the columns that findings drop."""
    dropped = {name: finding.text for finding in findings for name in finding.effects.get("drop", ())}
    if not dropped:
        return dataset
    columns = tuple(
        dataclasses.replace(column, role=Role.IGNORE, reason=dropped[column.name], required=False)
        if column.name in dropped
        else column
        for column in dataset.schema.columns
    )
    schema = Schema(columns)
    if not schema.features:
        raise DataError("No feature column is left after the findings", hint="Keep one with data.keep in a recipe")
    return dataclasses.replace(dataset, schema=schema, frame=dataset.frame[[column.name for column in schema.features]])


def store_split(path: Path, split: Split, groups: Any, times: Any) -> None:
    """split.npz: rows that train and score each fold, and what they were grouped or ordered by."""
    arrays: dict[str, Any] = {"count": len(split), "repeats": split.repeats}
    for number, (train, score) in enumerate(zip(split.trains, split.folds, strict=True)):
        arrays[f"train_{number}"], arrays[f"score_{number}"] = train, score
    if groups is not None:
        arrays["groups"] = groups
    if times is not None:
        arrays["times"] = times
    write_array(path, lambda file: np.savez(file, **arrays))


def make_golden(dataset: Dataset, seed: int) -> pd.DataFrame:
    """Rows that a model must answer alike wherever it is loaded: some of the data's, some with holes and new levels."""
    rng = np.random.default_rng([seed, 29])
    rows = np.sort(rng.choice(dataset.n_rows, min(GOLDEN_ROWS, dataset.n_rows), replace=False))
    golden = dataset.frame.iloc[rows].reset_index(drop=True)
    for place, column in enumerate(dataset.schema.features):
        hole = place % len(golden)
        if column.role is Role.NUMBER:
            golden.loc[hole, column.name] = np.nan
        elif column.role is Role.CATEGORY:
            golden.loc[hole, column.name] = UNSEEN_LEVEL if place % 2 else None
        elif column.role is Role.IMAGE:  # the pixels themselves, for the model may be loaded where the files are not
            golden[column.name] = [encode_uri(picture) for picture in dataset.pixels[column.name][rows]]
    return golden
