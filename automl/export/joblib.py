"""One pickled predictor by joblib: loading it runs code, so load it only from those whom you trust."""

from __future__ import annotations

from pathlib import Path

from automl.export import Facts, Format, Source
from automl.export._answer import answer
from automl.matrix import FloatArray

FILE = "model.joblib"


class Joblib:
    title = "a pickle by joblib"
    executes = True
    from_graph = False

    def write(self, source: Source, folder: Path) -> Facts:
        import joblib

        joblib.dump(source.predictor, folder / FILE, compress=3)
        versions = source.predictor.manifest.get("versions", {})
        return Facts(
            summary="The predictor as one pickle. A pickle is a program: load it only if you trust whoever made it.",
            run=(
                "pip install automl",
                f"python -c \"import joblib, pandas; model = joblib.load('{FILE}'); "
                "print(model.predict(pandas.read_csv('ROWS.csv', dtype=str, keep_default_na=False)))\"",
            ),
            needs=tuple(f"{name}=={version}" for name, version in sorted(versions.items())),
            limits=("It loads with exactly the library versions of manifest.json.", "Loading it runs code."),
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return answer("joblib", folder / FILE, rows)


plugin: Format = Joblib()
