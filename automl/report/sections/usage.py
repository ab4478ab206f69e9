"""The usage: the exact lines that put this model to work, a request to copy, and what was exported."""

from __future__ import annotations

import importlib.util
import json
import shlex
from typing import Any

from automl.ensemble.artifact import INTERVALS
from automl.files import read_json
from automl.report.blocks import Block, Cell, Code, Paragraph, Section, Table
from automl.report.source import RunSource
from automl.report.text import format_date, is_figure

MOST_COLUMNS = 12
TEXT = "A short text about this and that."
# Role of the files a model learned from → the frame of new ones.
_FRAMES = {
    "image": '{"path": [str(file.resolve()) for file in files]}',
    "text": '{"text": [file.read_text("utf-8") for file in files]}',
}


class Usage:
    order = 70
    title = "How to use it"

    def build(self, source: RunSource) -> Section | None:
        path = shlex.quote(source.shown_root)
        if source.status == "failed" or not (source.leaderboard or source.run.model.is_dir()):
            resume = f"automl resume {shlex.quote(source.shown_path)}"
            again = Code(title="There is no model yet; go on with the run", text=resume)
            return Section(name="usage", title=self.title, blocks=(again,))
        classify = source.task is not None and source.task.is_classification
        asked = " --proba" if classify else " --interval 0.9" if _has_intervals(source) else ""
        blocks: list[Block] = [
            *_version(source),
            *(_of_files(path, asked) if source.files_role else _of_rows(path, asked)),
            *_stages(path, source.new_data),
            Code(title="From Python", text=_python(source, classify), language="python"),
        ]
        request = _request(source)
        if request is not None:
            blocks.append(request)
        parity = _parity(source)
        if parity is not None:
            blocks.append(parity)
        return Section(name="usage", title=self.title, blocks=tuple(blocks))


def _has_intervals(source: RunSource) -> bool:
    return (source.run.model / INTERVALS).is_file()


def _version(source: RunSource) -> list[Block]:
    """What the lines below ask where this run is one version of a model among several."""
    if source.version is None:
        return []
    text = (
        f"This report is of version {source.version} of {source.shown_root}. The lines below name that folder, so that "
        "they always ask the version in use, whichever that is."
    )
    return [Paragraph(text=text)]


def _of_rows(path: str, asked: str) -> list[Block]:
    return [
        Code(title="Predict new rows", text=f"automl predict {path} NEW.csv{asked} --out predictions.csv"),
        Code(title="In a pipe", text=f"cat NEW.csv | automl predict {path} - > predictions.csv"),
        Code(title="Score it on rows with known answers", text=f"automl evaluate {path} TEST.csv"),
    ]


def _of_files(path: str, asked: str) -> list[Block]:
    """The same for a model that learned from class folders: a zip of a folder does as well."""
    predict = f"automl predict {path} NEW/{asked} --out predictions.csv"
    return [
        Code(title="Predict the files of a folder or zip", text=predict),
        Code(title="Score it on a folder or zip with one folder a class", text=f"automl evaluate {path} TEST/"),
    ]


def _stages(path: str, new: str) -> list[Block]:
    """What else this installation can do with a model: a stage that is not there is not named."""
    lines = (
        ("automl.export", "Export it to a format that serves elsewhere", f"automl export {path} --format onnx"),
        ("automl.serve", "Serve it over HTTP", f"automl serve {path}"),
        ("automl.monitor", "Hold new rows against those it learned from", f"automl monitor {path} {new}"),
        ("automl.retrain", "Learn anew, if they have moved", f"automl retrain {path} {new} --if drift"),
    )
    return [Code(title=title, text=text) for module, title, text in lines if importlib.util.find_spec(module)]


def _request(source: RunSource) -> Block | None:
    """One row as JSON, of typical values: medians, the commonest values of categories, any text, a grey picture."""
    row: dict[str, Any] = {}
    for column in source.profile.get("columns") or []:
        if not isinstance(column, dict) or column.get("role") in {"ignore", None}:
            continue
        top = column.get("top") or []
        value: Any = None
        if column.get("role") == "number" and is_figure(column.get("median")):
            value = float(column["median"])
            value = int(value) if value.is_integer() else value
        elif column.get("role") == "date" and is_figure(column.get("median")):
            value = format_date(column["median"])
        elif column.get("role") == "category" and top and isinstance(top[0], list | tuple):
            value = top[0][0]
        elif column.get("role") == "text":
            value = TEXT
        elif column.get("role") == "image":
            value = _grey_picture()
        row[str(column.get("name"))] = value
    if not row:
        return None
    shown = dict(list(row.items())[:MOST_COLUMNS])
    text = json.dumps({"rows": [shown]}, ensure_ascii=False, indent=2)
    more = f"; {len(row) - len(shown):,} more columns belong to it" if len(row) > len(shown) else ""
    title = f"A row as JSON, typical in every column{more}. null is a missing value"
    return Code(title=title, text=text, language="json")


def _grey_picture() -> str:
    """A small one as a data URI: pictures of any size are brought to the model's."""
    import numpy as np

    from automl.pictures import encode_uri

    return encode_uri(np.full((8, 8, 3), 128, dtype=np.uint8))


def _parity(source: RunSource) -> Table | None:
    """What was exported, and how far its answers were from the model's."""
    rows: list[tuple[Cell, ...]] = []
    for path in sorted(source.run.export.glob("*/manifest.json")):
        try:
            manifest = read_json(path)
        except (OSError, ValueError):
            continue
        parity = manifest.get("parity") if isinstance(manifest, dict) else None
        if isinstance(parity, dict):
            apart = [parity.get(key) for key in ("largest_difference", "planted_largest_difference")]
            counts = [parity.get(key) for key in ("rows", "planted_rows")]
            worst = max((float(value) for value in apart if is_figure(value)), default=None)
            count = sum(int(value) for value in counts if is_figure(value))
            folder = path.parent.name
            rows.append((str(manifest.get("format") or folder), worst, count or None, f"export/{folder}"))
    if not rows:
        return None
    return Table(
        headings=("format", "largest difference", "rows compared", "folder"),
        rows=tuple(rows),
        formats=("", ".2g", ",d", ""),
        numeric=(False, True, True, False),
        caption="Exports, held against the model",
    )


def _python(source: RunSource, classify: bool) -> str:
    lines = ["import automl, pandas"]
    load = f"predictor = automl.load({json.dumps(source.shown_root, ensure_ascii=False)})"
    if source.files_role:
        lines += ["from pathlib import Path", "", load, 'files = sorted(Path("NEW").iterdir())']
        lines.append(f"new = pandas.DataFrame({_FRAMES[source.files_role]})")
    else:
        lines += ["", load, 'new = pandas.read_csv("NEW.csv", dtype=str, keep_default_na=False)']
    if classify:
        lines.append("labels = predictor.predict(new)  # (n,) labels")
        lines.append("probabilities = predictor.predict_proba(new)  # one column a class")
    else:
        lines.append("values = predictor.predict(new)  # (n,) values")
        if _has_intervals(source):
            lines.append("ends = predictor.predict_interval(new, 0.9)  # columns low and high")
    return "\n".join(lines)


plugin = Usage()
