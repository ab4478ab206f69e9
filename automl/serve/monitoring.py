"""Prometheus rules and a Grafana dashboard for what /metrics tells, as files to copy where both are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.files import environment_error, write_json, write_text

SCRAPE_END = """\
  # For a server that demands a token, these two lines, without their marks, go on with the job above:
  # authorization:
  #   credentials_file: /path/to/token
"""
RULES, DASHBOARD, SCRAPE = "automl-rules.yml", "automl-dashboard.json", "prometheus.yml"
REFUSED = 'status=~"4..|5.."'
ADDRESS = "localhost:8080"


def write_monitoring(folder: Path, token_file: Path | None = None, *, address: str = ADDRESS) -> list[Path]:
    """Write the three files; the paths come back.

    Args:
        address: host and port of the server.
        token_file: holds what the server demands; the Prometheus configuration names it.

    Raises:
        EngineError: if the folder cannot be written.
    """
    import yaml

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise environment_error(error, folder) from error
    paths = [folder / RULES, folder / DASHBOARD, folder / SCRAPE]
    write_text(paths[0], yaml.safe_dump(make_rules(), sort_keys=False, width=100))
    write_json(paths[1], make_dashboard())
    scrape = yaml.safe_dump(make_scrape(token_file, address=address), sort_keys=False)
    write_text(paths[2], scrape if token_file is not None else scrape + SCRAPE_END)
    return paths


def make_scrape(token_file: Path | None = None, *, address: str = ADDRESS) -> dict[str, Any]:
    """A Prometheus configuration that reads one server and the rules."""
    job: dict[str, Any] = {
        "job_name": "automl",
        "scrape_interval": "15s",
        "static_configs": [{"targets": [address]}],
    }
    if token_file is not None:
        job["authorization"] = {"credentials_file": str(token_file.absolute())}
    return {"rule_files": [RULES], "scrape_configs": [job]}


def make_rules() -> dict[str, Any]:
    """Alerts on latency, errors, drift, the balance of classes, and what else wakes a person up."""
    rules = [
        _alert(
            "AutomlDown",
            'up{job="automl"} == 0',
            "2m",
            "critical",
            "A model server does not answer",
            "{{ $labels.instance }} has not been scraped for two minutes.",
        ),
        _alert(
            "AutomlSlow",
            "histogram_quantile(0.99, sum by (le, job) "
            '(rate(automl_request_seconds_bucket{path=~"/predict|/v2/models/.*/infer"}[5m]))) > 0.5',
            "10m",
            "warning",
            "Predictions are slow",
            "The slowest hundredth of the requests takes {{ $value | humanizeDuration }} or more.",
        ),
        _alert(
            "AutomlFails",
            'sum by (job) (rate(automl_requests_total{status=~"5.."}[5m])) '
            "/ sum by (job) (rate(automl_requests_total[5m])) > 0.01",
            "5m",
            "critical",
            "The model server fails",
            "{{ $value | humanizePercentage }} of the requests end with a fault of the server.",
        ),
        _alert(
            "AutomlRefuses",
            'sum by (job) (rate(automl_requests_total{status=~"4..",path!="(other)"}[15m])) '
            "/ sum by (job) (rate(automl_requests_total[15m])) > 0.1",
            "15m",
            "warning",
            "Clients send what the model cannot take",
            "{{ $value | humanizePercentage }} of the requests are refused; automl_errors_total says why.",
        ),
        _alert(
            "AutomlDrift",
            "max by (job, column) (automl_drift_psi) > 0.25",
            "30m",
            "warning",
            "A column has drifted",
            "{{ $labels.column }} is far from its training distribution (PSI {{ $value | humanize }}).",
        ),
        _alert(
            "AutomlUnseen",
            "sum by (job, column) (rate(automl_unseen_values_total[1h])) "
            "/ on (job) group_left sum by (job) (rate(automl_rows_total[1h])) > 0.05",
            "30m",
            "warning",
            "Values that training did not have",
            "{{ $value | humanizePercentage }} of the rows hold an unseen value in {{ $labels.column }}.",
        ),
        _alert(
            "AutomlMissing",
            "sum by (job, column) (rate(automl_missing_values_total[1h])) "
            "/ on (job) group_left sum by (job) (rate(automl_rows_total[1h])) > "
            "2 * (sum by (job, column) (rate(automl_missing_values_total[1d] offset 1d)) "
            "/ on (job) group_left sum by (job) (rate(automl_rows_total[1d] offset 1d))) + 0.05",
            "30m",
            "warning",
            "More cells are missing than yesterday",
            "{{ $labels.column }} is missing in {{ $value | humanizePercentage }} of the rows.",
        ),
        _alert(
            "AutomlClassBalance",
            "abs(sum by (job, class) (rate(automl_predictions_total[1h])) "
            "/ on (job) group_left sum by (job) (rate(automl_predictions_total[1h])) "
            "- sum by (job, class) (rate(automl_predictions_total[1d] offset 1d)) "
            "/ on (job) group_left sum by (job) (rate(automl_predictions_total[1d] offset 1d))) > 0.2",
            "1h",
            "warning",
            "The balance of the predicted classes has changed",
            "The share of {{ $labels.class }} is {{ $value | humanizePercentage }} away from that of yesterday.",
        ),
        _alert(
            "AutomlReloadRefused",
            'increase(automl_reloads_total{outcome="refused"}[15m]) > 0',
            "0m",
            "warning",
            "A new model was refused",
            "The old model still answers; the server's log says why.",
        ),
        _alert(
            "AutomlBusy",
            'sum by (job) (rate(automl_errors_total{kind=~"overload|timeout|stuck"}[5m])) > 0',
            "5m",
            "warning",
            "Requests are turned away",
            "The server is asked for more than it can answer: more workers, or a smaller model.",
        ),
    ]
    return {"groups": [{"name": "automl", "rules": rules}]}


def _alert(name: str, expression: str, wait: str, severity: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }


def make_dashboard() -> dict[str, Any]:
    """A Grafana dashboard over the series of `automl.serve.metrics`."""
    share = "/ ignoring (class) group_left sum(rate(automl_predictions_total[$__rate_interval]))"
    panels = [
        (
            "Requests a second",
            "reqps",
            [("sum by (path, status) (rate(automl_requests_total[$__rate_interval]))", "{{path}} {{status}}")],
        ),
        (
            "Latency",
            "s",
            [
                (
                    f"histogram_quantile({quantile}, sum by (le) (rate(automl_request_seconds_bucket"
                    '{path=~"/predict|/v2/models/.*/infer"}[$__rate_interval])))',
                    name,
                )
                for quantile, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
            ],
        ),
        (
            "Refused and failed, by kind",
            "reqps",
            [("sum by (kind) (rate(automl_errors_total[$__rate_interval]))", "{{kind}}")],
        ),
        ("Rows a second", "rowsps", [("sum(rate(automl_rows_total[$__rate_interval]))", "rows")]),
        (
            "In flight, and requests a batch",
            "short",
            [
                ("sum(automl_requests_in_flight)", "in flight"),
                (
                    "sum(rate(automl_batch_requests_sum[$__rate_interval])) "
                    "/ sum(rate(automl_batch_requests_count[$__rate_interval]))",
                    "requests a batch",
                ),
            ],
        ),
        (
            "Predicted classes",
            "percentunit",
            [(f"sum by (class) (rate(automl_predictions_total[$__rate_interval])) {share}", "{{class}}")],
        ),
        ("Drift from training (PSI)", "short", [("topk(15, max by (column) (automl_drift_psi))", "{{column}}")]),
        (
            "Missing cells a row",
            "percentunit",
            [
                (
                    "topk(15, sum by (column) (rate(automl_missing_values_total[$__rate_interval])) "
                    "/ ignoring (column) group_left sum(rate(automl_rows_total[$__rate_interval])))",
                    "{{column}}",
                )
            ],
        ),
        (
            "Unseen values a row",
            "percentunit",
            [
                (
                    "topk(15, sum by (column) (rate(automl_unseen_values_total[$__rate_interval])) "
                    "/ ignoring (column) group_left sum(rate(automl_rows_total[$__rate_interval])))",
                    "{{column}}",
                )
            ],
        ),
        ("Memory", "bytes", [("sum by (instance) (automl_resident_memory_bytes)", "{{instance}}")]),
        (
            "Model",
            "none",
            [("max by (model, version, runtime) (automl_model_info) == 1", "{{model}} {{version}} {{runtime}}")],
        ),
        ("Reloads", "short", [("sum by (outcome) (increase(automl_reloads_total[$__rate_interval]))", "{{outcome}}")]),
    ]
    return {
        "title": "automl: model servers",
        "uid": "automl-serve",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "tags": ["automl"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "annotations": {"list": []},
        "panels": [_panel(place, *panel) for place, panel in enumerate(panels)],
    }


def _panel(place: int, title: str, unit: str, queries: list[tuple[str, str]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": 8 * (place % 3), "y": 8 * (place // 3), "w": 8, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + number), "expr": expression, "legendFormat": legend, "datasource": source}
            for number, (expression, legend) in enumerate(queries)
        ],
    }
