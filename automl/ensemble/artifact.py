"""The model folder: written whole beside its name and swapped in; checked file by file before anything is loaded."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.candidates import Estimator
from automl.ensemble.bag import join_whole, load_bag
from automl.ensemble.golden import check_golden
from automl.ensemble.second_layer import SecondLayer, join_members
from automl.errors import ArtifactError, AutoMLError, UsageError
from automl.files import environment_error, exchange, read_json, remove, sha256, write_json
from automl.intervals import Intervals
from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.preprocess.plan import Transformer, plan_key
from automl.run import Run
from automl.schema import Schema
from automl.search.answers import choose_folds, find_whole
from automl.search.calibration import IDENTITY, Calibrator
from automl.search.data import SearchData, fold_folder
from automl.search.trial import TrialResult, candidates
from automl.space import split_params
from automl.task import Task

if TYPE_CHECKING:
    pass

FORMAT_VERSION = 1
LIBRARIES = (
    "automl",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "numpy",
    "pandas",
)
# Libraries whose files may not be read by another version's code.
BOUND = ("scikit-learn",)
# How often a model may be swapped for another one while it is being read.
SWAPS = 5
# What the training data looked like (`automl.monitor.reference`), in `run.data` and in every model folder.
REFERENCE = "reference.json"
# How far values lay from what was predicted (`automl.intervals`).
INTERVALS = "intervals.json"

_hashes: dict[tuple[str, int, int], str] = {}


def save_model(
    run: Run,
    data: SearchData,
    schema: Schema,
    results: dict[int, TrialResult],
    weights: dict[int, float],
    calibrator: Calibrator,
    facts: dict[str, Any],
    *,
    parts: Mapping[int, Calibrator] | None = None,
    layer: SecondLayer | None = None,
    few: bool = False,
    intervals: Intervals | None = None,
) -> None:
    """Make `run.model` the ensemble of these trials; the folder is never half of one and half of another.

    Args:
        weights: trial → share, summing to 1.
        calibrator: has the last word, unless there is a second layer.
        layer: joins the members in place of their weights, which are kept for parts of the ensemble.
        parts: trial → what calibrates that member before it is mixed with the others; the identity unless given.
        few: see `automl.search.answers.choose_folds`.
        facts: what else the manifest says: score, threshold, run id.
        intervals: of a model of numbers, if they are known.
    """
    own = run.path / f".model.tmp-{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    try:
        own.mkdir()
        own_words = {trial: (parts or {}).get(trial, IDENTITY) for trial in weights}
        members = [
            {**_link_member(own, run, data, results[trial], share, few), "calibrator": own_words[trial].to_json()}
            for trial, share in weights.items()
        ]
        second = {} if layer is None else {"layer": layer.to_json()}
        write_json(own / "ensemble.json", {"members": members, "calibrator": calibrator.to_json(), **second})
        write_json(own / "schema.json", schema.to_json())
        write_json(own / "task.json", data.task.to_json())
        if (run.data / REFERENCE).exists():
            _link(run.data / REFERENCE, own / REFERENCE)
        _write_intervals(own, intervals)
        golden = read_json(run.data / "golden.json")
        outputs = join_members(_golden_outputs(run, data, results, own_words, few), weights, calibrator, layer)
        write_json(
            own / "golden.json", {"rows": golden, "outputs": [[round(float(v), 7) for v in row] for row in outputs]}
        )
        _write_manifest(own, facts)
        _swap(own, run.model)
    except OSError as error:
        raise environment_error(error, run.model) from error
    finally:
        shutil.rmtree(own, ignore_errors=True)


def save_single(
    place: Path,
    *,
    candidate: str,
    name: str,
    transformer: Transformer,
    estimator: Estimator,
    calibrator: Calibrator,
    schema: Schema,
    task: Task,
    golden: dict[str, Any],
    facts: dict[str, Any],
    reference: dict[str, Any] | None = None,
    intervals: Intervals | None = None,
) -> None:
    """Write a model folder that holds one fitted model; whole or not there.

    Args:
        golden: "rows" as `golden_records` makes them, and the model's "outputs" (n, k) on them.
        facts: what else the manifest says.
        reference: what the training data looked like, if that is known.
        intervals: of a model of numbers, if they are known.
    """
    own = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    try:
        (own / "members/0000-0").mkdir(parents=True)
        (own / "transforms").mkdir()
        estimator.save(own / "members/0000-0")
        transformer.save(own / "transforms/0000-0.npz")
        fold = {"model": "members/0000-0", "transform": "transforms/0000-0.npz"}
        member = {"trial": 0, "name": name, "candidate": candidate, "weight": 1.0, "folds": [fold]}
        write_json(own / "ensemble.json", {"members": [member], "calibrator": calibrator.to_json()})
        write_json(own / "schema.json", schema.to_json())
        write_json(own / "task.json", task.to_json())
        if reference is not None:
            write_json(own / REFERENCE, reference)
        _write_intervals(own, intervals)
        outputs = [[round(float(value), 7) for value in row] for row in golden["outputs"]]
        write_json(own / "golden.json", {"rows": golden["rows"], "outputs": outputs})
        _write_manifest(own, facts)
        own.rename(place)
    except OSError as error:
        raise environment_error(error, place) from error
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _write_intervals(own: Path, intervals: Intervals | None) -> None:
    if intervals is not None:
        write_json(own / INTERVALS, intervals.to_json())


def _read_intervals(folder: Path) -> Intervals | None:
    return Intervals.from_json(read_json(folder / INTERVALS)) if (folder / INTERVALS).exists() else None


def _golden_outputs(
    run: Run,
    data: SearchData,
    results: dict[int, TrialResult],
    parts: Mapping[int, Calibrator],
    few: bool,
) -> dict[int, FloatArray]:
    """What each calibrated member answers on the golden rows (m, k), from what its workers noted."""
    outputs = {}
    for trial, calibrator in parts.items():
        whole = find_whole(run.path, data, results[trial])
        asked = choose_folds(data, results[trial].candidate, whole=whole is not None, few=few)
        own = np.zeros((len(data.golden), data.task.n_outputs))
        for fold in asked:
            own += np.load(fold_folder(run.path, trial, fold) / "golden.npy", allow_pickle=False)
        mean = own / len(asked)
        if whole is not None:
            mean = join_whole(mean, np.load(whole / "golden.npy", allow_pickle=False))
        outputs[trial] = calibrator.apply(mean.astype(np.float32))
    return outputs


def _link_member(own: Path, run: Run, data: SearchData, result: TrialResult, share: float, few: bool) -> dict[str, Any]:
    key = plan_key(candidates.get(result.candidate).needs, split_params(result.params, "preprocess"))

    def link(fold: int, source: Path) -> dict[str, Any]:
        model, transform = f"members/{result.trial:04d}-{fold}", f"transforms/{key}-{fold}.npz"
        (own / model).mkdir(parents=True)
        (own / "transforms").mkdir(exist_ok=True)
        for path in sorted((source / "model").iterdir()):
            _link(path, own / model / path.name)
        if not (own / transform).exists():
            _link(source / "transform.npz", own / transform)
        return {"model": model, "transform": transform}

    whole = find_whole(run.path, data, result)
    asked = choose_folds(data, result.candidate, whole=whole is not None, few=few)
    folds = [link(fold, fold_folder(run.path, result.trial, fold)) for fold in asked]
    return {
        "trial": result.trial, "name": result.label, "candidate": result.candidate, "weight": share, "folds": folds,
        **({} if whole is None else {"whole": link(data.whole, whole)}),
    }  # fmt: skip


def _link(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _swap(own: Path, place: Path) -> None:
    """Put a whole new folder in the place of the old one, at once where the system can; elsewhere a process killed
    between two renames leaves the old one aside, for `restore_model`."""
    aside = place.with_name(".model.old")
    remove(aside)
    if place.exists() and not place.is_symlink() and exchange(own, place):
        shutil.rmtree(own, ignore_errors=True)
        return
    if place.exists():
        place.rename(aside)
    own.rename(place)
    remove(aside)  # a link, where a version that was rolled back to is made anew


def amend_model(run: Run, name: str, record: dict[str, Any]) -> None:
    """Put one more JSON file into the model folder of a run, which stays whole for whoever reads it meanwhile."""
    own = run.path / f".model.tmp-{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    try:
        manifest = read_json(run.model / "manifest.json")
        for listed in set(manifest["files"]) - {name}:
            (own / listed).parent.mkdir(parents=True, exist_ok=True)
            _link(run.model / listed, own / listed)
        write_json(own / name, record)
        facts = {"sha256": sha256(own / name), "bytes": (own / name).stat().st_size}
        write_json(own / "manifest.json", {**manifest, "files": {**manifest["files"], name: facts}})
        _swap(own, run.model)
    except OSError as error:
        raise environment_error(error, run.model) from error
    finally:
        shutil.rmtree(own, ignore_errors=True)


def restore_model(run: Run) -> None:
    """After a kill between the two renames of a swap, put the old model back."""
    aside = run.model.with_name(".model.old")
    if aside.exists() and not run.model.exists():
        aside.rename(run.model)


def _write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[str(path.relative_to(folder))] = {"sha256": _hash(path), "bytes": path.stat().st_size}
    write_json(
        folder / "manifest.json",
        {
            "format_version": FORMAT_VERSION,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": installed_versions(),
            **facts,
            "files": files,
        },
    )


def _hash(path: Path) -> str:
    """SHA-256, computed once a file: members do not change, and the model folder is written after every better bag."""
    status = path.stat()
    key = (str(status.st_ino), status.st_size, status.st_mtime_ns)
    if key not in _hashes:
        _hashes[key] = sha256(path)
    return _hashes[key]


def installed_versions() -> dict[str, str]:
    """Name → version of the libraries that a model depends on."""
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def find_model_folder(path: Path) -> Path:
    """The model folder of a run or of an export, or the path itself if it is one; of a retrained run, that of the
    version in use, so that all files that are read after another belong together.

    Raises:
        UsageError: if there is no model.
    """
    inner = path / "model"  # of a run, or of an export with a manifest of its own
    places = (path, inner) if (path / "schema.json").is_file() else (inner, path)
    for folder in places:
        if (folder / "manifest.json").is_file():
            return folder.resolve() if folder.is_symlink() else folder
    if (path / "run.json").is_file():
        raise UsageError(f"{path} has no model yet", hint=f"automl resume {shlex.quote(str(path))}")
    raise UsageError(f"{path} is neither a run folder nor a model", hint="automl fit DATA --target Y --out DIR")


def load_predictor(path: Path | str) -> Predictor:
    """Read a model that `save_model` wrote. Nothing in it can execute code.

    Args:
        path: a run folder or its model/ folder.

    Raises:
        UsageError: if there is no model.
        ArtifactError: if a file is missing, changed or foreign, a library's version does not fit, or the model no
            longer answers its golden rows as it did.
    """
    place = Path(path)
    for _ in range(SWAPS):
        folder = find_model_folder(place)
        before = _identity(folder)
        try:
            return _load_folder(folder)
        except Exception:
            if _identity(find_model_folder(place)) == before:
                break  # it is the folder's own fault, not that of a better model that took its place meanwhile
    return _load_or_refuse(find_model_folder(place))


def _identity(folder: Path) -> tuple[int, int]:
    """Changes whenever another model is put in the folder's place."""
    status = (folder / "manifest.json").stat()
    return status.st_ino, status.st_mtime_ns


