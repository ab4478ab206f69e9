"""Code from data runs in one place alone, and that place asks for trust: read from the syntax of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import automl

ROOT = Path(automl.__file__).parent

# Calls that run code of whoever wrote what they read, by their last names, or by module and name.
FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load",
    "dill.load", "dill.loads", "marshal.load", "marshal.loads", "shelve.open", "pandas.read_pickle", "pd.read_pickle",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "torch.load", "os.system", "os.popen",
    "keras.models.load_model", "keras.saving.load_model", "tf.keras.models.load_model", "tf.saved_model.load",
    "mlflow.pyfunc.load_model", "mlflow.sklearn.load_model", "skops.io.get_untrusted_types", "tempfile.mktemp",
}  # fmt: skip
# Where one of them stands all the same, and why that is no way in.
ALLOWED = {
    (
        "engines/cluster/carrier.py",
        "pickle.loads",
    ): "from a worker of the cluster, which Dask lets run code here",
    ("engines/cluster/seat.py", "pickle.loads"): "from a client of the cluster, which Dask lets run code here",
    ("recipe.py", "yaml.load"): "its Loader is a SafeLoader made stricter",
    ("export/_answer.py", "joblib.load"): "run by `export` on its own file, and by `verify --trust`",
    ("export/_answer.py", "mlflow.pyfunc.load_model"): "run by `export` on its own folder, and by `verify --trust`",
    ("export/_tensorflow.py", "tf.saved_model.load"): "run by `export` on its own folder, and by `verify --trust`",
}
# What asks over a network, and whom.
SPEAKING = {("export/docker.py", "urllib.request"): "the container that it has just started, on this machine"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of such an expression; "" of any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def find_forbidden(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a module does of it, and in which line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"pickle", "dill", "marshal", "shelve"}:
            yield f"from {node.module} import", node.lineno
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in FORBIDDEN:
            yield name, node.lineno
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in {("shell", True), ("allow_pickle", True), ("safe_mode", False)}:
                yield f"{keyword.arg}={value}", node.lineno
            if keyword.arg == "trusted" and "untrusted" in ast.unparse(keyword.value):
                yield "trusted=whatever the file lists", node.lineno
        if name in {"np.load", "numpy.load"} and not any(keyword.arg == "allow_pickle" for keyword in node.keywords):
            yield "np.load without allow_pickle=False", node.lineno


def test_nothing_runs_code_from_data_but_where_trust_is_asked_for() -> None:
    found = [(place, what, line) for place, tree in modules() for what, line in find_forbidden(tree)]
    assert [each for each in found if each[:2] not in ALLOWED] == []


def test_every_exception_is_still_needed() -> None:
    found = {(place, what) for place, tree in modules() for what, _ in find_forbidden(tree)}
    assert set(ALLOWED) - found == set()


def test_the_lint_sees_what_it_looks_for() -> None:
    text = """
import pickle, yaml, subprocess, numpy as np
from dill import loads
pickle.loads(b""); eval("1"); yaml.load("", Loader=None); subprocess.run("x", shell=True)
np.load("x"); np.load("x", allow_pickle=True); load(file, trusted=get_untrusted_types(file=file))
"""
    assert [what for what, _ in find_forbidden(ast.parse(text))] == [
        "from dill import", "pickle.loads", "eval", "yaml.load", "shell=True", "np.load without allow_pickle=False",
        "allow_pickle=True", "trusted=whatever the file lists",
    ]  # fmt: skip


def test_nothing_opens_a_connection() -> None:
    """No module imports what speaks over a network; sockets between a run and its workers have no address."""
    speaks = {"urllib.request", "http.client", "requests", "httpx", "ftplib", "smtplib", "telnetlib", "aiohttp"}
    found = [
        (place, name)
        for place, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name in speaks
    ]
    assert set(found) == set(SPEAKING)
