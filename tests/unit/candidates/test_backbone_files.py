"""A file of weights is told by what it holds, and what is loaded from it sees what the saved net saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.candidates._backbone_nets import NETS, check_weights, find_weights, load_net
from automl.candidates._keras import open_keras
from automl.candidates.keras_backbone import Backbone
from automl.errors import UsageError
from automl.matrix import Shape
from tests.unit.candidates.backbones import SIDE, TASK, make_net, quiet_keras, write_legacy, write_weights

FORMS = ("legacy", "keras", "archive", "whole model", "with classes")


@pytest.fixture(scope="module")
def net() -> Any:
    return make_net()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def files(folder: Path, net: Any) -> dict[str, Path]:
    """The same net in every form, by names that tell nothing."""
    keras = open_keras()
    full = keras.applications.MobileNetV3Small(weights=None, classes=7)
    full.set_weights([*net.get_weights(), *full.get_weights()[len(net.weights) :]])
    write_weights(folder / "a.weights.h5", net)
    with quiet_keras():
        net.save(folder / "a.keras")
        net.save(folder / "whole.h5")
    paths = {"legacy": write_legacy(folder / "cat", net), "keras": folder / "dog.h5", "archive": folder / "cow.h5"}
    (folder / "a.weights.h5").rename(paths["keras"])
    (folder / "a.keras").rename(paths["archive"])
    return {**paths, "whole model": folder / "whole.h5", "with classes": write_legacy(folder / "top.weights.h5", full)}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_net_is_told_and_loaded_whatever_its_file_is_called(files: dict[str, Path], net: Any, form: str) -> None:
    file = check_weights(files[form])
    assert (file.net, file.classes) == ("MobileNetV3Small", 7 if form == "with classes" else 0)

    loaded = load_net(open_keras(), file, SIDE)

    for found, expected in zip(loaded.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if name != "MobileNetV3Small"])
@pytest.mark.parametrize("has_classes", [False, True])
def test_each_of_the_other_nets_is_told_and_loaded(tmp_path: Path, name: str, has_classes: bool) -> None:
    options = {"include_top": True, "pooling": None, "classes": 5} if has_classes else {}
    net = make_net(name, **options)
    file = check_weights(write_weights(tmp_path / "net.weights.h5", net))

    assert (file.net, file.classes) == (name, 5 if has_classes else 0)
    loaded = load_net(open_keras(), file, SIDE)
    for found, expected in zip(loaded.get_weights(), net.get_weights(), strict=False):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"), [("MobileNetV3Small", {"alpha": 0.75}), ("MobileNetV3Small", {"minimalistic": True})]
)
def test_a_net_of_other_shapes_is_refused(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    path = write_weights(tmp_path / "mobilenet_v3_small.weights.h5", make_net(name, **options))

    with pytest.raises(UsageError, match="holds no weights of MobileNetV3Small or EfficientNetB0 or ResNet50"):
        check_weights(path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["keras", "legacy"])
def test_a_net_that_is_a_layer_of_another_is_refused(tmp_path: Path, net: Any, form: str) -> None:
    keras = open_keras()
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), net, keras.layers.Dense(2)])
    path = {"keras": write_weights, "legacy": write_legacy}[form](tmp_path / "net.weights.h5", model)

    with pytest.raises(UsageError, match="holds no weights"):
        check_weights(path)


def test_what_holds_no_weights_is_refused_in_one_sentence_with_one_hint(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no weights", encoding="utf-8")
    with pytest.raises(UsageError, match=r"text\.h5 holds no weights that can be read") as refusal:
        check_weights(tmp_path / "text.h5")
    assert ".weights.h5 or .keras file of keras.applications" in refusal.value.hint
    with pytest.raises(UsageError, match=r"There is no file .*nothing is downloaded"):
        check_weights(tmp_path / "gone.h5")


@pytest.mark.slow
def test_the_given_file_stands_before_the_keras_cache(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    for name in NETS:
        (tmp_path / "models" / NETS[name].cached).touch()
    assert list(find_weights()) == ["MobileNetV3Small", "EfficientNetB0", "ResNet50"]

    found = find_weights(str(files["keras"]))

    assert list(found) == ["MobileNetV3Small", "EfficientNetB0", "ResNet50"]
    assert found["MobileNetV3Small"].path == files["keras"]
    assert found["ResNet50"].path == tmp_path / "models" / NETS["ResNet50"].cached


def test_the_family_says_why_it_cannot_use_a_file_that_has_gone(tmp_path: Path) -> None:
    shape = Shape(
        rows=90, numbers=0, categories=0, levels=0, outputs=3, pictures=1, pixels=300, backbone_file=f"{tmp_path}/x.h5"
    )
    assert "There is no file" in Backbone().unsupported(TASK, shape)
