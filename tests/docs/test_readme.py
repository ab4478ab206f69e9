"""What the README says is so: its commands exist, its Python compiles, and its lists are whole.

After a change of plug-ins or commands: AUTOML_UPDATE_GOLDEN=1 pytest tests/docs
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import automl
from automl import errors
from tests.docs.readme import LIST, LISTS, PATH, ROOT, click_commands, code_blocks, command_lines, make_list, refreshed

UPDATE = os.environ.get("AUTOML_UPDATE_GOLDEN") == "1"


@pytest.fixture(scope="module")
def text() -> str:
    written = PATH.read_text(encoding="utf-8")
    if UPDATE:
        PATH.write_text(refreshed(written), encoding="utf-8")
    return PATH.read_text(encoding="utf-8")


def _shell_commands(text: str) -> list[list[str]]:
    return [words for block in code_blocks(text) if block.language == "sh" for words in command_lines(block.text)]


def _check_command(words: list[str]) -> None:
    """Parse as the tool would, without running anything; an unknown command or option raises."""
    commands = click_commands()
    length = 2 if words[1] in commands else 3
    name = " ".join(words[1:length])
    command = commands[name]
    context = command.context_class(command, info_name=name)
    given, left, _ = command.make_parser(context).parse_args(list(words[length:]))
    assert left == [], f"{left} is too much for automl {name}"
    for param in command.params:
        assert not (param.required and given.get(param.name) is None), f"{param.name} is missing in {' '.join(words)}"


def test_every_automl_line_is_a_command_with_options_that_exist(text: str) -> None:
    lines = [words for words in _shell_commands(text) if words[0] == "automl"]
    assert len(lines) >= 6
    for words in lines:
        _check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "automl fti a.csv",
        "automl fit a.csv --target y --tim 5m",
        "automl fit a.csv b.csv --target y",
        "automl evaluate b.csv",
    ],
)
def test_a_line_that_is_wrong_would_be_seen(line: str) -> None:
    with pytest.raises(Exception, match=r"fti|tim|b\.csv|target"):
        _check_command(line.split())


def test_every_command_in_a_sentence_exists(text: str) -> None:
    named = set(re.findall(r"`automl ([a-z]+)\b", text))
    assert named
    assert named <= set(click_commands())


def test_the_files_that_the_shell_lines_read_are_there(text: str) -> None:
    files = {word for words in _shell_commands(text) for word in words if word.startswith(("datasets/", "recipes/"))}
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_all_that_is_there(name: str, text: str) -> None:
    bodies = {hit["name"]: hit["body"] for hit in LIST.finditer(text)}
    assert bodies[name] == make_list(name), "refresh with AUTOML_UPDATE_GOLDEN=1 pytest tests/docs"
    assert "`" in bodies[name]


def test_every_list_in_the_readme_is_one_we_make(text: str) -> None:
    assert {hit["name"] for hit in LIST.finditer(text)} == set(LISTS)


def test_every_plugin_and_recipe_says_in_one_sentence_what_it_is(text: str) -> None:
    for hit in LIST.finditer(text):
        for line in hit["body"].splitlines():
            assert not re.fullmatch(r"\* `\w+`: \.?", line), f"{line} has no docstring"


def test_a_copy_of_a_file_is_the_file(text: str) -> None:
    copies = [block for block in code_blocks(text) if block.file]
    assert {block.file for block in copies} == {"tests/docs/huber.py", "tests/docs/test_huber.py"}
    for block in copies:
        assert block.text == (ROOT / block.file).read_text(encoding="utf-8")


def _python_blocks(text: str) -> list[ast.Module]:
    return [ast.parse(block.text) for block in code_blocks(text) if block.language == "python"]


def test_the_python_uses_names_that_exist(text: str) -> None:
    checked = 0
    for node in (node for tree in _python_blocks(text) for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("automl"):
            module = importlib.import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
            checked += 1
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "automl":
            assert hasattr(automl, node.attr)
            checked += 1
    assert checked >= 7


def test_the_python_calls_fit_with_arguments_that_it_takes(text: str) -> None:
    calls = [
        node
        for tree in _python_blocks(text)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "automl.fit"
    ]
    assert calls
    for call in calls:
        keywords: dict[str, Any] = {keyword.arg: None for keyword in call.keywords if keyword.arg}
        inspect.signature(automl.fit).bind(*call.args, **keywords)


def test_the_places_where_things_are_added_are_there(text: str) -> None:
    table = re.findall(r"^\| (?:a|the) .*? \| `(automl/[\w/]+)` \| `(automl[\w.]+)`", text, re.MULTILINE)
    assert len(table) == 8
    for folder, protocol in table:
        module, name = protocol.rsplit(".", 1)
        assert (ROOT / folder).is_dir()
        assert hasattr(importlib.import_module(module), name)


def test_the_exit_codes_are_those_of_the_errors(text: str) -> None:
    table = {int(code) for code in re.findall(r"^\| (\d+) \| ", text, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AutoMLError)]
    assert table == {0, 130} | {kind.exit_code for kind in kinds}


def test_links_and_names_of_files_in_the_readme_exist(text: str) -> None:
    named = re.findall(r"`((?:tests|recipes|datasets|automl|\.ci)/[\w./]*|pyproject\.toml)`", text)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_continuous_integration_runs_what_the_readme_says(text: str) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [" ".join(words) for words in _shell_commands(text)]
    assert "pip install -e .[test]" in commands
    assert "pip install --quiet -e '.[test]'" in script
    assert script.count('step "tests" pytest\n') == 1
    for tool in ("ruff check", "mypy", "lint-imports", "pytest"):
        assert tool in commands
        assert re.search(rf'^step ".*" {tool}\b', script, re.MULTILINE)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_top_of_the_project_holds_what_it_should() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:300]


@pytest.mark.parametrize(("name", "rows", "columns", "target"), [
    ("social_survey.csv", 2534, 9, "married"),
    ("penguins.csv", 344, 8, "body_mass_g"),
])  # fmt: skip
def test_the_sample_data_is_as_its_description_says(name: str, rows: int, columns: int, target: str) -> None:
    path: Path = ROOT / "datasets" / name
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == rows
    assert len(lines[0].split(",")) == columns
    assert target in lines[0].split(",")
    assert path.stat().st_size < 300_000
    assert f"| `{name}` | {rows:,} | {columns} | `{target}`" in (ROOT / "datasets" / "README.md").read_text(
        encoding="utf-8"
    )


def test_the_sample_pictures_are_as_their_description_says() -> None:
    import zipfile

    path: Path = ROOT / "datasets" / "digits.zip"
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(names) == 1797
    assert sum(name.startswith("digits/train/") for name in names) == 1297
    assert {name.split("/")[2] for name in names} == set("0123456789")
    assert path.stat().st_size < 500_000
