"""Kubernetes manifests around the container: Deployment, Service, autoscaling, monitoring, KServe, a retraining job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from automl.export import Facts, Format, Source
from automl.export.docker import plugin as docker_format
from automl.export.docker import tag_name
from automl.files import write_text
from automl.matrix import FloatArray

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"
FOLDER = "k8s"
PORT = 8080
MEMORY_MB = 256  # what onnxruntime and Python take before the first model
NOBODY = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}


class Kubernetes:
    title = "Kubernetes manifests"
    executes = True
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        inner = docker_format.write(source, folder)
        name = dns_name(source.name)
        image = f"{tag_name(source.name)}:latest"
        model_mb = (folder / "model.onnx").stat().st_size / 1e6
        memory = int(MEMORY_MB + 6 * model_mb)
        (folder / FOLDER).mkdir()
        for file, record in make_manifests(name, image, memory).items():
            write_text(folder / FOLDER / file, yaml.safe_dump(record, sort_keys=False))
        return Facts(
            summary="Kubernetes manifests around a container that answers HTTP with the ONNX graph.",
            run=(
                f"docker build -t REGISTRY/{image} . && docker push REGISTRY/{image}",
                f"sed -i 's#image: {image}#image: REGISTRY/{image}#' {FOLDER}/*.yaml",
                f"kubectl apply -f {FOLDER}/deployment.yaml -f {FOLDER}/service.yaml -f {FOLDER}/autoscaler.yaml",
            ),
            needs=inner.needs,
            limits=(
                *inner.limits,
                f"{FOLDER}/monitor.yaml and {FOLDER}/alerts.yaml need the Prometheus operator, and "
                f"{FOLDER}/kserve.yaml KServe; it takes the place of deployment, service and autoscaler.",
                f"{FOLDER}/retrain.yaml needs an image with automl and a volume claim named {name}-runs with the "
                "run folder as run/ and new labelled rows as new.csv; it is suspended until you say otherwise.",
            ),
            notes=inner.notes,
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return docker_format.predict(folder, rows)


def make_manifests(name: str, image: str, memory_mb: int) -> dict[str, dict[str, Any]]:
    """File name → manifest.

    Args:
        memory_mb: what a replica may take.
    """
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "model"}
    meta = {"name": name, "labels": labels}
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": NOBODY,
        "terminationGracePeriodSeconds": 30,
        "containers": [_container(image, memory_mb)],
    }
    deployment = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    scaled = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [cpu],
    }
    service = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    monitor = {
        "selector": {"matchLabels": labels},
        "endpoints": [{"port": "http", "path": "/metrics", "interval": "30s"}],
    }
    kserve = {"predictor": {**_kserve_pod(image, memory_mb), "minReplicas": 1}}
    return {
        "deployment.yaml": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": deployment},
        "service.yaml": {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        "autoscaler.yaml": {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": meta,
            "spec": scaled,
        },
        "monitor.yaml": {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": meta,
            "spec": monitor,
        },
        "kserve.yaml": {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": meta,
            "spec": kserve,
        },
        "alerts.yaml": _alerts(name, labels),
        "retrain.yaml": _retrain(name, labels),
    }


def _kserve_pod(image: str, memory_mb: int) -> dict[str, Any]:
    """The same as Knative takes it, on which KServe runs where it scales to zero.

    Knative refuses a port of another name than http1 or h2c, a time to end, what is done before it, and what a pod, not
    its container, says of security; before 1.15 a probe of the start as well (pkg/apis/serving/fieldmask.go of
    knative/serving).
    """
    container = {**_container(image, memory_mb, port="http1"), "name": "kserve-container"}
    start, _ = container.pop("startupProbe"), container.pop("lifecycle")
    container["livenessProbe"]["initialDelaySeconds"] = start["periodSeconds"] * start["failureThreshold"]
    container["securityContext"] = {**NOBODY, **container["securityContext"]}
    return {"automountServiceAccountToken": False, "containers": [container]}


def _container(image: str, memory_mb: int, *, port: str = "http") -> dict[str, Any]:
    def probe(path: str, seconds: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": port}, "periodSeconds": seconds, "timeoutSeconds": 2}

    return {
        "name": "model",
        "image": image,
        "ports": [{"name": port, "containerPort": PORT}],
        "resources": {
            "requests": {"cpu": "250m", "memory": f"{memory_mb}Mi"},
            "limits": {"cpu": "1", "memory": f"{2 * memory_mb}Mi"},
        },
        "readinessProbe": probe("/readyz", 5),
        "livenessProbe": {**probe("/healthz", 15), "failureThreshold": 4},
        "startupProbe": {**probe("/readyz", 2), "failureThreshold": 60},
        # requests go on coming until every node has heard that the pod is going
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _alerts(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """What wakes a person up, over the series that the container itself tells; drift is `automl monitor`'s."""
    own = f'job="{name}"'

    def rate(series: str, wanted: str, span: str) -> str:
        return f"sum(rate({series}{{{wanted}}}[{span}]))"

    requests = "automl_requests_total"
    failed, every = rate(requests, f'{own},status=~"5.."', "5m"), rate(requests, own, "5m")
    refused, asked = rate(requests, f'{own},status=~"4..",path="/predict"', "15m"), rate(requests, own, "15m")
    slow = f"histogram_quantile(0.99, sum by (le) (rate(automl_request_seconds_bucket{{{own}}}[5m])))"
    now, before = (
        f"sum by (class) (rate(automl_predictions_total{{{own}}}[{span}])) "
        f"/ scalar(sum(rate(automl_predictions_total{{{own}}}[{span}])))"
        for span in ("1h", "1d")
    )
    alerts = [
        ("ModelDown", f"absent(up{{{own}}} == 1)", "2m", "critical", "No replica answers"),
        ("ModelFails", f"{failed} / {every} > 0.01", "5m", "critical", "Requests end with a fault of the server"),
        ("ModelSlow", f"{slow} > 0.5", "10m", "warning", "The slowest hundredth takes more than half a second"),
        ("ModelRefuses", f"{refused} / {asked} > 0.1", "15m", "warning", "Clients send what the model cannot take"),
        (
            "ModelClassBalance",
            f"abs({now} - {before}) > 0.2",
            "1h",
            "warning",
            "The balance of the classes has changed",
        ),
    ]
    rules = [
        {
            "alert": alert,
            "expr": expression,
            "for": wait,
            "labels": {"severity": severity},
            "annotations": {"summary": f"{name}: {summary}"},
        }
        for alert, expression, wait, severity, summary in alerts
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": labels},
        "spec": {"groups": [{"name": name, "rules": rules}]},
    }


def _retrain(name: str, labels: dict[str, str]) -> dict[str, Any]:
    job = {
        "restartPolicy": "Never",
        "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": f"{name}-runs"}}],
        "containers": [
            {
                "name": "retrain",
                "image": "automl:latest",
                "command": ["automl", "retrain", "/runs/run", "/runs/new.csv", "--if", "drift", "--if", "decay"],
                "volumeMounts": [{"name": "runs", "mountPath": "/runs"}],
                "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi"}},
            }
        ],
    }
    spec = {
        "schedule": "0 3 * * 0",
        "concurrencyPolicy": "Forbid",
        "suspend": True,
        "jobTemplate": {"spec": {"backoffLimit": 1, "activeDeadlineSeconds": 7200, "template": {"spec": job}}},
    }
    meta = {"name": f"{name}-retrain"[:52].rstrip("-"), "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}


def dns_name(name: str) -> str:
    """A name that Kubernetes takes: at most 52 of a-z, 0-9 and -, beginning with a letter."""
    plain = "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in name.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"model-{plain}"
    return plain[:48].strip("-") or "model"


plugin: Format = Kubernetes()
