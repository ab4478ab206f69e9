"""One row through an ONNX export by onnxruntime and numpy alone, beside the same winner in automl's own process.

    python -m tests.benchmark.bare --run RUN --out FOLDER

Makes a fresh virtual environment with onnxruntime and numpy, and says what it weighs, what the export weighs, and how
long a row takes in both: prepare.py and the graph there, `Predictor.predict_outputs` of a frame of one row here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from automl.export._bundle import export_model, open_source, predict_json

REPEATS = 1000
TIMED = """
import json, sys, time
assert "automl" not in sys.modules
sys.path.insert(0, ".")
from predict import Model
model = Model(".")
rows = json.load(open("golden.json"))["rows"]
seconds = []
for at in range({repeats}):
    started = time.perf_counter()
    model.predict([rows[at % len(rows)]])
    seconds.append(time.perf_counter() - started)
seconds.sort()
print(json.dumps([1000 * seconds[len(seconds) // 2], 1000 * seconds[int(len(seconds) * 0.99)]]))
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    environment, folder = options.out / "venv", options.out / "onnx"
    python = environment.resolve() / "bin" / "python"
    source = open_source(options.run)
    if not folder.exists():
        export_model(source, "onnx", folder)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "onnxruntime", "numpy"], check=True)
    words = [str(python), "-I", "-c", TIMED.format(repeats=REPEATS)]
    said = json.loads(subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout)
    listed = subprocess.run([str(python), "-m", "pip", "list"], check=True, capture_output=True, text=True).stdout
    sizes = {name: _megabytes(path) for name, path in (("export", folder), ("environment", environment))}
    own = _time_own(source, json.loads((folder / "golden.json").read_text(encoding="utf-8"))["rows"])
    print(listed)
    print(f"export {sizes['export']:.1f} MB, environment with Python's pip {sizes['environment']:.1f} MB")
    print(f"one row, onnxruntime and numpy alone: p50 {said[0]:.3f} ms, p99 {said[1]:.3f} ms")
    print(f"one row, automl in this process: p50 {own[0]:.3f} ms, p99 {own[1]:.3f} ms")


def _time_own(source: object, rows: list[dict[str, object]]) -> tuple[float, float]:
    seconds = []
    for at in range(REPEATS // 5):
        started = time.perf_counter()
        predict_json(source.predictor, [rows[at % len(rows)]])  # type: ignore[attr-defined]
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds)), 1000 * float(np.quantile(seconds, 0.99))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


if __name__ == "__main__":
    main()
