"""Every model family passes the one suite."""

from __future__ import annotations

from typing import ClassVar

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


class TestKerasMLP(CandidateConformance):
    candidate = "keras_mlp"
    edge_kinds = (TaskKind.BINARY,)
    edges_together = True
    quick: ClassVar[Params] = {"epochs": 5}
    enough: ClassVar[Params] = {"epochs": 40}


class TestKerasTabM(CandidateConformance):
    candidate = "keras_tabm"
    edge_kinds = (TaskKind.BINARY,)
    edges_together = True
    quick: ClassVar[Params] = {"epochs": 5, "members": 8, "units": 32}
    enough: ClassVar[Params] = {"epochs": 40}


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


class TestXGBoost(CandidateConformance):
    candidate = "xgboost"


def test_every_candidate_has_its_class_here() -> None:
    tested = {kind.candidate for kind in CandidateConformance.__subclasses__() if kind.__module__ == __name__}
    assert tested == set(CANDIDATES.names())
