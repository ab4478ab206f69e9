"""One small model, its ONNX export, and a server for each, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.cli.main import run
from automl.export import rows_to_json
from tests.unit.export.models import make_table, store_model
from tests.unit.serve.server import Server, serving


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run: numbers, categories, truth values and days; who `bought`, yes or no."""
    return store_model(tmp_path_factory.mktemp("serve") / "shop").run.path


@pytest.fixture(scope="session")
def export(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an ONNX export."""
    out = tmp_path_factory.mktemp("serve-export") / "shop-onnx"
    assert run(["export", str(model), "--format", "onnx", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody ends or reloads; it speaks gRPC as well."""
    with serving(model, tmp_path_factory.mktemp("server"), "--grpc-port", "0") as started:
        yield started


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    """160 rows as JSON, without the target."""
    return rows_to_json(make_table().drop(columns="bought"))
