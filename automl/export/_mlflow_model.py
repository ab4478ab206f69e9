"""What MLflow loads: a frame in, a frame with `prediction` and one `proba_<class>` column a class out."""

from __future__ import annotations

from typing import Any

import pandas as pd
from predict import Model  # type: ignore[import-not-found]


class PyfuncModel:
    """See `mlflow.pyfunc`: an object with `predict`."""

    def __init__(self, folder: str) -> None:
        self.model = Model(folder, files=False)  # who asks a server must not name files of its machine

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predictions in the order of the rows."""
        rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
        labels, outputs = self.model.run(rows)
        classes = self.model.signature["classes"]
        columns = {f"proba_{label}": outputs[:, place].astype(float) for place, label in enumerate(classes)}
        return pd.DataFrame({"prediction": labels, **columns})


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(path)
