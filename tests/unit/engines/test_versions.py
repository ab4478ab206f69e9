"""Parent and workers are the same where it matters."""

from __future__ import annotations

from importlib.metadata import version

from automl.engines.cluster.versions import compare_versions, read_versions

OURS = {"python": "3.11.7", "automl": "0.1.0", "numpy": "2.4.6", "source": "aaaa"}


def test_versions_are_those_that_are_installed() -> None:
    found = read_versions()
    assert found["numpy"] == version("numpy")
    assert set(found) == {"python", "automl", "numpy", "scikit-learn", "xgboost", "distributed", "source"}
    assert "missing" not in found.values()
    assert len(found["source"]) == 12


def test_a_patch_release_of_python_is_no_difference() -> None:
    assert compare_versions(OURS, {**OURS, "python": "3.11.9"}) == []
    assert compare_versions(OURS, {**OURS, "python": "3.12.7"}) == ["python 3.12 instead of 3.11"]


def test_every_other_difference_is_named() -> None:
    assert compare_versions(OURS, {**OURS, "numpy": "2.4.5"}) == ["numpy 2.4.5 instead of 2.4.6"]
    assert compare_versions(OURS, {"python": "3.11.7", "automl": "0.1.0", "source": "aaaa"}) == [
        "numpy missing instead of 2.4.6"
    ]


def test_code_that_differs_under_the_same_version_is_told() -> None:
    assert compare_versions(OURS, {**OURS, "source": "bbbb"}) == ["another build of automl"]
    differing = compare_versions(OURS, {**OURS, "source": "bbbb", "automl": "0.2.0"})
    assert differing == ["automl 0.2.0 instead of 0.1.0"]
