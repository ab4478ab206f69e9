"""`import automl` is cheap: names are looked up on first use, and nothing heavy comes along."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import automl

HEAVY = (
    "pandas",
    "numpy",
    "sklearn",
    "scipy",
    "pydantic",
    "yaml",
    "optuna",
    "xgboost",
    "keras",
    "tensorflow",
    "pyarrow",
)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_automl_imports_nothing_heavy() -> None:
    modules = json.loads(_python("import sys, automl, json; print(json.dumps(sorted(sys.modules)))"))
    assert "automl" in modules
    assert [name for name in modules if name.split(".")[0] in HEAVY or name.startswith("automl.")] == []


def test_importing_automl_takes_less_than_150_ms() -> None:
    code = "import time; t = time.perf_counter(); import automl; print(time.perf_counter() - t)"
    assert statistics.median(float(_python(code)) for _ in range(5)) < 0.15


def test_what_scikit_learn_could_work_with_is_not_imported_with_skops(tmp_path: Path) -> None:
    """skops walks through all of scikit-learn, which imports torch where it is installed: a second of each start."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")
    code = "import sys; sys.path.insert(0, {}); import {}; print('torch' in sys.modules)"
    assert _python(code.format(repr(str(tmp_path)), "automl.candidates._skops")).strip() == "False"
    assert _python(code.format(repr(str(tmp_path)), "skops.io")).strip() == "True"


def test_the_public_names_are_the_five_nouns_and_the_version() -> None:
    assert automl.__all__ == ["Predictor", "Recipe", "Run", "__version__", "fit", "load"]
    assert set(automl.__all__) <= set(dir(automl))


def test_the_public_names_are_what_the_rooms_hold() -> None:
    from automl.ensemble.artifact import load_predictor
    from automl.flow import fit
    from automl.predictor import Predictor
    from automl.recipe import Recipe
    from automl.run import Run

    got = [automl.fit, automl.load, automl.Predictor, automl.Recipe, automl.Run]
    assert got == [fit, load_predictor, Predictor, Recipe, Run]


def test_the_version_is_that_of_the_installed_package() -> None:
    try:
        installed = importlib.metadata.version("automl")
    except importlib.metadata.PackageNotFoundError:
        installed = "0+unknown"
    assert automl.__version__ == installed


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'automl' has no attribute 'fitt'"):
        automl.fitt  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert automl.__file__ is not None
    assert (Path(automl.__file__).parent / "py.typed").is_file()


KINDS = ("candidates", "metrics", "data/readers", "profile/findings", "report/sections", "evaluate/jobs")


@pytest.mark.parametrize("kind", KINDS)
def test_plugins_of_one_kind_do_not_know_each_other(kind: str) -> None:
    assert automl.__file__ is not None
    package = f"automl.{kind.replace('/', '.')}"
    files = [path for path in (Path(automl.__file__).parent / kind).glob("*.py") if not path.stem.startswith("_")]
    plugins = {f"{package}.{path.stem}" for path in files}
    assert len(plugins) >= 2
    for path in files:
        known = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                known |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                known |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        assert known & plugins == set(), f"{path.name} imports another plug-in"
