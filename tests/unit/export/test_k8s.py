"""The Kubernetes manifests say what a cluster needs to know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from automl.export._server import Counts
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


@pytest.mark.parametrize("file", ["deployment.yaml", "service.yaml", "autoscaler.yaml", "retrain.yaml"])
def test_a_manifest_keeps_the_schema_of_its_kind(file: str) -> None:
    check_schema(make_manifests("churn", "churn:1", 300)[file])


def check_schema(manifest: dict[str, Any]) -> None:
    """The manifest is one of its kind, and with a word that the kind does not have it would be none."""
    known = kubernetes_validate.latest_version()
    assert known.startswith(kubernetes_validate.validate(manifest, known, strict=True))
    with pytest.raises(kubernetes_validate.ValidationError):
        damaged = {**manifest, "spec": {**manifest["spec"], "replica": 2}}
        kubernetes_validate.validate(damaged, known, strict=True)


def test_what_kserve_runs_is_a_pod() -> None:
    predictor = make_manifests("churn", "churn:1", 300)["kserve.yaml"]["spec"]["predictor"]
    pod = {name: value for name, value in predictor.items() if name != "minReplicas"}  # the one word of KServe's own
    assert pod["containers"][0]["name"] == "kserve-container"
    check_schema({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "churn"}, "spec": pod})


def test_knative_takes_what_kserve_runs() -> None:
    """What its webhook lets pass unless told otherwise: pkg/apis/serving/fieldmask.go of knative/serving."""
    predictor = make_manifests("churn", "churn:1", 300)["kserve.yaml"]["spec"]["predictor"]
    assert set(predictor) == {"automountServiceAccountToken", "containers", "minReplicas"}
    (container,) = predictor["containers"]
    assert container["ports"] == [{"name": "http1", "containerPort": 8080}]
    probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}
    assert set(probes) == {"readinessProbe", "livenessProbe"}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"http1"}
    assert probes["livenessProbe"]["initialDelaySeconds"] == 120
    rights = container["securityContext"]
    assert (rights["runAsNonRoot"], rights["runAsUser"], rights["readOnlyRootFilesystem"]) == (True, 10001, True)


def test_nothing_runs_as_root_or_writes_to_its_image() -> None:
    pod = make_manifests("churn", "churn:1", 300)["deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "600Mi"


def test_alerts_are_over_series_that_the_container_tells() -> None:
    counts = Counts()
    counts.add("/predict", 200, 3, 0.02)
    counts.add_classes(["yes", 'a "b"\\'])
    told = counts.text()
    assert 'automl_request_seconds_bucket{le="0.01"} 0' in told
    assert 'automl_request_seconds_bucket{le="0.025"} 1' in told
    assert 'automl_request_seconds_bucket{le="+Inf"} 1' in told
    assert r'automl_predictions_total{class="a \"b\"\\"} 1' in told
    alerts = make_manifests("churn", "churn:1", 300)["alerts.yaml"]
    assert alerts["kind"] == "PrometheusRule"
    for rule in alerts["spec"]["groups"][0]["rules"]:
        series = {
            word for word in ("requests_total", "request_seconds_bucket", "predictions_total") if word in rule["expr"]
        }
        assert series or rule["expr"].startswith("absent(up")
        assert all(f"automl_{word}" in told for word in series)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: package prometheus)")
def test_promtool_takes_the_alerts(tmp_path: Path) -> None:
    rules = make_manifests("churn", "churn:1", 300)["alerts.yaml"]["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    words = ["promtool", "check", "rules", "rules.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 rules found" in done.stdout


def test_a_pod_that_goes_answers_until_all_nodes_have_heard_of_it() -> None:
    manifests = make_manifests("churn", "churn:1", 300)
    (container,) = manifests["deployment.yaml"]["spec"]["template"]["spec"]["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    assert "lifecycle" not in manifests["kserve.yaml"]["spec"]["predictor"]["containers"][0]  # Knative refuses it
