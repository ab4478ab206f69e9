"""Predict with model.onnx: needs onnxruntime and numpy, nothing else.

    python predict.py ROWS.csv > predictions.csv
    python predict.py ROWS.jsonl --out predictions.jsonl

A table may be separated by commas, semicolons, tabs, bars or runs of blanks, and have title lines above its header.

or, in a program:

    from predict import Model
    answers = Model(".").predict([{"age": 41, "city": "Oslo"}])
"""

from __future__ import annotations

import argparse
import codecs
import csv
import json
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_ROWS = 1000
TABLES = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data")  # of all other names are JSON lines
SEPARATORS = (",", ";", "\t", "|", "")  # the last for runs of blanks
HEAD_LINES = 20  # among which the header is
TOLD_CHARACTERS = 1 << 18  # which tell how cells are quoted
_SINGLE = re.compile(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", re.MULTILINE)
FEWEST_SINGLE = 4
MOST_ROWS = {"picture": 32, "ngrams": 64, "words": 64}  # run at once, as each row takes much memory there


def most_rows(signature: Mapping[str, Any]) -> int:
    """How many rows a graph is given at once."""
    kinds = {entry["kind"] for entry in signature["inputs"]}
    return next((most for kind, most in MOST_ROWS.items() if kind in kinds), CHUNK_ROWS)


class Model:
    """The graph in a folder, with its signature.

    Args:
        folder: where model.onnx and signature.json lie.
        threads: for one prediction.
        files: whether a picture's cell may be the path of a file.
    """

    def __init__(
        self, folder: str | Path = ".", threads: int = 1, name: str = "model.onnx", files: bool = True
    ) -> None:
        import onnxruntime

        sys.path.insert(0, str(Path(__file__).resolve().parent))
        try:  # beside this file, under the name it travels by
            from prepare import Prepare  # type: ignore[import-not-found]
        except ImportError:
            from _prepare import Prepare  # type: ignore[import-not-found]
        finally:
            sys.path.pop(0)
        self.signature = json.loads(Path(folder, "signature.json").read_text(encoding="utf-8"))
        self.prepare = Prepare(self.signature, files)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(Path(folder, name)), options, providers=["CPUExecutionProvider"]
        )
        self.most = most_rows(self.signature)
        self.inputs = [entry.name for entry in self.session.get_inputs()]

    def run(self, rows: Sequence[Mapping[str, Any]], seen: Collection[str] = ()) -> tuple[list[Any], Any]:
        """Labels or values (n,), and the probabilities or values (n, k) float32.

        Args:
            seen: columns of the rows before these; a row may leave out what it has no value for.

        Raises:
            ValueError: if no row has a column that the model needs, or a picture cannot be read.
        """
        there = [name for name in self.prepare.required if name in seen or any(name in row for row in rows)]
        parts = [self._run(_fill(rows[at : at + self.most], there)) for at in range(0, max(1, len(rows)), self.most)]
        found = parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts)]  # noqa: B905
        outputs = found[-1]
        if self.signature["task"] == "regression":
            return outputs[:, 0].tolist(), outputs
        return [self._label(label) for label in found[0].tolist()], outputs

    def _run(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        arrays = self.prepare(rows)
        return list(self.session.run(None, {name: arrays[name] for name in self.inputs}))

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """For each row its `prediction` and, for classes, `probabilities` by label."""
        labels, outputs = self.run(rows)
        if self.signature["task"] == "regression":
            return [{"prediction": value} for value in labels]
        classes = self.signature["classes"]
        return [
            {"prediction": label, "probabilities": dict(zip(classes, line))}  # noqa: B905
            for label, line in zip(labels, outputs.tolist())  # noqa: B905
        ]

    def _label(self, label: Any) -> Any:
        kind = self.signature["label_type"]
        if kind == "bool":
            return label == "True"
        return float(label) if kind == "float" else label


def _fill(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> Sequence[Mapping[str, Any]]:
    """The rows, the first of them with all of these columns: rows that are run together are judged together."""
    return [{**dict.fromkeys(names), **rows[0]}, *rows[1:]] if rows else rows


def read_rows(path: str, known: Collection[str] = (), encoding: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a text table or of JSON lines; - is JSON lines from stdin.

    Args:
        known: columns of the model, by which the header and its separator are found.
        encoding: of the file; found unless given.

    Raises:
        ValueError: if a line is no JSON object, or has more cells than the header.
    """
    if path == "-":
        yield from _read_json(sys.stdin)
        return
    encoding = encoding or _find_encoding(path)
    if not path.lower().endswith(TABLES):
        with Path(path).open(encoding=encoding) as file:
            yield from _read_json(file)
        return
    with Path(path).open(encoding=encoding, newline="") as file:
        head = _read_head(file)
        quote = _find_quote(head)
        place, separator = _find_header(head[:HEAD_LINES], known, quote)
        yield from _read_table(chain(head[place:], file), separator, quote)


def _read_json(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object, but {line.strip()[:40]!r}")
            yield row


def _read_table(lines: Iterable[str], separator: str, quote: str) -> Iterator[dict[str, Any]]:
    cut = _cut(lines, separator, quote)
    names = [_clean(name) for name in next(filter(None, cut), [])]
    for number, cells in enumerate(_leave_blanks_out(cut, len(names)), 1):
        if any(cell.strip() for cell in cells[len(names) :]):
            raise ValueError(f"row {number} below the header has {len(cells)} cells, the header has {len(names)}")
        yield {**dict.fromkeys(names), **dict(zip(names, cells))}  # noqa: B905


def _read_head(file: Iterable[str]) -> list[str]:
    """The first lines, as many as training looks at."""
    lines: list[str] = []
    size = 0
    for line in file:
        lines.append(line)
        size += len(line)
        if size >= TOLD_CHARACTERS:
            break
    return lines


def _find_quote(lines: list[str]) -> str:
    """A single quote where cells stand in such and nothing in double ones, as in tables of Weka and OpenML."""
    text = "".join(lines)
    return "'" if '"' not in text and len(_SINGLE.findall(text)) >= FEWEST_SINGLE else '"'


def _cut(lines: Iterable[str], separator: str, quote: str) -> Iterator[list[str]]:
    """The cells of each line; none of a blank one."""
    csv.field_size_limit(1 << 30)
    if not separator:
        return map(str.split, lines)
    return csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=True)


def _leave_blanks_out(rows: Iterable[list[str]], width: int) -> Iterator[list[str]]:
    """Blank lines are no rows, but in a table of one column, where one within the table is a missing cell."""
    blank = 0
    for cells in rows:
        if not cells:
            blank += 1
            continue
        if width == 1:
            yield from [[""]] * blank
        blank = 0
        yield cells


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().strip("\ufeff").strip())


def _find_header(lines: list[str], known: Collection[str], quote: str) -> tuple[int, str]:
    """The header's place and its separator: most of the model's columns are there, or else most cells in the first."""
    fits = []
    for place, line in enumerate(lines):
        for separator in SEPARATORS:
            names = {_clean(cell) for cells in _cut([line], separator, quote) for cell in cells}
            fits.append((len(names.intersection(known)), -place, len(names) if separator else 0, separator))
    _, place, _, separator = max(fits, key=lambda fit: fit[:3], default=(0, 0, 0, ","))
    return -place, separator


def _find_encoding(path: str) -> str:
    """UTF-16 if the file says so, UTF-8 if all of it is, or else that of Windows, or Latin-1, which reads any byte."""
    if not Path(path).is_file():  # a pipe can be read once
        return "utf-8-sig"
    with Path(path).open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            with Path(path).open(encoding=encoding) as text:
                while text.read(1 << 20):
                    pass
            return encoding
        except UnicodeDecodeError:
            continue
    return "latin-1"


def chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Lists of at most `CHUNK_ROWS` rows."""
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == CHUNK_ROWS:
            yield part
            part = []
    if part:
        yield part


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Predict rows with model.onnx.")
    parser.add_argument("rows", help="ROWS.csv, ROWS.jsonl, or - for JSON lines from stdin")
    parser.add_argument("--out", default="-", help="FILE.csv or FILE.jsonl; - is CSV to stdout")
    parser.add_argument("--folder", default=str(Path(__file__).resolve().parent), help="where model.onnx lies")
    parser.add_argument("--model", default="model.onnx", help="its file name")
    parser.add_argument("--encoding", type=_codec, help="of the rows, where it is not found: gb18030, cp1251, ...")
    given = parser.parse_args()
    try:
        _answer(given)
    except (OSError, ValueError, csv.Error) as error:
        sys.stderr.write(f"predict.py: {given.rows}: {error}\n")
        sys.exit(2)


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise argparse.ArgumentTypeError(f"there is no encoding {name!r}") from error


def _answer(given: argparse.Namespace) -> None:
    model = Model(given.folder, name=given.model)
    known = {name for entry in model.signature["inputs"] for name in entry.get("columns") or [entry["column"]]}
    rows = read_rows(given.rows, known, given.encoding)
    with sys.stdout if given.out == "-" else Path(given.out).open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        names = [f"proba_{label}" for label in model.signature["classes"]]
        as_json = given.out.lower().endswith(".jsonl")
        if not as_json:
            writer.writerow(["prediction", *names])
        seen: set[str] = set()
        for part in chunks(rows):
            labels, outputs = model.run(part, seen)
            seen.update(*part)
            for label, line in zip(labels, outputs.tolist()):  # noqa: B905
                if as_json:
                    out.write(json.dumps({"prediction": label, "outputs": line}) + "\n")
                else:
                    writer.writerow([label, *(line if names else [])])


if __name__ == "__main__":
    main()
