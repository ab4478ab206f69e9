"""What a stranger's files may try, through the commands that read them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.hostile import HOSTILE
from tests.flow.command import AUTOML, PENGUINS, SURVEY, Tool, python

CONTROLS = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n"}
TRICKS = {*CONTROLS, "\u202e", "\u2066", "\u2067", "\u2028", "\u2029"}


def table_of(names: tuple[str, ...], rows: int = 40) -> bytes:
    """Every name is a column's and a category's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, "y"])
    for i in range(rows):
        cells = [names[(i + place) % len(names)] for place in range(len(names))]
        writer.writerow([*cells, ("no", "yes")[i * 7 % 5 < 2]])
    return out.getvalue().encode()


@pytest.mark.parametrize("command", ["plan", "check"])
def test_what_a_table_says_never_steers_the_terminal(tool: Tool, command: str) -> None:
    names = tuple(name.replace("\0", "")[:200] for name in HOSTILE)
    (tool.work / "t.csv").write_bytes(table_of(names))
    result = tool(command, "t.csv", "--target", "y")
    assert result.code in (0, 4), result
    assert set(result.out) & TRICKS == set(), sorted(set(result.out) & TRICKS)
    assert set(result.err) & TRICKS == set()
    assert "red" in result.out


def test_a_refusal_never_steers_the_terminal(tool: Tool) -> None:
    (tool.work / "t.csv").write_bytes(table_of(("a", "b")))
    result = tool("plan", "t.csv", "--target", "\x1b]0;mine\x07\u202ey")
    assert result.code == 3
    assert set(result.err) & TRICKS == set()


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hunter2@example.org/t.csv?token=hunter2",
        pytest.param("postgresql://me:hunter2@example.org/t", marks=pytest.mark.slow),
        pytest.param("s3://bucket/t.csv?X-Amz-Signature=hunter2", marks=pytest.mark.slow),
        pytest.param("https://example.org/t.csv#token=hunter2", marks=pytest.mark.slow),
        pytest.param("https://hunter2@example.org/t.csv", marks=pytest.mark.slow),
    ],
)
def test_a_secret_in_an_address_is_told_nowhere(tool: Tool, address: str) -> None:
    result = tool("plan", address, "--target", "y", "--json")
    assert result.code == 3, result
    assert "never uses the network" in result.err
    assert "hunter2" not in result.err + result.out


def test_predictions_come_back_as_they_were_learned_even_if_a_spreadsheet_would_run_them(
    tool: Tool, recipe: Callable[[str], Path]
) -> None:
    """Labels are data: changing them would break whoever joins them; the README says what to do about spreadsheets."""
    labels = ("=1+1", "@SUM(1)", "+1", "-1 or so")
    rows = "".join(f"{i * 37 % 23},{labels[i % 4]}\n" for i in range(120))
    (tool.work / "t.csv").write_text("a,y\n" + rows)
    done = tool("fit", "t.csv", "-t", "y", "--trials", "2", "--recipe", recipe("linear"), "--out", "run", "--quiet")
    assert done.code == 0, done
    predicted = tool("predict", "run", "t.csv", "--quiet")
    found = {line["prediction"] for line in csv.DictReader(io.StringIO(predicted.out))}
    assert found <= set(labels)


def test_what_is_written_is_the_owners_alone_whatever_the_mask(tool: Tool, recipe: Callable[[str], Path]) -> None:
    words = ("fit", PENGUINS, "-t", "body_mass_g", "--trials", "2", "--recipe", recipe("linear"), "--out", "run", "-q")
    program = "import os, sys; os.umask(0); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, *AUTOML, *map(str, words)]
    done = subprocess.run(command, cwd=tool.work, env=tool.environment(), capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (tool.work / "run").stat().st_mode & 0o777 == 0o700
    open_to_all = [path for path in (tool.work / "run").rglob("*") if path.stat().st_mode & 0o002]
    assert open_to_all == []


FORGE = """
import hashlib, json, sys, zipfile
from pathlib import Path
import automl
from automl.errors import ArtifactError

folder, marker, node = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
manifest = json.loads((folder / "manifest.json").read_text())
said = []
for name in [name for name in manifest["files"] if name.endswith(".skops")]:
    path = folder / name
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    schema = json.loads(members["schema.json"])
    members["schema.json"] = json.dumps({**schema, **node}).encode()
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    content = path.read_bytes()
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
(folder / "manifest.json").write_text(json.dumps(manifest))
try:
    automl.load(folder)
    print("loaded")
except ArtifactError as error:
    print("refused:", error)
"""
TOUCH = {
    "__class__": "str",
    "__module__": "builtins",
    "__loader__": "JsonNode",
    "content": '"touch MARK"',
    "is_json": True,
}
ARGUMENTS = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [TOUCH]}
# Forms by which a skops file makes its reader call something: a reduced object, an operator, a plain function, a type.
NODES = {
    "a function": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": "os.system"},
    "a reduced object": {
        "__class__": "system", "__module__": "os", "__loader__": "ReduceNode", "content": {},
        "__reduce__": {"args": ARGUMENTS},
    },
    "an operator": {
        "__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode", "attrs": ARGUMENTS,
    },
    "an object of a foreign type": {
        "__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": {"args": TOUCH},
    },
    "a type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode", "content": "Popen"},
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "an operator" else pytest.mark.slow) for name in NODES]
)
def test_a_forged_model_whose_file_calls_something_is_refused(survey: Path, tmp_path: Path, name: str) -> None:
    folder, marker = tmp_path / "copy", tmp_path / "executed"
    shutil.copytree(survey / "model", folder)
    if not list(folder.rglob("*.skops")):
        pytest.fail("the shared run has no scikit-learn member any more: train one here")
    said = python(FORGE, folder, marker, json.dumps(NODES[name]).replace("MARK", str(marker)))
    assert said.startswith("refused:"), said
    assert not marker.exists()


