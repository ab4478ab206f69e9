"""The registry: names come from files and entry points, and what cannot be used is listed with its reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.errors import AutoMLError, EngineError, MissingExtraError, UsageError
from automl.registry import Listing, Registry

FILES = {
    "__init__.py": "",
    "_shared.py": "raise RuntimeError('never imported')\n",
    "apple.py": '"""A fruit.\n\nMore of it."""\nplugin = "an apple"\n',
    "banana.py": (
        '"""Another fruit."""\nREQUIRES = ("json", "no_such_library")\nEXTRA = "fruit"\nimport no_such_library\n'
    ),
    "cherry.py": 'REQUIRES = ("no_such_library.part",)\nplugin = 3\n',
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "fruit_shop"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield "fruit_shop"
    for module in [name for name in sys.modules if name.split(".")[0] in {"fruit_shop", "stall"}]:
        del sys.modules[module]


def _offer(tmp_path: Path, lines: str, modules: dict[str, str]) -> None:
    """What `pip install` of another package leaves behind: modules and the list of its entry points."""
    info = tmp_path / "stall-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stall\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[fruit_shop]\n{lines}\n")
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


def test_names_are_the_names_of_the_files_and_listing_imports_none_of_them(package: str) -> None:
    registry: Registry[Any] = Registry(package, noun="fruit")
    assert registry.names() == ("apple", "banana", "cherry")
    assert list(registry.listings()) == [
        Listing(name="apple", summary="A fruit.", origin="automl"),
        Listing(
            name="banana",
            summary="Another fruit.",
            origin="automl",
            reason="needs no_such_library (pip install 'automl[fruit]')",
        ),
        Listing(name="cherry", summary="", origin="automl", reason="needs no_such_library.part"),
    ]
    assert "fruit_shop.apple" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        '"""Lessons.\n\nclass of ten, one must cut nowhere\n"""\nREQUIRES = ("no_such",)\nclass Lesson: ...\n',
        '"""Lessons."""\nclass Lesson: ...\nREQUIRES = ("no_such",)\n',
    ],
    ids=["a text that looks like code", "below a class"],
)
def test_what_a_plugin_needs_is_read_wherever_it_stands(package: str, tmp_path: Path, text: str) -> None:
    (tmp_path / package / "lesson.py").write_text(text)
    listed = {listing.name: listing for listing in Registry[Any](package, noun="fruit").listings()}
    assert (listed["lesson"].summary, listed["lesson"].reason) == ("Lessons.", "needs no_such")


def test_a_plugin_is_imported_on_first_use_and_once(package: str) -> None:
    registry: Registry[Any] = Registry(package, noun="fruit")
    assert registry.get("apple") == "an apple"
    assert registry.get("apple") is sys.modules["fruit_shop.apple"].plugin


def test_an_unknown_name_is_refused_with_the_nearest_one(package: str) -> None:
    with pytest.raises(UsageError, match="Unknown fruit 'aple'") as caught:
        Registry[Any](package, noun="fruit").get("aple")
    assert caught.value.hint == "Did you mean 'apple'?"


def test_a_missing_library_is_named_with_the_line_that_installs_it(package: str) -> None:
    with pytest.raises(MissingExtraError, match="The fruit 'banana' needs no_such_library, which is not") as caught:
        Registry[Any](package, noun="fruit").get("banana")
    assert caught.value.hint == "pip install 'automl[fruit]'"
    assert caught.value.exit_code == 5


def test_only_what_is_there_and_has_its_libraries_is_available(package: str) -> None:
    registry: Registry[Any] = Registry(package, noun="fruit")
    assert [registry.is_available(name) for name in ("apple", "banana", "cherry", "durian")] == [
        True,
        False,
        False,
        False,
    ]


def test_another_package_adds_a_plugin_by_an_entry_point(package: str, tmp_path: Path) -> None:
    _offer(tmp_path, "durian = stall:fruit", {"stall": "fruit = 'a durian'\n"})
    registry: Registry[Any] = Registry(package, noun="fruit")
    assert registry.names() == ("apple", "banana", "cherry", "durian")
    assert list(registry.listings())[-1] == Listing(name="durian", summary="", origin="stall")
    assert "stall" not in sys.modules
    assert registry.is_available("durian")
    assert registry.get("durian") == "a durian"


def test_a_plugin_of_another_package_that_cannot_be_imported_is_named_with_its_owner(
    package: str, tmp_path: Path
) -> None:
    _offer(tmp_path, "durian = stall:fruit", {"stall": "1 / 0\n"})
    with pytest.raises(
        EngineError, match="fruit 'durian' of the package 'stall' cannot be imported: ZeroDivisionError"
    ):
        Registry[Any](package, noun="fruit").get("durian")


def test_two_plugins_of_one_name_are_refused(package: str, tmp_path: Path) -> None:
    _offer(tmp_path, "apple = stall:fruit", {"stall": "fruit = 'a second apple'\n"})
    with pytest.raises(UsageError, match="Two packages offer the fruit 'apple'"):
        Registry[Any](package, noun="fruit").names()


def test_a_registry_of_something_that_is_no_package_says_so() -> None:
    with pytest.raises(AutoMLError, match=r"json\.decoder is not a package"):
        Registry[Any]("json.decoder", noun="thing").names()
