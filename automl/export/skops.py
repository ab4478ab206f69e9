"""The model as it is: scikit-learn parts by skops, XGBoost and nets in plain files; no pickle, needs automl."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl.export import Facts, Format, Source
from automl.export._answer import answer
from automl.matrix import FloatArray

FOLDER = "model"


class Skops:
    title = "a model folder without pickle"
    executes = False
    from_graph = False

    def write(self, source: Source, folder: Path) -> Facts:
        shutil.copytree(source.folder, folder / FOLDER)
        versions = source.predictor.manifest.get("versions", {})
        return Facts(
            summary="The model as automl keeps it: arrays, XGBoost's own files, scikit-learn models by skops. "
            "Nothing in it can execute when it is loaded.",
            run=("pip install automl", f"automl predict {FOLDER} ROWS.csv --proba --out predictions.csv"),
            needs=tuple(f"{name}=={version}" for name, version in sorted(versions.items())),
            limits=("It loads where automl is installed with the scikit-learn version named in manifest.json.",),
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return answer("folder", folder / FOLDER, rows)


plugin: Format = Skops()
