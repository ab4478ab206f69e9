"""An export folder: written beside its name, proven in a fresh process, and swapped in; checked before it is used."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from automl.ensemble.artifact import find_model_folder, installed_versions, load_predictor
from automl.ensemble.golden import golden_frame
from automl.errors import ArtifactError, AutoMLError, UsageError
from automl.export import TOLERANCE, Facts, Source, formats, proof_of, rows_to_json
from automl.export._readme import make_readme
from automl.export._rows import choose_rows, largest_difference, tolerance
from automl.files import environment_error, read_json, sha256, write_json, write_text
from automl.matrix import FloatArray
from automl.predictor import Predictor
from automl.run import Run
from automl.task import Task

FORMAT_VERSION = 1
KIND = "automl-export"
MANIFEST = "manifest.json"
REFERENCE = "reference.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024


def open_source(path: Path) -> Source:
    """The model of a run, or of a model folder."""
    folder = find_model_folder(path)
    run = Run.open(path) if (path / "run.json").is_file() else None
    if run is None and folder.name == "model" and (folder.parent / "run.json").is_file():
        run = Run.open(folder.parent)
    name = run.path.name if run is not None else folder.absolute().name
    return Source(folder=folder, predictor=load_predictor(folder), run=run, name=name)


def export_model(
    source: Source, name: str, out: Path, *, data: Path | None = None, notes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write `source` in the format `name` into `out`, and hold it against the model on real and on troubled rows.

    Args:
        data: rows to compare on; the run's own unless given.
        notes: further facts for the manifest.

    Returns:
        the manifest.

    Raises:
        UsageError: if `out` is there and is no export.
        NoGraphError: if the model has no faithful form in this format.
        EngineError: if `out` cannot be made.
        ArtifactError: if what was written answers differently; nothing is left behind.
    """
    plugin = formats.get(name)
    _check_place(out)
    own = out.absolute().with_name(f".{out.name}.tmp-{os.getpid()}")
    shutil.rmtree(own, ignore_errors=True)
    try:
        own.mkdir(parents=True)
        facts = plugin.write(source, own)
        has_answers = plugin.from_graph or proof_of(plugin) == "answers"
        rows, origin = choose_rows(source, data) if has_answers else ([], "no rows: it holds no model")
        parity = _compare(plugin, source, own, rows)
        parity |= {"real_rows_from": origin, "proof": proof_of(plugin), "said": facts.proof}
        manifest = {**_describe(source, name, facts, parity), **(notes or {})}
        _write_companions(own, plugin, source, facts, manifest)
        write_manifest(own, manifest)
        _swap(own, out.absolute())
    except OSError as error:
        raise environment_error(error, out) from error
    finally:
        shutil.rmtree(own, ignore_errors=True)
    result: dict[str, Any] = read_json(out / MANIFEST)
    return result


