"""The Kubernetes manifests say what a cluster needs to know."""

from __future__ import annotations

import pytest
import yaml

from automl.export.k8s import dns_name, make_manifests


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Churn.Model", "churn-model"),
        ("2026-11-22-churn", "model-2026-11-22-churn"),
        ("über", "ber"),
        ("", "model"),
    ],
)
def test_a_name_is_one_that_a_cluster_takes(name: str, expected: str) -> None:
    assert dns_name(name) == expected


def test_a_long_name_is_cut() -> None:
    assert len(dns_name("x" * 200)) == 48


def test_service_and_autoscaler_find_the_deployment() -> None:
    made = yaml.safe_load(yaml.safe_dump(make_manifests("churn", "churn:1", 300)))
    labels = made["deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert made["deployment.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert made["service.yaml"]["spec"]["selector"] == labels
    assert made["service.yaml"]["metadata"]["labels"] == made["monitor.yaml"]["spec"]["selector"]["matchLabels"]
    assert made["autoscaler.yaml"]["spec"]["scaleTargetRef"]["name"] == made["deployment.yaml"]["metadata"]["name"]
    ports = made["deployment.yaml"]["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert ports == [{"name": "http", "containerPort": 8080}]
    assert made["service.yaml"]["spec"]["ports"][0]["targetPort"] == "http"


def test_nothing_runs_as_root_or_writes_to_its_image() -> None:
    pod = make_manifests("churn", "churn:1", 300)["deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "600Mi"