def forge_manifest(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(record)
    (folder / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


def test_a_manifest_that_leads_outside_the_model_is_refused(shared: Tool, survey: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(survey / "model", folder)
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    facts = {"sha256": hashlib.sha256(b"hunter2").hexdigest(), "bytes": 7}
    forge_manifest(folder, lambda record: record["files"].update({"../secret.txt": facts}))  # type: ignore[attr-defined]
    result = shared("predict", folder, SURVEY)
    assert result.code == 6, result
    assert "hunter2" not in result.err + result.out


def test_a_member_that_leads_outside_the_model_is_refused(shared: Tool, survey: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(survey / "model", folder)
    path = folder / "ensemble.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["members"][0]["folds"][0]["model"] = "../../elsewhere"
    content = json.dumps(record).encode()
    path.unlink()
    path.write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    forge_manifest(folder, lambda record: record["files"].update({"ensemble.json": facts}))  # type: ignore[attr-defined]
    result = shared("predict", folder, SURVEY)
    assert result.code == 6, result


def test_a_model_file_that_is_a_link_is_refused(shared: Tool, survey: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(survey / "model", folder)
    path = folder / "schema.json"
    path.rename(tmp_path / "schema.json")
    path.symlink_to(tmp_path / "schema.json")
    result = shared("predict", folder, SURVEY)
    assert result.code == 6, result


def test_a_run_folder_of_a_stranger_is_only_read(shared: Tool, survey: Path, tmp_path: Path) -> None:
    """A recipe with a bomb or a tag in a run that is to be resumed."""
    for text in ("seed: !!python/object/apply:os.system ['touch executed']\n", "a: &a [x]\n" + "b: [*a]\n" * 99):
        run = tmp_path / "run"
        shutil.copytree(survey, run)
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps({**record, "status": "running"}), encoding="utf-8")
        (run / "recipe.yaml").write_text(text)
        result = shared("resume", run)
        assert result.code == 2, result
        assert "Traceback" not in result.err
        assert not (shared.work / "executed").exists()
        shutil.rmtree(run)


@pytest.mark.slow
def test_a_whole_run_needs_no_network(tool: Tool) -> None:
    """In a namespace that has not even a loopback address."""
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"a namespace without a network is not allowed here: {probe.stderr.strip()}")
    whole = (
        ("fit", SURVEY, "-t", "married", "--time", "20s", "--out", "run", "--json"),
        ("predict", "run", SURVEY, "--quiet"), ("evaluate", "run", SURVEY), ("report", "run"), ("explain", "run"),
        ("export", "run", "--format", "onnx"), ("export", "run", "--format", "skops"), ("doctor",),
    )  # fmt: skip
    for words in whole:
        command = ["unshare", "-rn", *AUTOML, *map(str, words)]
        done = subprocess.run(
            command, cwd=tool.work, env=tool.environment(), capture_output=True, timeout=300, check=False
        )
        assert done.returncode == 0, (words, done.stderr.decode()[-500:])


@pytest.mark.slow
def test_a_zip_of_pictures_leaves_nothing_outside(tool: Tool) -> None:
    """Forty names that want out; whatever is made of them, no file appears anywhere."""
    wants = ("../x.png", "../../x.png", "/tmp/x.png", "C:\\x.png", "a/../../x.png", "..\\x.png", "//x/x.png", "~/x.png")
    for number, name in enumerate(wants):
        with zipfile.ZipFile(tool.work / f"{number}.zip", "w") as archive:
            for i in range(12):
                archive.writestr(f"cat/{i}.png", b"x")
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, b"x")
        assert tool("plan", f"{number}.zip").code == 3
    names = {path.name for path in tool.folder.rglob("*") if path.is_file()}
    assert names == {f"{number}.zip" for number in range(len(wants))}
    assert not os.path.exists("/tmp/x.png")