def _check_place(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if out.is_dir() and (out / MANIFEST).is_file() and read_manifest(out).get("kind") == KIND:
        return  # an older export is replaced whole
    raise UsageError(f"{out} is there already and is no export", hint="Choose another folder with --out DIR")


def _swap(own: Path, place: Path) -> None:
    aside = place.with_name(f".{place.name}.old-{os.getpid()}")
    if place.exists():
        place.rename(aside)
    own.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _compare(plugin: Any, source: Source, folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Outputs of the written folder beside those of the model in this process.

    Raises:
        ArtifactError: if they are further apart than the tolerance.
    """
    task = source.predictor.task
    shape = (0, task.n_outputs)
    expected = predict_json(source.predictor, rows) if rows else np.zeros(shape, dtype=np.float32)
    found = predict_fresh(plugin, folder, rows) if rows else expected
    half = len(rows) // 2
    real = largest_difference(found[:half], expected[:half], task)
    hard = largest_difference(found[half:], expected[half:], task)
    allowed = tolerance(task, TOLERANCE)
    if proof_of(plugin) == "answers" and not max(real, hard) <= allowed:
        where = "real rows" if real > allowed else "rows with planted missing, unseen and extreme values"
        raise ArtifactError(
            f"The export as {plugin.title} answers {where} differently (by {max(real, hard):.1e}, allowed {allowed:g})",
            hint="automl export RUN --format skops --out DIR keeps the model as it is",
        )
    unit = "probability" if task.is_classification else "relative"
    return {
        "rows": half,
        "largest_difference": real,
        "planted_rows": len(rows) - half,
        "planted_largest_difference": hard,
        "tolerance": allowed,
        "unit": unit,
        "checked_in": "a fresh process",
    }


def predict_json(predictor: Predictor, rows: list[dict[str, Any]]) -> FloatArray:
    """What the model itself says of JSON rows."""
    import pandas as pd

    names = [column.name for column in predictor.schema.features if any(column.name in row for row in rows)]
    columns = {name: np.array([row.get(name) for row in rows], dtype=object) for name in names}
    return predictor.predict_outputs(pd.DataFrame(columns, index=range(len(rows)), dtype=object))


def predict_fresh(plugin: Any, folder: Path, rows: list[dict[str, Any]]) -> FloatArray:
    """What a folder says of JSON rows, by a fresh process."""
    import json

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        result: FloatArray = plugin.predict(folder, path)
        return result


def _describe(source: Source, name: str, facts: Facts, parity: dict[str, Any]) -> dict[str, Any]:
    predictor = source.predictor
    model = predictor.manifest
    record = source.run.record if source.run is not None else {}
    return {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "format": name,
        "name": source.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": installed_versions(),
        "seed": record.get("seed"),
        "model": {
            key: model[key] for key in ("run", "metric", "out_of_fold_score", "python", "versions") if key in model
        },
        "task": predictor.task.to_json(),
        "threshold": predictor.threshold,
        "schema": predictor.schema.to_json(),
        "classes": list(predictor.task.classes),
        "needs": list(facts.needs),
        "parity": parity,
        **facts.notes,
    }


def _write_companions(folder: Path, plugin: Any, source: Source, facts: Facts, manifest: dict[str, Any]) -> None:
    """README.md, golden rows with their answers (the export's own, where it is another model), an input to try."""
    golden = read_json(source.folder / "golden.json")
    rows = rows_to_json(golden_frame(source.predictor.schema, golden["rows"]))
    own = proof_of(plugin) == "score" and plugin.from_graph
    outputs = predict_fresh(plugin, folder, rows) if own else predict_json(source.predictor, rows)
    answers = [[float(value) for value in line] for line in outputs]
    write_json(folder / "golden.json", {"rows": rows, "outputs": answers})
    write_json(folder / "input_example.json", {"rows": rows[:2]})
    if (source.folder / REFERENCE).is_file():  # counts and quantiles of training, for whoever watches for drift
        shutil.copyfile(source.folder / REFERENCE, folder / REFERENCE)
    write_text(folder / "README.md", make_readme(source, facts, manifest))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """manifest.json over everything that lies in the folder."""
    files = {
        str(path.relative_to(folder)): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    write_json(folder / MANIFEST, {**manifest, "files": files})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an export.

    Raises:
        UsageError: if there is none.
        ArtifactError: if it is none of ours, damaged, or of a newer version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(f"{folder} is not an export: it has no {MANIFEST}", hint="automl export RUN --format onnx")
    try:
        if path.is_symlink() or path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is too large or a link")
        manifest: dict[str, Any] = read_json(path)
        if manifest["kind"] != KIND:
            raise ValueError(f"its kind is {manifest['kind']!r}")
        if manifest["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format version is {manifest['format_version']!r}, this automl reads 1")
        Task.from_json(manifest["task"])
        for facts in manifest["files"].values():
            int(facts["bytes"]), str(facts["sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path} is not an export's manifest: {error}", hint="Export the model again") from error
    return manifest


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Every listed file is there and unchanged, and nothing else is; nothing is loaded.

    Raises:
        ArtifactError: the first fault is named.
    """
    there = {
        str(path.relative_to(folder)): path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    there.pop(MANIFEST, None)
    listed = manifest["files"]
    for name in sorted(set(listed) ^ set(there)):
        problem = "is missing" if name in listed else "does not belong to the export"
        raise ArtifactError(f"{folder / name} {problem}", hint="Copy the whole export again")
    for name, facts in listed.items():
        path = there[name]
        if path.is_symlink() or path.stat().st_size != facts["bytes"] or sha256(path) != facts["sha256"]:
            raise ArtifactError(f"{path} has changed since it was written", hint="Copy the export again")


def verify_export(folder: Path, *, trust: bool = False) -> dict[str, Any]:
    """Hold an export against its manifest, then let a fresh process answer its golden rows.

    Args:
        trust: load formats that run code of the folder, too.

    Returns:
        {"format", "files", "has_answers", "golden_rows", "largest_difference"}; the last two None where it was not
        loaded, and `has_answers` false where it holds no model.

    Raises:
        UsageError, ArtifactError: as `read_manifest`, `check_files`; or if the answers differ.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    plugin = formats.get(str(manifest["format"]))
    has_answers = plugin.from_graph or proof_of(plugin) == "answers"
    result = {"format": manifest["format"], "files": len(manifest["files"]), "has_answers": has_answers}
    if not has_answers or (plugin.executes and not trust):
        return {**result, "golden_rows": None, "largest_difference": None}
    task = Task.from_json(manifest["task"])
    try:
        golden = read_json(folder / "golden.json")
        expected = np.array(golden["outputs"], dtype=np.float32).reshape(len(golden["rows"]), task.n_outputs)
        found = predict_fresh(plugin, folder, golden["rows"])
    except AutoMLError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder} has no readable golden rows: {error}", hint="Export it again") from error
    apart = largest_difference(found, expected, task)
    if not apart <= tolerance(task, TOLERANCE):
        raise ArtifactError(
            f"{folder} answers its golden rows differently than when it was written (by {apart:.1e})",
            hint=f"It was made with {', '.join(manifest.get('needs', []))}",
        )
    return {**result, "golden_rows": len(expected), "largest_difference": apart}
