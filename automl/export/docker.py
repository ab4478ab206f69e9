"""A container that answers HTTP: the ONNX graph, onnxruntime and a small server; automl is not in it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import ArtifactError
from automl.export import Facts, Format, Source
from automl.export.onnx import HERE
from automl.export.onnx import plugin as onnx_format
from automl.files import write_text
from automl.matrix import FloatArray

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
BASE_IMAGE = "python:3.12-slim"
BASE_MB = 125  # what the image above takes, unpacked
RUNTIME = ("onnxruntime", "numpy")
SECONDS = 60.0

DOCKERFILE = """\
FROM {base}
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY model.onnx signature.json *.py ./
RUN useradd --system --no-create-home --uid 10001 app
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \\
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
CMD ["python", "server.py", "--host", "0.0.0.0", "--port", "8080"]
"""


class Docker:
    title = "a container"
    executes = True
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        inner = onnx_format.write(source, folder)
        shutil.copyfile(HERE / "_server.py", folder / "server.py")
        names = (*RUNTIME, *(["pillow"] if (folder / "pictures.py").exists() else []))
        pins = [f"{name}=={version(name)}" for name in names]
        write_text(folder / "requirements.txt", "\n".join(pins) + "\n")
        write_text(folder / "Dockerfile", DOCKERFILE.format(base=BASE_IMAGE))
        write_text(folder / ".dockerignore", "*\n!model.onnx\n!signature.json\n!*.py\n!requirements.txt\n")
        size = BASE_MB + installed_mb(names) + sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        return Facts(
            summary="A container that answers HTTP with the ONNX graph: onnxruntime, numpy and a small server, run "
            "by a user without rights; automl is not in it.",
            run=(
                f"docker build -t {tag_name(source.name)} .",
                f"docker run --rm --read-only -p 8080:8080 {tag_name(source.name)}",
                "curl -s localhost:8080/predict -d @input_example.json",
            ),
            needs=tuple(pins),
            limits=(
                *inner.limits,
                f"The image takes about {size:.0f} MB (an estimate from the installed libraries; the image was not "
                "built here, its content was run as it stands).",
                "The server speaks plain HTTP without a password: put it behind what your cluster uses for both.",
            ),
            notes={**inner.notes, "image_mb_estimate": round(size)},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        """By the folder's own server, over HTTP."""
        given = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
        with _serving(folder) as address:
            answers = [answer for at in range(0, len(given), 200) for answer in _post(address, given[at : at + 200])]
        lines = [list(a["probabilities"].values()) if "probabilities" in a else [a["prediction"]] for a in answers]
        return np.array(lines, dtype=np.float32)


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-I", "server.py", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise ArtifactError("The export's server did not start", hint="python server.py in the folder says why")
        yield line.split()[-1]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _post(address: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = json.dumps({"rows": rows}).encode()
    request = urllib.request.Request(f"{address}/predict", body, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310 - our own server
            found: list[dict[str, Any]] = json.loads(response.read())["predictions"]
            return found
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"The export's server refused its rows: {error}", hint="automl verify DIR") from error


def installed_mb(names: tuple[str, ...]) -> float:
    """Megabytes that these distributions and what they need take on disk here."""
    total, seen, todo = 0.0, set[str](), list(names)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        with contextlib.suppress(PackageNotFoundError):
            found = distribution(name)
            total += sum(path.stat().st_size for f in found.files or () if (path := Path(str(f.locate()))).is_file())
            plain = [line for line in found.requires or () if ";" not in line]
            todo += [line.replace("=", " ").replace(">", " ").replace("<", " ").split()[0] for line in plain]
    return total / 1e6


def tag_name(name: str) -> str:
    """A name that container registries take: words of a to z and 0 to 9, with one of "-_." between them."""
    plain = re.sub(r"[^a-z0-9._]+", "-", name.lower())
    return re.sub(r"[-._]{2,}", "-", plain).strip("-_.") or "model"


plugin: Format = Docker()
