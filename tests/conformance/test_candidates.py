"""Every model family passes the one suite."""

from __future__ import annotations

from typing import ClassVar

import pytest

from automl.space import Params
from automl.task import TaskKind
from tests.conformance.candidates import CANDIDATES, CandidateConformance


class TestDummy(CandidateConformance):
    candidate = "dummy"


class TestExtraTrees(CandidateConformance):
    candidate = "extra_trees"
    edge_kinds = (TaskKind.BINARY, TaskKind.REGRESSION)


class TestHistGradientBoosting(CandidateConformance):
    candidate = "hist_gradient_boosting"
    edge_kinds = (TaskKind.BINARY, TaskKind.REGRESSION)


class PictureNets(CandidateConformance):
    """What the nets on pictures have in common: compiling takes seconds, so that a late fit is late by these."""

    edge_kinds = (TaskKind.BINARY,)
    edges_together = True
    quick: ClassVar[Params] = {"epochs": 5}
    enough: ClassVar[Params] = {"epochs": 30}
    tolerance = 1e-5
    late_seconds = 6.0


class TestKerasCNN(PictureNets):
    candidate = "keras_cnn"


class TestKerasDense(PictureNets):
    candidate = "keras_dense"


class TestKerasResnet(PictureNets):
    candidate = "keras_resnet"


class TestKerasSeparable(PictureNets):
    candidate = "keras_separable"


class TestKerasMLP(CandidateConformance):
    candidate = "keras_mlp"
    edge_kinds = (TaskKind.BINARY,)
    edges_together = True
    quick: ClassVar[Params] = {"epochs": 5}
    enough: ClassVar[Params] = {"epochs": 40}


@pytest.mark.slow
class TestKerasTextBag(CandidateConformance):
    candidate = "keras_text_bag"
    edge_kinds = (TaskKind.BINARY,)
    edges_together = True
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
    tested = {
        kind.candidate
        for kind in (*CandidateConformance.__subclasses__(), *PictureNets.__subclasses__())
        if kind.__module__ == __name__ and kind is not PictureNets
    }
    assert tested == set(CANDIDATES.names())
