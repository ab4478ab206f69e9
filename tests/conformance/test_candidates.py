"""Every model family passes the one suite."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from automl.matrix import Shape
from automl.space import Params
from automl.task import Task, TaskKind
from tests.conformance.candidates import CANDIDATES, CandidateConformance
from tests.unit.candidates.backbones import make_net, write_legacy


class TestDummy(CandidateConformance):
    candidate = "dummy"


class TestDecisionTree(CandidateConformance):
    candidate = "decision_tree"


class TestDiscriminant(CandidateConformance):
    candidate = "discriminant"


class TestExtraTrees(CandidateConformance):
    candidate = "extra_trees"
    edge_kinds = (TaskKind.BINARY, TaskKind.REGRESSION)


class TestHistGradientBoosting(CandidateConformance):
    candidate = "hist_gradient_boosting"
    edge_kinds = (TaskKind.BINARY, TaskKind.REGRESSION)


class Nets(CandidateConformance):
    """What the nets have in common: a late fit still compiles, for seconds on a slow machine, and then stops.

    Untouched by its deadline a fit at the defaults takes longer than `late_seconds`, so that one that ignores it fails.
    """

    edge_kinds = some_kinds = (TaskKind.BINARY,)
    edges_together = True
    late_seconds = 6.0


class PictureNets(Nets):
    """What the nets on pictures have in common."""

    quick: ClassVar[Params] = {"epochs": 5}
    enough: ClassVar[Params] = {"epochs": 30}
    tolerance = 1e-5


@pytest.mark.slow
class TestKerasBackbone(PictureNets):
    """With weights that were never trained, in a cache of the test's own: even so its features tell a bar's length."""

    candidate = "keras_backbone"
    quick: ClassVar[Params] = {"net": "MobileNetV3Small", "side": 96, "tune": False}
    enough: ClassVar[Params] = {"net": "MobileNetV3Small", "side": 96, "tune_epochs": 2}

    @pytest.fixture(autouse=True)
    def _weights(self, keras_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERAS_HOME", str(keras_cache))

    def _unsupported(self, kind: TaskKind) -> str:
        return ""  # there are weights by the time that a test runs


@pytest.fixture(scope="session")
def keras_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras cache with one file of weights, as Keras itself would have put it there."""
    from automl.candidates._backbone_nets import NETS

    folder = tmp_path_factory.mktemp("keras") / "models"
    folder.mkdir()
    write_legacy(folder / NETS["MobileNetV3Small"].cached, make_net())
    return folder.parent


def test_a_backbone_without_weights_says_where_to_put_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    shape = Shape(rows=100, numbers=0, categories=0, levels=0, outputs=2, pictures=1, pixels=300)
    task = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"), metric="log_loss")
    reason = CANDIDATES.get("keras_backbone").unsupported(task, shape)
    assert "no weights of MobileNetV3Small" in reason
    assert "nothing is downloaded" in reason
    assert "~/.keras/models" in reason


class TestKerasCNN(PictureNets):
    candidate = "keras_cnn"


@pytest.mark.slow
class TestKerasDense(PictureNets):
    candidate = "keras_dense"


@pytest.mark.slow
class TestKerasResnet(PictureNets):
    candidate = "keras_resnet"


@pytest.mark.slow
class TestKerasSeparable(PictureNets):
    candidate = "keras_separable"


class TestKerasMLP(Nets):
    candidate = "keras_mlp"
    quick: ClassVar[Params] = {"epochs": 5}
    enough: ClassVar[Params] = {"epochs": 40}


class TestKerasTabM(Nets):
    candidate = "keras_tabm"
    quick: ClassVar[Params] = {"epochs": 5, "members": 8, "units": 32}
    enough: ClassVar[Params] = {"epochs": 40}


@pytest.mark.slow
class TestKerasTextBag(Nets):
    candidate = "keras_text_bag"
    quick: ClassVar[Params] = {"epochs": 2}
    enough: ClassVar[Params] = {"epochs": 60}


class TestKerasTextCNN(TestKerasTextBag):
    candidate = "keras_text_cnn"


class TestKerasTextGRU(TestKerasTextBag):
    candidate = "keras_text_gru"


class TestKerasTextTransformer(TestKerasTextBag):
    candidate = "keras_text_transformer"


class TestLinear(CandidateConformance):
    candidate = "linear"


class TestNaiveBayes(CandidateConformance):
    candidate = "naive_bayes"


class TestNearestNeighbors(CandidateConformance):
    candidate = "nearest_neighbors"


class TestRandomForest(CandidateConformance):
    candidate = "random_forest"
    edge_kinds = (TaskKind.BINARY, TaskKind.REGRESSION)


class TestSVMLinear(CandidateConformance):
    candidate = "svm_linear"


class TestSVMRBF(CandidateConformance):
    candidate = "svm_rbf"


class TestTfidfLinear(CandidateConformance):
    candidate = "tfidf_linear"


class TestTfidfNaiveBayes(CandidateConformance):
    candidate = "tfidf_naive_bayes"


class TestTfidfRidge(CandidateConformance):
    candidate = "tfidf_ridge"


class TestTfidfSVM(CandidateConformance):
    candidate = "tfidf_svm"


class TestXGBoost(CandidateConformance):
    candidate = "xgboost"


def test_every_candidate_has_its_class_here() -> None:
    bases = (CandidateConformance, Nets, PictureNets, TestKerasTextBag)
    kinds = [kind for base in bases for kind in base.__subclasses__() if kind not in bases[:3]]
    tested = {kind.candidate for kind in kinds if kind.__module__ == __name__}
    assert tested == set(CANDIDATES.names())
