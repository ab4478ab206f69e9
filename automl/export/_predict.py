"""Predict with model.onnx: needs onnxruntime and numpy, nothing else.

    python predict.py ROWS.csv > predictions.csv
    python predict.py ROWS.jsonl --out predictions.jsonl

or, in a program:

    from predict import Model
    answers = Model(".").predict([{"age": 41, "city": "Oslo"}])
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_ROWS = 1000
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

    def run(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Any], Any]:
        """Labels or values (n,), and the probabilities or values (n, k) float32."""
        parts = [self._run(rows[at : at + self.most]) for at in range(0, max(1, len(rows)), self.most)]
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


def read_rows(path: str) -> Iterator[dict[str, Any]]:
    """Rows of a CSV file or of JSON lines; - is JSON lines from stdin."""
    if path == "-" or not path.endswith(".csv"):
        with sys.stdin if path == "-" else Path(path).open(encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
    else:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


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
    given = parser.parse_args()
    model = Model(given.folder, name=given.model)
    with sys.stdout if given.out == "-" else Path(given.out).open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        names = [f"proba_{label}" for label in model.signature["classes"]]
        as_json = given.out.endswith(".jsonl")
        if not as_json:
            writer.writerow(["prediction", *names])
        for part in chunks(read_rows(given.rows)):
            labels, outputs = model.run(part)
            for label, line in zip(labels, outputs.tolist()):  # noqa: B905
                if as_json:
                    out.write(json.dumps({"prediction": label, "outputs": line}) + "\n")
                else:
                    writer.writerow([label, *(line if names else [])])


if __name__ == "__main__":
    main()
