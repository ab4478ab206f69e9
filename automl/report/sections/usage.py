"""The usage: the exact lines that put this model to work."""

from __future__ import annotations

import json
import shlex

from automl.report.blocks import Code, Section
from automl.report.source import RunSource


class Usage:
    order = 70
    title = "How to use it"

    def build(self, source: RunSource) -> Section | None:
        path = shlex.quote(source.shown_path)
        if source.status == "failed" or not (source.leaderboard or source.run.model.is_dir()):
            again = Code(title="There is no model yet; go on with the run", text=f"automl resume {path}")
            return Section(name="usage", title=self.title, blocks=(again,))
        classify = source.task is not None and source.task.is_classification
        proba = " --proba" if classify else ""
        blocks = [
            Code(title="Predict new rows", text=f"automl predict {path} NEW.csv{proba} --out predictions.csv"),
            Code(title="In a pipe", text=f"cat NEW.csv | automl predict {path} - > predictions.csv"),
            Code(title="Score it on rows with known answers", text=f"automl evaluate {path} TEST.csv"),
            Code(title="From Python", text=_python(source.shown_path, classify), language="python"),
        ]
        return Section(name="usage", title=self.title, blocks=tuple(blocks))


def _python(path: str, classify: bool) -> str:
    lines = [
        "import automl, pandas",
        "",
        f"predictor = automl.load({json.dumps(path, ensure_ascii=False)})",
        'new = pandas.read_csv("NEW.csv")',
    ]
    if classify:
        lines.append("labels = predictor.predict(new)  # (n,) labels")
        lines.append("probabilities = predictor.predict_proba(new)  # one column a class")
    else:
        lines.append("values = predictor.predict(new)  # (n,) values")
    return "\n".join(lines)


plugin = Usage()