def _load_or_refuse(folder: Path) -> Predictor:
    try:
        return _load_folder(folder)
    except AutoMLError:
        raise
    except Exception as error:  # foreign files: whatever they make us stumble over, they are to blame
        reason = f"{type(error).__name__}: {error}"
        raise ArtifactError(
            f"{folder} is not a whole model: {reason}", hint="Train it again with automl fit"
        ) from error


def _load_folder(folder: Path) -> Predictor:
    manifest: dict[str, Any] = read_json(folder / "manifest.json")
    check_manifest(folder, manifest)
    schema = Schema.from_json(read_json(folder / "schema.json"))
    task = Task.from_json(read_json(folder / "task.json"))
    model = load_bag(folder, read_json(folder / "ensemble.json"), schema, task)
    predictor = Predictor(
        schema, task, model,
        threshold=float(manifest.get("threshold", 0.5)), manifest=manifest, intervals=_read_intervals(folder),
    )  # fmt: skip
    check_golden(folder, predictor, read_json(folder / "golden.json"))
    if (folder / REFERENCE).exists() and not isinstance(read_json(folder / REFERENCE), dict):
        raise ArtifactError(f"{folder / REFERENCE} is no reference", hint="Train it again with automl fit")
    return predictor


def check_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Every file is there, unchanged, and nothing else is; versions fit."""
    if manifest["format_version"] != FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has the model format {manifest['format_version']}, this automl reads {FORMAT_VERSION}",
            hint="Use the automl version that wrote it: " + str(manifest["versions"].get("automl", "unknown")),
        )
    listed = manifest["files"]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"manifest.json"}
    for name in sorted(set(listed) ^ there):
        problem = "is missing" if name in listed else "does not belong to the model"
        raise ArtifactError(f"{folder / name} {problem}", hint="Copy the whole model folder again")
    for name, facts in listed.items():
        path = folder / name
        if path.is_symlink() or path.stat().st_size != facts["bytes"] or sha256(path) != facts["sha256"]:
            raise ArtifactError(
                f"{path} has changed since it was written (checksum mismatch)", hint="Copy the model again"
            )
    installed = installed_versions()
    for name in BOUND:
        wrote, have = manifest["versions"].get(name), installed.get(name)
        if wrote and have and wrote.split(".")[:2] != have.split(".")[:2]:
            raise ArtifactError(
                f"{folder} was written with {name} {wrote}, here is {have}", hint=f"pip install '{name}=={wrote}'"
            )
