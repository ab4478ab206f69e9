"""What a challenger is begun with."""

from __future__ import annotations

from pathlib import Path

import automl
from automl.retrain import warm_recipe
from automl.run import Run


def test_columns_keep_the_roles_that_the_champion_gave_them(tmp_path: Path) -> None:
    head = "@relation t\n@attribute grade {1,2,3}\n@attribute x numeric\n@attribute y numeric\n@data\n"
    rows = "".join(f"{at % 3 + 1},{at % 7},{(at % 3 == 1) * 5 + at % 7}\n" for at in range(120))
    (tmp_path / "t.arff").write_text(head + rows, encoding="utf-8")
    automl.fit(str(tmp_path / "t.arff"), target="y", trials=2, out=tmp_path / "run")
    recipe = warm_recipe(Run.open(tmp_path / "run"), automl.load(tmp_path / "run"))
    assert recipe.data.roles["grade"] == "category" and "x" not in recipe.data.roles
